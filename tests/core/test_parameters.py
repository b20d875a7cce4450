"""The parameters of a call: each in one place and under one name, or nobody can say what the API reads."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from brickscope.core.constraint import Constraint
from brickscope.core.constraint import Test as Wanted
from brickscope.core.decision import Refused
from brickscope.core.look import Gathered, looks_of
from brickscope.core.parameters import HeldBody, Parameters, read_parameters
from brickscope.core.query import Alternatives
from brickscope.core.reason import Reason
from brickscope.core.request import read_request
from brickscope.core.template import parse_template
from brickscope.core.values import ABSENT
from core.refusal import refusal
from core.wire import h1, h1_headers

Place = tuple[dict[str, str], str | None, dict[str, Any]]
"""What is in path, query and body."""


def constraint(place: str, *keys: str, many: bool = False, **more: Any) -> Constraint:
    return Constraint(".".join(keys), place, keys, Wanted(), "", many, **more)


def parameters(found: Place, *constraints: Constraint) -> Parameters:
    path, query, body = found
    return Parameters(path, query, Gathered(looks_of(constraints), body))


TWICE, MISTAKEN = "the parameter 'a' is given twice", "a name could be mistaken for the parameter 'a'"
PATH, QUERY, MANY, BODY = (
    constraint("path", "a"),
    constraint("query", "a"),
    constraint("query", "a", many=True),
    constraint("body", "a"),
)
DEEP = constraint("query", "a.b")
# What is limited, where things are, and its values, or why it is open what they are.
FOUND: dict[str, tuple[Constraint, Place, list[Any] | str]] = {
    "in the path": (PATH, ({"a": "1"}, None, {}), ["1"]),
    "in the query": (QUERY, ({}, "a=1", {}), ["1"]),
    "in the body": (BODY, ({}, None, {"a": 1}), [1]),
    "nowhere, of the path": (PATH, ({"b": "1"}, None, {}), [ABSENT]),
    "nowhere, of the query": (QUERY, ({}, None, {}), [ABSENT]),
    "nowhere, beside another": (QUERY, ({}, "b=1", {"c": 1}), [ABSENT]),
    "nowhere, of the body": (BODY, ({}, "b=1", {}), [ABSENT]),
    "null in the body": (BODY, ({}, None, {"a": None}), [None]),
    "a list in the body": (BODY, ({}, None, {"a": [1, 2]}), [1, 2]),
    "what readers find different things in": (QUERY, ({}, "a=1;b", {}), [Alternatives(("1;b", "1"))]),
    "twice in the query": (QUERY, ({}, "a=1&a=2", {}), TWICE),
    "several times, as it may be": (MANY, ({}, "a=1&a=2", {}), ["1", "2"]),
    "in path and query": (PATH, ({"a": "1"}, "a=1", {}), TWICE),
    "in path and query, of the query": (QUERY, ({"a": "1"}, "a=1", {}), TWICE),
    "in query and body, the same": (QUERY, ({}, "a=1", {"a": 1}), ["1"]),
    "in query and body, the same text": (QUERY, ({}, "a=x", {"a": "x"}), ["x"]),
    "in query and body, another": (QUERY, ({}, "a=1", {"a": 2}), TWICE),
    "in query and body, the word for it": (QUERY, ({}, "a=True", {"a": True}), TWICE),
    "in query and body, a list": (QUERY, ({}, "a=1", {"a": ["1"]}), TWICE),
    "several times, and one of them in the body": (MANY, ({}, "a=1&a=2", {"a": "1"}), TWICE),
    "in path and body, the same": (PATH, ({"a": "1"}, None, {"a": "1"}), ["1"]),
    "in path and body, another": (PATH, ({"a": "1"}, None, {"a": "2"}), TWICE),
    "in body and path": (BODY, ({"a": "1"}, None, {"a": "1"}), TWICE),
    "in all three": (BODY, ({"a": "1"}, "a=1", {"a": "1"}), TWICE),
    "in the query, of the body": (
        BODY,
        ({}, "a=1", {}),
        "the parameter 'a' is in the query; the API reads it in the body",
    ),
    "in the body, of the query": (
        QUERY,
        ({}, None, {"a": 1}),
        "the parameter 'a' is in the body; the API reads it in the query",
    ),
    "in the query, of the path": (
        PATH,
        ({}, "a=1", {}),
        "the parameter 'a' is in the query; the API reads it in the path",
    ),
    "in another case in the query": (QUERY, ({}, "A=1", {}), MISTAKEN),
    "in another case in the query as well": (QUERY, ({}, "a=1&A=1", {}), MISTAKEN),
    "as a list in the query": (QUERY, ({}, "a[]=1", {}), MISTAKEN),
    "a part of it in the query": (QUERY, ({}, "a.b=1", {}), MISTAKEN),
    "behind a semicolon": (QUERY, ({}, "b=1;a=2", {}), MISTAKEN),
    "behind an encoded ampersand": (QUERY, ({}, "b=1%26a=2", {}), MISTAKEN),
    "in another case in the body": (BODY, ({}, None, {"A": 1}), MISTAKEN),
    "in another case in the body, of the path": (PATH, ({"a": "1"}, None, {"A": 1}), MISTAKEN),
    "a member in the query": (DEEP, ({}, "a.b=1&a.c=2", {}), ["1"]),
    "a member, and the whole": (
        DEEP,
        ({}, "a.b=1&a=2", {}),
        "a name could be mistaken for the parameter 'a.b'",
    ),
    "the whole of a member": (
        DEEP,
        ({}, "a=2", {}),
        "a name could be mistaken for the parameter 'a.b'",
    ),
}


@pytest.mark.parametrize(("limited", "place", "found"), FOUND.values(), ids=FOUND)
def test_what_a_call_has_for_a_parameter(limited: Constraint, place: Place, found: list[Any] | str) -> None:
    asked = parameters(place, limited)
    if isinstance(found, list):
        assert asked.values(limited).leaves == found
        assert asked.values(limited).listed is (len(found) > 1)
        assert asked.values(limited) is asked.values(limited), "worked out once, however many rules ask"
    else:
        reason = Reason.PARAMETER_MISPLACED if "API reads" in found else Reason.PARAMETER_TWICE
        for _ in range(2):
            assert refusal(asked.values, limited) == (reason, found)


def test_all_values_of_a_call_cost_together() -> None:
    asked = parameters(({"p": "/" + "a" * 98}, "q=1", {"b": 1}), BODY)
    each = [asked.values(constraint(place, name)) for place, name in (("path", "p"), ("query", "q"))]
    assert len({id(values.effort) for values in each}) == 1


KEYS = (("a",), ("b", "c"))
# Whether a call has one of `a` and `b.c`; whether other than as plainly false; and those that it has.
ANY: dict[str, tuple[Place, bool, bool, dict[str, list[Any]]]] = {
    "none": (({}, None, {}), False, False, {}),
    "another": (({"x": "1"}, "y=1", {"z": 1, "b": {"d": 1}}), False, False, {}),
    "null": (({}, None, {"a": None}), False, False, {}),
    "one in the path": (({"a": "1"}, None, {}), True, True, {"a": ["1"]}),
    "one in the query": (({}, "a=1", {}), True, True, {"a": ["1"]}),
    "several in the query": (({}, "a=1&A=2", {}), True, True, {"a": ["1", "2"]}),
    "one in the body": (({}, None, {"b": {"c": 1}}), True, True, {"b.c": [1]}),
    "false in the query": (({}, "a=false", {}), True, False, {"a": ["false"]}),
    "false in the body": (({}, None, {"a": False}), True, False, {"a": [False]}),
    "no plain false": (({}, "a=False", {}), True, True, {"a": ["False"]}),
    "zero": (({}, None, {"a": 0}), True, True, {"a": [0]}),
    "false and something": (({}, None, {"a": [False, 1]}), True, True, {"a": [False, 1]}),
    "an empty list": (({}, None, {"a": []}), False, True, {}),
    "what can't be compared": (({}, None, {"b": "x"}), True, True, {"b.c": [ABSENT]}),
}


@pytest.mark.parametrize(("place", "there", "counts", "given"), ANY.values(), ids=ANY)
def test_which_of_some_parameters_a_call_has(
    place: Place, there: bool, counts: bool, given: dict[str, list[Any]]
) -> None:
    asked = parameters(place, *(constraint("body", *keys) for keys in KEYS))
    assert asked.has_any(KEYS) is there
    assert asked.has_any(KEYS, false_counts=False) is counts
    assert {name: values.leaves for name, values in asked.given(KEYS).items()} == given
    assert not asked.has_any([])


def test_of_a_name_that_could_be_another_nobody_knows_whether_it_is_there() -> None:
    asked = parameters(({}, None, {"A": 1}), BODY)
    assert refusal(asked.has_any, [("a",)]) == (Reason.PARAMETER_TWICE, MISTAKEN)
    assert refusal(asked.given, [("a",)]) == (Reason.PARAMETER_TWICE, MISTAKEN)


OTHERS: dict[str, tuple[Place, set[str], list[str]]] = {
    "none": (({}, None, {}), set(), []),
    "in order": (({}, "c=1&a=2", {"b": 1}), set(), ["a", "b", "c"]),
    "those that are known": (({}, "c=1&a=2", {"b": 1}), {"a", "b"}, ["c"]),
    "a variable of the path": (({"p": "1"}, None, {}), set(), []),
    "the choice of a workspace": (({}, "o=1&O=2&oo=3", {}), set(), ["O", "oo"]),
    "members of what is known": (({}, "a.b=1&a.c=2&b.a=3", {}), {"a"}, ["b.a"]),
    "members in a body": (({}, None, {"a.b": 1}), {"a"}, ["a.b"]),
    "what only some readers find": (({}, "a=1;b=2", {}), {"a"}, ["b"]),
    "what has no name": (({}, "=1&", {}), set(), []),
    "what the body repeats of the path": (({"a": "1"}, None, {"a": 1}), set(), []),
    "what the body says otherwise": (({"a": "1"}, None, {"a": 2}), set(), ["a"]),
    "what the body repeats of the query": (({}, "a=1", {"a": 1}), set(), ["a"]),
}


@pytest.mark.parametrize(("place", "known", "others"), OTHERS.values(), ids=OTHERS)
def test_the_parameters_that_a_rule_does_not_know(place: Place, known: set[str], others: list[str]) -> None:
    assert parameters(place).others(known) == others


def test_the_names_of_all_parameters() -> None:
    asked = parameters(({"p": "1"}, "a=1;x=2&=3&b&o=4", {"c": {"d": 1}}))
    assert asked.names == {"a", "b", "c"}


# -- from a call -------------------------------------------------------------------------------------------------------

FORM = (b"Content-Type", b"application/x-www-form-urlencoded")


def read(target: str, template: str, body: bytes | None, *constraints: Constraint) -> Parameters:
    request = read_request(h1(b"POST", target.encode(), h1_headers(FORM)))
    return read_parameters(
        request, request.readings[0], parse_template(template), body, looks_of(constraints)
    )


def test_each_place_is_read() -> None:
    asked = read("/x/1?q=2", "/x/{p}", b'{"b": 3}', constraint("body", "b"))
    for place, name, value in (("path", "p", "1"), ("query", "q", "2"), ("body", "b", 3)):
        assert asked.values(constraint(place, name)).leaves == [value]


def test_a_body_that_was_not_held_is_none_of_the_matter() -> None:
    assert read("/x", "/x", None, BODY).values(BODY).leaves == [ABSENT]


def fields(count: int) -> bytes:
    return b'{"n": "' + b"&x=" * count + b'"}'


def test_of_the_fields_of_a_form_inside_json_a_bounded_number_is_looked_at() -> None:
    assert read("/x", "/x", fields(10_000), BODY).values(BODY).leaves == [ABSENT]
    with pytest.raises(Refused) as caught:
        read("/x", "/x", fields(10_001), BODY)
    assert caught.value.reason is Reason.TOO_COMPLEX
    assert read("/x", "/x", fields(10_001)).others([]) == ["n"], "where no rule looks at a body, none is"


def test_the_fields_of_a_form_inside_json_are_found_in_packed_bytes_too() -> None:
    packed = gzip.compress(b'{"n": "x=y&a=2&"}')
    request = read_request(h1(b"POST", b"/x", h1_headers(FORM, (b"Content-Encoding", b"gzip"))))
    asked = read_parameters(request, request.readings[0], parse_template("/x"), packed, looks_of([BODY]))
    assert refusal(asked.values, BODY)[0] is Reason.PARAMETER_TWICE


def test_a_body_is_read_once_for_each_set_of_rules() -> None:
    request = read_request(h1(b"POST", b"/x", h1_headers()))
    held, looks = HeldBody(request, b'{"a": 1}'), looks_of([BODY])
    assert held.gather(looks) is held.gather(looks)
    assert held.gather(looks) is not held.gather(looks_of([BODY]))
    broken = HeldBody(request, b"{")
    first, second = (refusal(broken.gather, looks) for _ in range(2))
    assert first == second
    assert first[0] is Reason.BODY_NOT_JSON
