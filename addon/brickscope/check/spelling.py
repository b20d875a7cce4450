"""Denies that have a way around them (BS109): a path rule denies one spelling of a call of which the API knows several."""

from __future__ import annotations

from collections.abc import Iterator

from .alignment import reach
from .allowance import Allowance
from .code import codes
from .finding import Finding, Proof
from .proof import Prover
from .survey import RuleSetView


def open_spellings(view: RuleSetView, prover: Prover) -> Iterator[Finding]:
    """The findings about one rule set."""
    allowance = Allowance(view)
    for written in view.deny:
        found: dict[str, Proof] = {}
        for path in written.paths:
            for each in reach(path):
                name = each.operation.name
                if name in found or not allowance.allows(name) or allowance.is_denied(name):
                    continue
                for call in prover.other_spellings(each.operation, dict(each.values)):
                    decision = prover.judged(call)
                    proof = prover.shown(call, decision)
                    if proof is not None and decision.operation == name:
                        found[name] = proof
                        break
        if found:
            names = list(found)
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
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
