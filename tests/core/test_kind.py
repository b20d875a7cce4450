"""Kinds of values: what is regular, and which object it names; held against the reviewed table of spellings, row by row."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.resources import files
from random import Random
from string import ascii_lowercase, ascii_uppercase
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from brickscope.catalog.catalog import Operation, load_catalog
from brickscope.core.body import Number
from brickscope.core.constraint import Constraint, Values
from brickscope.core.decision import Refused
from brickscope.core.kind import KINDS, Either, pattern_forms, prefix_forms
from brickscope.core.scalar import MAX_VALUE
from brickscope.core.template import parse_template
from brickscope.core.values import FEW, MAX_COMPARED, ODD, PLAIN
from brickscope.policy.where import parse_constraint

UUID = "2D4B6C8E-0A1B-4C3D-8E5F-001122334455"
LONG = "/Workspace/Users/ada"

# For each kind regular values and all that they may name.
REGULAR: dict[str, list[tuple[Any, ...]]] = {
    "integer": [
        (77, 77),
        ("77", 77),
        (-1, -1),
        ("-1", -1),
        ("0", 0),
        (2**63 - 1, 2**63 - 1),
        (-(2**63), -(2**63)),
    ],
    "number": [(1, "1"), (Number("1.50"), "1.5"), ("-0.25", "-0.25")],
    "boolean": [(True, True), ("true", True), ("false", False)],
    "enum": [("SOURCE", "SOURCE"), ("A_1", "A_1")],
    "enum_lower": [("table", "table"), ("a-b_c", "a-b_c")],
    "enum_mixed": [("gitHub", "gitHub"), ("V1.0 x", "V1.0 x"), ("urn:a:2.0:User", "urn:a:2.0:User")],
    "text": [
        ("Müller Bericht", "Müller Bericht"),
        ("a@b=c,d+[e]", "a@b=c,d+[e]"),
        ("", ""),
        ("日本", "日本"),
    ],
    "map_text": [("5", "5"), (5, "5"), (True, "true"), ("077", "077"), ("Ada", "Ada")],
    "lines": [
        ("SELECT 1;\n\tSELECT 2", "SELECT 1;\n\tSELECT 2"),
        ("\n  SELECT 1\r\n", "\n  SELECT 1\r\n", "SELECT 1"),
    ],
    "json_text": [('{"a":\n1}', '{"a":\n1}'), ("{}\n", "{}\n", "{}")],
    "group_name": [("Data Team", "Data Team")],
    "principal": [("Ada@Example.com", "ada@example.com"), (UUID, UUID.lower()), ("Admins", "Admins")],
    "any": [(1012, "1012"), ("1012", "1012"), (True, "true"), ("1.2.3", None), ("v1.5", "v1.5")],
    "id": [(77, "77"), ("77", "77"), ("0a1b", "0a1b"), ("1012-083000-abc", "1012-083000-abc")],
    "timestamp": [(1700000000000, "1700000000000"), ("2026-01-05T00:00:00Z", "2026-01-05T00:00:00Z")],
    "duration": [("300s", "300s"), ("1.50s", "1.5s"), ("0s", "0s"), ("1000s", "1000s")],
    "field_mask": [
        ("name", "name"),
        ("a.b", "a.b"),
        ("*", "*"),
        ("displayName", "displayName", "display_name"),
        ("enable-x", "enable-x"),
    ],
    "bytes": [("eA==", "eA=="), ("-_8=", "-_8=", "+/8=")],
    "uuid": [("01ef-ab", "01ef-ab"), ("01EF-AB", "01EF-AB", "01ef-ab")],
    "application_id": [(UUID, UUID.lower())],
    "securable_type": [("EXTERNAL-LOCATION", "external_location"), ("model", "model", "registered_model")],
    "object_type": [("sql/endpoints", "warehouses"), ("repos", "repos", "directories")],
    "permission_level": [("CAN_VIEW", "CAN_READ"), ("CAN_MANAGE", "CAN_MANAGE")],
    "data_security_mode": [("SINGLE_USER", "DATA_SECURITY_MODE_DEDICATED"), ("NONE", "NONE")],
    "privilege": [("USE CATALOG", "USE_CATALOG"), ("SELECT", "SELECT")],
    "uc_name": [
        ("Main.HR.Pay", "main.hr.pay"),
        ("main.a.in/out 5%", "main.a.in/out 5%"),
        ("M.Ä", "m.Ä", "m.ä"),
    ],
    "uc_part": [("Main", "main"), ("my share", "my share")],
    "uc_entity": [("Main.a.t", "main.a.t"), ("main.a.t.A.b c", "main.a.t.a.b c")],
    "uc_resource": [("skills/Main.a.X", "skills/main.a.x")],
    "model_name": [("Main.a.M", "main.a.m"), ("Churn", "Churn")],
    "scope_name": [("PROD", "prod")],
    "user_name": [("Ada@x.org", "ada@x.org")],
    "git_provider": [("gitHub", "github")],
    "workspace_path": [
        ("/Users/ada/x", f"{LONG}/x"),
        (f"{LONG}/", LONG),
        ("/", "/Workspace"),
        ("/Users/ada/Müller Bericht [1].v2, a+b=c@d", f"{LONG}/Müller Bericht [1].v2, a+b=c@d"),
        ("/Users/ada/.hidden", f"{LONG}/.hidden"),
        ("/Users/ada/a%20b", f"{LONG}/a%20b", f"{LONG}/a b"),
        ("/Volumes/Main/a/V/X", "/Volumes/main/a/v/X"),
    ],
    "import_path": [("/Users/ada/x.py", f"{LONG}/x.py", f"{LONG}/x"), ("/Users/ada/x.txt", f"{LONG}/x.txt")],
    "workspace_glob": [("/Users/ada/**", f"{LONG}/**"), ("/Users/ada/x", f"{LONG}/x")],
    "code_path": [
        ("/Users/ada/x", f"{LONG}/x"),
        ("workspace:/Users/ada/x", f"{LONG}/x"),
        ("etl/main", "etl/main"),
    ],
    "dbfs_path": [("dbfs:/x/", "/x"), ("/dbfs/x", "/dbfs/x"), ("/", "/")],
    "volume_path": [
        ("dbfs:/Volumes/Main/a/v/X", "/Volumes/main/a/v/X"),
        ("/Volumes/main/Ä/v", "/Volumes/main/Ä/v", "/Volumes/main/ä/v"),
        ("/Users/ada/x", f"{LONG}/x"),
    ],
    "tree_path": [("/a/b/", "/a/b"), ("/", "/")],
    "storage_url": [("S3://Bucket/x/", "s3://bucket/x"), ("s3a://b/x", "s3a://b/x", "s3://b/x")],
    "url": [
        ("https://me@GitHub.com:443/O/r", "https://github.com/O/r"),
        ("https://h:8443/", "https://h:8443"),
        ("https://GitHub.com./O", "https://github.com/O"),
        ("https://h/a?b=//c", "https://h/a?b=//c"),
    ],
    "path": [
        ("/Users/ada/x.whl", f"{LONG}/x.whl"),
        ("/Shared/x", "/Workspace/Shared/x"),
        ("/Repos/x", "/Workspace/Repos/x"),
        ("/Workspace", "/Workspace"),
        ("/Workspace/x", "/Workspace/x"),
        ("/Users", "/Workspace/Users", "dbfs:/Users"),
        ("/tmp/x", "/Workspace/tmp/x", "dbfs:/tmp/x"),
        ("/", "/Workspace", "dbfs:/"),
        ("dbfs:/", "dbfs:/"),
        ("file:/", "file:/"),
        ("dbfs:/x", "dbfs:/x"),
        ("dbfs:/Volumes/M/a/v/x", "/Volumes/m/a/v/x"),
        ("file:///Workspace/x", "file:/Workspace/x", "/Workspace/x"),
        ("/dbfs/x", "/Workspace/dbfs/x", "dbfs:/dbfs/x", "file:/dbfs/x", "dbfs:/x"),
        ("runs:/ab12/model", "runs:/ab12/model"),
        ("etl/main.py", "etl/main.py"),
        ("s3://b/x", "s3://b/x"),
    ],
    "pip_line": [
        ("numpy==1.26", "numpy==1.26"),
        ("-r /Workspace/team/r.txt", "-r /Workspace/team/r.txt", "/Workspace/team/r.txt"),
        (
            "x @ file:///Volumes/m/a/v/x.whl",
            "x @ file:///Volumes/m/a/v/x.whl",
            "file:/Volumes/m/a/v/x.whl",
            "/Volumes/m/a/v/x.whl",
        ),
        ("-r/Users/ada/r.txt", "-r/Users/ada/r.txt", f"{LONG}/r.txt"),
    ],
    "slashed": [("/a/b/", "/a/b"), ("a/b", "a/b")],
}
REGULAR["any"] = [case for case in REGULAR["any"] if case[1] is not None]

_NUMBERS = [Number("1.0"), Number("1e3"), Number("-0"), "1e3", "077", "+7", " 7", "0x7", "7_7", "٧", "７"]
_BAD_TEXT = [
    " a",
    "a ",
    "a\u00a0",
    "a\0b",
    "a\u202eb",
    "e\u0301",
    "\ud800",
    "a" * (MAX_VALUE + 1),
    5,
    Number("1.5"),
]
_BAD_PATHS = [
    "//a",
    "/a//b",
    "/a/./b",
    "/a/../b",
    "/a/..",
    "/a/ b",
    "/a /b",
    "/a\\b",
    "/a∕b",
    "/a／b",
    "/a/%2e%2e/b",
    "/a%2fb",
]
# For each kind values that are not regular.
IRREGULAR: dict[str, list[Any]] = {
    "integer": [*_NUMBERS, "", True, 2**63, -(2**63) - 1, "9223372036854775808", "0" * 70 + "7", [], {}],
    "number": [True, "", "1.", ".5", "1e3", Number("1e3"), "01", "NaN", "Infinity"],
    "boolean": ["True", "TRUE", "yes", "1", 1, 0, "", "false ", Number("1.0")],
    "enum": ["source", "Source", 5, "5", "", " SOURCE", "SOURCE ", "SOUR\u200bCE", "ＳＯＵＲＣＥ"],
    "enum_lower": ["TABLE", "", 5, "a b"],
    "enum_mixed": ["", 5, "1a", "a ", "a\n"],
    "text": _BAD_TEXT,
    "map_text": [*_BAD_TEXT[:-2], Number("5.0"), [], {}],
    "lines": ["\u00a0a", "a\u2028", "a\0b", 5],
    "json_text": ["\u00a0{}", "a\0b"],
    "group_name": _BAD_TEXT,
    "principal": _BAD_TEXT,
    "any": [*_NUMBERS[:-3], *_BAD_TEXT[:-2], [], {}, "1.2.3"],
    "id": [*_NUMBERS[:-3], True, " a"],
    "timestamp": [*_NUMBERS[:-3], " a"],
    "duration": ["5", "5m", "05s", "5 s", "1e3s", "+5s", "s", 5, ".5s"],
    "field_mask": ["", "a,", "a,b", "a, b", "a b", "a..b", "a.*.b", 5],
    "bytes": [" eA==", "eA\n==", 5],
    "uuid": ["", "a b", "{01ef}", 5],
    "application_id": ["my principal", "my-principal", UUID[:-1], 5],
    "securable_type": ["", 5, "a\n"],
    "object_type": ["", "SQL/warehouses", "sql//warehouses", "/jobs", 5],
    "permission_level": ["can_manage", 5, ""],
    "data_security_mode": ["single_user", 5],
    "privilege": ["select", "USE  CATALOG", "", 5],
    "uc_name": ["", ".a", "a.", "a..b", "`a`.b", "a. b", "a .b", " a", "a.b.c.d", 5, "a.e\u0301", "a\u202eb"],
    "uc_part": ["", "a.b", "`a`", " a", 5],
    "uc_entity": ["", "a.b.c.", "a.b.c. d", "a..c.d"],
    "uc_resource": ["skills/", "skills/a..b", " skills/a", 5],
    "model_name": ["a..b", " a", 5],
    "scope_name": _BAD_TEXT,
    "user_name": _BAD_TEXT,
    "git_provider": _BAD_TEXT,
    "workspace_path": [*_BAD_PATHS, "", "Users/ada", "/Workspace/Workspace", "/Workspace/Workspace/x", 5],
    "import_path": [*_BAD_PATHS, "Users/ada"],
    "workspace_glob": [*_BAD_PATHS, "/Users/*/x", "/Users/**/x", "/a/***", "/a/?"],
    "code_path": [*_BAD_PATHS, "", "../x", "a/../x", "./x", "a//b", "c:/x"],
    "dbfs_path": [*_BAD_PATHS, "dbfs://x", "dbfs:x", "tmp/x", "/Volumes/m/a/v/x", "/volumes/x"],
    "volume_path": [*_BAD_PATHS, "/volumes/m/a/v", "Volumes/m/a/v", "x", ""],
    "tree_path": [*_BAD_PATHS, "", "a/b"],
    "storage_url": ["s3:/b/x", "b/x", "s3://b//x", "s3://b/../c", "s3://b\\c/x", "s3://b c/x", ""],
    "url": ["h/x", "https://", "https://a@b@c/x", "https://h:/x", "https://h\\@evil/x", "https://h/../x", "git@h:o/r"],
    "path": [*_BAD_PATHS, "dbfs://x", "dbfs:x", "file:x", "file://h/x", "s3:/b/x", "a/../b", "/volumes/m/a/v/x"],
    "pip_line": [" a", "-r /Workspace/../x", "x @ file://h/x", "-r //x"],
    "slashed": [*_BAD_PATHS, "a/../b", "a//b", 5],
}  # fmt: skip


def test_the_tables_have_every_kind() -> None:
    assert REGULAR.keys() | {"object"} == IRREGULAR.keys() | {"object"} == KINDS.keys()
    assert KINDS["object"].read("x") is KINDS["object"].suspect({}) is None


@pytest.mark.parametrize("name", REGULAR)
def test_regular_values_and_what_they_name(name: str) -> None:
    kind = KINDS[name]
    for value, *named in REGULAR[name]:
        found = kind.read(value)
        assert found is not None, value
        assert [str(each) if name == "number" else each for each in found] == named, value
        assert kind.suspect(value) is not None, value


@pytest.mark.parametrize("name", IRREGULAR)
def test_irregular_values(name: str) -> None:
    kind = KINDS[name]
    for value in IRREGULAR[name]:
        assert kind.read(value) is None, value
        assert kind.suspect(value) is None, value


# -- the reviewed table of spellings -----------------------------------------------------------------------------------

Row = tuple[str, dict[str, Any], list[str]]
ROWS: dict[str, Row] = {
    f"{entry['kind']}, {row['effect']}, {row['what']}, {pair[0]}": (entry["kind"], row, pair)
    for entry in yaml.safe_load(files("catalogue").joinpath("aliases.yaml").read_text())
    for row in entry["rows"]
    for pair in row["pairs"]
}
_AS_JSON = ("integer", "id", "boolean", "enum")


def _operations(kind: str, row: dict[str, Any]) -> list[tuple[Operation, str]]:
    """The operations and parameters that a row is of; one made up where it is of a whole kind, or of a record's field."""
    found = []
    for parameter in row.get("of", ()):
        holder, _, name = parameter.rpartition(".")
        operation = load_catalog().operations.get(holder)
        if operation is not None:
            found.append((operation, name))
    return found or [(Operation("x.y", ("POST /api/2.0/x/y",), "write", body=("p",), types={"p": kind}), "p")]


def _constraint(operation: Operation, name: str, value: Any, *, denies: bool) -> Constraint | None:
    return parse_constraint(operation, name, value, lambda message, hint, way: None, denies=denies)


def _takes(operation: Operation, name: str, named: Any, sent: Any) -> bool:
    """Whether a rule that allows ``named`` takes ``sent``."""
    rule = _constraint(operation, name, named, denies=False)
    return rule is not None and rule.test.takes(sent)


def _meets(operation: Operation, name: str, named: Any, sent: Any) -> bool:
    """Whether a rule that denies ``named`` is met by ``sent``."""
    rule = _constraint(operation, name, named, denies=True)
    assert rule is not None, named
    return rule.test.may_be_met(Values([sent]), below=rule.below is not None)


def _value(kind: str, text: str) -> Any:
    try:
        return json.loads(text, parse_float=Number) if kind in _AS_JSON else text
    except ValueError:
        return text


@pytest.mark.parametrize("row", ROWS)
def test_every_row_of_the_reviewed_table_holds(row: str) -> None:
    kind, written, pair = ROWS[row]
    values = [_value(kind, text) for text in pair]
    for operation, name in _operations(kind, written):
        one, other = values[0], values[-1]
        ask = (operation, name)
        match written["effect"]:
            case "same":
                assert _takes(*ask, one, one)
                assert _takes(*ask, one, other)
                assert _takes(*ask, other, one)
                assert _meets(*ask, one, other)
                assert _meets(*ask, other, one)
            case "reading":
                assert _takes(*ask, one, one), "a rule that names just this allows it"
                assert not _takes(*ask, other, one)
                assert not _takes(*ask, one, other)
                assert _meets(*ask, other, one)
                assert _meets(*ask, one, one)
            case "distinct":
                assert not _takes(*ask, one, other)
                assert not _takes(*ask, other, one)
                if kind != "code_path" and all(KINDS[kind].read(each) is not None for each in values):
                    assert not _meets(*ask, one, other)
                    assert not _meets(*ask, other, one)
            case "ancestor":
                assert not _takes(*ask, other, one)
                assert _meets(*ask, other, one)
            case "refused":
                assert _constraint(*ask, one, denies=False) is None
                assert not _takes(*ask, "x", one)
                assert KINDS[kind].suspect(one) is None


# -- many at once ------------------------------------------------------------------------------------------------------

_PIECES = [
    *"aZ0./%-_ @=é日\n", "Users", "Workspace", "/Workspace", "/Users/", "/Volumes/", "//", "/.", "..", " /", "\u0301",
]  # fmt: skip


def _word(random: Random, letters: str, least: int, most: int) -> str:
    return "".join(random.choices(letters, k=random.randint(least, most)))


def _names(random: Random, letters: str, most: int) -> list[str]:
    return [_word(random, letters, 1, 3) for _ in range(random.randint(1, most))]


# Made of one number each: to draw every letter by itself takes seconds for a kind.
_SHAPES: list[Callable[[Random], str]] = [
    lambda random: "".join(random.choices(_PIECES, k=random.randint(0, 6))),
    lambda random: "".join(f"/{name}" for name in _names(random, "abcé", 3)),
    lambda random: "/Workspace" + "".join(f"/{name}" for name in _names(random, "abc", 2)),
    lambda random: ".".join(_names(random, "abcABC", 3)),
    lambda random: str(random.choice((1, -1)) * random.randint(1, 10 ** random.randint(1, 18))),
    lambda random: _word(random, ascii_uppercase, 2, 8),
    lambda random: _word(random, ascii_lowercase, 2, 8),
]
_MANY = [kind for kind in KINDS.values() if kind.all_read is not None]


@pytest.mark.no_cover  # a property
@pytest.mark.parametrize("kind", _MANY, ids=[kind.name for kind in _MANY])
def test_many_values_name_what_each_of_them_names(kind: Any) -> None:
    at_once = {False: 0, True: 0}

    def check(texts: list[str], denies: bool) -> None:
        many = Values([*texts])
        read = kind.suspect if denies else kind.read
        found = many.suspects(kind) if denies else many.objects(kind)
        each = [read(text) for text in texts]
        assert found.regular is (None not in each)
        if found.regular:
            named = {one for objects in each if objects and (denies or len(objects) == 1) for one in objects}
            eithers = {Either.of(objects) for objects in each if objects and not denies and len(objects) > 1}
            assert (found.singles, found.eithers) == (named, eithers)
            at_once[denies] += many.effort.spent < ODD

    @settings(max_examples=40, deadline=None)
    @given(st.integers(0, 2**32), st.integers(FEW + 1, FEW + 6))
    def both(seed: int, count: int) -> None:
        for shape in _SHAPES:  # each of them every time: left to draw one, it drew some too rarely
            random = Random(seed)
            texts = list(dict.fromkeys(shape(random) for _ in range(2 * count)))[:count]
            if len(texts) > FEW:
                check(texts, denies=False)
                check(texts, denies=True)

    both()
    assert min(at_once.values()) >= 12, "too few lists were read at once"


# A kind, many values, and what they name at once to a rule that allows and to one that denies; None: each is read by itself.
AT_ONCE: list[tuple[str, str, str | None, str | None]] = [
    ("integer", "1\n-2\n30", "1\n-2\n30", "1\n-2\n30"),
    ("integer", "1\n1.5", None, None),
    ("integer", "-0\n1", None, None),
    ("integer", "10\n0", "10\n0", "10\n0"),
    ("integer", "01\n2", None, None),
    ("enum", "A\nB_1", "A\nB_1", "A\nB_1"),
    ("enum", "A\nb", None, None),
    ("enum", "A\n", None, None),
    ("enum_lower", "a-b\nc_d1", "a-b\nc_d1", "a-b\nc_d1"),
    ("enum_lower", "a\nB", None, None),
    ("text", "a b\nC", "a b\nC", "a b\nc"),
    ("text", "a \nb", None, None),
    ("text", "M\xfc\nB", "M\xfc\nB", "m\xfc\nb"),
    ("lines", "a\nB", "a\nB", "a\nb"),
    ("json_text", "{}\n{", "{}\n{", "{}\n{"),
    ("group_name", "Data Team\nx", "Data Team\nx", "Data Team\nx"),
    ("group_name", "Da\uff21\nx", "Da\uff21\nx", None),
    ("group_name", " a\nb", None, None),
    ("any", "a1\nB2", "a1\nB2", "a1\nb2"),
    ("any", "1\n22", "1\n22", "1\n22"),
    ("any", "a\n1", None, None),
    ("any", "-\nb", None, None),
    ("any", "+1\nb", None, None),
    ("any", ".5\nb", None, None),
    ("id", "a1\nB2", "a1\nB2", "a1\nb2"),
    ("id", "1\n22", "1\n22", "1\n22"),
    ("uc_name", "Main.a\nb.C", "main.a\nb.c", "main.a\nb.c"),
    ("uc_name", "a.b.c.d\nx", None, None),
    ("uc_name", "a\n\xe4", None, None),
    ("uc_name", "a b\nc", "a b\nc", "a b\nc"),
    ("uc_name", "a. b\nc", None, None),
    (
        "workspace_path",
        "/Workspace/a\n/Workspace/b",
        "/Workspace/a\n/Workspace/b",
        "/Workspace/a\n/Workspace/b",
    ),
    (
        "workspace_path",
        "/Users/a\n/Workspace/b",
        "/Workspace/Users/a\n/Workspace/b",
        "/Workspace/Users/a\n/Workspace/b",
    ),
    (
        "workspace_path",
        "/Users/a\n/b",
        "/Workspace/Users/a\n/Workspace/b",
        "/Workspace/Users/a\n/Workspace/b",
    ),
    ("workspace_path", "/Volumes/a\n/b", None, None),
    ("workspace_path", "/Workspace\n/b", None, None),
    ("workspace_path", "/a/Workspace\n/b", None, None),
    ("workspace_path", "/Workspace/Workspace\n/b", None, None),
    ("workspace_path", "/a\n/Workspacex/b", None, None),
    ("workspace_path", "/a\xe9\n/b", "/Workspace/a\xe9\n/Workspace/b", "/Workspace/a\xe9\n/Workspace/b"),
    ("workspace_path", "/a\n/Workspace/Volumes", None, None),
    ("workspace_path", "/a;\n/b", None, None),
    (
        "workspace_path",
        "/a b\n/.c\n/d..e",
        "/Workspace/a b\n/Workspace/.c\n/Workspace/d..e",
        "/Workspace/a b\n/Workspace/.c\n/Workspace/d..e",
    ),
    ("workspace_path", "/a\n/b/", None, None),
    ("code_path", "/Users/a\n/b", "/Workspace/Users/a\n/Workspace/b", "/Workspace/Users/a\n/Workspace/b"),
    ("code_path", "a\n/b", None, None),
    ("dbfs_path", "/a\n/b/c", "/a\n/b/c", "/a\n/b/c"),
    ("dbfs_path", "/a\n/volumes/b", None, None),
    ("dbfs_path", "/a\n/Volumes/b", None, None),
    (
        "volume_path",
        "/Workspace/a\n/Workspace/b",
        "/Workspace/a\n/Workspace/b",
        "/Workspace/a\n/Workspace/b\ndbfs:/Workspace/a\ndbfs:/Workspace/b",
    ),
    ("volume_path", "/Workspace/a\n/b", None, None),
    ("volume_path", "/a\n/Workspace/b", None, None),
    ("volume_path", "/Workspace/Workspace\n/Workspace/b", None, None),
    ("tree_path", "/a\n/b", "/a\n/b", "/a\n/b"),
    ("tree_path", "/a\n/b//c", None, None),
    (
        "path",
        "/Workspace/a\n/Workspace/b",
        "/Workspace/a\n/Workspace/b",
        "/Workspace/a\n/Workspace/b\ndbfs:/Workspace/a\ndbfs:/Workspace/b",
    ),
    ("path", "/Workspace/a\n/b", None, None),
]


def test_plain_values_are_read_at_once() -> None:
    for name, lines, allows, denies in AT_ONCE:
        kind = KINDS[name]
        assert kind.all_read is not None
        assert kind.all_suspect is not None
        assert kind.all_read(lines) == allows, lines
        assert kind.all_suspect(lines) == denies, lines


_ODD_ENDS = [
    " /b", "/ b", " ", "/", "//b", "/.", "/..", "/./b", "/../b", "/. ", "/.b", "/b c", "/é", "/e\u0301", "/\uff41", "\n/b",
    ";x", "%20", "%2e", "/\u3164", "/\u0661", "/Workspace", "/Volumes", "-", "\t",
]  # fmt: skip
_PATHS = [kind for kind in _MANY if kind.name.endswith("path") and kind.read("/Workspace/a/b") is not None]


@pytest.mark.parametrize(
    "beginning", ["/Workspace/a", "/Users/a", "/a", "/Workspace", "/Volumes/m/s/v", "", "a"]
)
@pytest.mark.parametrize("kind", _PATHS, ids=[kind.name for kind in _PATHS])
def test_one_odd_path_among_plain_ones_is_read_as_by_itself(kind: Any, beginning: str) -> None:
    """The shortcut for many paths at once looks at all of them together: what it overlooks would pass unread."""
    for plain in ([f"/Workspace/p/{n}" for n in range(FEW + 1)], [f"/p{n}/q" for n in range(FEW + 1)]):
        for odd in [beginning + end for end in _ODD_ENDS]:
            for texts in ([odd, *plain], [plain[0], odd, *plain[1:]], [*plain, odd]):
                for denies in (False, True):
                    read = kind.suspect if denies else kind.read
                    each = [read(text) for text in texts]
                    many = Values([*texts])
                    found = many.suspects(kind) if denies else many.objects(kind)
                    assert found.regular is (None not in each), (odd, denies)
                    if found.regular:
                        single = {one for objects in each if denies or len(objects) == 1 for one in objects}
                        assert found.singles == single, (odd, denies)


_NAMES = [kind for kind in _MANY if kind.name.startswith("uc_")]


@pytest.mark.parametrize("kind", _NAMES, ids=[kind.name for kind in _NAMES])
@pytest.mark.parametrize(
    "odd",
    ["a. b", "a .b", "a..b", ".a", "a.", " a", "a ", "`a`", "a\tb", "a.e\u0301", "", ".", " ", "a.b.c.d", "A.b", "\u00c4"],
)  # fmt: skip
def test_one_odd_name_among_plain_ones_is_read_as_by_itself(kind: Any, odd: str) -> None:
    plain = [f"m{n}" for n in range(FEW + 1)]
    for texts in ([odd, *plain], [plain[0], odd, *plain[1:]], [*plain, odd]):
        for found, read in (
            (Values([*texts]).objects(kind), kind.read),
            (Values([*texts]).suspects(kind), kind.suspect),
        ):
            assert found.regular is (read(odd) is not None)


_NUMBERED = [kind for kind in _MANY if kind.ordered or kind.name in ("id", "any")]


@pytest.mark.parametrize("kind", _NUMBERED, ids=[kind.name for kind in _NUMBERED])
@pytest.mark.parametrize(
    "odd",
    ["-0", "-01", "01", "00", "+1", " 1", "1 ", "1_0", "1.0", "-", "", "9" * 19, "9" * 18, "0", "-1", "\u0667", "1e3"],
)  # fmt: skip
def test_one_odd_number_among_plain_ones_is_read_as_by_itself(kind: Any, odd: str) -> None:
    plain = [str(n) for n in range(5, FEW + 6)]
    for texts in ([odd, *plain], [plain[0], odd, *plain[1:]], [*plain, odd]):
        assert Values([*texts]).objects(kind).regular is (kind.read(odd) is not None)
        assert Values([*texts]).suspects(kind).regular is (kind.suspect(odd) is not None)


def test_each_type_among_many_values_is_looked_at() -> None:
    kind, numbers = KINDS["integer"], list(range(FEW + 1))
    for odd in ("x", True, Number("1.5"), [], {}):
        for values in ([odd, *numbers], [*numbers, odd], [*map(str, numbers), *numbers, odd]):
            assert not Values([*values]).objects(kind).regular
            assert not Values([*values]).suspects(kind).regular
    assert Values([*numbers, "77", None]).objects(kind).singles == {*numbers, 77}


# A kind, the beginning of a value, and its forms for a rule that allows and for one that denies.
BEGINNINGS: list[tuple[str, str, tuple[str, ...], tuple[str, ...]]] = [
    ("text", "Ab", ("Ab",), ("ab",)),
    ("path", "Ab", ("Ab",), ("Ab", "ab")),
    ("path", "etl/X", ("etl/X",), ("etl/X", "/Workspace/etl/X", "dbfs:/etl/X")),
    ("path", "/etl/X", ("/Workspace/etl/X", "dbfs:/etl/X"), ("/Workspace/etl/X", "dbfs:/etl/X")),
    ("code_path", "etl/X", ("etl/X",), ("etl/X", "/Workspace/etl/X")),
    ("workspace_path", "/Users/ada/X", ("/Workspace/Users/ada/X",), ("/Workspace/Users/ada/X",)),
    ("workspace_path", "/W", ("/Workspace/W",), ("/Workspace/W", "/Workspace")),
    ("volume_path", "/Volumes/Main/A", ("/Volumes/main/a",), ("/Volumes/main/a",)),
    ("storage_url", "S3://Bucket/X", ("s3://bucket/X",), ("s3://bucket/X", "s3://bucket/x")),
    ("storage_url", "S3://Buck", ("S3://Buck", "s3://buck"), ("S3://Buck", "s3://buck")),
    ("url", "https://GitHub.com/O", ("https://github.com/O",), ("https://github.com/O", "https://github.com/o")),
    ("uc_name", "Main.A", ("main.a",), ("main.a",)),
    ("uc_name", "\u00c4", ("\u00c4", "\u00e4"), ("\u00c4", "\u00e4")),
    ("path", "/Workspace", ("/Workspace",), ("/Workspace/Workspace", "dbfs:/Workspace", "/Workspace")),
    ("path", "/Volumes", ("/Volumes/",), ("/Workspace/Volumes", "dbfs:/Volumes", "/Volumes")),
    ("path", "/", ("/Workspace/", "dbfs:/"), ("/Workspace/", "dbfs:/", "/Workspace", "/Volumes")),
    ("path", "/V", ("/Workspace/V", "dbfs:/V"), ("/Workspace/V", "dbfs:/V", "/Volumes")),
    ("path", "/a/../x", (), ()),
    ("workspace_path", "", ("",), ("",)),
    ("workspace_path", "/", ("/Workspace/",), ("/Workspace/", "/Workspace", "/Volumes")),
    ("workspace_path", "/Workspace", ("/Workspace",), ("/Workspace/Workspace", "/Workspace")),
    ("workspace_path", "/Workspace/", ("/Workspace/",), ("/Workspace/",)),
    ("workspace_path", "/Workspace/Workspace/x", (), ()),
    ("volume_path", "/Volumes/", ("/Volumes/",), ("/Volumes/",)),
    ("volume_path", "/Volumes/M/S/V", ("/Volumes/m/s/v",), ("/Volumes/m/s/v",)),
    ("volume_path", "/Volumes/M/S/V/F", ("/Volumes/m/s/v/F",), ("/Volumes/m/s/v/F",)),
    ("volume_path", "/Volumes/\u00c4", ("/Volumes/\u00c4", "/Volumes/\u00e4"), ("/Volumes/\u00c4", "/Volumes/\u00e4")),
    ("dbfs_path", "dbfs:", ("/",), ("/",)),
    ("dbfs_path", "dbfs:/a", ("/a",), ("/a",)),
    ("url", "https://H", ("https://H", "https://h"), ("https://H", "https://h")),
    ("url", "https://H/A/B", ("https://h/A/B",), ("https://h/A/B", "https://h/A/b", "https://h/a/B", "https://h/a/b")),
    ("slashed", "A/b", ("A/b",), ("a/b",)),
    ("pip_line", "/Workspace/a/", ("/Workspace/a/",), ("/Workspace/a/", "dbfs:/Workspace/a/", "/workspace/a/")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "allows", "denies"), BEGINNINGS, ids=range(len(BEGINNINGS)))
def test_how_a_value_may_begin(
    name: str, text: str, allows: tuple[str, ...], denies: tuple[str, ...]
) -> None:
    assert prefix_forms(KINDS[name], text, denies=False) == allows
    assert prefix_forms(KINDS[name], text, denies=True) == denies


# A kind, a pattern, and its forms for a rule that allows and for one that denies, each from the root or not.
Forms = list[tuple[str, bool]]
PATTERNS: list[tuple[str, str, Forms, Forms]] = [
    ("text", "Ab/{x}", [("/Ab/{x}", False)], [("/ab/{x}", False)]),
    ("text", "{x}/Ab", [("/{x}/Ab", False)], [("/{x}/ab", False)]),
    ("uc_name", "Main/{t}", *[[("/main/{t}", False)]] * 2),
    ("uc_name", "\u00c4/{t}/\u00d6", *[[("/\u00c4/{t}/\u00d6", False), ("/\u00e4/{t}/\u00f6", False)]] * 2),
    ("model_name", "Main/M", [("/Main/M", False)], [("/Main/M", False), ("/main/m", False)]),
    ("workspace_path", "/Users/a/{x...}", *[[("/Workspace/Users/a/{x...}", True)]] * 2),
    ("workspace_path", "/Workspace/{x}", *[[("/Workspace/{x}", True)]] * 2),
    (
        "workspace_path",
        "/{top}/a",
        [("/{top}/a", True)],
        [("/{top}/a", True), ("/Workspace/{top}/a", True)],
    ),
    ("path", "/tmp/{x}", *[[("/Workspace/tmp/{x}", True), ("/dbfs:/tmp/{x}", False)]] * 2),
    (
        "path",
        "tmp/{x}",
        [("/tmp/{x}", False)],
        [("/tmp/{x}", False), ("/Workspace/tmp/{x}", True), ("/dbfs:/tmp/{x}", False)],
    ),
    ("path", "dbfs:/x/{y}", *[[("/dbfs:/x/{y}", False)]] * 2),
    (
        "path",
        "/Volumes/Main/\u00c4/{v}/F/{x}",
        *[[("/Volumes/main/\u00c4/{v}/F/{x}", True), ("/Volumes/main/\u00e4/{v}/F/{x}", True)]] * 2,
    ),
    ("volume_path", "/Volumes/{c}/S/{v}/F", *[[("/Volumes/{c}/s/{v}/F", True)]] * 2),
    (
        "volume_path",
        "/Volumes/\u00c4/{s}/\u00d6",
        *[[("/Volumes/\u00c4/{s}/\u00d6", True), ("/Volumes/\u00e4/{s}/\u00f6", True)]] * 2,
    ),
    ("code_path", "etl/{x}", [("/etl/{x}", False)], [("/etl/{x}", False), ("/Workspace/etl/{x}", True)]),
    ("code_path", "/etl/{x}", *[[("/Workspace/etl/{x}", True)]] * 2),
    ("storage_url", "s3:/b/{x}", [], []),
    ("tree_path", "/a/{x}", *[[("/a/{x}", True)]] * 2),
]


@pytest.mark.parametrize(("name", "text", "allows", "denies"), PATTERNS, ids=range(len(PATTERNS)))
def test_the_forms_of_a_pattern(name: str, text: str, allows: Forms, denies: Forms) -> None:
    kind, rooted = KINDS[name], text.startswith("/")
    template = parse_template(text if rooted else f"/{text}")
    for wanted, denying in ((allows, False), (denies, True)):
        found = pattern_forms(kind, template, kind.separator or "/", rooted=rooted, denies=denying)
        assert [(str(each), begins) for each, begins in found] == wanted


def test_what_names_more_where_it_is_denied() -> None:
    assert KINDS["path"].suspect("https://GitHub.com/O?x=1") == (
        "https://github.com/O?x=1",
        "https://github.com/o?x=1",
        "https://github.com/O",
        "https://github.com/o",
    )
    assert KINDS["path"].suspect("runs:/ab12/model") == ("runs:/ab12/model",)
    assert KINDS["code_path"].suspect("etl/x") == ("etl/x", "/Workspace/etl/x")
    assert KINDS["code_path"].suspect("Workspace/Workspace/x") is None
    assert KINDS["code_path"].read("Workspace/Workspace/x") == ("Workspace/Workspace/x",)


def test_values_that_are_not_plainly_written_are_counted() -> None:
    kind = KINDS["workspace_path"]
    most = MAX_COMPARED // ODD
    odd = Values([f"/Users/ada/{index};x" for index in range(most)])
    assert odd.objects(kind).regular
    assert odd.effort.spent == MAX_COMPARED
    with pytest.raises(Refused, match="comparisons"):
        Values([f"/Users/ada/{index};x" for index in range(most + 1)]).objects(kind)
    plain = Values([f"/Users/ada/{index}" for index in range(MAX_COMPARED)])
    assert plain.objects(kind).regular
    assert plain.effort.spent == MAX_COMPARED // PLAIN
