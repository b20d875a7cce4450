"""What one test of a rule takes and denies: lists, prefixes and patterns in the canonical forms of each kind."""

from __future__ import annotations

from typing import Any

import pytest

from brickscope.catalog.catalog import Operation, load_catalog
from brickscope.core.constraint import Constraint
from brickscope.core.decision import Refused
from brickscope.core.values import FEW, MAX_COMPARED, Effort, Values
from brickscope.policy.where import parse_constraint


def constraint(kind: str, written: Any, *, denies: bool, place: str = "body") -> Constraint:
    problems: list[str] = []
    operation = Operation("x.y", ("POST /api/2.0/x/{p...}",), "write", types={"p": kind}, **{place: ("p",)})
    found = parse_constraint(
        operation, "p", written, lambda message, hint, way: problems.append(message), denies=denies
    )
    assert found is not None, problems
    return found


def verdict(kind: str, written: Any, value: Any, place: str = "body") -> tuple[bool, bool]:
    """Whether a rule that allows takes a value, and whether one that denies is met by it."""
    denying = constraint(kind, written, denies=True, place=place)
    return (
        constraint(kind, written, denies=False, place=place).test.takes(value),
        denying.test.may_be_met(Values([value]), below=denying.below is not None),
    )


BOTH, NEITHER, ONLY_DENIED = (True, True), (False, False), (False, True)
# kind, what a rule writes, value, allowed and denied
CASES: dict[str, tuple[str, Any, Any, tuple[bool, bool]]] = {
    "a schema in another case, by pattern": (
        "volume_path",
        {"pattern": "/Volumes/{catalog}/HR/{x...}"},
        "/Volumes/main/hr/v/f",
        BOTH,
    ),
    "a folder of a volume in another case": (
        "volume_path",
        {"pattern": "/Volumes/{c}/{s}/{v}/In/{f}"},
        "/Volumes/main/a/v/in/f",
        NEITHER,
    ),
    "a schema beyond ASCII": ("volume_path", {"pattern": "/Volumes/main/\u00c4/{v}/F"}, "/Volumes/Main/\u00c4/v/F", BOTH),
    "a schema and a volume beyond ASCII": (
        "path",
        {"pattern": "/Volumes/\u00c4/{s}/\u00d6/{f}"},
        "/Volumes/\u00c4/s/\u00d6/f",
        BOTH,
    ),
    "a schema beyond ASCII that folds for some": (
        "volume_path",
        {"pattern": "/Volumes/main/\u00c4/{v}/F"},
        "/Volumes/main/\u00e4/v/F",
        ONLY_DENIED,
    ),
    "the beginning of a schema's name": ("volume_path", {"prefix": "/Volumes/main/HR"}, "/Volumes/MAIN/hr_x/v", BOTH),
    "a volume beside it": ("volume_path", {"prefix": "/Volumes/main/HR/"}, "/Volumes/main/hr2/v", NEITHER),
    "volumes, by the beginning of their tree's name": ("volume_path", {"prefix": "/V"}, "/Volumes/m/a/v", ONLY_DENIED),
    "a path of a repository that looks like a folder's": (
        "code_path",
        {"pattern": "/Workspace/etl/{x...}"},
        "Workspace/etl/x",
        ONLY_DENIED,
    ),
    "the same by prefix": ("code_path", {"prefix": "/Workspace/etl/"}, "etl/x", ONLY_DENIED),
    "a path of a repository": ("code_path", {"prefix": "etl/"}, "etl/x", BOTH),
    "a pattern of a repository": ("code_path", {"pattern": "etl/{x}"}, "etl/x", BOTH),
    "a pattern of a repository, and a folder": ("code_path", {"pattern": "etl/{x}"}, "/etl/x", ONLY_DENIED),
    "DBFS by pattern": ("path", {"pattern": "dbfs:/FileStore/{x...}"}, "dbfs:/FileStore/a/b", BOTH),
    "DBFS by pattern, without a scheme": ("path", {"pattern": "dbfs:/FileStore/{x...}"}, "/FileStore/a", ONLY_DENIED),
    "of one of two trees": ("path", {"prefix": "/tmp/"}, "/tmp/x", BOTH),
    "of one of two trees, and of the one": ("path", {"prefix": "/tmp/"}, "dbfs:/tmp/x", ONLY_DENIED),
    "of one of two trees, by its name": ("path", "/tmp/x", "/tmp/x", BOTH),
    "of one of two trees, and of the other": ("path", "/tmp/x", "/Workspace/tmp/x", ONLY_DENIED),
    "both trees, each by its name": ("path", ["/Workspace/tmp/x", "dbfs:/tmp/x"], "/tmp/x", BOTH),
    "by the clusters' own file system": ("path", {"prefix": "/Workspace/ceo/"}, "file:/Workspace/ceo/x", ONLY_DENIED),
    "by a mount": ("path", {"prefix": "dbfs:/keys/"}, "/dbfs/keys/x", ONLY_DENIED),
    "a user of a store": ("storage_url", {"prefix": "s3://b/"}, "s3://u@b/x", ONLY_DENIED),
    "a container before a store": ("storage_url", {"prefix": "abfss://u@b/"}, "abfss://u@b/x", BOTH),
    "another name of a store": ("storage_url", {"prefix": "s3://b/"}, "s3a://b/x", ONLY_DENIED),
    "a repository's ending": ("url", "https://github.com/o/r", "https://GitHub.com/O/r.git", ONLY_DENIED),
    "a user in front of a host": ("url", {"prefix": "https://github.com/o/"}, "https://me@github.com/o/r", BOTH),
    "a host that looks like a user": ("url", {"prefix": "https://github.com/"}, "https://github.com@evil.org/", NEITHER),
    "a host that goes on": ("url", {"prefix": "https://github.com/"}, "https://github.com.evil.org/", NEITHER),
    "the pattern of a short form": ("workspace_path", {"pattern": "/{top}/ceo/{x...}"}, "/Users/ceo/x", ONLY_DENIED),
    "a needless escape": ("workspace_path", {"prefix": "/Users/ceo/"}, "/Users/%63eo/x", ONLY_DENIED),
    "an escape that is in the rule": ("workspace_path", "/Users/a%20b", "/Users/a%20b", BOTH),
    "an escape that is in the rule's prefix": ("workspace_path", {"prefix": "/Users/a%20b/"}, "/Users/a%20b/c", BOTH),
    "what an escape in the rule stands for": ("workspace_path", "/Users/a%20b", "/Users/a b", ONLY_DENIED),
    "letters in another width": ("workspace_path", {"prefix": "/Users/ceo/"}, "/Users/\uff43eo/x", ONLY_DENIED),
    "a requirement's file": ("pip_line", {"prefix": "/Workspace/ceo/"}, "-r /Workspace/ceo/r.txt", ONLY_DENIED),
    "a requirement by its name": ("pip_line", {"prefix": "numpy"}, "NumPy==2", ONLY_DENIED),
    "a package from elsewhere": ("pip_line", {"prefix": "https://evil/"}, "x @ git+https://evil/x", ONLY_DENIED),
    "a name by pattern, in another case": ("uc_name", {"pattern": "Main.{schema}.{table}"}, "MAIN.a.b", BOTH),
    "a name that folds for some": ("uc_name", "main.a.Ä", "main.a.ä", ONLY_DENIED),
    "the name as the rule has it": ("uc_name", "main.a.Ä", "main.a.Ä", BOTH),
    "a pattern that folds for some": ("uc_name", {"pattern": "main.Ä.{t}"}, "main.ä.t", ONLY_DENIED),
    "a pattern as the rule has it": ("uc_name", {"pattern": "main.Ä.{t}"}, "main.Ä.t", BOTH),
    "a model of the workspace": ("model_name", {"prefix": "Churn"}, "Churn2", BOTH),
    "a model of the workspace in another case": ("model_name", {"prefix": "Churn"}, "churn2", ONLY_DENIED),
    "a model of Unity Catalog": ("model_name", {"prefix": "Main.AI."}, "main.ai.m", BOTH),
    "all privileges": ("privilege", "SELECT", "ALL PRIVILEGES", ONLY_DENIED),
    "all users": ("principal", "ada@example.com", "account users", ONLY_DENIED),
    "all fields": ("field_mask", "owner", "*", ONLY_DENIED),
    "several fields": ("field_mask", "owner", "comment,owner", ONLY_DENIED),
    "several fields that are listed": ("field_mask", ["comment", "owner"], "owner,comment", BOTH),
    "several fields, of which one has two spellings": ("field_mask", ["displayName", "id"], "id,displayName", BOTH),
    "several fields, one in its other spelling": ("field_mask", ["displayName", "id"], "id,display_name", ONLY_DENIED),
    "several fields between commas in a list": ("field_mask", ["displayName,id", "x"], "id,x,displayName", BOTH),
    "several fields, and one that is not listed": ("field_mask", ["displayName", "id"], "displayName,name", ONLY_DENIED),
    "several fields, and nothing between commas": ("field_mask", ["displayName", "id"], "id,,displayName", ONLY_DENIED),
    "a field of a denied one": ("field_mask", {"prefix": "settings"}, "settings.name", BOTH),
    "a field with a denied one in it": ("field_mask", "settings.name", "settings", ONLY_DENIED),
    "all below a folder": ("workspace_glob", {"prefix": "/Users/ceo/"}, "/Users/**", ONLY_DENIED),
    "all below the folder": ("workspace_glob", {"prefix": "/Users/ceo/"}, "/Users/ceo/**", BOTH),
    "a range": ("integer", {"min": 2, "max": 4}, 4, BOTH),
    "the least of a range": ("integer", {"min": 2, "max": 4}, 2, BOTH),
    "below a range": ("integer", {"min": 2, "max": 4}, 1, NEITHER),
    "the least where there is no most, of a range": ("integer", {"min": 2}, 2, BOTH),
    "more than the least of a range": ("integer", {"min": 2}, 10**15, BOTH),
    "the most where there is no least, of a range": ("integer", {"max": 4}, 4, BOTH),
    "less than the most of a range": ("integer", {"max": 4}, -(10**15), BOTH),
    "beyond a range": ("integer", {"min": 2, "max": 4}, 5, NEITHER),
    "whatever is regular": ("text", {"pattern": "{x...}"}, "a b/../c", BOTH),
    "what is not": ("text", {"pattern": "{x...}"}, " a", ONLY_DENIED),
    "any number": ("integer", {"pattern": "{x...}"}, 5, BOTH),
    "a resource by pattern": ("text", {"pattern": "projects/dev/branches/{b}"}, "projects/dev/branches/x", BOTH),
    "a resource by pattern, rooted": ("text", {"pattern": "projects/dev/branches/{b}"}, "/projects/dev/branches/x", NEITHER),
    "a text by pattern, in another case": ("text", {"pattern": "a.{b}.c"}, "A.x.C", ONLY_DENIED),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_a_test_takes_and_denies(case: str) -> None:
    kind, written, value, expected = CASES[case]
    assert verdict(kind, written, value) == expected


@pytest.mark.parametrize(
    ("values", "taken", "denied"),
    [
        ([2, 3, 4], True, True),
        ([2, 3, 5], False, True),
        ([1, 3, 4], False, True),
        ([1, 5], False, False),
        ([1, 5, 2], False, True),
        ([9, 4], False, True),
        ([], False, False),
    ],
)
def test_a_range_holds_for_all_values_and_is_met_by_any(values: list[int], taken: bool, denied: bool) -> None:
    written = {"min": 2, "max": 4}
    assert constraint("integer", written, denies=False).test.is_met(Values([*values])) is taken
    assert constraint("integer", written, denies=True).test.may_be_met(Values([*values])) is denied


@pytest.mark.parametrize("case", [case for case in CASES if "range" not in case])
def test_a_value_among_many_is_judged_as_by_itself(case: str) -> None:
    kind, written, value, (taken, denied) = CASES[case]
    allowing, denying = (constraint(kind, written, denies=denies) for denies in (False, True))
    many = [value] * (FEW + 3)
    assert allowing.test.is_met(Values(many)) is taken
    below = denying.below is not None
    assert denying.test.may_be_met(Values(many), below=below) is denied
    # Others that are regular, and of which nothing is known: one that is denied is found among them.
    if denied and kind not in ("integer", "privilege"):
        others = [other for other in ("a", "b", "a.b.c", "/z/1", "/z/2") if denying.test.kind.suspect(other)]
        assert denying.test.may_be_met(Values([*others * 4, value, *others]), below=below)


def test_a_variable_of_the_path_has_its_first_slash_from_the_url() -> None:
    written = {"prefix": "/Volumes/main/"}
    assert verdict("volume_path", written, "Volumes/main/a/v", "path") == BOTH
    assert verdict("text", {"pattern": "projects/{p}"}, "projects/x", "path") == BOTH


@pytest.mark.parametrize(
    "written", ["/a/b", {"prefix": "/a/b"}, {"pattern": "/a/{x}"}, {"pattern": "/{x}/b"}]
)
@pytest.mark.parametrize(("value", "met"), [("/", True), ("/a", True), ("/a/b", True), ("/b/c", False)])
def test_what_acts_on_all_below_its_object_is_met_by_every_ancestor(
    written: Any, value: str, met: bool
) -> None:
    operation = load_catalog().operations["dbfs.delete"]
    found = parse_constraint(operation, "path", written, lambda message, hint, way: None, denies=True)
    assert found is not None
    assert found.below == (("recursive",),)
    assert found.test.may_be_met(Values([value]), below=True) is met


@pytest.mark.parametrize(("count", "spent"), [(1, 0), (2, 2), (3, 3)])
def test_what_patterns_cost(count: int, spent: int) -> None:
    """One value is held against a pattern for nothing; of more each is a comparison, if it begins as the pattern does."""
    values = Values([*(f"a.{index}.b" for index in range(count)), "z"])
    assert not constraint("text", {"pattern": "a.{x}.c"}, denies=True).test.may_be_met(values)
    assert values.effort.spent == spent


def test_patterns_on_many_values_are_too_complex() -> None:
    denying = constraint("text", {"pattern": "a.{x}.c"}, denies=True)
    values = Values([f"a.{index}.b" for index in range(MAX_COMPARED // 3)], effort=Effort())
    # One that is far from the pattern's beginning is not held against it.
    assert not constraint("text", {"pattern": "z.{x}.c"}, denies=True).test.may_be_met(values)
    assert not denying.test.may_be_met(values)
    assert not denying.test.may_be_met(values)
    with pytest.raises(Refused, match=f"more than {MAX_COMPARED:,} comparisons"):
        denying.test.may_be_met(values)
