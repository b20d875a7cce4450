"""What a rule set allows of each operation: by which rules, under which conditions, and what denies it again.

This is a reading of rules for people: it says where to look. Whether one call is allowed, only ``judge`` says.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from brickscope.catalog.catalog import Operation, load_catalog
from brickscope.core.operation import OperationRule
from brickscope.core.policy import RuleSet
from brickscope.core.rule import Rule, RuleTable
from brickscope.policy.written import WrittenRule

from .reach import calls, reached


class Way(NamedTuple):
    """How one rule speaks of an operation: by name (``named``) or by path.

    ``whole``: of all its calls and parameters. ``segments``: of a call by path.
    """

    rule: WrittenRule
    named: OperationRule | None
    path: Rule | None
    whole: bool
    segments: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """What decisions call the rule."""
        return self.named.text if self.named is not None else self.path.text if self.path is not None else ""

    @property
    def condition(self) -> str:
        """When it holds, in words; empty for always."""
        if self.named is not None:
            return conditions(self.named)
        return "" if self.whole or self.path is None else f"as {self.path.text}"


def conditions(rule: OperationRule) -> str:
    """The conditions of a rule in words (``where job_id is 7, and no other parameters``); empty for none."""
    parts = [f"where {' and '.join(constraint.text for constraint in rule.where)}"] if rule.where else []
    if rule.only is not None:
        names = ", ".join(sorted(rule.only))
        parts.append(f"with no other parameters than {names}" if names else "with no other parameters")
    return ", ".join(parts)


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
    catalog = load_catalog()
    allowed: dict[str, list[Way]] = {}
    denied: dict[str, list[Way]] = {}
    strange: dict[str, list[WrittenRule]] = {"allow": [], "deny": []}
    for rule in rules:
        if rule.rule_set != rule_set.name:
            continue
        ways = allowed if rule.part == "allow" else denied
        for named in rule.operations:
            ways.setdefault(named.operation, []).append(Way(rule, named, None, not named.is_bound))
        for path in rule.paths:
            found = reached(path)
            if not found:
                strange[rule.part].append(rule)
            for name, each in found.items():
                whole = each.whole and _covers_all(path, name)
                ways.setdefault(name, []).append(Way(rule, None, path, whole, each.segments))
    operations = {
        name: Ability(catalog.operations[name], tuple(allowed.get(name, ())), tuple(denied.get(name, ())))
        for name in sorted({*allowed, *denied})
    }
    return Abilities(
        operations, tuple(dict.fromkeys(strange["allow"])), tuple(dict.fromkeys(strange["deny"]))
    )


def _covers_all(path: Rule, operation: str) -> bool:
    """Whether a path rule matches every call of an operation, in all its versions."""
    table = RuleTable([path])
    return all(table.covers(call) is not None for call in calls(operation))
