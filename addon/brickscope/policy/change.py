"""Who is in which mode, and what a reload changed of that: auditors have to see when denials ceased to be enforced."""

from collections.abc import Iterator
from typing import NamedTuple

from brickscope.core.policy import Login, Mode, Policy, RuleSet, Subject


class ModeChange(NamedTuple):
    """One mode that is another now. ``scope``: proxy, rule_set or subject. A mode of None follows from what is above."""

    scope: str
    name: str | None
    previous_mode: Mode | None
    mode: Mode | None


def mode_changes(before: Policy, after: Policy) -> Iterator[ModeChange]:
    """The changes from one policy to another; what is new counts as changed if it brings a mode of its own."""
    if before.mode is not after.mode:
        yield ModeChange("proxy", None, before.mode, after.mode)
    for scope, old, new in (
        ("rule_set", before.rule_sets, after.rule_sets),
        ("subject", _subjects(before), _subjects(after)),
    ):
        for name, each in new.items():
            previous = old[name].mode if name in old else None
            if each.mode is not previous:
                yield ModeChange(scope, name, previous, each.mode)


NAMED = 10
"""Most subjects that a line of the start names."""


def monitored_subjects(policy: Policy) -> str:
    """Who is in monitor mode, in words; empty if nobody is."""
    if policy.mode is Mode.MONITOR:
        return "the whole proxy, except subjects and rule sets with a mode of their own"
    every = _subjects(policy)
    found = sorted(name for name, each in every.items() if policy.mode_of(each) is Mode.MONITOR)
    if not found:
        return ""
    more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
    return f"{', '.join(found[:NAMED])}{more} ({len(found)} of {len(every)} subjects)"


def _subjects(policy: Policy) -> dict[str, RuleSet | Subject | Login]:
    return {each.name: each for each in policy.everybody}
