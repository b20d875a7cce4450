"""Whether one rule for an operation allows no more than another, as far as their conditions can be compared.

The answer "yes" is certain; "no" may only mean that nobody can tell from the conditions alone.
"""

from __future__ import annotations

import itertools

from brickscope.core.constraint import Constraint, Test
from brickscope.core.operation import OperationRule


def covers(wide: OperationRule, narrow: OperationRule) -> bool:
    """Whether every call that meets ``narrow`` meets ``wide``, a rule for the same operation."""
    if not wide.is_bound:
        return True
    where = {constraint.keys: constraint for constraint in narrow.where}
    if not all(_within(where.get(constraint.keys), constraint) for constraint in wide.where):
        return False
    if wide.only is None:
        return True
    return narrow.only is not None and _names(narrow) <= _names(wide)


def _names(rule: OperationRule) -> set[str]:
    return set(rule.only or ()) | {constraint.keys[0] for constraint in rule.where}


def _within(narrow: Constraint | None, wide: Constraint) -> bool:
    return narrow is not None and narrow.place == wide.place and implies(narrow.test, wide.test)


def implies(narrow: Test, wide: Test) -> bool:
    """Whether every value that meets ``narrow`` meets ``wide``."""
    if narrow == wide:
        return True
    may_be_absent = narrow.absent or narrow.optional
    if may_be_absent and not (wide.absent or wide.optional):
        return False
    if narrow.absent:
        return True
    if wide.absent:
        return False
    if narrow.kind is not wide.kind:
        return False
    if narrow.one_of is not None:
        return wide.holds_all(narrow.one_of)
    if narrow.prefix is not None and wide.prefix is not None:
        # Each form is for a reading of its own, and a value has to begin with all of them.
        return len(wide.prefix) == 1 and all(each.startswith(wide.prefix[0]) for each in narrow.prefix)
    if narrow.low is not None or narrow.high is not None:
        low = wide.low is None or (narrow.low is not None and narrow.low >= wide.low)
        high = wide.high is None or (narrow.high is not None and narrow.high <= wide.high)
        return low and high and not (wide.low is None and wide.high is None)
    if narrow.only is not None and wide.only is not None:
        return narrow.only <= wide.only
    return narrow._replace(optional=False) == wide._replace(optional=False)


MAX_PIECES = 256


def pieces(rule: OperationRule) -> list[OperationRule]:
    """Rules that together say what one says: one for each value of its lists. Not for parameters of the body, where a call
    may give a list itself, which meets the whole list and none of its values."""
    choices = [
        [
            constraint._replace(test=constraint.test._replace(one_of=frozenset({value})))
            for value in sorted_values
        ]
        if constraint.place != "body" and (sorted_values := sorted(constraint.test.one_of or (), key=str))
        else [constraint]
        for constraint in rule.where
    ]
    count = 1
    for choice in choices:
        count *= len(choice)
    if count > MAX_PIECES:
        return [rule]
    return [rule._replace(where=where) for where in itertools.product(*choices)]
