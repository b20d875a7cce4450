"""Rules for calls that are no known operation: their paths, with what looks like an id as a variable."""

import re
from collections.abc import Iterable, Sequence

from brickscope.analysis.reach import reached
from brickscope.core.decision import Refused
from brickscope.core.path import Reading, read_target
from brickscope.core.rule import Rule, RuleTable, parse_rule
from brickscope.core.template import TemplateError

_ID = re.compile(
    r"\d+|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?=[a-f]*\d)[0-9a-f]{8,64}|\d{4}-\d{6}-[A-Za-z0-9]+"
)
"""Numbers, UUIDs, hexadecimal ids with a digit in them, ids of clusters."""
_FIXED = 2
"""Segments at the beginning that are no ids: ``api`` and its version."""


def path_rules(calls: Iterable[tuple[str, str]]) -> dict[str, list[tuple[str, str]]]:
    """The rules for calls (method and path as sent), each with the calls that it covers; calls that no rule can name have
    none."""
    found: dict[str, list[tuple[str, str]]] = {}
    for method, path in sorted(calls):
        text = _text(method, path)
        if text is not None:
            found.setdefault(text, []).append((method, path))
    return found


def _text(method: str, path: str) -> str | None:
    """``METHOD /path/{id}``; without variables where these would reach operations that the catalogue knows."""
    try:
        readings = read_target(path.encode())
    except (Refused, UnicodeError):
        return None
    parts = readings[0].segments
    wide = _rule(method, readings, _with_variables(parts))
    if wide is not None and not reached(wide):
        return wide.text
    exact = _rule(method, readings, parts)
    return None if exact is None else exact.text


def _with_variables(segments: Sequence[str]) -> list[str]:
    parts = list(segments)
    count = 0
    for index, part in enumerate(parts):
        if index >= _FIXED and _ID.fullmatch(part):
            count += 1
            parts[index] = "{id}" if count == 1 else f"{{id{count}}}"
    return parts


def _rule(method: str, readings: Sequence[Reading], parts: Sequence[str]) -> Rule | None:
    """The rule, if it is one and matches the very call, whoever reads it."""
    try:
        rule = parse_rule(f"{method} /{'/'.join(parts)}")
    except TemplateError:
        return None
    table = RuleTable([rule])
    return rule if all(table.match(method, each.segments, each.route) for each in readings) else None
