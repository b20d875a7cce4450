"""What a call has for one parameter: what of it is there, which objects it names, and what finding them costs."""

from __future__ import annotations

from typing import Any

import pytest

from brickscope.core.body import Number
from brickscope.core.decision import Refused
from brickscope.core.kind import KINDS, Either
from brickscope.core.query import Alternatives
from brickscope.core.reason import Reason
from brickscope.core.values import (
    ABSENT,
    FEW,
    MAX_COMPARED,
    MAX_SHOWN,
    ODD,
    ODD_LETTERS,
    PLAIN,
    Effort,
    Named,
    Values,
)
from core.refusal import refusal

TEXT, NUMBER, PATH, ANY = (KINDS[name] for name in ("text", "integer", "workspace_path", "any"))

# the leaves; whether one is absent, those that are there, and what the log shows
SHOWN: dict[str, tuple[list[Any], bool, list[Any], Any]] = {
    "a value": ([7], False, [7], 7),
    "an empty text": ([""], False, [""], ""),
    "false": ([False], False, [False], False),
    "nothing": ([ABSENT], True, [], None),
    "null": ([None], True, [], None),
    "some": ([1, ABSENT, 2], True, [1, 2], [1, None, 2]),
    "some null": ([1, None], True, [1], [1, None]),
    "no value at all": ([], False, [], []),
    "one that readers find different things in": (
        [Alternatives(("a;b", "a"))],
        False,
        [Alternatives(("a;b", "a"))],
        "a;b",
    ),
}


@pytest.mark.parametrize(("leaves", "absent", "given", "sent"), SHOWN.values(), ids=SHOWN)
def test_what_is_there(leaves: list[Any], absent: bool, given: list[Any], sent: Any) -> None:
    values = Values(leaves)
    assert (values.is_absent, values.given, values.sent) == (absent, given, sent)
    assert Values(leaves, odd=True).sent == [[]]


def test_a_list_is_shown_as_one() -> None:
    assert Values([7], listed=True).sent == [7]
    assert Values([ABSENT], listed=True).sent == [None]


def test_what_lies_below_a_name_that_nothing_has() -> None:
    doubt = Refused(Reason.PARAMETER_TWICE, "there may be another one of it")
    values = Values([{}, {}], listed=True, hollow=True, effort=Effort())
    lacking = values.lacking(doubt)
    assert lacking.leaves == [ABSENT, ABSENT]
    assert (lacking.listed, lacking.hollow, lacking.odd, lacking.doubt) == (True, True, False, doubt)
    assert (lacking.is_absent, lacking.given, lacking.types) == (True, [], {type(ABSENT)})
    assert lacking.effort is values.effort
    plain = Values([{}]).lacking(None)
    assert (plain.leaves, plain.listed, plain.hollow, plain.doubt) == ([ABSENT], False, False, None)


def test_effort_is_bounded() -> None:
    effort = Effort()
    effort.spend(MAX_COMPARED)
    effort.spend(0)
    assert effort.spent == MAX_COMPARED
    assert refusal(effort.spend, 1) == (
        Reason.TOO_COMPLEX,
        "comparing with the rules would take more than 100,000 comparisons for the call's values",
    )


def test_names_by_their_beginning() -> None:
    named = Named({"b", "a/c", "a/b"}, set(), regular=True)
    assert named.ordered == ["a/b", "a/c", "b"]
    assert (named.least, named.greatest) == ("a/b", "b")
    for prefix, some, every, found in (
        ("", True, True, ["a/b", "a/c", "b"]),
        ("a/", True, False, ["a/b", "a/c"]),
        ("a/c", True, False, ["a/c"]),
        ("b", True, False, ["b"]),
        ("a/a", False, False, []),
        ("c", False, False, []),
        ("a/bb", False, False, []),
    ):
        assert (named.begins(prefix), named.begin(prefix), named.beginning(prefix)) == (some, every, found)
    assert Named({"a/b", "a/c"}, set(), regular=True).begin("a/")
    assert not Named({"a/b", "0"}, set(), regular=True).begin("a/")
    nothing = Named(set(), set(), regular=True)
    assert (nothing.begins("a"), nothing.begin("a"), nothing.beginning("a")) == (False, True, [])


BOTH = Either.of(("/a", "dbfs:/a"))


def test_one_of_several_objects() -> None:
    assert Either.of(("a",)) == "a"
    assert not isinstance(Either.of(("a",)), Either)
    assert isinstance(BOTH, Either)
    assert (str.__str__(BOTH), repr(BOTH)) == ("/a", "('/a', 'dbfs:/a')")
    assert Either.of(("/a", "dbfs:/a")) == BOTH
    assert hash(BOTH) == hash(Either.of(("/a", "dbfs:/a")))
    assert BOTH not in {"/a", Either.of(("/a", "file:/a"))}


def texts(count: int, form: str = "x{}") -> list[Any]:
    return [form.format(index) for index in range(count)]


# kind, values, the objects for a rule that allows: those that are sure and those that are not; None: not regular
NAMED: dict[str, tuple[str, list[Any], tuple[set[Any], set[Any]] | None]] = {
    "one": ("text", ["a"], ({"a"}, set())),
    "some twice": ("text", ["a", "b", "a"], ({"a", "b"}, set())),
    "those that are there": ("text", ["a", ABSENT, None], ({"a"}, set())),
    "none": ("text", [ABSENT], (set(), set())),
    "numbers and texts": ("integer", [1, "2"], ({1, 2}, set())),
    "many numbers and many texts": (
        "any",
        [*range(FEW + 1), *texts(FEW + 1)],
        ({*map(str, range(FEW + 1)), *texts(FEW + 1)}, set()),
    ),
    "many texts and many numbers": (
        "any",
        [*texts(FEW + 1), *range(FEW + 1)],
        ({*map(str, range(FEW + 1)), *texts(FEW + 1)}, set()),
    ),
    "many texts and an odd number": ("any", [*texts(FEW + 1), Number("1.5")], None),
    "many numbers and an odd text": ("integer", [*range(FEW + 1), "x"], None),
    "a truth value among many numbers": ("integer", [*range(FEW + 1), True], None),
    "an object": ("text", [{}], None),
    "a list": ("text", [[]], None),
    "an object among texts": ("text", ["a", {"b": 1}], None),
    "many numbers, one too large": ("integer", [*range(FEW + 1), 2**63], None),
    "many numbers, one too small": ("integer", [*range(FEW + 1), -(2**63) - 1], None),
    "many numbers up to the largest": (
        "integer",
        [*range(FEW + 1), 2**63 - 1, -(2**63)],
        ({*range(FEW + 1), 2**63 - 1, -(2**63)}, set()),
    ),
    "many numbers where words belong": ("enum", [*range(FEW + 1)], None),
    "many texts, one with a line end": ("text", [*texts(FEW), "a\nb"], None),
    "many texts, one too long": ("text", [*texts(FEW), "a" * (64 * 1024 + 1)], None),
    "many texts that are long together": (
        "text",
        texts(FEW + 1, "{}" + "a" * 8 * 1024),
        ({*texts(FEW + 1, "{}" + "a" * 8 * 1024)}, set()),
    ),
    "many of which one is another twice": (
        "uc_name",
        [*texts(FEW + 1), "X1"],
        ({*texts(FEW + 1)}, set()),
    ),
    "one that may be either of two": ("path", ["/a"], (set(), {Either.of(("/Workspace/a", "dbfs:/a"))})),
    "one of several kinds": (
        "path",
        ["/a", "dbfs:/b"],
        ({"dbfs:/b"}, {Either.of(("/Workspace/a", "dbfs:/a"))}),
    ),
    "what readers find different things in": (
        "text",
        [Alternatives(("a;b", "a"), ("c",))],
        ({"a;b", "a"}, set()),
    ),
    "what only some reader finds no sense in": ("text", [Alternatives(("a", " a"))], None),
}


@pytest.mark.parametrize(("kind", "values", "named"), NAMED.values(), ids=NAMED)
def test_what_values_name(kind: str, values: list[Any], named: tuple[set[Any], set[Any]] | None) -> None:
    found = Values(values).objects(KINDS[kind])
    assert found.regular is (named is not None)
    if named is not None:
        assert (found.singles, found.eithers) == named
        assert {type(each) for each in found.singles} == {type(each) for each in named[0]}


def test_what_values_may_name_to_a_rule_that_denies() -> None:
    given = [Alternatives(("a;b", "a"), ("C",))]
    assert Values(given).suspects(TEXT).singles == {"a;b", "a", "c"}
    found = Values(["/a"]).suspects(KINDS["path"])
    assert (found.singles, found.eithers) == ({"/Workspace/a", "dbfs:/a"}, set())


def test_what_was_found_once_is_kept_apart_by_kind_and_rule() -> None:
    values = Values(["A"])
    assert values.objects(TEXT) is values.objects(TEXT)
    assert values.objects(TEXT).singles == {"A"}
    assert values.suspects(TEXT).singles == {"a"}
    assert values.objects(KINDS["uc_name"]).singles == {"a"}


LONG = "a" * 8 * 1024
# kind, values, comparisons
SPENT: dict[str, tuple[Any, list[Any], int]] = {
    "one": (TEXT, ["a"], 0),
    "a few": (TEXT, texts(FEW), 0),
    "more, plainly written": (TEXT, texts(100), 100 // PLAIN),
    "more numbers": (NUMBER, [*range(100)], 100 // PLAIN),
    "more, each by itself": (KINDS["enum_mixed"], texts(100), ODD * 100),
    "some of them twice": (KINDS["uuid"], texts(10) * 10, ODD * 10),
    "few of them many times": (KINDS["uuid"], texts(FEW) * 10, 0),
    "long ones": (TEXT, texts(10, "{}" + LONG), (10 * 8193) // 2048 - 10 + 10 // PLAIN),
    "long ones beyond ASCII": (TEXT, texts(10, "{}\u00e9" + LONG), (10 * 8194) // ODD_LETTERS + 10 // PLAIN),
    "one beyond ASCII": (TEXT, ["\u00e9" * 40], 40 // ODD_LETTERS),
    "one letter that stands for eighteen": (TEXT, ["\ufdfa" + "a" * 39], 18 * (40 // ODD_LETTERS)),
    "a short path": (PATH, ["/" + "a" * 39], 0),
    "a long path": (PATH, ["/" + "a" * 100], 101 // 2 - ODD),
    "a long path with an escape": (PATH, ["/a%20" + "a" * 95], 6 * 100 - ODD),
    "a long path beyond ASCII": (PATH, ["/\u00e9" + "a" * 98], 100 // ODD_LETTERS + 6 * 100 - ODD),
    "a long text": (TEXT, ["a" * 100], 0),
    "two long paths": (PATH, ["/" + "a" * 99, "/" + "b" * 99], 2 * (100 // 2 - ODD)),
}


@pytest.mark.parametrize(("kind", "values", "spent"), SPENT.values(), ids=SPENT)
def test_what_naming_costs(kind: Any, values: list[Any], spent: int) -> None:
    found = Values(values)
    assert found.objects(kind).regular
    assert found.effort.spent == spent


def test_what_is_shown_is_worked_out_once_however_many_rules_ask() -> None:
    values = Values(["/Users/ada", 7], listed=True)
    assert values.shown(PATH) == ["/Workspace/Users/ada", 7]
    assert values.shown(PATH) is values.shown(PATH)
    assert values.shown(TEXT) == ["/Users/ada", 7]
    many = Values(["/Users/ada"] * (MAX_SHOWN + 1), listed=True)
    assert many.shown(PATH) == many.leaves
