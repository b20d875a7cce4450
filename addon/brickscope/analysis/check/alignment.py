"""A path rule held against the calls of the catalogue: which it reaches, and what it fixes of their variables."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from typing import NamedTuple

from brickscope.analysis.overlap import common, without_mirror
from brickscope.catalog.catalog import Operation, call_rules, load_catalog, operation_table
from brickscope.core.path import APP
from brickscope.core.rule import Rule
from brickscope.core.template import Literal, Rest, Template, bind


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
    """The calls of the catalogue that a path rule matches, at least in part, in the order of their operations."""
    found = []
    written = without_mirror(rule.template)
    for call in operation_table().meeting(rule):
        shared = common(call.template, written)
        if shared is not None and shared[0] != APP:
            values = bind(call.template, shared)
            held = _held_apart(written, call.template)
            found += [Reach(operation, index, values, *held) for operation, index in _places()[id(call)]]
    return tuple(sorted(found, key=lambda each: (each.operation.name, each.call)))


@cache
def _places() -> Mapping[int, list[tuple[Operation, int]]]:
    """The operations of each rule of the catalogue's table, and which of their calls the rule is."""
    operations = load_catalog().operations
    seen: dict[str, int] = {}
    found = {}
    for rule in operation_table().rules:
        index = seen.get(rule.text, 0)
        seen[rule.text] = index + 1
        found[id(rule)] = [(operations[name], index) for name in rule.names]
    return found


def _held_apart(written: Template, call: Template) -> tuple[frozenset[str], tuple[str, ...]]:
    """The variables of a call that a path rule fixes, and the words of the call that it hides behind variables."""
    fixed: set[str] = set()
    hidden: list[str] = []
    for index, (own, segment) in enumerate(zip(written.segments, call.segments, strict=False)):
        if isinstance(own, Rest):
            hidden += [each.text for each in call.segments[index:] if isinstance(each, Literal)]
            break
        if isinstance(segment, Literal):
            if not isinstance(own, Literal):
                hidden.append(segment.text)
        elif isinstance(own, Literal):
            fixed.add(segment.name)
        if isinstance(segment, Rest):
            break
    return frozenset(fixed), tuple(hidden)


@cache
def calls(name: str) -> tuple[Rule, ...]:
    """Every call of an operation."""
    return tuple(call_rules(load_catalog().operations[name]))
