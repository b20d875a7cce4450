"""Escalation (BS2xx, BS3xx): what a rule set lets its holder become, by one power or by several together.

A power counts only where a request that uses it was allowed by the decision function. What limits it counts only as far
as ``powers.yaml`` says, with the reason, and not while another power of the same rule set undoes it.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import NamedTuple

from brickscope.core.constraint import Test
from brickscope.core.kind import Canonical
from brickscope.core.operation import OperationRule
from brickscope.policy.problem import Position

from ..algebra import names
from ..judge import Witness
from ..shown import listed
from ..way import Way, ways
from .code import Code, codes
from .finding import Found, Severity
from .power import Grounds, grounds
from .survey import RuleSetView

SHOWN = 4
"""How many operations a message names before it counts the rest."""


class Held(NamedTuple):
    """An operation by which a rule set has a power. ``limited``: what is left of it, empty for all of it. ``undone``: the
    operation that undoes the limit which its rule has, empty for none."""

    way: Way
    grounds: Grounds
    proof: Witness
    limited: str = ""
    undone: str = ""

    @property
    def order(self) -> tuple[bool, Position, bool, int]:
        """What is not limited comes first: severity, place and proof are about it. Then as the rules and powers stand,
        what a path rule says before what it takes in."""
        hidden = self.way.reach is not None and bool(self.way.reach.hidden)
        return bool(self.limited), self.way.written.position, hidden, _order()[self.way.operation.name]


Holdings = Mapping[str, Sequence[Held]]
"""What a rule set is able to do, by power."""


def escalations(view: RuleSetView) -> Iterator[tuple[Code, Found]]:
    """What is found about one rule set, each with its code."""
    holdings = find_holdings(view)
    for code in codes().values():
        found = None
        if len(code.needs) == 1:
            found = _alone(code, holdings)
        elif code.needs:
            found = _together(code, holdings)
        if found is not None:
            yield code, found


def find_holdings(view: RuleSetView) -> Holdings:
    """The powers that a rule set really gives: each with the operations, proved."""
    found: dict[str, list[Held]] = {}
    for way in ways(view.allow):
        for each in grounds().get(way.operation.name, ()):
            if _carries(way.named, each.carried) and not _is_enough(way.named, each):
                proof = view.prover.proof(way)
                if proof is not None:
                    found.setdefault(each.power, []).append(Held(way, each, proof))
    return {power: [_limited(held, found) for held in each] for power, each in found.items()}


def _carries(rule: OperationRule | None, parameter: str | None) -> bool:
    """Whether a call that a rule allows may carry a parameter."""
    if rule is None or parameter is None:
        return True
    for constraint in rule.where:
        if constraint.keys == (parameter,):
            return not constraint.test.absent
    return rule.only is None or parameter in names(rule)


def _is_enough(rule: OperationRule | None, grounds: Grounds) -> bool:
    """Whether a rule limits an operation to objects on which it gives nothing."""
    tests = {each.keys: each.test for each in (() if rule is None else rule.where)}
    return bool(grounds.enough) and all(
        (name,) in tests and _begins(tests[(name,)], values) for name, values in grounds.enough.items()
    )


def _begins(test: Test, beginnings: tuple[str, ...]) -> bool:
    """Whether all values that meet a test begin in one of these ways."""
    named = test.prefix if test.one_of is None else [*map(str, test.one_of)]
    texts = [each.removeprefix("/") for each in named or ()]
    return bool(texts) and not test.optional and all(each.startswith(beginnings) for each in texts)


def _limited(held: Held, holdings: Holdings) -> Held:
    limit = held.grounds.limit
    if not limit or not set(limit) <= held.way.fixed:
        return held
    for power in held.grounds.unless:
        if power in holdings:
            return held._replace(undone=holdings[power][0].way.operation.name)
    return held._replace(limited=held.grounds.limited)


@cache
def _order() -> dict[str, int]:
    return {name: index for index, name in enumerate(grounds())}


def _alone(code: Code, holdings: Holdings) -> Found | None:
    found = [held for power in code.needs[0] for held in holdings.get(power, ())]
    limited = all(held.limited for held in found)
    if not found or (limited and code.severity is Severity.NOTE):  # milder than a note is nothing
        return None
    return _found(code, code.severity.milder if limited else code.severity, [found])


def _together(code: Code, holdings: Holdings) -> Found | None:
    parts = [[held for power in part for held in holdings.get(power, ())] for part in code.needs]
    if not all(parts):
        return None
    parts = _meeting(parts, code.same)
    if code.opened:
        parts = _opened(*parts)
    # One operation alone is no combination.
    if not all(parts) or len({held.way.operation.name for part in parts for held in part}) < len(parts):
        return None
    limited = any(all(held.limited and held.grounds.power in code.limits for held in part) for part in parts)
    return _found(code, code.severity.milder if limited else code.severity, parts)


def _meeting(parts: list[list[Held]], same: Sequence[str]) -> list[list[Held]]:
    """The parts without what acts on other objects than all of the other part."""
    for parameter in same:
        for here, there in ((0, 1), (1, 0)):
            others = [_values(held, parameter) for held in parts[there]]
            parts[here] = [
                held
                for held in parts[here]
                if any(_share(_values(held, parameter), other) for other in others)
            ]
    return parts


def _opened(rights: list[Held], others: list[Held]) -> list[list[Held]]:
    """Both parts without rights that are worth nothing to the other (those on a dashboard run no job), and without what
    none of the rights is worth anything for."""
    has = {held.grounds.power for held in others}
    worth = [(held, _worth(held)) for held in rights]
    kept = [(held, opened) for held, opened in worth if opened is None or opened & has]
    if any(opened is None for _, opened in kept):
        return [[held for held, _ in kept], others]
    named = frozenset().union(*(opened or () for _, opened in kept))
    return [[held for held, _ in kept], [held for held in others if held.grounds.power in named]]


def _worth(held: Held) -> frozenset[str] | None:
    """The powers that rights on the objects of a rule are worth, None for any."""
    opens = held.grounds.opens
    if not isinstance(opens, dict):
        return opens
    ((parameter, by_value),) = opens.items()
    values = _values(held, parameter)
    if values is None:
        return None
    return frozenset().union(*(by_value.get(str(value), ()) for value in values))


def _values(held: Held, parameter: str) -> frozenset[Canonical] | None:
    """The values that a parameter may have, None for any."""
    way = held.way
    if way.reach is not None:
        return frozenset({way.reach.values[parameter]}) if parameter in way.reach.fixed else None
    for constraint in () if way.named is None else way.named.where:
        if constraint.keys == (parameter,) and not constraint.test.optional:
            return constraint.test.one_of
    return None


def _share(one: frozenset[Canonical] | None, other: frozenset[Canonical] | None) -> bool:
    return one is None or other is None or bool(one & other)


def _found(code: Code, severity: Severity, parts: Sequence[Sequence[Held]]) -> Found:
    ordered = [sorted(part, key=lambda held: held.order) for part in parts]
    first = ordered[0][0].way.written
    words = " with ".join(_names(part, alone=len(parts) == 1) for part in ordered)
    every = [held for part in ordered for held in part]
    return Found.of(
        first,
        f"{code.title}: {words}",
        severity=severity,
        operations={held.way.operation.name for held in every},
        proofs=dict.fromkeys(part[0].proof for part in ordered),
        related=[held.way.written for held in every if held.way.written.position != first.position],
    )


def _names(part: Sequence[Held], *, alone: bool) -> str:
    """The operations of one part in words, each with what limits it (once for several that follow each other)."""
    remarks: dict[str, str] = {}
    for held in part:
        undone = f"limited, but {held.undone} undoes that" if held.undone and alone else ""
        remarks.setdefault(held.way.operation.name, held.limited or undone)
    shown = list(remarks.items())[:SHOWN]
    texts: list[str] = []
    for index, (name, remark) in enumerate(shown):
        last = index + 1 == len(shown) or shown[index + 1][1] != remark
        texts.append(f"{name} ({remark})" if remark and last else name)
    return listed(texts + [*remarks][SHOWN:], SHOWN)
