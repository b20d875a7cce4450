"""The tree of a comparison, as ``--json`` prints it."""

from collections import Counter
from typing import Any

from brickscope.catalog.catalog import CLASSES
from brickscope.log.record import printable

from ..judge import Witness
from ..shown import place
from .bindings import BindingChange
from .comparison import Comparison, GroupChange
from .rule_sets import Change, Effect


def data(said: Comparison) -> dict[str, Any]:
    """What changed. ``counts``: of everything that came, went or is not clear."""
    effects = said.effects()
    return {
        "old": said.old.name,
        "new": said.new.name,
        "old_revision": said.old.policy.revision,
        "new_revision": said.new.policy.revision,
        "newly_allowed": said.opens,
        "newly_denied": said.closes,
        "counts": {
            "newly_allowed": sum(each.opens for each in effects),
            "newly_denied": sum(each.closes for each in effects),
            "unclear": effects.count(Effect.UNCLEAR),
        },
        "classes": list(CLASSES),
        "policy": list(map(_binding, said.policy)),
        "subjects": [
            {
                "subject": each.who.name,
                "kind": each.who.kind,
                "status": each.status,
                "renamed_from": each.renamed,
                "bindings": [{**_binding(change), "proof": _proof(change.proof)} for change in each.bindings],
            }
            for each in said.subjects
        ],
        "groups": list(map(_group, said.groups)),
    }


def _binding(change: BindingChange) -> dict[str, str]:
    return {name: printable(getattr(change, name)) for name in ("key", "effect", "before", "after")}


def _group(group: GroupChange) -> dict[str, Any]:
    """Subjects whose rules changed in one way. ``together``: how many operations came or went by the same rules."""
    alike = Counter((each.effect, each.places) for each in group.changes if each.operation)
    return {
        "subjects": list(group.subjects),
        "old_rule_set": group.before,
        "new_rule_set": group.after,
        "operations": [
            {
                "operation": each.name,
                "class": each.operation.kind,
                "risk": each.operation.risk or None,
                "opens": each.effect.opens,
                "before": list(each.before),
                "after": list(each.after),
                "places": list(map(place, each.places)),
                "together": alike[each.effect, each.places] if each.effect in _WHOLE else 1,
                **_shown(each),
            }
            for each in group.changes
            if each.operation
        ],
        "paths": [
            {"rule": each.name, "place": place(each.places[0]), **_shown(each)}
            for each in group.changes
            if not each.operation
        ],
    }


_WHOLE = (Effect.ALLOWED, Effect.DENIED)


def _shown(change: Change) -> dict[str, Any]:
    """What became of it, and the calls that show it."""
    return {
        "effect": change.effect.value,
        "proof": _proof(change.proof),
        "allowed_call": None if change.opened is None else change.opened.text,
        "denied_call": None if change.closed is None else change.closed.text,
    }


def _proof(proof: Witness | None) -> dict[str, Any] | None:
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
