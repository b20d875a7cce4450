"""BS109: a deny that has a way around it."""

from collections.abc import Iterator
from typing import Any

from brickscope.core.kind import KINDS, Kind, in_path
from brickscope.core.operation import OperationRule
from brickscope.core.reason import Reason
from brickscope.core.rule import Rule

from ..check.finding import Findings, Found
from ..check.survey import RuleSetView
from ..reach import Reach, reach
from ..witness import Witness

MAX_FOUND = 16
"""How many operations are proved to be open; where a deny leaves so many, one more says nothing new."""


def of_rule_set(view: RuleSetView) -> Findings:
    """Path rules under ``deny`` with a call that one spelling denies and another allows."""
    for written in view.deny:
        found: dict[str, tuple[str, Witness]] = {}
        for path in written.paths:
            for each in reach(path):
                name = each.operation.name
                if len(found) >= MAX_FOUND:
                    break
                if name not in found and view.allowed.mentions(name) and not view.denied.covers(name):
                    around = _way_around(view, path, each)
                    if around is not None:
                        found[name] = around
        if found:
            first = next(iter(found))
            count = "others" if len(found) >= MAX_FOUND else f"{len(found) - 1} more"
            more = f" and {count}" if len(found) > 1 else ""
            how, proof = found[first]
            text = f"{written.text} leaves {first}{more} open {how}, {proof.rule} allows it"
            yield Found.of(written, text, operations=found, proofs=[proof])


def _way_around(view: RuleSetView, path: Rule, denied: Reach) -> tuple[str, Witness] | None:
    """A call that is allowed in one spelling, and denied by a path rule in another; in a few words, which."""
    prover, operation = view.prover, denied.operation
    free: tuple[OperationRule | None, ...] = (None, *view.rule_set.operations.get(operation.name, ()))
    for rule in free:
        plain = dict(denied.values)
        if rule is not None:
            plain = {name: denied.values[name] for name in denied.fixed}
        proof: tuple[str, Witness] | None = None
        holds = False
        for how, call in (
            *(("by another spelling", call) for call in prover.spellings(operation, rule, plain)),
            *(
                (how, call)
                for how, changes in renamed(denied)
                for call in prover.variations(operation, rule, plain | changes)
            ),
        ):
            decision = prover.judged(call)
            holds = holds or (decision.reason is Reason.DENIED_BY_RULE and decision.entry == path.entry)
            if proof is None and decision.operation == operation.name:
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
        when = operation.holder.below_of((name,))
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
