"""What one subject can do, and who can do one operation: rules, bindings and modes put together for people. The trees that
``--json`` prints."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from brickscope.catalog.catalog import CLASSES, Operation, load_catalog
from brickscope.core.policy import Login, Mode, Policy, Subject
from brickscope.count import counted
from brickscope.policy.load import Loaded
from brickscope.policy.written import WrittenRule

from .judge import Known, known
from .shown import moment, place, rule_data
from .way import Abilities, Ability, Way, abilities

DAY = 86_400


def bounds(who: Known, now: float) -> list[str]:
    """What somebody is bound to (where, from where, until when, which tokens it gets), in sentences."""
    subject = who.subject
    said = []
    if subject.workspaces:
        said.append(f"on {', '.join(sorted(subject.workspaces))} only")
    if subject.clients:
        said.append(f"from {', '.join(map(str, subject.clients))} only")
    if subject.expires is not None:
        left = subject.expires - now
        days = "expired" if left <= 0 else f"{counted(int(left // DAY), 'day')} from now"
        said.append(f"until {moment(subject.expires)} ({days})")
    if subject.grants:
        grants = ", ".join(sorted(grant.value for grant in subject.grants))
        said.append(f"gets tokens by {grants}")
    return said


def _has_expired(subject: Subject | Login, now: float) -> bool:
    return subject.expires is not None and now >= subject.expires


def summary_data(loaded: Loaded, who: Known, now: float) -> dict[str, Any]:
    """What somebody can do at a time (seconds since the epoch). A login makes no calls."""
    subject, where = who.subject, loaded.written.subjects.get(who.name)
    found = abilities([] if who.rule_set is None else loaded.written.of(who.rule_set))
    denied = [way.written for each in found.operations.values() for way in each.denied]
    peers = Counter((each.service, each.kind) for each in load_catalog().operations.values())
    return {
        "subject": who.name,
        "kind": who.kind,
        "place": None if where is None else place(where),
        "rule_set": who.rule_set,
        "mode": loaded.policy.mode_of(subject).value,
        "expired": _has_expired(subject, now),
        "bounds": bounds(who, now),
        "classes": list(CLASSES),
        "operations": [_ability(each, peers) for each in found.allowed()],
        "paths": list(map(rule_data, found.paths)),
        "denied": list(map(rule_data, dict.fromkeys([*denied, *found.denied_paths]))),
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


def access_data(loaded: Loaded, operation: Operation, now: float) -> dict[str, Any]:
    """How everybody who makes calls stands to an operation, by name."""
    by_set = {name: abilities(loaded.written.of(name)) for name in loaded.policy.rule_sets}
    return {
        "operation": operation.name,
        "call": operation.calls[0],
        "class": operation.kind,
        "risk": operation.risk or None,
        "subjects": [
            _access(loaded.policy, who, by_set[who.rule_set], operation, now)
            for who in sorted(known(loaded.policy).values())
            if who.rule_set is not None
        ],
    }


def _access(policy: Policy, who: Known, found: Abilities, operation: Operation, now: float) -> dict[str, Any]:
    """``able``: a call of it can be allowed now. ``obstacles``: why it is not, or is all the same (monitor mode). ``near``:
    somebody can't, and has something to do with it."""
    ability = found.operations.get(operation.name, Ability(operation, (), ()))
    obstacles = []
    if ability.allowed and ability.is_denied:
        obstacles.append("a deny rule takes it away")
    if _has_expired(who.subject, now):
        obstacles.append("the subject has expired")
    able = bool(ability.allowed) and not obstacles
    if not able and policy.mode_of(who.subject) is Mode.MONITOR:
        obstacles.append("it is in monitor mode: what the rules deny is sent anyway")
    related: dict[WrittenRule, None] = {}
    for each in () if ability.allowed else found.allowed():
        if each.operation.service == operation.service and each.operation.kind == operation.kind:
            related |= dict.fromkeys(way.written for way in each.allowed)
    return {
        "subject": who.name,
        "kind": who.kind,
        "able": able,
        "near": not able and bool(ability.allowed or obstacles or related),
        "bounds": bounds(who, now),
        "obstacles": obstacles,
        "allowed": list(map(_way, ability.allowed)),
        "denied": list(map(_way, ability.denied)),
        "related": list(map(rule_data, related)),
    }


def _way(way: Way) -> dict[str, Any]:
    return {**rule_data(way.written), "condition": way.condition or None, "whole": way.whole}
