"""Escalation (BS2xx, BS3xx): what a rule set lets its holder become, by one ability or by several together.

An ability counts only where a request that uses it was allowed by the decision function. What limits it counts only as far
as ``abilities.yaml`` says, with the reason, and not while another ability of the same rule set undoes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from brickscope.catalog.catalog import load_catalog
from brickscope.core.operation import OperationRule
from brickscope.policy.problem import Position

from .ability import Grounds, grounds
from .alignment import reach
from .code import Code, codes
from .finding import Finding, Proof, Severity
from .proof import Prover, Way
from .survey import RuleSetView

SHOWN = 4
"""How many operations a message names before it counts the rest."""


class Power(NamedTuple):
    """An operation by which a rule set has an ability. ``limited``: what is left of it, empty for all of it."""

    way: Way
    grounds: Grounds
    proof: Proof
    limited: str = ""


Powers = Mapping[str, Sequence[Power]]
"""What a rule set is able to do, by ability."""


def escalations(view: RuleSetView, prover: Prover) -> Iterator[Finding]:
    """The findings about one rule set."""
    powers = find_powers(view, prover)
    for code in codes().values():
        if len(code.needs) == 1:
            yield from _alone(code, powers, view)
        elif code.needs:
            yield from _together(code, powers, view)


def find_powers(view: RuleSetView, prover: Prover) -> Powers:
    """The abilities that a rule set really gives: each with the operations, proved."""
    found: dict[str, list[Power]] = {}
    for way in ways(view):
        for each in grounds()[way.operation.name]:
            if _carries(way.rule, each.carried):
                proof = prover.proof(way)
                if proof is not None:
                    found.setdefault(each.ability, []).append(Power(way, each, proof))
    return {ability: [_limited(power, found) for power in each] for ability, each in found.items()}


def ways(view: RuleSetView) -> Iterator[Way]:
    """The ways by which a rule set seems to allow operations that give an ability."""
    operations = load_catalog().operations
    for written in view.allow:
        for rule in written.operations:
            if rule.operation in grounds():
                yield Way(written, operations[rule.operation], rule)
        for path in written.paths:
            for each in reach(path):
                if each.operation.name in grounds():
                    yield Way(written, each.operation, None, each)


def _carries(rule: OperationRule | None, parameter: str | None) -> bool:
    """Whether a call that a rule allows may carry a parameter."""
    if rule is None or parameter is None:
        return True
    for constraint in rule.where:
        if constraint.keys == (parameter,):
            return not constraint.test.absent
    named = {constraint.keys[0] for constraint in rule.where}
    return rule.only is None or parameter in rule.only or parameter in named


def _limited(power: Power, held: Mapping[str, object]) -> Power:
    limit = power.grounds.limit
    if not limit or not set(limit) <= power.way.fixed or any(each in held for each in power.grounds.unless):
        return power
    return power._replace(limited=power.grounds.limited)


def _alone(code: Code, powers: Powers, view: RuleSetView) -> Iterator[Finding]:
    found = [power for ability in code.needs[0] for power in powers.get(ability, ())]
    if found:
        severity = code.severity.milder if all(power.limited for power in found) else code.severity
        yield _finding(code, severity, [found], view)


def _together(code: Code, powers: Powers, view: RuleSetView) -> Iterator[Finding]:
    parts = [[power for ability in part for power in powers.get(ability, ())] for part in code.needs]
    if not all(parts):
        return
    parts = _meeting(parts, code.same)
    # One operation alone is no combination.
    if not all(parts) or len({power.way.operation.name for part in parts for power in part}) < len(parts):
        return
    limited = any(
        all(power.limited and power.grounds.ability in code.limits for power in part) for part in parts
    )
    yield _finding(code, code.severity.milder if limited else code.severity, parts, view)


def _meeting(parts: list[list[Power]], same: Sequence[str]) -> list[list[Power]]:
    """The parts without what acts on other objects than every power of the other part."""
    for parameter in same:
        for here, there in ((0, 1), (1, 0)):
            others = [_values(power, parameter) for power in parts[there]]
            parts[here] = [
                power
                for power in parts[here]
                if any(_share(_values(power, parameter), other) for other in others)
            ]
    return parts


def _values(power: Power, parameter: str) -> frozenset[str | bool] | None:
    """The values that a parameter may have, None for any."""
    way = power.way
    if way.reach is not None:
        return frozenset({way.reach.values[parameter]}) if parameter in way.reach.fixed else None
    for constraint in () if way.rule is None else way.rule.where:
        if constraint.keys == (parameter,) and not constraint.test.optional:
            return constraint.test.one_of
    return None


def _share(one: frozenset[str | bool] | None, other: frozenset[str | bool] | None) -> bool:
    return one is None or other is None or bool(one & other)


def _finding(code: Code, severity: Severity, parts: Sequence[Sequence[Power]], view: RuleSetView) -> Finding:
    # What is not limited comes first: it is what the severity, the place and the proof are about.
    ordered = [
        sorted(part, key=lambda power: (bool(power.limited), power.way.written.position)) for part in parts
    ]
    first = ordered[0][0].way.written.position
    words = " with ".join(_names(part) for part in ordered)
    related: dict[Position, str] = {}
    for part in ordered:
        for power in part:
            position = power.way.written.position
            if position != first:
                related.setdefault(position, f"{power.way.written.text} allows {power.way.operation.name}")
    return Finding(
        code.code,
        severity,
        f"{code.title}: {words}",
        first,
        rule_set=view.name,
        subjects=view.subjects,
        operations=tuple(sorted({power.way.operation.name for part in parts for power in part})),
        proofs=tuple(_distinct(part[0].proof for part in ordered)),
        related=tuple(related.items()),
    )


def _distinct(proofs: Iterator[Proof]) -> list[Proof]:
    return list(dict.fromkeys(proofs))


def _names(part: Sequence[Power]) -> str:
    """The operations of one part in words, each kind of limit once."""
    names: dict[str, str] = {}
    for power in part:
        names.setdefault(power.way.operation.name, power.limited)
    shown = list(names.items())[:SHOWN]
    texts: list[str] = []
    for index, (name, limited) in enumerate(shown):
        last = index + 1 == len(shown) or shown[index + 1][1] != limited
        texts.append(f"{name} ({limited})" if limited and last else name)
    more = len(names) - len(shown)
    return ", ".join(texts) + (f" and {more} more" if more else "")
