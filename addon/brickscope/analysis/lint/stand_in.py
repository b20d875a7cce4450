"""BS114 note: a limit on a parameter for which others can stand in

The API takes other parameters that say the same. An allow is met only by calls without them, and a deny also by calls
that have one of them in place of the parameter.

Mend: Limit those too that calls may have, or say that they must be absent; then the rule says what it does.

    allow:
      - {operation: clusters.resize, where: {num_workers: {max: 8}}}

Mended:

    allow:
      - {operation: clusters.resize, where: {num_workers: {max: 8}, autoscale: {absent: true}}}
      - {operation: clusters.resize, where: {num_workers: {absent: true}, autoscale.max_workers: {max: 8}}}
"""

from __future__ import annotations

from collections.abc import Iterator

from brickscope.core.constraint import Constraint
from brickscope.policy.written import WrittenRule

from ..check.finding import Found
from ..check.survey import RuleSetView
from ..shown import MOST, listed


def of_rule_set(view: RuleSetView) -> Iterator[Found]:
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
