"""Numbers, words and texts as values."""

from __future__ import annotations

from typing import Any

import pytest

from brickscope.core.body import Number
from brickscope.core.kind import KINDS

SAME = ("as for a rule that allows",)
# kind, values; what each names to a rule that allows (None: it is not regular), and to one that denies
VALUES: dict[str, list[tuple[Any, tuple[Any, ...] | None, tuple[Any, ...] | None]]] = {
    "integer": [
        ("-0", None, SAME),
        ("00", None, SAME),
        ("-9223372036854775808", (-9223372036854775808,), SAME),
        ("-9223372036854775809", None, SAME),
        ("1\n", None, SAME),
    ],
    "number": [
        ("0", ("0",), SAME),
        ("0.0", ("0",), SAME),
        ("-1.5", ("-1.5",), SAME),
        ("10", ("1E+1",), SAME),
        ("1.", None, SAME),
        ("9223372036854775808", ("9223372036854775808",), SAME),
        ("1111111111111111111", ("1111111111111111111",), SAME),
        ("11111111111111111111", None, SAME),
        (5, ("5",), SAME),
        (-3, ("-3",), SAME),
    ],
    "duration": [
        ("-1s", ("-1s",), SAME),
        ("0.5s", ("0.5s",), SAME),
        ("1.0s", ("1s",), SAME),
        ("10s", ("10s",), SAME),
        ("1.1234567890s", None, SAME),
        ("1s\n", None, SAME),
    ],
    "timestamp": [
        ("2026-01-05T01:00:00+01:00", ("2026-01-05T00:00:00Z",), SAME),
        ("2026-01-05T00:00:00.500Z", ("2026-01-05T00:00:00.5Z",), SAME),
        ("2026-01-05t00:00:00z", ("2026-01-05T00:00:00Z",), SAME),
        ("2026-01-05T00:00:00.000Z", ("2026-01-05T00:00:00Z",), SAME),
        ("2026-13-05T00:00:00Z", None, SAME),
        ("0001-01-01T00:00:00+01:00", None, SAME),
        ("5", ("5",), SAME),
        (True, None, SAME),
    ],
    "boolean": [
        (True, (True,), SAME),
        (False, (False,), SAME),
        ("true", (True,), SAME),
        ("false", (False,), SAME),
        ("TRUE", None, SAME),
        (None, None, SAME),
    ],
    "id": [
        ("12a", ("12a",), SAME),
        ("-5", ("-5",), SAME),
        ("0x1F", None, SAME),
        ("0b1", None, SAME),
        ("1.5e3", None, SAME),
        ("+5", None, SAME),
        ("1e", ("1e",), SAME),
        ("..", None, SAME),
        (".", None, SAME),
        ("5.", None, SAME),
        ("1-2", ("1-2",), SAME),
        ("00a", ("00a",), SAME),
        (True, None, SAME),
        (Number("5.0"), None, SAME),
    ],
    "any": [
        ("", ("",), SAME),
        (False, ("false",), SAME),
        ("a", ("a",), SAME),
    ],
    "uuid": [
        ("A", ("A", "a"), SAME),
        ("a", ("a",), SAME),
        ("a_b", ("a_b",), SAME),
    ],
    "field_mask": [
        ("a.B", ("a.B", "a.b"), ("a.b",)),
        ("aB.cD", ("aB.cD", "a_b.c_d"), ("ab.cd", "a_b.c_d")),
        ("*", ("*",), SAME),
        ("A", ("A", "a"), ("a",)),
        ("a1B", ("a1B", "a1_b"), ("a1b", "a1_b")),
        ("a_B", ("a_B", "a_b"), ("a_b",)),
        ("a.*", None, SAME),
    ],
    "map_text": [
        (False, ("false",), SAME),
        (0, ("0",), SAME),
        (-1, ("-1",), SAME),
        ("a", ("a",), SAME),
    ],
    "lines": [
        ("a\t", ("a\t", "a"), SAME),
        ("\r\na", ("\r\na", "a"), SAME),
        ("a b", ("a b",), SAME),
        (" a", (" a", "a"), SAME),
    ],
    "bytes": [
        ("", ("",), SAME),
        ("eA", ("eA==",), SAME),
        ("eA=", None, SAME),
        ("eA==", ("eA==",), SAME),
        ("-_8", ("-_8=", "+/8="), SAME),
        ("+/8=", ("+/8=",), SAME),
        ("abcd", ("abcd",), SAME),
        ("eB==", None, SAME),
        ("e", None, SAME),
        ("-_-_", ("-_-_", "+/+/"), SAME),
    ],
    "group_name": [
        ("Team", ("Team",), SAME),
        ("Te\uff41m", ("Te\uff41m",), ("Te\uff41m", "Team")),
        ("\uff41%20", ("\uff41%20",), None),
        ("\uff0f", ("\uff0f",), ("\uff0f", "/")),
    ],
    "text": [
        ("\uff21B", ("\uff21B",), ("ab",)),
        ("Stra\u00dfe", ("Stra\u00dfe",), ("strasse",)),
    ],
    "user_name": [("A\u0130", ("a\u0130", "ai\u0307", "ai"), SAME)],
    "principal": [
        ("\uff21@b", ("\uff21@b", "\uff41@b", "a@b"), SAME),
        ("A@B", ("a@b",), SAME),
        ("admins", ("admins",), SAME),
        ("2d4b6c8e-0a1b-4c3d-8e5f-001122334455", ("2d4b6c8e-0a1b-4c3d-8e5f-001122334455",), SAME),
        ("\xc4@b", ("\xc4@b", "\xe4@b"), SAME),
        ("a @b", ("a @b",), SAME),
    ],
    "securable_type": [
        ("MODEL", ("model", "registered_model"), SAME),
        ("function", ("function", "registered_model"), SAME),
        ("Function", ("function", "registered_model"), SAME),
        ("table", ("table",), SAME),
        ("FOREIGN-CATALOG", ("foreign_catalog",), SAME),
    ],
    "object_type": [
        ("sql/warehouses", ("warehouses",), SAME),
        ("sql/queries", ("queries",), SAME),
        ("sql/alerts", ("alerts",), SAME),
        ("sql/dashboards", ("dbsql-dashboards",), SAME),
        ("experiments", ("experiments", "notebooks"), SAME),
        ("directories", ("directories",), SAME),
        ("notebooks", ("notebooks",), SAME),
    ],
    "data_security_mode": [
        ("USER_ISOLATION", ("DATA_SECURITY_MODE_STANDARD",), SAME),
        ("SINGLE_USER", ("DATA_SECURITY_MODE_DEDICATED",), SAME),
    ],
    "privilege": [
        ("ALL PRIVILEGES", ("ALL_PRIVILEGES",), SAME),
        ("A_B C", ("A_B_C",), SAME),
    ],
    "scope_name": [
        ("A\xc4", ("a\xc4", "a\xe4"), SAME),
        ("a", ("a",), SAME),
    ],
    "enum_mixed": [
        ("a b", ("a b",), SAME),
        ("a.", ("a.",), SAME),
        ("A:b", ("A:b",), ("a:b",)),
        ("a_", ("a_",), SAME),
        ("a-", ("a-",), SAME),
    ],
    "enum": [
        ("A1_", ("A1_",), SAME),
        ("_A", None, SAME),
        ("1A", None, SAME),
    ],
    "enum_lower": [
        ("a_-1", ("a_-1",), SAME),
        ("1a", None, SAME),
    ],
}


@pytest.mark.parametrize("kind", VALUES)
def test_what_a_value_names(kind: str) -> None:
    for value, named, suspected in VALUES[kind]:
        for read, wanted in ((KINDS[kind].read, named), (KINDS[kind].suspect, suspected)):
            found = read(value)
            shown = tuple(map(str, found)) if found and kind == "number" else found
            assert shown == (named if wanted is SAME else wanted), value
