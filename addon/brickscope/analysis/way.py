"""The ways by which rules speak of operations (by name, or by a path that reaches one of their calls), and what a rule set
allows by them.

This is a reading of rules for people: it says where to look. Whether one call is allowed, only ``judge`` says.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from brickscope.catalog.catalog import Operation, load_catalog
from brickscope.core.constraint import Test
from brickscope.core.operation import OperationRule
from brickscope.core.rule import Rule, RuleTable
from brickscope.core.template import Literal
from brickscope.policy.written import WrittenRule

from .reach import Reach, calls, reach, reached


class Way(NamedTuple):
    """One rule and one operation: the rule by name (``named``), or a ``path`` and the call that it reaches."""

    written: WrittenRule
    operation: Operation
    named: OperationRule | None = None
    path: Rule | None = None
    reach: Reach | None = None

    @property
    def text(self) -> str:
        """What decisions call the rule."""
        return self.named.text if self.named is not None else self.path.text if self.path is not None else ""

    @property
    def whole(self) -> bool:
        """Whether it is about all calls of the operation, whatever their parameters."""
        if self.named is not None:
            return not self.named.is_bound
        is_whole = self.reach is not None and self.reach.whole
        return is_whole and self.path is not None and _covers_all(self.path, self.operation.name)

    @property
    def condition(self) -> str:
        """When it holds, in words; empty for always."""
        if self.named is not None:
            return self.named.conditions
        return "" if self.whole else f"as {self.text}"

    @property
    def fixed(self) -> frozenset[str]:
        """The parameters to which the rule leaves no free choice."""
        if self.reach is not None:
            return self.reach.fixed
        where = () if self.named is None else self.named.where
        return frozenset(each.keys[0] for each in where if len(each.keys) == 1 and _limits(each.test))


def ways(rules: Iterable[WrittenRule], *, once: bool = False) -> Iterator[Way]:
    """The ways of these rules, in their order. ``once``: of a path one to each operation, to all of it if there is such."""
    operations = load_catalog().operations
    for written in rules:
        for named in written.operations:
            yield Way(written, operations[named.operation], named)
        for path in written.paths:
            for each in reached(path).values() if once else reach(path):
                yield Way(written, each.operation, None, path, each)


@lru_cache(maxsize=16384)
def _covers_all(path: Rule, operation: str) -> bool:
    """Whether a path rule matches every call of an operation, in all its versions."""
    table = RuleTable([path])
    return all(table.covers(call) is not None for call in calls(operation))


def _limits(test: Test) -> bool:
    """Whether a test leaves a choice among few: a list of values, a prefix, or a pattern that begins with a word."""
    if test.optional or test.absent:
        return False
    if test.pattern is not None:
        return isinstance(test.pattern[0].segments[0], Literal)
    return bool(test.one_of or (test.prefix and test.prefix[0].strip("/")))


class Ability(NamedTuple):
    """One operation, what allows it and what denies it."""

    operation: Operation
    allowed: tuple[Way, ...]
    denied: tuple[Way, ...]

    @property
    def is_denied(self) -> bool:
        """Whether a deny leaves nothing of it."""
        return any(way.whole for way in self.denied)

    @property
    def is_whole(self) -> bool:
        """Whether it is allowed without any condition."""
        return any(way.whole for way in self.allowed) and not self.denied


class Abilities(NamedTuple):
    """Of one rule set: operations by name, and path rules that reach none."""

    operations: dict[str, Ability]
    paths: tuple[WrittenRule, ...]
    denied_paths: tuple[WrittenRule, ...]

    def allowed(self) -> list[Ability]:
        """What is allowed at least in part."""
        return [each for each in self.operations.values() if each.allowed and not each.is_denied]


def abilities(rules: Sequence[WrittenRule]) -> Abilities:
    """What a rule set allows. ``rules``: its own, as written."""
    by_part: dict[str, dict[str, list[Way]]] = {"allow": {}, "deny": {}}
    for way in ways(rules, once=True):
        by_part[way.written.part].setdefault(way.operation.name, []).append(way)
    allowed, denied = by_part["allow"], by_part["deny"]
    operations = load_catalog().operations
    found = {
        name: Ability(operations[name], tuple(allowed.get(name, ())), tuple(denied.get(name, ())))
        for name in sorted({*allowed, *denied})
    }
    strange = [rule for rule in rules if not all(map(reach, rule.paths))]
    return Abilities(found, *(tuple(rule for rule in strange if rule.part == part) for part in by_part))
