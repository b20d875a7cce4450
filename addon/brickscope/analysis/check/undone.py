"""Limits that another rule of the list takes away: each proved by a call that breaks it and is allowed all the same."""

from collections.abc import Iterator, Mapping
from typing import Any

from brickscope.catalog.catalog import load_catalog
from brickscope.core.operation import OperationRule
from brickscope.policy.written import WrittenRule

from ..algebra import RuleList
from ..example import UNNAMED, made_up
from ..reach import reach
from ..witness import Witness
from .prover import Prover

Broken = Mapping[str, tuple[Witness, WrittenRule]]
"""By operation the call that breaks the limits of a rule, and the rule that allows it."""


def undone_limits(allowed: RuleList, prover: Prover) -> Iterator[tuple[WrittenRule, Broken]]:
    """The rules of a list whose limits hold nothing back."""
    for written in allowed.written:
        found = {}
        for rule in written.operations:
            named = allowed.by_operation[rule.operation]
            is_free = any(not other.is_bound for other, _ in named) or rule.operation in allowed.by_path
            broken = _broken(rule, allowed, prover) if rule.is_bound and is_free else None
            if broken is not None:
                found[rule.operation] = broken
        if found:
            yield written, found


def _broken(rule: OperationRule, allowed: RuleList, prover: Prover) -> tuple[Witness, WrittenRule] | None:
    operation = load_catalog().operations[rule.operation]
    changes: list[dict[str, Any]] = [
        {constraint.name: value}
        for constraint in rule.where
        for value in UNNAMED
        if not constraint.test.takes(value)
    ]
    if rule.only is not None:
        known = rule.only | {constraint.keys[0] for constraint in rule.where}
        more = [name for name in (*operation.query, *operation.body) if name not in known]
        changes += [{name: made_up(name)} for name in more[:1]]
    for change in changes:
        for proof in prover.allowed(prover.variations(operation, rule, change), operation.name):
            other = allowed.written[proof.entry]
            if _is_free(other, operation.name):
                return proof, other
    return None


def _is_free(written: WrittenRule, operation: str) -> bool:
    """Whether a rule says something of an operation without a limit."""
    return any(not rule.is_bound for rule in written.operations if rule.operation == operation) or any(
        not each.fixed for path in written.paths for each in reach(path) if each.operation.name == operation
    )
