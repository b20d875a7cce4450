"""Which operations a path rule reaches: the calls that its template and those of the catalogue have in common."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import NamedTuple

from brickscope.catalog.catalog import call_rules, load_catalog, operation_table
from brickscope.core.path import APP
from brickscope.core.rule import Rule, RuleTable
from brickscope.core.template import Literal, Rest, Segment, Template, Variable

from .example import made_up


class Reached(NamedTuple):
    """An operation that a path rule reaches. ``whole``: all calls of one of its templates, not only some objects.

    ``segments``: of one call that both match.
    """

    operation: str
    whole: bool
    segments: tuple[str, ...]


def common(first: Template, second: Template) -> tuple[str, ...] | None:
    """The decoded segments of a call that both templates match, None where there is none."""
    return _meet(first.segments, second.segments)


def _meet(first: tuple[Segment, ...], second: tuple[Segment, ...]) -> tuple[str, ...] | None:
    if not first or not second:
        return () if first == second else None
    if not isinstance(first[0], Rest) and isinstance(second[0], Rest):
        return _meet(second, first)
    if isinstance(first[0], Rest):
        for taken in range(1, len(second) + 1):
            ahead = _taken(first[0], second[:taken])
            behind = None if ahead is None else _meet(first[1:], second[taken:])
            if ahead is not None and behind is not None:
                return ahead + behind
        return None
    one = _one(first[0], second[0])
    behind = None if one is None else _meet(first[1:], second[1:])
    return None if one is None or behind is None else (one, *behind)


def _taken(rest: Rest, parts: tuple[Segment, ...]) -> tuple[str, ...] | None:
    """What a rest takes of the other template; None if the end has not its verb."""
    texts = [_text(part) for part in parts]
    last = parts[-1]
    if rest.verb is not None and not texts[-1].endswith(f":{rest.verb}"):
        if not isinstance(last, Rest) or last.verb is not None:
            return None
        texts[-1] += f":{rest.verb}"
    return tuple(texts)


def _text(part: Segment) -> str:
    if isinstance(part, Literal):
        return part.text
    text = str(made_up(part.name)).replace("/", "-").strip("-")
    return text if part.verb is None else f"{text}:{part.verb}"


def _one(first: Segment, second: Segment) -> str | None:
    """A segment that both match."""
    if isinstance(second, Literal):
        first, second = second, first
    if not isinstance(first, Literal):
        same = isinstance(first, Variable) and isinstance(second, Variable) and first.verb == second.verb
        return _text(first) if same else None
    if isinstance(second, Literal):
        return first.text if first.text == second.text else None
    name, colon, verb = first.text.rpartition(":")
    fits = verb == second.verb and name and ":" not in name if colon else second.verb is None
    return first.text if fits else None


@lru_cache(maxsize=16384)
def reached(rule: Rule) -> tuple[Reached, ...]:
    """The operations that a path rule reaches, each once."""
    table, template = operation_table(), rule.template
    if all(isinstance(part, Literal) for part in template.segments):
        segments = tuple(_text(part) for part in template.segments)
        found = table.match(rule.method, segments)
        whole = found is not None and str(found.template) == str(without_mirror(template))
        return () if found is None else tuple(Reached(name, whole, segments) for name in found.names)
    plain = without_mirror(template)
    alone = RuleTable([rule._replace(template=plain)])
    operations: dict[str, Reached] = {}
    for call in table.meeting(rule):
        shared = common(plain, call.template)
        matched = None if shared is None else table.match(rule.method, shared)
        if shared is None or matched is None or shared[0] == APP:
            continue
        # The most literal template counts: what `{type}/{id}` reaches may be another operation than its own.
        whole = matched.text == call.text and alone.covers(call) is not None
        for name in matched.names:
            before = operations.get(name)
            if before is None or (whole and not before.whole):
                operations[name] = Reached(name, whole, shared)
    return tuple(operations.values())


@cache
def spellings(name: str) -> tuple[Rule, ...]:
    """Every call of an operation, also by the mirror that the web interface uses (``/ajax-api``)."""
    calls = call_rules(load_catalog().operations[name])
    mirrors = [
        rule._replace(template=Template((Literal("ajax-api"), *rule.template.segments[1:])))
        for rule in calls
        if rule.template.segments[0] == Literal("api")
    ]
    return (*calls, *mirrors)


def without_mirror(template: Template) -> Template:
    """``/ajax-api/...`` as ``/api/...``, which the catalogue takes for the same."""
    first = template.segments[0]
    if isinstance(first, Literal) and first.text == "ajax-api":
        return Template((Literal("api"), *template.segments[1:]))
    return template
