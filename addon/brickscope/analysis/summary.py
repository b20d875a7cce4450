"""What one subject can do, and who can do one operation: rules, bindings and modes put together for people."""

from __future__ import annotations

from typing import NamedTuple

from brickscope.catalog.catalog import Operation
from brickscope.core.policy import Login, Mode, Policy, Subject
from brickscope.count import counted
from brickscope.policy.load import Loaded
from brickscope.policy.problem import Position
from brickscope.policy.written import WrittenRule

from .abilities import Abilities, Ability, abilities
from .judge import Known, known
from .shown import moment
from .way import Way

DAY = 86_400


class Summary(NamedTuple):
    """What somebody can do. ``where``: its place. ``bounds``: where, from where, until when, and which tokens it gets.

    ``abilities``: None for a login, which makes no calls.
    """

    who: Known
    where: Position | None
    mode: Mode
    expired: bool
    bounds: tuple[str, ...]
    abilities: Abilities | None


class Access(NamedTuple):
    """How somebody stands to one operation. ``able``: a call of it can be allowed now. ``obstacles``: why it is not, or is
    all the same (monitor mode); ``ways``: the rules that allow it, ``denied``: those that deny some or all of it again."""

    who: Known
    able: bool
    ways: tuple[Way, ...]
    denied: tuple[Way, ...]
    bounds: tuple[str, ...]
    obstacles: tuple[str, ...]
    related: tuple[WrittenRule, ...] = ()


def mode_of(policy: Policy, subject: Subject | Login) -> Mode:
    """The mode that holds for somebody."""
    rule_set = subject.rule_set if isinstance(subject, Subject) else None
    return subject.mode or (rule_set.mode if rule_set is not None else None) or policy.mode


def bounds(who: Known, now: float) -> tuple[str, ...]:
    """What somebody is bound to, in sentences."""
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
    return tuple(said)


def summarise(loaded: Loaded, who: Known, now: float) -> Summary:
    """What somebody can do at a time (seconds since the epoch)."""
    subject = who.subject
    found = None if isinstance(subject, Login) else abilities(subject.rule_set, loaded.written.rules)
    return Summary(
        who,
        loaded.written.subjects.get(who.name),
        mode_of(loaded.policy, subject),
        subject.expires is not None and now >= subject.expires,
        bounds(who, now),
        found,
    )


def access(loaded: Loaded, operation: Operation, now: float) -> list[Access]:
    """How everybody who makes calls stands to an operation, by name."""
    by_set = {
        name: abilities(rule_set, loaded.written.rules) for name, rule_set in loaded.policy.rule_sets.items()
    }
    found = []
    for who in sorted(known(loaded.policy).values()):
        if isinstance(who.subject, Subject):
            found.append(
                _access(loaded.policy, who, who.subject, by_set[who.subject.rule_set.name], operation, now)
            )
    return found


def _access(
    policy: Policy, who: Known, subject: Subject, able: Abilities, operation: Operation, now: float
) -> Access:
    ability = able.operations.get(operation.name, Ability(operation, (), ()))
    obstacles = []
    if ability.allowed and ability.is_denied:
        obstacles.append("a deny rule takes it away")
    expired = subject.expires is not None and now >= subject.expires
    if expired:
        obstacles.append("the subject has expired")
    allowed = bool(ability.allowed) and not ability.is_denied and not expired
    if not allowed and mode_of(policy, subject) is Mode.MONITOR:
        obstacles.append("it is in monitor mode: what the rules deny is sent anyway")
    related: list[WrittenRule] = []
    if not ability.allowed:
        for each in able.allowed():
            if each.operation.service == operation.service and each.operation.kind == operation.kind:
                related += [way.written for way in each.allowed]
    return Access(
        who,
        allowed,
        ability.allowed,
        ability.denied,
        bounds(who, now),
        tuple(obstacles),
        tuple(dict.fromkeys(related)),
    )
