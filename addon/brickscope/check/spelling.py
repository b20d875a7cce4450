"""Denies that have a way around them (BS109): a path rule denies one spelling of a call of which the API knows several."""

from __future__ import annotations

from collections.abc import Iterator

from brickscope.core.operation import OperationRule
from brickscope.core.reason import Reason
from brickscope.core.rule import Rule

from .alignment import Reach, reach
from .allowance import Allowance
from .code import codes
from .finding import Finding, Proof
from .proof import Prover
from .survey import RuleSetView

MAX_FOUND = 16
"""How many operations are proved to be open; where a deny leaves so many, one more says nothing new."""


def open_spellings(view: RuleSetView, prover: Prover) -> Iterator[Finding]:
    """The findings about one rule set."""
    allowance = Allowance(view)
    for written in view.deny:
        found: dict[str, Proof] = {}
        for path in written.paths:
            for each in reach(path):
                name = each.operation.name
                if len(found) >= MAX_FOUND:
                    break
                if name not in found and allowance.allows(name) and not allowance.is_denied(name):
                    proof = _way_around(view, prover, path, each)
                    if proof is not None:
                        found[name] = proof
        if found:
            names = list(found)
            count = "others" if len(names) >= MAX_FOUND else f"{len(names) - 1} more"
            more = f" and {count}" if len(names) > 1 else ""
            first = found[names[0]]
            yield Finding(
                "BS109",
                codes()["BS109"].severity,
                f"{written.text} leaves {names[0]}{more} open by another spelling, {first.rule} allows it",
                written.position,
                rule_set=view.name,
                subjects=view.subjects,
                operations=tuple(sorted(names)),
                proofs=(first,),
            )


def _way_around(view: RuleSetView, prover: Prover, path: Rule, denied: Reach) -> Proof | None:
    """A call that is allowed in one spelling, and denied by a path rule in another."""
    free: tuple[OperationRule | None, ...] = (None, *view.rule_set.operations.get(denied.operation.name, ()))
    for rule in free:
        fixed = {name: denied.values[name] for name in denied.fixed}
        proof: Proof | None = None
        holds = False
        for call in prover.spellings(
            denied.operation, rule, fixed if rule is not None else dict(denied.values)
        ):
            decision = prover.judged(call)
            holds = holds or (decision.reason is Reason.DENIED_BY_RULE and decision.rule == path.text)
            if decision.operation == denied.operation.name:
                proof = proof or prover.shown(call, decision)
        if proof is not None and holds:
            return proof
    return None
