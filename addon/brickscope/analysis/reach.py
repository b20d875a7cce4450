"""Path rules held against the calls of the catalogue: which they reach, what they fix of their variables, what they hide."""

from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from typing import Any, NamedTuple

from brickscope.catalog.catalog import Operation, call_rules, load_catalog, operation_table
from brickscope.core.path import APP
from brickscope.core.rule import Rule, RuleTable
from brickscope.core.template import Literal, Rest, Segment, Template, Variable, bind

from .example import made_up

Word = Callable[[str], Any]
"""What stands for a variable of this name."""


class Reach(NamedTuple):
    """One call that a path rule matches, at least in part: the ``call``-th of an operation.

    ``whole``: whether the rule matches all of it, and not only some objects. ``segments``: of a path that both match, and
    ``values``, of the call's variables in it. ``fixed``: variables that the rule writes out, wholly or their beginning.
    ``hidden``: words of the call that stand behind a variable of the rule.
    """

    operation: Operation
    call: int
    whole: bool
    segments: tuple[str, ...]
    values: Mapping[str, str]
    fixed: frozenset[str]
    hidden: tuple[str, ...]


@lru_cache(maxsize=16384)
def reach(rule: Rule) -> tuple[Reach, ...]:
    """The calls of the catalogue that a path rule matches, in the order of their operations.

    The most literal template counts: a path that is more literally another call's is not this one's.
    """
    found = []
    written = without_mirror(rule.template)
    alone = RuleTable([rule._replace(template=written)])
    for call in operation_table().meeting(rule):
        segments = _only(call, written, rule.method)
        if segments is not None:
            values = bind(call.template, segments)
            held = _held_apart(written, call.template)
            whole = alone.covers(call) is not None
            for name in call.names:
                same = [(each.method, each.template) for each in calls(name)]
                number = same.index((call.method, call.template))
                operation = load_catalog().operations[name]
                found.append(Reach(operation, number, whole, segments, values, *held))
    return tuple(sorted(found, key=lambda each: (each.operation.name, each.call)))


def reached(rule: Rule) -> dict[str, Reach]:
    """The operations that a path rule reaches, each by one call: one that it matches wholly, if there is one."""
    found: dict[str, Reach] = {}
    for each in reach(rule):
        before = found.get(each.operation.name)
        if before is None or (each.whole and not before.whole):
            found[each.operation.name] = each
    return found


def _only(call: Rule, written: Template, method: str) -> tuple[str, ...] | None:
    """A path that a rule matches and that is this very call; None where there is none."""
    for word in (made_up, lambda name: f"other-{name}"):
        segments = common(call.template.segments, written.segments, word)
        if segments is None or segments[0] == APP:
            return None
        if operation_table().match(method, segments) is call:
            return segments
    return None


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


@cache
def spellings(name: str) -> tuple[Rule, ...]:
    """Every call of an operation, also by the mirror that the web interface uses (``/ajax-api``)."""
    mirrors = [
        rule._replace(template=Template((Literal("ajax-api"), *rule.template.segments[1:])))
        for rule in calls(name)
        if rule.template.segments[0] == Literal("api")
    ]
    return (*calls(name), *mirrors)


def without_mirror(template: Template) -> Template:
    """``/ajax-api/...`` as ``/api/...``, which the catalogue takes for the same."""
    first = template.segments[0]
    if isinstance(first, Literal) and first.text == "ajax-api":
        return Template((Literal("api"), *template.segments[1:]))
    return template


def common(
    first: tuple[Segment, ...], second: tuple[Segment, ...], word: Word = made_up
) -> tuple[str, ...] | None:
    """The decoded segments of a path that the segments of both templates match, None where there is none."""
    if not first or not second:
        return () if first == second else None
    if not isinstance(first[0], Rest) and isinstance(second[0], Rest):
        return common(second, first, word)
    if isinstance(first[0], Rest):
        for taken in range(1, len(second) + 1):
            ahead = _taken(first[0], second[:taken], word)
            behind = None if ahead is None else common(first[1:], second[taken:], word)
            if ahead is not None and behind is not None:
                return ahead + behind
        return None
    one = _one(first[0], second[0], word)
    behind = None if one is None else common(first[1:], second[1:], word)
    return None if one is None or behind is None else (one, *behind)


def _taken(rest: Rest, parts: tuple[Segment, ...], word: Word) -> tuple[str, ...] | None:
    """What a rest takes of the other template; None if the end has not its verb."""
    texts = [_text(part, word) for part in parts]
    last = parts[-1]
    if rest.verb is not None and not texts[-1].endswith(f":{rest.verb}"):
        if not isinstance(last, Rest) or last.verb is not None:
            return None
        texts[-1] += f":{rest.verb}"
    return tuple(texts)


def _text(part: Segment, word: Word) -> str:
    if isinstance(part, Literal):
        return part.text
    text = str(word(part.name)).replace("/", "-").strip("-")
    return text if part.verb is None else f"{text}:{part.verb}"


def _one(first: Segment, second: Segment, word: Word) -> str | None:
    """A segment that both match."""
    if isinstance(second, Literal):
        first, second = second, first
    if not isinstance(first, Literal):
        same = isinstance(first, Variable) and isinstance(second, Variable) and first.verb == second.verb
        return _text(first, word) if same else None
    if isinstance(second, Literal):
        return first.text if first.text == second.text else None
    name, colon, verb = first.text.rpartition(":")
    fits = verb == second.verb and name and ":" not in name if colon else second.verb is None
    return first.text if fits else None
