"""Calls that could tell two rule sets apart: at the edges of all conditions and templates that either of them has.

A difference is shown by a call that the two decide differently. So the calls to try are made from the rules themselves:
values that meet each condition, values just beside it, parameters that one lists and the other does not, other versions of
the call, bodies that can't be read.
"""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from brickscope.analysis.call import Call, Home, read_call, read_sent
from brickscope.analysis.example import instance, made_up, meeting, mirrored, path_example, tried, variations
from brickscope.analysis.sent import CallError, Sent
from brickscope.catalog.catalog import Operation
from brickscope.core.constraint import ABSENT, Constraint, Test
from brickscope.core.decision import Refused
from brickscope.core.operation import OperationRule
from brickscope.core.rule import Rule
from brickscope.core.template import Literal, Rest

MAX_TOGETHER = 64
"""How many combinations of two changed parameters are tried for one rule."""
MAX_WORDS = 6
"""How many words of other rules are tried for the variables of a pattern."""
_STRANGE: tuple[Any, ...] = ("elsewhere", 20771)
"""Values that hardly any rule names."""


def operation_calls(
    operation: Operation,
    rules: Sequence[OperationRule],
    paths: Sequence[tuple[Rule, tuple[str, ...]]],
    at: Home,
) -> Iterator[Call]:
    """Calls of one operation. ``rules``: what either rule set says of it by name. ``paths``: path rules of either that reach
    it, each with the segments of such a call."""
    values = _values(rules)
    if not any(rule.is_bound for rule in rules):
        rules = ()
    bases: list[OperationRule | None] = [*rules, None]
    for rule in bases:
        yield from variations(operation, rule, at)
    for path, segments in paths:
        with suppress(CallError):
            yield read_call(f"{path.method} /{'/'.join(segments)}", at)
    for rule in bases if values or rules else ():
        yield from _varied(operation, rule, values, at)
    for rule in (None, *rules):
        for call in tried(operation, rule, at):
            yield from _other_forms(call)


def _values(rules: Sequence[OperationRule]) -> dict[str, list[Any]]:
    """What to put for each parameter that a rule looks at."""
    found: dict[str, list[Any]] = {}
    words = _words(rules)
    for rule in rules:
        for constraint in rule.where:
            met = meeting(constraint)
            listed = found.setdefault(constraint.name, [])
            listed += [*met, *_beside(constraint, words), *_STRANGE, ABSENT]
            if constraint.place == "body" and len(met) > 1:
                # A list meets the test if each of its elements does.
                listed.append([value for value in met if value is not ABSENT])
    listed_names = set().union(*(rule.only or () for rule in rules))
    for name in listed_names - found.keys():
        found[name] = [made_up(name)]
    return {name: list({repr(value): value for value in listed}.values()) for name, listed in found.items()}


def _words(rules: Sequence[OperationRule]) -> list[str]:
    """Words that stand in prefixes and patterns: what one rule leaves open, another may name."""
    found: list[str] = []
    for test in (constraint.test for rule in rules for constraint in rule.where):
        found += re.split(r"[/.]", (test.prefix or ("",))[0])
        for template in (test.pattern or ())[:1]:
            found += [part.text for part in template.segments if isinstance(part, Literal)]
    return [word for word in dict.fromkeys(found) if word][:MAX_WORDS]


def _beside(constraint: Constraint, words: Sequence[str]) -> list[Any]:
    """Values that just miss a condition, or that a narrower one would miss."""
    test: Test = constraint.test
    if test.prefix is not None:
        prefix = test.prefix[0]
        above = prefix.rstrip("/").rpartition("/")[0]
        return [f"{above}/x" if above else "x", f"{prefix}x/x", f"{prefix}another"]
    if test.pattern is not None:
        fitting = [instance(test.pattern[0], test.separator, word) for word in ("another", *words)]
        return [text for each in fitting for text in (each, f"{each}{test.separator}x")]
    if test.low is not None or test.high is not None:
        below = [] if test.low is None else [int(test.low) - 1]
        return below + ([] if test.high is None else [int(test.high) + 1])
    if test.only is not None:
        return [{}, {"another": "x"}, *({key: "x"} for key in sorted(test.only))]
    return []


def _varied(
    operation: Operation, rule: OperationRule | None, values: Mapping[str, list[Any]], at: Home
) -> Iterator[Call]:
    """A rule's example with one parameter changed, then with two."""
    more = [name for name in (*operation.query, *operation.body) if name not in values][:2]
    single = {**values, **{name: [made_up(name)] for name in more}}
    for name, listed in single.items():
        for value in listed:
            yield from tried(operation, rule, at, changes={name: value})
    pairs = (
        {first: one, second: other}
        for first, second in itertools.combinations(single, 2)
        for one, other in itertools.product(single[first], single[second])
    )
    for changes in itertools.islice(pairs, MAX_TOGETHER):
        yield from tried(operation, rule, at, changes=changes)


def _other_forms(call: Call) -> Iterator[Call]:
    """The same call by the mirror of the API, with a body that can't be read, and with a parameter twice."""
    request = call.request
    if isinstance(request, Refused):
        return
    yield from mirrored(call)
    json = [("Content-Type", "application/json")]
    for body in (b"no json", b"{}"):
        yield read_sent(Sent(request.method, call.url, json, body))
    if request.query:
        twice = f"{call.url}&{request.query.partition('&')[0]}"
        yield read_sent(Sent(request.method, twice, json, call.body))


def path_calls(rule: Rule, at: Home) -> Iterator[Call]:
    """Calls that a path rule matches, whatever the catalogue knows of them."""
    segments = rule.template.segments
    tries = [{}, {part.name: "another" for part in segments if part.name}]
    for part in segments:
        if isinstance(part, Rest):
            tries += [{part.name: value} for value in ("x/x", "x/x/x", "x:run")]
    for instead in tries:
        yield from path_example(rule, at, instead)
