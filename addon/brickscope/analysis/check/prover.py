"""Requests that prove a finding: proposed from the catalogue, and shown only if the decision function allows them."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from brickscope.analysis.call import Call, Home
from brickscope.analysis.example import UNNAMED, meeting, mirrored, tried, variations
from brickscope.analysis.judge import Known, home, judge
from brickscope.catalog.catalog import Operation
from brickscope.core.decision import Decision
from brickscope.core.operation import OperationRule
from brickscope.core.policy import Policy, RuleSet

from ..judge import Witness
from ..way import Way
from .power import telling

MAX_TRIES = 64
ACCOUNT_HOST = "accounts.cloud.databricks.com"


def _may_send(rule: OperationRule | None, name: str) -> bool:
    """Whether a rule leaves a parameter free."""
    if rule is None:
        return True
    named = {constraint.keys[0] for constraint in rule.where}
    return name not in named and (rule.only is None or name in rule.only)


class Prover:
    """Asks the decision function for somebody who has a rule set. Each way is tried once."""

    def __init__(
        self, policy: Policy, who: Known, rule_set: RuleSet, now: float, *, is_made_up: bool = False
    ) -> None:
        """``is_made_up``: nobody has the rule set, so proofs name nobody."""
        self._policy, self._who, self._rule_set, self._now = policy, who, rule_set, now
        self._name = None if is_made_up else who.name
        self.home = home(who)
        self._account = _account_home(who) or self.home
        self._proved: dict[int, tuple[Way, Witness | None]] = {}

    def proof(self, way: Way) -> Witness | None:
        """A request of the way's operation that is allowed; None if none of those tried is."""
        key = id(way.named) if way.named is not None else id(way.reach)
        if key not in self._proved:
            # The way is kept, so that nothing else gets its id.
            self._proved[key] = way, next(self.allowed(self._candidates(way), way.operation.name), None)
        return self._proved[key][1]

    def dangerous(self, ways: Iterable[Way]) -> dict[str, Witness]:
        """Of these ways the operations that give rights, return secrets or run something and are really allowed, by name."""
        found: dict[str, Witness] = {}
        for way in ways:
            name = way.operation.name
            if way.operation.kind in ("grant", "secret", "execute") and name not in found:
                proof = self.proof(way)
                if proof is not None:
                    found[name] = proof
        return dict(sorted(found.items()))

    def allowed(self, calls: Iterable[Call], operation: str | None = None) -> Iterator[Witness]:
        """Of these calls those that are allowed. ``operation``: which they have to be; None for any."""
        for call in calls:
            decision = self.judged(call)
            proof = self.shown(call, decision) if operation in (None, decision.operation) else None
            if proof is not None:
                yield proof

    def judged(self, call: Call) -> Decision:
        """What the decision function says of a call."""
        return judge(self._policy, self._who, call, self._now)

    def shown(self, call: Call, decision: Decision) -> Witness | None:
        """An allowed call as a proof, None for one that is not allowed."""
        if not decision.allow:
            return None
        return Witness(self._name, call, decision.operation, decision.rule, entry=decision.entry)

    def variations(
        self, operation: Operation, rule: OperationRule | None, changes: dict[str, Any]
    ) -> Iterator[Call]:
        """The calls of an operation, with parameters that meet a rule but for these."""
        return variations(operation, rule, self._at(operation), changes)

    def spellings(
        self, operation: Operation, rule: OperationRule | None, changes: dict[str, Any]
    ) -> Iterator[Call]:
        """The same in every spelling that the API has, the mirror of each among them."""
        for call in self.variations(operation, rule, changes):
            yield from (call, *mirrored(call))

    def _at(self, operation: Operation) -> Home:
        return self._account if operation.name.startswith("account.") else self.home

    def _candidates(self, way: Way) -> Iterator[Call]:
        """Calls that the way should allow, the plainest first; then such as a deny may have left out."""
        indices = range(len(way.operation.calls)) if way.reach is None else (way.reach.call,)
        tries = ((changes, index) for changes in self._changes(way) for index in indices)
        for changes, index in islice(tries, MAX_TRIES):
            for call in tried(
                way.operation, way.named, self._at(way.operation), index=index, changes=changes
            ):
                yield from (call, *mirrored(call))

    def _changes(self, way: Way) -> Iterator[dict[str, Any]]:
        plain: dict[str, Any] = dict(way.reach.values) if way.reach is not None else {}
        more = {
            name: value for name, value in telling(way.operation.name).items() if _may_send(way.named, name)
        }
        if more:
            yield more | plain
        yield plain
        for constraint in () if way.named is None else way.named.where:
            for value in meeting(constraint)[1:]:
                yield plain | {constraint.name: value}
        for denying in self._rule_set.denied_operations.get(way.operation.name, ()):
            for constraint in denying.where:
                for value in UNNAMED:
                    yield plain | {constraint.name: value}


def _account_home(who: Known) -> Home | None:
    """Where somebody calls the account's API: on an account host, if it may; None where it is bound to others."""
    workspaces = who.subject.workspaces
    hosts = [ACCOUNT_HOST] if workspaces is None else sorted(workspaces)
    return next((Home(host) for host in hosts if host.startswith("accounts.") and "?" not in host), None)
