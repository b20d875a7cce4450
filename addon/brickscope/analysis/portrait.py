"""What a subject can do, and who can do an operation: the trees that ``--json`` prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from brickscope.catalog.catalog import CLASSES, Operation, load_catalog
from brickscope.core.policy import Login

from .abilities import Abilities, Ability
from .shown import place, rule_data
from .summary import Access, Summary
from .way import Way


def summary_data(said: Summary) -> dict[str, Any]:
    """What somebody can do."""
    found, subject = said.abilities or Abilities({}, (), ()), said.who.subject
    denied = [way.written for each in found.operations.values() for way in each.denied] + [
        *found.denied_paths
    ]
    peers = Counter((each.service, each.kind) for each in load_catalog().operations.values())
    return {
        "subject": said.who.name,
        "kind": said.who.kind,
        "place": None if said.where is None else place(said.where),
        "rule_set": None if isinstance(subject, Login) else subject.rule_set.name,
        "mode": said.mode.value,
        "expired": said.expired,
        "bounds": list(said.bounds),
        "classes": list(CLASSES),
        "operations": [_ability(each, peers) for each in found.allowed()],
        "paths": list(map(rule_data, found.paths)),
        "denied": list(map(rule_data, dict.fromkeys(denied))),
    }


def _ability(said: Ability, peers: Mapping[tuple[str, str], int]) -> dict[str, Any]:
    """One operation. ``peers``: how many of its class its service has. ``only``: what of it is allowed, in words."""
    operation = said.operation
    if any(way.whole for way in said.allowed):
        only = "what is not denied"
    else:
        only = ", or ".join(dict.fromkeys(way.condition or "under a rule" for way in said.allowed))
    denied = dict.fromkeys(way.condition or f"as {way.text}" for way in said.denied)
    return {
        "operation": operation.name,
        "name": operation.name.rpartition(".")[2],
        "service": operation.service,
        "class": operation.kind,
        "peers": peers[operation.service, operation.kind],
        "risk": operation.risk or None,
        "allowed": list(map(_way, said.allowed)),
        "denied": list(map(_way, said.denied)),
        "whole": said.is_whole,
        "only": None if said.is_whole else only + (f", and not {' nor '.join(denied)}" if denied else ""),
    }


def access_data(operation: Operation, found: Sequence[Access]) -> dict[str, Any]:
    """Who can do an operation. ``near``: who can't, and has something to do with it."""
    return {
        "operation": operation.name,
        "call": operation.calls[0],
        "class": operation.kind,
        "risk": operation.risk or None,
        "subjects": [
            {
                "subject": each.who.name,
                "kind": each.who.kind,
                "able": each.able,
                "near": not each.able and bool(each.ways or each.obstacles or each.related),
                "bounds": list(each.bounds),
                "obstacles": list(each.obstacles),
                "allowed": list(map(_way, each.ways)),
                "denied": list(map(_way, each.denied)),
                "related": list(map(rule_data, each.related)),
            }
            for each in found
        ],
    }


def _way(way: Way) -> dict[str, Any]:
    return {**rule_data(way.written), "condition": way.condition or None, "whole": way.whole}
