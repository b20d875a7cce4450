"""A path rule held against the calls of the catalogue: which it reaches, and what it fixes of their variables."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from typing import NamedTuple

from brickscope.catalog.catalog import Operation, call_rules, load_catalog, operation_table
from brickscope.core.rule import Rule
from brickscope.core.template import Literal, Rest, Segment, Template, Variable

_ANY = "example"
"""Stands in a value for what the rule leaves open."""


class Reach(NamedTuple):
    """One call that a path rule matches, at least in part: the ``call``-th of an operation.

    ``values``: for the variables of the call, such that the rule matches it. ``fixed``: those the rule writes out, wholly or
    their beginning. ``hidden``: words of the call that stand behind a variable of the rule.
    """

    operation: Operation
    call: int
    values: Mapping[str, str]
    fixed: frozenset[str]
    hidden: tuple[str, ...]


@lru_cache(maxsize=16384)
def reach(rule: Rule) -> tuple[Reach, ...]:
    """The calls of the catalogue that a path rule matches, at least in part, in the order of the catalogue."""
    found = []
    for call in operation_table().meeting(rule):
        operation, index = _places()[id(call)]
        aligned = _align(_without_mirror(rule.template), call.template)
        if aligned is not None:
            found.append(Reach(operation, index, *aligned))
    return tuple(sorted(found, key=lambda each: (each.operation.name, each.call)))


@cache
def _places() -> Mapping[int, tuple[Operation, int]]:
    """The operation of each rule of the catalogue's table, and which of its calls the rule is."""
    operations = load_catalog().operations
    seen: dict[str, int] = {}
    found = {}
    for rule in operation_table().rules:
        index = seen.get(rule.text, 0)
        seen[rule.text] = index + 1
        found[id(rule)] = (operations[rule.text], index)
    return found


def _without_mirror(template: Template) -> Template:
    """``/ajax-api/...`` as ``/api/...``, which the catalogue takes for the same."""
    first = template.segments[0]
    if isinstance(first, Literal) and first.text == "ajax-api":
        return Template((Literal("api"), *template.segments[1:]))
    return template


_Aligned = tuple[dict[str, str], frozenset[str], tuple[str, ...]]


def _align(written: Template, call: Template) -> _Aligned | None:
    """Segment by segment, the call's rest variable taking as many as are left. None where they can't be aligned."""
    rule, segments = written.segments, call.segments
    values: dict[str, list[str]] = {}
    fixed: set[str] = set()
    hidden: list[str] = []
    at = 0
    for index, segment in enumerate(segments):
        if at >= len(rule):
            return None
        own = rule[at]
        if isinstance(own, Rest):
            hidden += [each.text for each in segments[index:] if isinstance(each, Literal)]
            for each in segments[index:]:
                if each.name:
                    values.setdefault(each.name, []).append(each.text if isinstance(each, Literal) else _ANY)
            at = len(rule)
            break
        if isinstance(segment, Rest):
            following = len(segments) - index - 1
            end = len(rule) if isinstance(rule[-1], Rest) else len(rule) - following
            if end <= at:
                return None
            taken = rule[at:end]
            values.setdefault(segment.name, []).extend(
                each.text if isinstance(each, Literal) else _ANY for each in taken
            )
            if isinstance(taken[0], Literal):
                fixed.add(segment.name)
            if isinstance(rule[-1], Rest):
                at = len(rule)
                break
            at = end
            continue
        value = _value(own, segment)
        if value is None:
            return None
        if isinstance(segment, Literal) and not isinstance(own, Literal):
            hidden.append(segment.text)
        if segment.name:
            values.setdefault(segment.name, []).append(value)
            if isinstance(own, Literal) and not isinstance(segment, Literal):
                fixed.add(segment.name)
        at += 1
    if at < len(rule):
        return None
    return {name: "/".join(parts) for name, parts in values.items()}, frozenset(fixed), tuple(hidden)


def _value(own: Segment, segment: Literal | Variable) -> str | None:
    """What stands in one segment so that both match it; without its verb. None where nothing can."""
    if isinstance(segment, Literal):
        return segment.text
    if isinstance(own, Literal):
        name, colon, verb = own.text.rpartition(":")
        if segment.verb is None:
            return None if colon else own.text
        return name if colon and verb == segment.verb else None
    return _ANY


@cache
def calls(name: str) -> tuple[Rule, ...]:
    """Every call of an operation."""
    return tuple(call_rules(load_catalog().operations[name]))


@cache
def spellings(name: str) -> tuple[Rule, ...]:
    """Every call of an operation, also by the mirror that the web interface uses."""
    mirrors = [
        rule._replace(template=Template((Literal("ajax-api"), *rule.template.segments[1:])))
        for rule in calls(name)
        if rule.template.segments[0] == Literal("api")
    ]
    return (*calls(name), *mirrors)
