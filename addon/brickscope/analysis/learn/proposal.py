"""The rules that are proposed, and what was seen and is not proposed."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import yaml

from brickscope.catalog.catalog import CLASSES, Operation, load_catalog
from brickscope.error import OperatorError
from brickscope.policy.model import RuleEntry
from brickscope.policy.operations import expand
from brickscope.policy.problem import nearest

from .limits import Limit, conditions, find_limits
from .observation import Observation, Tally
from .paths import path_rules

DANGEROUS = ("grant", "secret", "execute")
STARTUP = "client-startup"
TOKEN_OPERATION = "oidc.token"  # noqa: S105 - the catalogue's name for it
_CLASS = "class:"


class LearnError(OperatorError):
    """Nothing can be learned so; the message says why and what to do."""


class Wish(NamedTuple):
    """What is to be proposed. ``include``: operations by name that are dangerous and wanted all the same; ``classes``: such
    classes. ``paths``: whether calls that are no known operation are. ``max_values``: how many values ``where`` names."""

    include: frozenset[str] = frozenset()
    classes: frozenset[str] = frozenset()
    paths: bool = False
    max_values: int = 5

    def permits(self, operation: Operation) -> bool:
        """Whether an operation may be proposed."""
        return not is_dangerous(operation) or operation.name in self.include or operation.kind in self.classes


def is_dangerous(operation: Operation) -> bool:
    """Whether it grants, reads secrets, runs code, or can widen the caller's power in another way."""
    return operation.kind in DANGEROUS or bool(operation.risk)


def read_include(written: Iterable[str]) -> tuple[frozenset[str], frozenset[str]]:
    """Operations and classes of ``jobs.run_now``, ``class:execute``. Raises LearnError."""
    names: set[str] = set()
    classes: set[str] = set()
    for text in written:
        if text.startswith(_CLASS):
            kind = text.removeprefix(_CLASS)
            if kind not in CLASSES:
                raise LearnError(f"--include: {kind!r} is no class: one of {', '.join(CLASSES)}")
            classes.add(kind)
            continue
        operation = load_catalog().find(text)
        if operation is None:
            hint = nearest(text, load_catalog().names) or "an operation, or class:execute"
            raise LearnError(f"--include: there is no operation {text[:64]!r}: {hint}")
        if operation.name == TOKEN_OPERATION:
            raise LearnError(f"--include: {TOKEN_OPERATION} is opened by grants:, never by a rule")
        names.add(operation.name)
    return frozenset(names), frozenset(classes)


def rule_lines(written: str | dict[str, Any]) -> list[str]:
    """A rule as an item of a list, in printable ASCII: what a client wrote can't end a line or a text in it."""
    if isinstance(written, str):
        return [f"- {flow(written)}"]
    first, *more = (f"{key}: {flow(value)}" for key, value in written.items())
    return [f"- {first}", *(f"  {line}" for line in more)]


def flow(value: Any) -> str:
    """A value as YAML on one line."""
    text = yaml.safe_dump([value], default_flow_style=True, sort_keys=False, width=2**30)[1:-2]
    # A line end in a value, which a client may have put there, must not begin a line of the policy. (JSON is YAML.)
    return json.dumps(value) if "\n" in text else text


class Entry(NamedTuple):
    """One rule that is proposed. ``written``: as the policy has it. ``comment``: of counts and names that are not the log's.

    ``operations``: what it allows; none for a path.
    """

    written: str | dict[str, Any]
    comment: str
    operations: tuple[str, ...]
    tally: Tally

    @property
    def lines(self) -> list[str]:
        """As items of a list, without indentation."""
        first, *more = rule_lines(self.written)
        return [f"{first}  # {self.comment}", *more]


Paths = dict[tuple[str, str], Tally]
"""Calls of no operation, by method and path."""


class Proposal(NamedTuple):
    """``entries``: the rules. ``dangerous``, ``paths``: what is left out. ``unlogged``: by operation, parameters that the
    log has not. ``limits``: by operation."""

    entries: list[Entry]
    dangerous: list[Observation]
    paths: Paths
    unlogged: dict[str, tuple[str, ...]]
    limits: dict[str, list[Limit]]

    def proposes(self, operation: str | None, method: str, path: str) -> bool:
        """Whether a call is one that the entries are for."""
        if operation is None:
            return (method, path) not in self.paths
        return all(each.operation.name != operation for each in self.dangerous)


def propose(
    operations: Mapping[str, Observation], paths: Paths, wish: Wish, watched: frozenset[str] = frozenset()
) -> Proposal:
    """The smallest set of rules for what was seen. ``watched``: operations with a rule that is there for the log to have
    their parameters; while it lacks some, that rule stays, since one without limits would end the watch."""
    entries: list[Entry] = []
    dangerous = []
    unlogged: dict[str, tuple[str, ...]] = {}
    limits: dict[str, list[Limit]] = {}
    startup = _startup(operations)
    for name, observed in sorted(operations.items()):
        if not wish.permits(observed.operation):
            dangerous.append(observed)
            continue
        if name in startup:
            continue
        limits[name] = find_limits(observed, wish.max_values)
        if observed.unlogged:
            unlogged[name] = tuple(sorted(observed.unlogged))
            if name in watched:
                continue
        entries += _entries(observed, limits[name])
    if startup:
        tally = _sum(operations[name].tally for name in startup)
        entries.append(Entry({"preset": STARTUP}, describe(tally), tuple(sorted(startup)), tally))
    left = dict(paths)
    if wish.paths:
        for text, calls in path_rules(paths).items():
            tally = _sum(left.pop(call) for call in calls)
            entries.append(Entry(text, f"{describe(tally)}; no known operation", (), tally))
    return Proposal(entries, dangerous, left, unlogged, limits)


def _startup(operations: Mapping[str, Observation]) -> frozenset[str]:
    """The operations of the preset for what clients call unasked, if each was seen: else it would allow more than that."""
    preset = expand(RuleEntry.model_validate({"preset": STARTUP}), lambda message, hint, way: None)
    names = frozenset(rule.operation for rule in preset.rules)
    return names if names <= operations.keys() else frozenset()


def _entries(observed: Observation, limits: list[Limit]) -> Iterator[Entry]:
    name = observed.operation.name
    notes = [limit.note for limit in limits if limit.note]
    comment = "; ".join([describe(observed.tally), *notes])
    for where in conditions(observed, limits):
        written: str | dict[str, Any] = {"operation": name, "where": where} if where else name
        yield Entry(written, comment, (name,), observed.tally)


def _sum(tallies: Iterable[Tally]) -> Tally:
    found = Tally()
    for each in tallies:
        found.calls += each.calls
        found.first_seen = min(found.first_seen, each.first_seen)
        found.last_seen = max(found.last_seen, each.last_seen)
        found.days |= each.days
        found.clients |= each.clients
    return found


def describe(tally: Tally) -> str:
    """Counts and times of a tally, in words."""
    if tally.calls == 1:
        return f"seen once, {tally.first_seen.date()}"
    first, last = tally.first_seen.date(), tally.last_seen.date()
    return f"{tally.calls:,} calls, {first}{f' to {last}' if last != first else ''}"
