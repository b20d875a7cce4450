"""What a rule set allows of each operation: by which rules, under which conditions, and what denies it again.

This is a reading of rules for people: it says where to look. Whether one call is allowed, only ``judge`` says.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from brickscope.catalog.catalog import Operation, load_catalog
from brickscope.core.policy import RuleSet
from brickscope.policy.written import WrittenRule

from .reach import reach
from .way import Way, ways


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


def abilities(rule_set: RuleSet, rules: Iterable[WrittenRule]) -> Abilities:
    """What a rule set allows. ``rules``: of the whole policy, as written."""
    mine = [rule for rule in rules if rule.rule_set == rule_set.name]
    allowed: dict[str, list[Way]] = {}
    denied: dict[str, list[Way]] = {}
    for way in ways(mine, once=True):
        by_operation = allowed if way.written.part == "allow" else denied
        by_operation.setdefault(way.operation.name, []).append(way)
    operations = load_catalog().operations
    found = {
        name: Ability(operations[name], tuple(allowed.get(name, ())), tuple(denied.get(name, ())))
        for name in sorted({*allowed, *denied})
    }
    strange = [rule for rule in mine if not all(map(reach, rule.paths))]
    by_part = [tuple(rule for rule in strange if rule.part == part) for part in ("allow", "deny")]
    return Abilities(found, *by_part)
