"""What a subject is bound to, compared: marks, workspaces, clients, expiry, grants and mode, and whether it got wider."""

from collections.abc import Callable, Collection
from ipaddress import IPv4Network, IPv6Network
from typing import Any, NamedTuple

from brickscope.analysis.judge import GROUPS, Known, Witness
from brickscope.analysis.shown import moment
from brickscope.core.policy import Login, Mode, Policy, Subject

from .rule_sets import Effect


class BindingChange(NamedTuple):
    """One binding. ``before``, ``after``: in words. ``proof``: of what it opens, where one was found."""

    key: str
    effect: Effect
    before: str
    after: str
    proof: Witness | None = None


def compare_bindings(old: Known, new: Known, was: Policy, now: Policy) -> list[BindingChange]:
    """The bindings of one subject that changed. ``was``, ``now``: the policies, whose modes are behind all others."""
    one, other = old.subject, new.subject
    found = [
        _values(GROUPS[new.kind][1], old.marks, new.marks),
        _values("workspaces", _sorted(one.workspaces), _sorted(other.workspaces)),
        _values("clients", _sorted(one.clients), _sorted(other.clients), within),
        _expires(one.expires, other.expires),
        _values("grants", _sorted(one.grants), _sorted(other.grants)),
        _values("token_fields", _pairs(one), _pairs(other)),
        *(_values(key, _single(one, key), _single(other, key)) for key in ("azure_resource", "credential")),
        compare_modes(was.mode_of(one), now.mode_of(other)),
    ]
    if old.kind != new.kind:
        found.append(BindingChange("kind", Effect.OTHER, old.kind, new.kind))
    return [change for change in found if change is not None]


def _sorted(values: Collection[Any] | None) -> list[Any] | None:
    return None if values is None else sorted(values, key=str)


def _pairs(subject: Subject | Login) -> list[str]:
    return sorted(f"{name}={value}" for name, values in subject.token_fields.items() for value in values)


def _single(subject: Subject | Login, key: str) -> list[str]:
    return list(filter(None, [getattr(subject, key, None)]))


def _values(
    key: str,
    before: Collection[Any] | None,
    after: Collection[Any] | None,
    is_in: Callable[[Any, Collection[Any]], bool] = lambda one, others: one in others,
) -> BindingChange | None:
    """Values of which some came or went; None means everything. ``is_in``: whether others hold all of one value."""
    came, gone = (
        mine is not None and (theirs is None or not all(is_in(each, mine) for each in theirs))
        for mine, theirs in ((before, after), (after, before))
    )
    if not came and not gone:
        return None
    effect = Effect.OTHER if came and gone else Effect.WIDER if came else Effect.NARROWER
    return BindingChange(key, effect, _words(before), _words(after))


def _words(values: Collection[Any] | None) -> str:
    return "any" if values is None else ", ".join(map(str, values)) or "none"


def within(network: IPv4Network | IPv6Network, others: Collection[IPv4Network | IPv6Network]) -> bool:
    """Whether one of these networks holds all of another one."""
    alike = (other for other in others if other.version == network.version)
    return any(network.subnet_of(other) for other in alike)  # type: ignore[arg-type]


def _expires(before: float | None, after: float | None) -> BindingChange | None:
    if before == after:
        return None
    later = after is None or (before is not None and after > before)
    one, other = ("never" if each is None else moment(each) for each in (before, after))
    return BindingChange("expires", Effect.WIDER if later else Effect.NARROWER, one, other)


def compare_modes(before: Mode, after: Mode) -> BindingChange | None:
    """The change of a mode."""
    if before is after:
        return None
    effect = Effect.WIDER if after is Mode.MONITOR else Effect.NARROWER
    return BindingChange("mode", effect, before.value, after.value)
