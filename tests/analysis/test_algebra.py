"""Whether one rule allows no more than another: "yes" is never wrong."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st

from brickscope.analysis.algebra import covers, implies, pieces
from brickscope.core.constraint import ABSENT, Constraint
from brickscope.core.constraint import Test as Check
from brickscope.core.kind import KINDS
from brickscope.core.operation import OperationRule
from brickscope.core.template import parse_template
from examples import examples
from reaching import reaching

_PATTERNS = [(parse_template(text),) for text in ("/a/{x}", "/a/{x...}", "/a/b")]
_TEXT, _INTEGER, _SLASHED = KINDS["any"], KINDS["integer"], KINDS["slashed"]


def _check(**fields: Any) -> Check:
    return Check(**fields)  # by hand: hypothesis would fill in the other fields as well


TESTS = st.builds(
    lambda test, optional: test._replace(optional=optional),
    st.one_of(
        st.builds(
            _check,
            kind=st.sampled_from([_TEXT, _SLASHED]),
            one_of=st.frozensets(st.sampled_from(["1", "2", "7", "true", "/a/b", "/a/b/c"]), min_size=1),
        ),
        st.builds(
            _check, kind=st.just(_INTEGER), one_of=st.frozensets(st.sampled_from([1, 2, 6, 9]), min_size=1)
        ),
        st.builds(
            _check,
            kind=st.sampled_from([_TEXT, _SLASHED]),
            prefix=st.sampled_from([("/a",), ("/a/",), ("/a/b",), ("1",), ("/a/", "/b/")]),
        ),
        st.builds(_check, kind=st.just(_SLASHED), pattern=st.sampled_from(_PATTERNS), separator=st.just("/")),
        st.builds(
            _check, kind=st.just(_INTEGER), low=st.sampled_from([None, 1, 3]), high=st.sampled_from([5, 7])
        ),
        st.builds(_check, kind=st.just(_INTEGER), low=st.sampled_from([1, 3])),
        st.just(Check(absent=True)),
        st.builds(_check, only=st.frozensets(st.sampled_from(["x", "y"]))),
    ),
    st.booleans(),
)

VALUES = [
    ABSENT,
    None,
    1,
    "1",
    2,
    4,
    "6",
    9,
    True,
    "true",
    "/a",
    "/a/b",
    "/a/b/c",
    "/a/../b",
    "1x",
    [1, 2],
    [],
    ["/a/b"],
]
VALUES += [{"x": 1}, {"y": 1, "z": 2}, {}]


@reaching(0.05, TESTS, TESTS)
@settings(max_examples=examples(3000))
def test_what_meets_the_narrow_test_meets_the_wide_one(narrow: Check, wide: Check) -> bool:
    met = [value for value in (VALUES if implies(narrow, wide) else ()) if narrow.takes(value)]
    for value in met:
        assert wide.takes(value), value
    return bool(met)


def test_a_test_implies_itself_and_a_wider_one() -> None:
    assert implies(Check(one_of=frozenset({"1"})), Check(one_of=frozenset({"1", "2"})))
    assert not implies(Check(one_of=frozenset({"1", "2"})), Check(one_of=frozenset({"1"})))
    assert implies(Check(_INTEGER, one_of=frozenset({4})), Check(_INTEGER, low=1, high=5))
    assert implies(Check(_INTEGER, low=2, high=3), Check(_INTEGER, low=1))
    assert not implies(Check(_INTEGER, low=2), Check(_INTEGER, low=1, high=5))
    assert implies(Check(prefix=("/a/b/",)), Check(prefix=("/a/",)))
    assert not implies(Check(prefix=("/a/b/", "/c/")), Check(prefix=("/a/",)))
    assert not implies(Check(_SLASHED, prefix=("/a/b/",)), Check(prefix=("/a/",)))
    assert implies(Check(absent=True), Check(one_of=frozenset({"1"}), optional=True))
    assert not implies(Check(prefix=("/a/",), optional=True), Check(prefix=("/a/",)))


def rule(
    *where: tuple[str, Check], only: frozenset[str] | None = None, place: str = "query"
) -> OperationRule:
    constraints = tuple(Constraint(name, place, (name,), test, name) for name, test in where)
    return OperationRule("x.y", "x.y", constraints, only)


@pytest.mark.parametrize(
    ("wide", "narrow", "expected"),
    [
        (rule(), rule(("a", Check(one_of=frozenset({"1"})))), True),
        (rule(("a", Check(one_of=frozenset({"1"})))), rule(), False),
        (
            rule(("a", Check(prefix=("1",)))),
            rule(("a", Check(one_of=frozenset({"1"}))), ("b", Check(absent=True))),
            True,
        ),
        (rule(only=frozenset({"a", "b"})), rule(only=frozenset({"a"})), True),
        (rule(only=frozenset({"a"})), rule(only=frozenset({"a", "b"})), False),
        (rule(only=frozenset({"a"})), rule(("a", Check(prefix=("1",)))), False),
        (rule(only=frozenset({"a"})), rule(("a", Check(prefix=("1",))), only=frozenset()), True),
    ],
)
def test_rules_with_conditions(wide: OperationRule, narrow: OperationRule, expected: bool) -> None:
    assert covers(wide, narrow) is expected


def test_a_list_of_values_falls_into_pieces_but_not_in_a_body() -> None:
    listed = ("a", Check(one_of=frozenset({"1", "2"})))
    assert len(pieces(rule(listed))) == 2
    assert len(pieces(rule(listed, place="body"))) == 1
    assert pieces(rule(only=frozenset())) == [rule(only=frozenset())]
