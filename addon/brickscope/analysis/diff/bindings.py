"""What a subject is bound to, compared: marks, workspaces, clients, expiry, grants and mode, and whether it got wider."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import IPv4Network, IPv6Network
from typing import Any, NamedTuple

from brickscope.analysis.judge import GROUPS, Known
from brickscope.analysis.shown import moment
from brickscope.analysis.summary import mode_of
from brickscope.core.policy import Login, Mode, Policy, Subject

from .rule_sets import Effect


class BindingChange(NamedTuple):
    """One binding. ``before``, ``after``: in words."""

    key: str
    effect: Effect
    before: str
    after: str


def compare_bindings(old: Known, new: Known, was: Policy, now: Policy) -> list[BindingChange]:
    """The bindings of one subject that changed. ``was``, ``now``: the policies, whose modes are behind all others."""
    one, other = old.subject, new.subject
    found = [
        _change(
            GROUPS[new.kind][1],
            set(new.marks) - set(old.marks),
            set(old.marks) - set(new.marks),
            old.marks,
            new.marks,
        ),
        _optional("workspaces", one.workspaces, other.workspaces),
        _optional("clients", one.clients, other.clients, within),
        _expires(one.expires, other.expires),
        _change(
            "grants",
            {grant.value for grant in other.grants - one.grants},
            {grant.value for grant in one.grants - other.grants},
            sorted(grant.value for grant in one.grants),
            sorted(grant.value for grant in other.grants),
        ),
        _change("token_fields", *_both(_pairs(one), _pairs(other))),
        _change("azure_resource", *_both(_resource(one), _resource(other))),
        _change("credential", *_both(_credential(one), _credential(other))),
        _mode(mode_of(was, one), mode_of(now, other)),
    ]
    if old.kind != new.kind:
        found.append(BindingChange("kind", Effect.OTHER, old.kind, new.kind))
    return [change for change in found if change is not None]


def _both(before: set[str], after: set[str]) -> tuple[set[str], set[str], list[str], list[str]]:
    return after - before, before - after, sorted(before), sorted(after)


def _pairs(subject: Subject | Login) -> set[str]:
    return {f"{name}={value}" for name, values in subject.token_fields.items() for value in values}


def _resource(subject: Subject | Login) -> set[str]:
    return {subject.azure_resource} if isinstance(subject, Subject) and subject.azure_resource else set()


def _credential(subject: Subject | Login) -> set[str]:
    return {subject.credential} if isinstance(subject, Subject) and subject.credential else set()


def _change(
    key: str, more: Iterable[str], less: Iterable[str], before: Iterable[str], after: Iterable[str]
) -> BindingChange | None:
    """A set that grew, shrank or both."""
    grew, shrank = bool(set(more)), bool(set(less))
    if not grew and not shrank:
        return None
    effect = Effect.OTHER if grew and shrank else Effect.WIDER if grew else Effect.NARROWER
    return BindingChange(key, effect, _listed(before), _listed(after))


def _listed(values: Iterable[str]) -> str:
    return ", ".join(values) or "none"


def _optional(
    key: str,
    before: Iterable[Any] | None,
    after: Iterable[Any] | None,
    is_in: Callable[[Any, Iterable[Any]], bool] = lambda one, others: one in others,
) -> BindingChange | None:
    """A set of which None means everything. ``is_in``: whether a set holds all of one value."""
    if before == after:
        return None
    if before is None or after is None:
        effect = Effect.NARROWER if before is None else Effect.WIDER
        return BindingChange(key, effect, _any(before), _any(after))
    more = [str(each) for each in after if not is_in(each, before)]
    less = [str(each) for each in before if not is_in(each, after)]
    return _change(key, more, less, sorted(map(str, before)), sorted(map(str, after)))


def _any(values: Iterable[object] | None) -> str:
    return "any" if values is None else ", ".join(sorted(map(str, values)))


def within(network: IPv4Network | IPv6Network, others: Iterable[IPv4Network | IPv6Network]) -> bool:
    """Whether one of these networks holds all of another one."""
    for other in others:
        if isinstance(network, IPv4Network) and isinstance(other, IPv4Network) and network.subnet_of(other):
            return True
        if isinstance(network, IPv6Network) and isinstance(other, IPv6Network) and network.subnet_of(other):
            return True
    return False


def _expires(before: float | None, after: float | None) -> BindingChange | None:
    if before == after:
        return None
    later = after is None or (before is not None and after > before)
    words = [("never" if each is None else moment(each)) for each in (before, after)]
    return BindingChange("expires", Effect.WIDER if later else Effect.NARROWER, *words)


def _mode(before: Mode, after: Mode) -> BindingChange | None:
    if before is after:
        return None
    effect = Effect.WIDER if after is Mode.MONITOR else Effect.NARROWER
    return BindingChange("mode", effect, before.value, after.value)
