"""A loaded policy as the lints look at it: rule sets with their written rules and the subjects that have them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from brickscope.analysis.judge import Known, known
from brickscope.core.policy import Policy, RuleSet, Subject
from brickscope.policy.load import Loaded
from brickscope.policy.problem import Position
from brickscope.policy.written import Written, WrittenRule

DAY = 86400.0


class RuleSetView(NamedTuple):
    """A rule set with its rules as written and those who have it (``subjects``: their names)."""

    name: str
    position: Position
    rule_set: RuleSet
    allow: tuple[WrittenRule, ...]
    deny: tuple[WrittenRule, ...]
    holders: tuple[Known, ...]
    subjects: tuple[str, ...]


class Survey(NamedTuple):
    """What is looked at. ``now``: seconds since the epoch, UTC. ``soon``: the moment before which things run out soon."""

    policy: Policy
    written: Written
    people: Mapping[str, Known]
    rule_sets: tuple[RuleSetView, ...]
    now: float
    soon: float

    def place(self, name: str, *keys: str) -> Position:
        """Where the name of a subject, or a value of its entry, is written."""
        for group in self.written.entries.values():
            if name in group:
                return group[name].position(*keys) if keys else group[name].key_position()
        return Position("policy")


def survey(loaded: Loaded, now: float, days: float = 30.0) -> Survey:
    """Look at a policy. ``days``: how far ahead something runs out soon."""
    policy, written = loaded.policy, loaded.written
    people = known(policy)
    holders: dict[str, list[Known]] = {}
    for each in people.values():
        if isinstance(each.subject, Subject):
            holders.setdefault(each.subject.rule_set.name, []).append(each)
    rules: dict[tuple[str, str], list[WrittenRule]] = {}
    for rule in written.rules:
        rules.setdefault((rule.rule_set, rule.part), []).append(rule)
    views = []
    for name, rule_set in policy.rule_sets.items():
        who = tuple(sorted(holders.get(name, ()), key=lambda holder: holder.name))
        allow, deny = (tuple(rules.get((name, part), ())) for part in ("allow", "deny"))
        subjects = tuple(holder.name for holder in who)
        views.append(RuleSetView(name, written.rule_sets[name], rule_set, allow, deny, who, subjects))
    return Survey(policy, written, people, tuple(views), now, now + days * DAY)
