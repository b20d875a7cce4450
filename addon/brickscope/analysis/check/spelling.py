"""Denies that have a way around them (BS109): a path rule denies one spelling of a call of which the API knows several, or
one name of an object that has several; a rule by name denies all of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from brickscope.core.kind import KINDS, Kind, in_path
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
        found: dict[str, tuple[str, Proof]] = {}
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
            how, first = found[names[0]]
            yield Finding(
                "BS109",
                codes()["BS109"].severity,
                f"{written.text} leaves {names[0]}{more} open {how}, {first.rule} allows it",
                written.position,
                rule_set=view.name,
                subjects=view.subjects,
                operations=tuple(sorted(names)),
                proofs=(first,),
            )


def _way_around(view: RuleSetView, prover: Prover, path: Rule, denied: Reach) -> tuple[str, Proof] | None:
    """A call that is allowed in one spelling, and denied by a path rule in another; in a few words, which."""
    free: tuple[OperationRule | None, ...] = (None, *view.rule_set.operations.get(denied.operation.name, ()))
    for rule in free:
        fixed = {name: denied.values[name] for name in denied.fixed}
        proof: tuple[str, Proof] | None = None
        holds = False
        plain = fixed if rule is not None else dict(denied.values)
        for how, call in (
            *(("by another spelling", call) for call in prover.spellings(denied.operation, rule, plain)),
            *(
                (how, call)
                for how, changes in renamed(denied)
                for call in prover.variations(denied.operation, rule, plain | changes)
            ),
        ):
            decision = prover.judged(call)
            holds = holds or (decision.reason is Reason.DENIED_BY_RULE and decision.rule == path.text)
            if proof is None and decision.operation == denied.operation.name:
                found = prover.shown(call, decision)
                proof = None if found is None else (how, found)
        if proof is not None and holds:
            return proof
    return None


_ABOVE = {1: "catalog", 2: "schema"}
"""What a name of Unity Catalog with so many parts is of."""


def renamed(denied: Reach) -> Iterator[tuple[str, dict[str, Any]]]:
    """Other names of the object that a path rule writes out, and of what is above it if the operation acts on all below."""
    operation = denied.operation
    for name in sorted(denied.fixed):
        kind = in_path(KINDS.get((operation.type_of((name,)) or "text").strip("[]"), KINDS["text"]))
        value = denied.values[name]
        for alias in aliases(kind, value):
            yield f"by another name of the object ({alias})", {name: alias}
        when = operation.below_of((name,))
        above = value.rpartition(kind.separator)[0] if kind.separator and when is not None else ""
        if above:
            changes: dict[str, Any] = {".".join(keys): True for keys in (when or ())[:1]} | {name: above}
            if "securable_type" in operation.path:
                changes["securable_type"] = _ABOVE.get(above.count(".") + 1, "table")
            yield f"by what is above the object ({above})", changes


def aliases(kind: Kind, text: str) -> list[str]:
    """Other texts that name the same object as a text, as far as the kind of its parameter knows some."""
    slash = "/" if text.startswith("/") else ""
    plain = text.removeprefix("/")
    first, *names = plain.split("/")
    made = [
        f"{slash}Workspace/{plain}",
        f"{slash}{plain.removeprefix('Workspace/')}",
        f"{slash}{plain.swapcase()}",
        "/".join((f"{slash}{first}", *(name.swapcase() for name in names[:3]), *names[3:])),
        f"dbfs:/{plain}",
    ]
    objects = kind.read(text)
    return [each for each in dict.fromkeys(made) if each != text and objects and kind.read(each) == objects]
