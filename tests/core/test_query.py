"""The query of a call: what a plain reader finds in it, and what others find besides, whom a value may not slip past."""

from __future__ import annotations

import pytest

from brickscope.core.query import (
    MAX_PAIRS,
    Alternatives,
    Pair,
    alternatives,
    read_hidden,
    read_loosely,
    read_query,
)
from brickscope.core.reason import Reason
from core.refusal import refusal


def other(name: str, value: str = "") -> Pair:
    """What only another reader finds."""
    return Pair(name, value, plain=False)


PAIRS: dict[str, tuple[str | None, list[Pair]]] = {
    "no query": (None, []),
    "an empty one": ("", []),
    "two parameters": ("a=1&b=2", [Pair("a", "1"), Pair("b", "2")]),
    "an equals sign in a value": ("a=1=2", [Pair("a", "1=2")]),
    "no value": ("a&b=", [Pair("a", ""), Pair("b", "")]),
    "escapes and a plus": ("%61+b=%C3%A9+%26", [Pair("a b", "\u00e9 &")]),
    "split at a semicolon": ("a=1;b=2", [Pair("a", "1;b=2"), other("b", "2")]),
    "a name before a semicolon": ("x;a=1", [Pair("x;a", "1"), other("x"), other("a", "1")]),
    "begun at a second question mark": ("?a=1", [Pair("?a", "1"), other(""), other("a", "1")]),
    "split in each of its parameters": (
        "a=1;b=%32&c=3;%64=4",
        [Pair("a", "1;b=2"), Pair("c", "3;d=4"), other("b", "2"), other("d", "4")],
    ),
    "the same name with an escape, before a semicolon": ("%61=1;b=2", [Pair("a", "1;b=2"), other("b", "2")]),
    "a name that is decoded twice": ("%2561=1%32", [Pair("%61", "12"), other("a", "12")]),
    "a name as IIS decodes it": ("%25u0061=1", [Pair("%u0061", "1"), other("a", "1")]),
}


@pytest.mark.parametrize(("query", "pairs"), PAIRS.values(), ids=PAIRS)
def test_the_parameters_that_readers_find(query: str | None, pairs: list[Pair]) -> None:
    assert read_query(query) == pairs


NOT_UTF8 = "the query's percent-encoding is not UTF-8"


def test_what_is_no_query() -> None:
    assert refusal(read_query, "a=%ff") == (Reason.QUERY_NOT_CANONICAL, NOT_UTF8)
    assert refusal(read_query, "%C0%AF=1") == (Reason.QUERY_NOT_CANONICAL, NOT_UTF8)
    for sign in "&;":
        assert read_query("a" + f"{sign}a" * MAX_PAIRS)
        assert refusal(read_query, "a" + f"{sign}a" * (MAX_PAIRS + 1)) == (
            Reason.QUERY_NOT_CANONICAL,
            "the query has more than 1000 parameters",
        )


HIDDEN: dict[str, tuple[str, list[Pair]]] = {
    "nothing": ("a=1&b=2", []),
    "nothing beside an escape": ("a=%31&b=2", []),
    "nothing where it is split already": ("a=1;b=2", []),
    "behind an encoded ampersand": ("a=1%26b=2", [other("b", "2")]),
    "behind an encoded semicolon": ("a=1%3Bb=2", [other("b", "2")]),
    "with an encoded equals sign": ("a%3D1%26b%3D2", [other("a", "1"), other("b", "2")]),
    "before an encoded ampersand": ("x%26a=1", [other("x"), other("a", "1")]),
    "in each of its parameters": ("a=1%26b=2&c=3&d=4%26e=5", [other("b", "2"), other("e", "5")]),
    "decoded twice": ("a=1%2526b=2", [other("b", "2")]),
    "decoded once, and twice": (
        "a=1%26b=2%2526c=3",
        [other("b", "2%26c=3"), other("b", "2"), other("c", "3")],
    ),
}


@pytest.mark.parametrize(("query", "pairs"), HIDDEN.values(), ids=HIDDEN)
def test_the_parameters_for_who_decodes_before_it_splits(query: str, pairs: list[Pair]) -> None:
    assert read_hidden(query) == pairs


def test_the_parameters_of_a_target_that_nobody_could_read() -> None:
    assert read_loosely("/p?a=1;b=2&c#d=4") == [
        other("/p"),
        other("a", "1"),
        other("b", "2"),
        other("c"),
        other("d", "4"),
    ]
    assert read_loosely("a%2526b%3D1") == [other("a"), other("b", "1")]


VALUES: dict[str, tuple[str, list[str | Alternatives]]] = {
    "none": ("b=1&aa=2", []),
    "one": ("b=0&a=1&c=2", ["1"]),
    "one without a value": ("a", [""]),
    "one under an encoded name": ("%61=1", ["1"]),
    "two": ("a=1&a=2", ["1", "2"]),
    "one that is encoded": ("a=%C3%A9+b%2Fc", ["\u00e9 b/c"]),
    "one that is split at a semicolon": ("a=1;b", [Alternatives(("1;b", "1"))]),
    "one that is split at a question mark": ("a=1?b", [Alternatives(("1?b", "1"))]),
    "one that is split at either": ("a=1?b;c", [Alternatives(("1?b;c", "1", "1?b"))]),
    "one with an escape before a semicolon": ("a=%31;b", [Alternatives(("1;b", "1"))]),
    "one that is decoded twice": ("a=1%2541", [Alternatives(("1%41", "1A"))]),
    "one as IIS decodes it": ("a=1%25U0041", [Alternatives(("1%U0041", "1A"))]),
    "one with an encoded separator": ("a=1%3Bb", [Alternatives(("1;b",), ("1",))]),
    "one with a blank before an encoded separator": ("a=1+%23b", [Alternatives(("1 #b",), ("1",))]),
    "one with a separator behind two encodings": ("a=1%2526b", [Alternatives(("1%26b", "1&b"), ("1",))]),
}


@pytest.mark.parametrize(("query", "values"), VALUES.values(), ids=VALUES)
def test_the_values_of_a_parameter(query: str, values: list[str | Alternatives]) -> None:
    assert alternatives(query, "a") == values
    assert [type(each) for each in alternatives(query, "a")] == [type(each) for each in values]
