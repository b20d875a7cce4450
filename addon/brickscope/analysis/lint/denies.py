"""Denies that calls pass: by another spelling or name (BS109), or since they have no class (BS117)."""

import re
from collections.abc import Iterator
from typing import Any

from brickscope.catalog.catalog import telling
from brickscope.core.decision import Refused
from brickscope.core.kind import KINDS, Kind, in_path
from brickscope.core.operation import OperationRule
from brickscope.core.reason import Reason
from brickscope.core.rule import Rule
from brickscope.core.template import Rest

from ..check.finding import Findings, Found
from ..check.survey import RuleSetView
from ..example import path_example
from ..judge import Witness
from ..reach import Reach, reach

MAX_FOUND = 16
"""How many operations are proved to be open; where a deny leaves so many, one more says nothing new."""
_OF_ALL = re.compile(r"class \w+")
MADE_UP = "example-credentials"
"""What stands for a variable: a word that no operation has and that says what such a call may hand out."""


def evaded_deny(view: RuleSetView) -> Findings:
    """BS109: path rules under ``deny`` with a call that one spelling denies and another allows."""
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


def classless_call(view: RuleSetView) -> Findings:
    """BS117: denies of a class in every service, where a path rule allows calls that the catalogue does not know."""
    denies = [written for written in view.deny if _OF_ALL.fullmatch(written.text)]
    open_to = (
        [(written, proof) for written in view.allow for proof in _unknown(view, written.paths)]
        if denies
        else []
    )
    for written in denies if open_to else ():
        first = open_to[0][1]
        paths = dict.fromkeys(proof.rule for _, proof in open_to)
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        text = f"{written.text} denies only what the catalogue knows of it; {first.rule}{more} allows other calls too"
        yield Found.of(written, text, proofs=[first], related=[allow for allow, _ in open_to])


def _unknown(view: RuleSetView, paths: tuple[Rule, ...]) -> Iterator[Witness]:
    """For each path that takes in such calls, one that is allowed."""
    for path in paths:
        values = {
            part.name: f"example/{MADE_UP}" if isinstance(part, Rest) else MADE_UP
            for part in path.template.segments
            if part.name
        }
        for call in path_example(path, view.prover.home, values):
            if not isinstance(call.request, Refused) and any(map(telling, call.request.segments)):
                yield from (proof for proof in view.prover.allowed([call]) if proof.operation is None)
