"""BS114: a limit on a parameter for which others can stand in."""

from brickscope.core.constraint import Constraint
from brickscope.policy.written import WrittenRule

from ..check.finding import Findings, Found
from ..check.survey import RuleSetView
from ..shown import MOST, listed


def stand_in(view: RuleSetView) -> Findings:
    """What else a call may not have, or is denied for; each parameter of a rule once."""
    for written in (*view.allow, *view.deny):
        limits = {each.name: each for rule in written.operations for each in rule.where if _others(each)}
        yield from (_found(written, each) for each in limits.values())


def _others(constraint: Constraint) -> set[tuple[str, ...]]:
    test = constraint.test
    alternatives = constraint.alternatives if test.absent or test.optional else ()
    return {*constraint.stand_ins, *alternatives}


def _found(written: WrittenRule, constraint: Constraint) -> Found:
    others = listed(sorted(".".join(name) for name in _others(constraint)), MOST)
    if written.part == "deny":
        return Found.of(
            written, f"{written.text} also denies calls that have, in place of {constraint.name}, {others}"
        )
    return Found.of(
        written, f"{written.text} allows no call that has, beside or in place of {constraint.name}, {others}"
    )
