"""The narrowest rules that allow a call: proposed from what it names, and tried before they are shown."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from brickscope.catalog.catalog import load_catalog
from brickscope.core.constraint import ABSENT
from brickscope.core.decision import Refused
from brickscope.core.operation import OperationRule
from brickscope.core.policy import RuleSet
from brickscope.core.request import ApiRequest
from brickscope.core.rule import RuleTable, parse_rule
from brickscope.core.template import Literal, TemplateError
from brickscope.policy.model import RuleEntry
from brickscope.policy.operations import expand

from .example import plain
from .sight import is_plain, parts, see, see_all

Entry = str | dict[str, Any]
"""A line or mapping of a rule set."""
Present = Mapping[str, Sequence[OperationRule]]
"""Rules by operation whose limits a new one is to have as well."""


def opening(
    rule_set: RuleSet,
    present: Present,
    request: ApiRequest,
    body: bytes,
    allows: Callable[[RuleSet], bool],
) -> list[Entry] | None:
    """The rules that, added to a rule set, allow a call in all its readings; None if none of those tried does.

    ``allows``: whether the call is allowed under a rule set.
    """
    for entries in _proposals(present, request, body) if request.readings else ():
        widened = _with(rule_set, entries)
        if widened is not None and allows(widened):
            return entries
    return None


def ends_open(entry: Entry) -> bool:
    """Whether a rule is also for all that lies below."""
    return isinstance(entry, str) and entry.endswith(_REST)


_REST = "{name...}"
MIN_FIXED = 3
"""Segments that a rule for all below writes out at least: ``/api/2.0/fs``."""


def _proposals(present: Present, request: ApiRequest, body: bytes) -> Iterator[list[Entry]]:
    """Lists of rules that could allow a call in all its readings, the narrowest first."""
    by_reading = [
        _entries(present, request._replace(readings=(reading,), query=reading.query), body)
        for reading in request.readings
    ]
    plain = by_reading[0]
    yield from ([entry] for entry in plain)
    names = list(dict.fromkeys(called.text for called, _ in parts(request, body)))
    if len(names) > 1:
        yield [*names]  # of a batch: all its operations
    if len(by_reading) == 1:
        return
    # A rule for each reading: its operation, else its path.
    together: list[Entry] = []
    for entries in by_reading:
        together += [entry for entry in entries[:1] if entry not in together]
    yield together
    segments = [reading.segments for reading in request.readings]
    fixed = [parts[0] for parts in zip(*segments, strict=False) if len(set(parts)) == 1]
    fixed = fixed[: min(map(len, segments)) - 1]
    if len(fixed) >= MIN_FIXED and _is_rule(path := f"{request.method} /{'/'.join(fixed)}"):
        yield [f"{path}/{_REST}"]


def _entries(present: Present, request: ApiRequest, body: bytes) -> list[Entry]:
    """Rules that could allow the one reading of a request, the narrowest first."""
    found: list[Entry] = []
    calls = [load_catalog().operations[called.text] for called, _ in parts(request, body)]
    for known in calls:
        operation = known.name
        alike = present.get(operation, ())
        for rule in alike:
            narrow = _like(rule, request, body)
            if narrow is not None:
                found.append(narrow)
        objects = _values(request, body, operation, list(known.object))
        objects = {name: value for name, value in objects.items() if value != {"absent": True}}
        if objects and not alike:
            found.append({"operation": operation, "where": objects})
        found.append(operation)
    path = f"{request.method} /{'/'.join(request.segments)}"
    return [*found, path] if _is_rule(path) else found


def _is_rule(path: str) -> bool:
    """Whether a path is a rule for itself alone: braces in it would be a variable."""
    try:
        return all(isinstance(segment, Literal) for segment in parse_rule(path).template.segments)
    except TemplateError:
        return False


def _like(rule: OperationRule, request: ApiRequest, body: bytes) -> dict[str, Any] | None:
    """A rule with the conditions of another one, as this call would meet them."""
    where = _values(request, body, rule.operation, [constraint.name for constraint in rule.where])
    entry: dict[str, Any] = {"operation": rule.operation}
    if where:
        entry["where"] = where
    if rule.only is not None:
        try:
            parameters = see(request, body, rule.where, rule.operation)
        except Refused:
            return None
        if parameters is None:
            return None
        more = parameters.others({name.partition(".")[0] for name in where})
        entry["only"] = sorted({*rule.only, *more} - {name.partition(".")[0] for name in where})
    return entry if len(entry) > 1 else None


def _values(request: ApiRequest, body: bytes, operation: str, names: list[str]) -> dict[str, Any]:
    """What the call has for these parameters, as ``where`` would say it; without those that no test can name."""
    found: dict[str, Any] = {}
    for name, value in see_all(request, body, operation, names).items():
        if value is ABSENT:
            found[name] = {"absent": True}
        elif isinstance(value, list):
            if value and all(map(is_plain, value)):
                found[name] = list(dict.fromkeys(map(plain, value)))
        elif is_plain(value):
            found[name] = plain(value)
        elif isinstance(value, Mapping):
            found[name] = {"only": list(value)}
    return found


def _with(rule_set: RuleSet, entries: list[Entry]) -> RuleSet | None:
    """The rule set with more rules; None for such as the policy would not take."""
    paths = [parse_rule(entry) for entry in entries if isinstance(entry, str) and " " in entry]
    operations = dict(rule_set.operations)
    wrong: list[str] = []
    for entry in entries:
        if isinstance(entry, str) and " " in entry:
            continue
        written = entry if isinstance(entry, str) else RuleEntry.model_validate(entry)
        for rule in expand(written, lambda message, hint, way: wrong.append(message)).rules:
            operations[rule.operation] = (*operations.get(rule.operation, ()), rule)
    if wrong:
        return None
    return rule_set._replace(allow=RuleTable([*rule_set.allow.rules, *paths]), operations=operations)
