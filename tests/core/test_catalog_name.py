"""Names of Unity Catalog as values."""

from __future__ import annotations

from typing import Any

import pytest

from brickscope.core.kind import KINDS

SAME = ("as for a rule that allows",)
# kind, values; what each names to a rule that allows (None: it is not regular), and to one that denies
NAMES: dict[str, list[tuple[Any, tuple[Any, ...] | None, tuple[Any, ...] | None]]] = {
    "uc_name": [
        ("A", ("a",), SAME),
        ("a.b.c", ("a.b.c",), SAME),
        ("a b.c", ("a b.c",), SAME),
        ("a.b.\xc4", ("a.b.\xc4", "a.b.\xe4"), SAME),
    ],
    "uc_part": [
        ("A b", ("a b",), SAME),
        ("\xc4", ("\xc4", "\xe4"), SAME),
    ],
    "uc_entity": [
        ("A", ("a",), SAME),
        ("a.b", ("a.b",), SAME),
        ("a.b.c.D e", ("a.b.c.d e",), SAME),
        ("a.b.c.d.e", ("a.b.c.d.e",), SAME),
        ("a.b.c.\xc4", ("a.b.c.\xc4", "a.b.c.\xe4"), SAME),
    ],
    "uc_resource": [
        ("A", ("a",), SAME),
        ("a/b/C.D", ("a/b/c.d",), SAME),
        ("/a", None, SAME),
        ("a//b", None, SAME),
        ("../a", None, SAME),
        ("a/b c", ("a/b c",), SAME),
        ("A/B", ("A/b",), SAME),
    ],
    "model_name": [
        ("A.b", ("a.b",), SAME),
        ("A b", ("A b",), SAME),
        ("a.b.c.d", None, SAME),
    ],
}


@pytest.mark.parametrize("kind", NAMES)
def test_what_a_name_names(kind: str) -> None:
    for value, named, suspected in NAMES[kind]:
        for read, wanted in ((KINDS[kind].read, named), (KINDS[kind].suspect, suspected)):
            assert read(value) == (named if wanted is SAME else wanted), value
