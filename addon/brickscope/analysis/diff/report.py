"""A comparison as lines for people and as data for programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from brickscope.analysis.shown import place
from brickscope.analysis.witness import Witness
from brickscope.catalog.catalog import CLASSES
from brickscope.count import counted
from brickscope.log.record import printable

from .comparison import Comparison, GroupChange, SubjectChange
from .proof import situation
from .rule_sets import Effect, OperationChange, PathChange

MAX_LISTED = 40
"""How many operations of one group the text lists; all of them are in the JSON."""
MAX_SINGLE = 6
"""From how many operations of one rule on they are put together."""
_SIGNS = {
    Effect.ALLOWED: "+",
    Effect.DENIED: "-",
    Effect.WIDER: "+",
    Effect.NARROWER: "-",
    Effect.OTHER: "~",
    Effect.UNCLEAR: "?",
    Effect.NOT_WIDER: "-",
    Effect.SAME: "=",
}
_WORDS = {
    Effect.ALLOWED: "newly allowed",
    Effect.DENIED: "newly denied",
    Effect.WIDER: "wider",
    Effect.NARROWER: "narrower",
    Effect.OTHER: "other than before",
    Effect.UNCLEAR: "not clear: it may be wider; no call was found that shows it",
    Effect.NOT_WIDER: "written differently: surely no wider, perhaps narrower",
    Effect.SAME: "written differently, means the same",
}


def lines(said: Comparison) -> list[str]:
    """A comparison, in lines: what is newly allowed is marked with +, what is newly denied with -."""
    if said.is_empty and not said.groups:
        return ["nothing changes in meaning"]
    found: list[str] = []
    for change in said.policy:
        found += [
            "",
            "the whole proxy",
            f"  {_SIGNS[change.effect]} {change.key}: {change.before} -> {change.after}",
        ]
    for subject in said.subjects:
        found += ["", *_subject(subject)]
    for group in said.groups:
        found += ["", *_group(group)]
    return [*found[1:], "", _total(said)]


def _total(said: Comparison) -> str:
    effects = said.effects()
    opened, closed = sum(each.opens for each in effects), sum(each.closes for each in effects)
    unclear = effects.count(Effect.UNCLEAR)
    text = f"newly allowed: {opened:,}, newly denied: {closed:,}"
    return f"{text} ({unclear} of them not clear)" if unclear else text


def _subject(said: SubjectChange) -> Iterator[str]:
    who = said.who
    if said.status == "removed":
        yield f"- {who.name} ({who.kind}) is gone"
        return
    head = f"{who.name} ({who.kind})"
    if said.status == "added":
        yield f"+ {head} is new"
    else:
        yield f"{head} was {said.renamed}" if said.renamed else head
    for change, proof in said.bindings:
        yield f"  {_SIGNS[change.effect]} {change.key}: {printable(change.before)} -> {printable(change.after)}"
        if proof is not None:
            yield from _proof(proof, 6)


def _group(said: GroupChange) -> Iterator[str]:
    shown = ", ".join(said.subjects[:5]) + (
        f" and {len(said.subjects) - 5} more" if len(said.subjects) > 5 else ""
    )
    if said.after is None:
        could = counted(len(said.change.operations), "operation")
        yield f"{shown}: could do {could} by the rule set {said.before!r}"
        return
    sets = (
        f"rule set {said.after}"
        if said.before in (said.after, None)
        else f"rule set {said.before} -> {said.after}"
    )
    yield f"{shown} ({sets})"
    folded, single = _fold(said)
    for operations in folded:
        yield from _many(operations, said)
    for operation in single[:MAX_LISTED]:
        yield from _operation(operation, said)
    more = len(single) - MAX_LISTED
    if more > 0:
        yield f"  ... and {counted(more, 'further operation')} (--json has them all)"
    for path in said.change.paths[:MAX_LISTED]:
        yield f"  {_SIGNS[path.effect]} {path.rule}  {_WORDS[path.effect]}, for calls that are no known operation"
        yield from _shown(said, path.rule, path)
    more = len(said.change.paths) - MAX_LISTED
    if more > 0:
        yield f"  ... and {counted(more, 'further path')} (--json has them all)"


def _fold(said: GroupChange) -> tuple[list[list[OperationChange]], list[OperationChange]]:
    """Operations that came or went by one and the same rule, where they are many; and all the others."""
    by_rule: dict[object, list[OperationChange]] = {}
    for change in said.change.operations:
        key = (change.effect, change.places, bool(change.before), bool(change.after))
        by_rule.setdefault(
            key if change.effect in (Effect.ALLOWED, Effect.DENIED) else id(change), []
        ).append(change)
    folded = [changes for changes in by_rule.values() if len(changes) > MAX_SINGLE]
    many = {id(change) for changes in folded for change in changes}
    return folded, [change for change in said.change.operations if id(change) not in many]


def _many(changes: list[OperationChange], group: GroupChange) -> Iterator[str]:
    """Operations of one rule in a few lines, with the proof of the first."""
    first = changes[0]
    kinds = [change.operation.kind for change in changes]
    count = ", ".join(f"{kinds.count(kind)} {kind}" for kind in CLASSES if kind in kinds)
    places = f"  ({', '.join(map(place, first.places))})" if first.places else ""
    yield f"  {_SIGNS[first.effect]} {len(changes):,} operations  {_WORDS[first.effect]} ({count})"
    yield f"      by {'; '.join(first.after or first.before)}{places}"
    names = [change.operation.name for change in changes]
    yield f"      {', '.join(names[:MAX_SINGLE])} and {len(names) - MAX_SINGLE:,} more"
    yield from _shown(group, first.operation.name, first)


def _operation(change: OperationChange, group: GroupChange) -> Iterator[str]:
    operation = change.operation
    risk = f": {operation.risk}" if operation.risk and change.effect.opens else ""
    yield f"  {_SIGNS[change.effect]} {operation.name}  {_WORDS[change.effect]} (class {operation.kind}{risk})"
    if change.before and change.after:
        yield f"      before: {'; '.join(change.before)}"
        yield f"      now:    {'; '.join(change.after)}"
    else:
        places = f"  ({place(change.places[0])})" if change.places else ""
        yield f"      by {'; '.join(change.after or change.before)}{places}"
    yield from _shown(group, operation.name, change)


def _shown(group: GroupChange, name: str, change: OperationChange | PathChange) -> Iterator[str]:
    proof = group.proofs.get(name)
    if proof is not None:
        yield from _proof(proof, 6)
    elif change.opened is not None:
        yield f"      now allowed by the rules, but not within the bindings: {change.opened.text}"
    if change.closed is not None and change.effect is not Effect.DENIED:
        yield f"      now denied: {change.closed.text}"


def _proof(proof: Witness, indent: int) -> Iterator[str]:
    start = " " * indent
    yield f"{start}proof: {proof.subject}, {situation(proof)}: {proof.call.text}"
    yield f"{start}       before: {printable(proof.before)}"


def data(said: Comparison) -> dict[str, Any]:
    """A comparison, as data."""
    return {
        "old": said.old.name,
        "new": said.new.name,
        "old_revision": said.old.policy.revision,
        "new_revision": said.new.policy.revision,
        "newly_allowed": said.opens,
        "newly_denied": said.closes,
        "policy": [change._asdict() for change in said.policy],
        "subjects": [
            {
                "subject": each.who.name,
                "kind": each.who.kind,
                "status": each.status,
                "renamed_from": each.renamed,
                "bindings": [
                    {**change._asdict(), "proof": _proof_data(proof)} for change, proof in each.bindings
                ],
            }
            for each in said.subjects
        ],
        "groups": [_group_data(group) for group in said.groups],
    }


def _group_data(group: GroupChange) -> dict[str, Any]:
    return {
        "subjects": list(group.subjects),
        "old_rule_set": group.before,
        "new_rule_set": group.after,
        "operations": [
            {
                "operation": each.operation.name,
                "class": each.operation.kind,
                "risk": each.operation.risk or None,
                "effect": each.effect.value,
                "before": list(each.before),
                "after": list(each.after),
                "places": [place(position) for position in each.places],
                "proof": _proof_data(group.proofs.get(each.operation.name)),
                "denied_call": None if each.closed is None else each.closed.text,
            }
            for each in group.change.operations
        ],
        "paths": [
            {
                "rule": each.rule,
                "effect": each.effect.value,
                "place": None if each.place is None else place(each.place),
                "proof": _proof_data(group.proofs.get(each.rule)),
                "denied_call": None if each.closed is None else each.closed.text,
            }
            for each in group.change.paths
        ],
    }


def _proof_data(proof: Witness | None) -> dict[str, Any] | None:
    if proof is None:
        return None
    return {
        "subject": proof.subject,
        "call": proof.call.text,
        "client_address": proof.client,
        "time": proof.now,
        "before": printable(proof.before),
        "by": proof.rule,
    }
