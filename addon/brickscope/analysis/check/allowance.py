"""What a rule set's lists say of an operation, without asking: which rules allow it, and whether it is denied outright.

Quick answers, by which lints choose what to look at. Where one of them is shown to somebody, a proof goes with it.
"""

from __future__ import annotations

from functools import cached_property

from brickscope.analysis.overlap import spellings
from brickscope.catalog.catalog import operation_table
from brickscope.core.operation import OperationRule
from brickscope.core.rule import Rule
from brickscope.policy.written import WrittenRule

from .alignment import reach
from .survey import RuleSetView


class Allowance:
    """The lists of one rule set, held against the catalogue."""

    def __init__(self, view: RuleSetView) -> None:
        self._rule_set = view.rule_set
        self._outright: dict[str, bool] = {}

    @cached_property
    def by_path(self) -> frozenset[str]:
        """The operations that path rules under ``allow`` reach."""
        rules = self._rule_set.allow.rules
        return frozenset(each.operation.name for rule in rules for each in reach(rule))

    def allows(self, operation: str) -> bool:
        """Whether some rule under ``allow`` is about an operation."""
        return operation in self._rule_set.operations or operation in self.by_path

    def is_denied(self, operation: str) -> bool:
        """Whether ``deny`` covers every call of an operation, without a condition."""
        if operation not in self._outright:
            named = self._rule_set.denied_operations.get(operation, ())
            table = self._rule_set.deny
            self._outright[operation] = any(not rule.is_bound for rule in named) or (
                bool(table.rules) and all(table.covers(call) for call in spellings(operation))
            )
        return self._outright[operation]

    def is_path_denied(self, rule: Rule) -> bool:
        """Whether ``deny`` covers every call that a path rule matches. A call of no known operation may escape names."""
        if self._rule_set.deny.covers(rule):
            return True
        known = reach(rule)
        return (
            bool(known)
            and operation_table().covers(rule) is not None
            and all(self.is_denied(each.operation.name) for each in known)
        )

    def denies_something(self, written: WrittenRule) -> bool:
        """Whether a rule under ``deny`` and one under ``allow`` are about the same call."""
        table = self._rule_set.allow
        for path in written.paths:
            if table.meeting(path) or any(
                each.operation.name in self._rule_set.operations for each in reach(path)
            ):
                return True
        for rule in written.operations:
            allowed = self._rule_set.operations.get(rule.operation, ())
            if rule.operation in self.by_path or any(overlap(rule, other) for other in allowed):
                return True
        return False


def overlap(one: OperationRule, other: OperationRule) -> bool:
    """Whether some call may meet both of two rules for an operation, as far as lists of values tell."""
    values = {each.keys: each.test for each in one.where}
    for constraint in other.where:
        test = values.get(constraint.keys)
        if test is None or test.optional or constraint.test.optional:
            continue
        mine, theirs = test.one_of, constraint.test.one_of
        if mine is not None and theirs is not None and not mine & theirs:
            return False
    return True
