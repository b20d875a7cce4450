"""Rules of one list that say the same (BS101, BS102), and limits that another rule takes away (BS103)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from brickscope.analysis.example import made_up
from brickscope.analysis.implication import covers
from brickscope.catalog.catalog import load_catalog, operation_table
from brickscope.core.constraint import ABSENT
from brickscope.core.operation import OperationRule
from brickscope.core.rule import Rule, RuleTable
from brickscope.policy.written import WrittenRule

from .alignment import calls, reach
from .allowance import Allowance
from .code import codes
from .finding import Finding, Proof
from .proof import Prover
from .survey import RuleSetView

_VALUES: tuple[Any, ...] = (ABSENT, "20771", "elsewhere", "/elsewhere", 20771)
"""Values that a limit is not likely to name."""


def overlaps(view: RuleSetView, prover: Prover) -> Iterator[Finding]:
    """The findings about one rule set."""
    without_effect = list(_limits(view, prover))
    yield from without_effect
    places = {finding.position for finding in without_effect}
    for rules in (view.allow, view.deny):
        listed = _List(rules)
        for written in rules:
            first = listed.equal(written)
            if first is not None:
                yield _finding("BS101", view, written, f"{written.text} stands there already", first)
            elif written.position not in places:
                wider = listed.wider(written)
                if wider:
                    names = " and ".join(dict.fromkeys(each.text for each in wider))
                    text = f"{written.text} is part of {names} already"
                    yield _finding("BS102", view, written, text, *wider)


class _List:
    """One list of rules, to ask which of them make another superfluous."""

    def __init__(self, rules: Sequence[WrittenRule]) -> None:
        self._meanings = {id(written): _meaning(written) for written in rules}
        self._first: dict[Any, WrittenRule] = {}
        self._by_operation: dict[str, list[tuple[OperationRule, WrittenRule]]] = {}
        self._by_path: dict[int, WrittenRule] = {}
        self._superfluous: set[int] = set()
        for written in rules:
            self._first.setdefault(self._meanings[id(written)], written)
            for rule in written.operations:
                self._by_operation.setdefault(rule.operation, []).append((rule, written))
            for path in written.paths:
                self._by_path[id(path)] = written
        self._paths = RuleTable([path for written in rules for path in written.paths])

    def equal(self, written: WrittenRule) -> WrittenRule | None:
        """The first rule that means the same as a later one."""
        if not written.paths and not written.operations:
            return None
        first = self._first[self._meanings[id(written)]]
        return None if first is written else first

    def wider(self, written: WrittenRule) -> list[WrittenRule]:
        """The other rules that together cover a rule; empty if they do not. What was covered itself covers nothing later."""
        found: list[WrittenRule] = []
        for rule in written.operations:
            other = self._covering(rule, written)
            if other is None:
                return []
            found.append(other)
        for path in written.paths:
            others = self._covering_path(path, written)
            if not others:
                return []
            found += others
        if found:
            self._superfluous.add(id(written))
        return found

    def _counts(self, other: WrittenRule, written: WrittenRule) -> bool:
        return (
            other is not written
            and id(other) not in self._superfluous
            and self._meanings[id(other)] != self._meanings[id(written)]
        )

    def _covering(self, rule: OperationRule, written: WrittenRule) -> WrittenRule | None:
        for other, owner in self._by_operation[rule.operation]:
            if self._counts(owner, written) and covers(other, rule):
                return owner
        if not self._paths.rules:
            return None
        # A name stands for more than a path: also for the mirror, /ajax-api. Whoever deletes it loses that alone.
        owners = [self._path_owner(call, written) for call in calls(rule.operation)]
        return owners[0] if all(owners) else None

    def _path_owner(self, call: Rule, written: WrittenRule) -> WrittenRule | None:
        wider = self._paths.covers(call)
        owner = None if wider is None else self._by_path[id(wider)]
        return owner if owner is not None and self._counts(owner, written) else None

    def _covering_path(self, path: Rule, written: WrittenRule) -> list[WrittenRule]:
        wider = self._paths.covers(path, besides=path)
        if wider is not None and self._counts(self._by_path[id(wider)], written):
            return [self._by_path[id(wider)]]
        if operation_table().covers(path) is None:
            return []
        found = []
        for each in reach(path):
            owners = [
                owner
                for rule, owner in self._by_operation.get(each.operation.name, ())
                if not rule.is_bound and self._counts(owner, written)
            ]
            if not owners:
                return []
            found.append(owners[0])
        return found


def _meaning(written: WrittenRule) -> Any:
    """What a rule means, whatever it is called."""
    return (
        frozenset((path.method, _shape(path)) for path in written.paths),
        frozenset(
            (rule.operation, frozenset((each.keys, each.test) for each in rule.where), rule.only)
            for rule in written.operations
        ),
    )


def _shape(path: Rule) -> tuple[Any, ...]:
    """A path without the names of its variables, which mean nothing in a rule."""
    return tuple((type(segment), segment._replace(name="")) for segment in path.template.segments)


def _limits(view: RuleSetView, prover: Prover) -> Iterator[Finding]:
    allowance = Allowance(view)
    for written in view.allow:
        found: dict[str, tuple[Proof, WrittenRule]] = {}
        for rule in written.operations:
            if rule.is_bound and _may_be_free(rule, view, allowance):
                broken = _broken(rule, prover)
                if broken is not None:
                    found[rule.operation] = broken
        if found:
            names = ", ".join(found)
            proof, other = next(iter(found.values()))
            text = f"the limit on {names} holds nothing back: {other.text} allows it without"
            finding = _finding("BS103", view, written, text, other)
            yield finding._replace(operations=tuple(sorted(found)), proofs=(proof,))


def _may_be_free(rule: OperationRule, view: RuleSetView, allowance: Allowance) -> bool:
    named = view.rule_set.operations[rule.operation]
    return not named[0].is_bound or rule.operation in allowance.by_path


def _broken(rule: OperationRule, prover: Prover) -> tuple[Proof, WrittenRule] | None:
    """A call that breaks the limits of a rule and is allowed all the same, by a rule without them."""
    operation = load_catalog().operations[rule.operation]
    changes: list[dict[str, Any]] = [
        {constraint.name: value}
        for constraint in rule.where
        for value in _VALUES
        if not constraint.test.takes(value)
    ]
    if rule.only is not None:
        known = rule.only | {constraint.keys[0] for constraint in rule.where}
        more = [name for name in (*operation.query, *operation.body) if name not in known]
        changes += [{name: made_up(name)} for name in more[:1]]
    for change in changes:
        for call in prover.variations(operation, rule, change):
            decision = prover.judged(call)
            proof = prover.shown(call, decision)
            if proof is None or decision.operation != operation.name:
                continue
            other = prover.written(decision)
            if other is not None and _is_free(other, operation.name):
                return proof, other
    return None


def _is_free(written: WrittenRule, operation: str) -> bool:
    return any(not rule.is_bound for rule in written.operations if rule.operation == operation) or any(
        not each.fixed for path in written.paths for each in reach(path) if each.operation.name == operation
    )


def _finding(code: str, view: RuleSetView, written: WrittenRule, text: str, *others: WrittenRule) -> Finding:
    related = {other.position: other.text for other in others}
    return Finding(
        code,
        codes()[code].severity,
        text,
        written.position,
        rule_set=view.name,
        subjects=view.subjects,
        related=tuple(related.items()),
    )
