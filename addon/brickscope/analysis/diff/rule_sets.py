"""Two rule sets compared: operation by operation, then path by path, each difference with a call that shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from functools import cached_property
from typing import Any, NamedTuple

from brickscope.analysis.abilities import Ability, abilities
from brickscope.analysis.algebra import RuleList, meets
from brickscope.analysis.call import Call, Home
from brickscope.analysis.way import Way
from brickscope.catalog.catalog import CLASSES, Operation, operation_table
from brickscope.core.decision import Decision
from brickscope.core.operation import OperationRule
from brickscope.core.policy import RuleSet
from brickscope.core.rule import Rule
from brickscope.policy.problem import Position
from brickscope.policy.written import Written, WrittenRule

from .candidates import operation_calls, path_calls


class Effect(StrEnum):
    """What became of an operation, a path or a binding."""

    ALLOWED = "allowed"
    """It was not possible at all, and is now."""
    DENIED = "denied"
    """It was possible, and is not any more."""
    WIDER = "wider"
    """More of it is possible than before."""
    NARROWER = "narrower"
    """Less of it is possible than before."""
    OTHER = "other"
    """Something is possible that was not, and something else no more."""
    UNCLEAR = "unclear"
    """It is written differently, and nobody can tell from the rules alone that it allows no more than before."""
    NOT_WIDER = "not_wider"
    """It is written differently and allows surely no more than before, perhaps less."""
    SAME = "same"
    """It is written differently, and means the same."""

    @property
    def opens(self) -> bool:
        """Whether something may be possible that was not. What is unclear counts: a gate must not guess."""
        return self in (Effect.ALLOWED, Effect.WIDER, Effect.OTHER, Effect.UNCLEAR)

    @property
    def closes(self) -> bool:
        """Whether something may not be possible any more."""
        return self in (Effect.DENIED, Effect.NARROWER, Effect.OTHER, Effect.NOT_WIDER)


class Side:
    """One of the two rule sets; None for nobody's. ``written``: its whole policy. ``decide``: the decision on a call under
    it, bindings apart."""

    def __init__(
        self,
        rule_set: RuleSet | None,
        written: Written,
        decide: Callable[[Call], Decision | None],
    ) -> None:
        self.rule_set, self.decide = rule_set, decide
        self.rules = () if rule_set is None else tuple(written.of(rule_set.name))

    @cached_property
    def allow(self) -> RuleList:
        """What it allows."""
        return RuleList(rule for rule in self.rules if rule.part == "allow")

    @cached_property
    def deny(self) -> RuleList:
        """What it denies."""
        return RuleList(rule for rule in self.rules if rule.part == "deny")


class OperationChange(NamedTuple):
    """One operation. ``before``, ``after``: the rules that allow it and under which conditions, in words.

    ``opened``, ``closed``: calls that are newly allowed and newly denied. ``places``: of the rules now, or of those before.
    """

    operation: Operation
    effect: Effect
    before: tuple[str, ...]
    after: tuple[str, ...]
    opened: Call | None
    closed: Call | None
    places: tuple[Position, ...]


class PathChange(NamedTuple):
    """One path rule, for calls that are no operation of the catalogue."""

    rule: str
    effect: Effect
    opened: Call | None
    closed: Call | None
    place: Position | None


class RuleSetChange(NamedTuple):
    """All differences of two rule sets, the most dangerous operations first."""

    operations: tuple[OperationChange, ...]
    paths: tuple[PathChange, ...]


def compare(old: Side, new: Side, at: Home) -> RuleSetChange:
    """Compare two rule sets. ``at``: where the calls go."""
    if _same(old.rule_set, new.rule_set):
        return RuleSetChange((), ())
    before, after = _abilities(old), _abilities(new)
    changes = []
    for name in sorted({*before, *after}):
        operation = (after.get(name) or before[name]).operation
        one = before.get(name, Ability(operation, (), ()))
        other = after.get(name, Ability(operation, (), ()))
        if (one.allowed or other.allowed) and _meaning(one) != _meaning(other):
            change = _operation(operation, one, other, old, new, at)
            if change is not None:
                changes.append(change)
    changes.sort(key=lambda change: (-CLASSES.index(change.operation.kind), change.operation.name))
    return RuleSetChange(tuple(changes), tuple(_paths(old, new, at)))


def _same(one: RuleSet | None, other: RuleSet | None) -> bool:
    """Whether two rule sets have the very same rules; most have, in most comparisons."""
    if one is None or other is None:
        return one is other
    return (one.allow.rules, one.deny.rules, one.operations, one.denied_operations) == (
        other.allow.rules,
        other.deny.rules,
        other.operations,
        other.denied_operations,
    )


def _abilities(side: Side) -> dict[str, Ability]:
    return {} if side.rule_set is None else abilities(side.rule_set, side.rules).operations


def _meaning(ability: Ability) -> Any:
    """What decides about an operation, whatever the rules are called."""
    return tuple(frozenset(map(_said, ways)) for ways in (ability.allowed, ability.denied))


def _said(way: Way) -> Any:
    if way.named is None:
        return way.path and (way.path.method, str(way.path.template))
    where = frozenset((constraint.place, constraint.keys, constraint.test) for constraint in way.named.where)
    return where, way.named.only


def _operation(
    operation: Operation, one: Ability, other: Ability, old: Side, new: Side, at: Home
) -> OperationChange | None:
    ways = (*one.allowed, *one.denied, *other.allowed, *other.denied)
    named = dict.fromkeys(way.named for way in ways if way.named is not None)
    by_path = {
        (way.path, way.reach.segments) for way in ways if way.path is not None and way.reach is not None
    }
    calls = operation_calls(operation, list(named), sorted(by_path), at)
    could, can, opened, closed = _try(calls, operation.name, old, new)
    effect = _effect(could, can, opened, closed, sure=_not_wider(one, other, old, new))
    if effect is Effect.SAME and not _not_wider(other, one, new, old):
        effect = Effect.NOT_WIDER
    if effect in (Effect.SAME, Effect.NOT_WIDER) and not (could or can):
        return None  # a rule that never allowed anything came or went
    places = tuple(dict.fromkeys(way.written.position for way in (other.allowed or one.allowed)))
    return OperationChange(operation, effect, _words(one), _words(other), opened, closed, places)


def _try(
    calls: Iterable[Call], operation: str | None, old: Side, new: Side
) -> tuple[bool, bool, Call | None, Call | None]:
    """Of the calls that are an operation, None for an unknown one: whether one was allowed, whether one is; the first that
    newly is, and the first that newly is not."""
    opened = closed = None
    could = can = False
    for call in calls:
        was, now = old.decide(call), new.decide(call)
        decision = was or now
        if (None if decision is None else decision.operation) == operation:
            did, does = _allows(was), _allows(now)
            could, can = could or did, can or does
            opened = call if opened is None and does and not did else opened
            closed = call if closed is None and did and not does else closed
    return could, can, opened, closed


def _allows(decision: Decision | None) -> bool:
    return decision is not None and decision.allow


def _effect(could: bool, can: bool, opened: Call | None, closed: Call | None, *, sure: bool) -> Effect:
    if opened is not None:
        return Effect.ALLOWED if not could else Effect.OTHER if closed is not None else Effect.WIDER
    if not sure:
        return Effect.UNCLEAR
    if closed is not None:
        return Effect.NARROWER if can else Effect.DENIED
    return Effect.SAME


def _words(ability: Ability) -> tuple[str, ...]:
    said = [_way(way) for way in ability.allowed] + [f"but not {_way(way)}" for way in ability.denied]
    return tuple(dict.fromkeys(said))


def _way(way: Way) -> str:
    if way.named is None or not way.named.is_bound:
        return way.text
    return f"{way.named.operation} {way.condition}"


def _not_wider(one: Ability, other: Ability, old: Side, new: Side) -> bool:
    """Whether the rules alone show that nothing is allowed now that was not before."""
    name = one.operation.name
    if not other.allowed:
        return True
    return all(_is_within(name, way, old.allow) for way in other.allowed) and all(
        _is_within(name, way, new.deny) or _is_apart(way, other.allowed) for way in one.denied
    )


def _is_apart(denied: Way, allowed: Iterable[Way]) -> bool:
    """Whether nothing that a deny is about is allowed by these, with or without it."""
    rule = denied.named
    return rule is not None and not any(way.named is None or meets(rule, way.named) for way in allowed)


def _is_within(name: str, way: Way, rules: RuleList) -> bool:
    """Whether all that a rule says of an operation is said by these rules as well."""
    if way.named is not None:
        return bool(rules.over(way.named))
    # Of a path rule only the calls of this operation matter here.
    assert way.path is not None
    return rules.paths.covers(way.path) is not None or bool(
        rules.over(OperationRule(name, name), within=way.path)
    )


# -- paths ---------------------------------------------------------------------------------------------------------


def _paths(old: Side, new: Side, at: Home) -> Iterable[PathChange]:
    """What changes for calls that the catalogue does not know, by the path rules that only one of the two has."""
    before, after = _path_rules(old), _path_rules(new)
    for key in sorted({*before, *after}):
        if key in before and key in after:
            continue
        written, rule = after.get(key) or before[key]
        _, _, opened, closed = _try(path_calls(rule, at), None, old, new)
        part = key[0]
        came = key in after
        known = operation_table().covers(rule) is not None
        sure = known or (part == "allow") is not came or old.allow.paths.covers(rule) is not None
        if opened is not None:
            effect = Effect.OTHER if closed is not None else Effect.ALLOWED
        elif closed is not None:
            effect = Effect.DENIED
        elif sure or _never_allows(rule, new, at):
            continue
        else:
            effect = Effect.UNCLEAR
        word = "" if part == "allow" else "deny "
        yield PathChange(f"{word}{rule.text}", effect, opened, closed, written.position)


def _never_allows(rule: Rule, side: Side, at: Home) -> bool:
    """Whether none of a rule's calls is allowed now, so that its coming or going opened nothing that was tried."""
    return not any(_allows(side.decide(call)) for call in path_calls(rule, at))


def _path_rules(side: Side) -> dict[tuple[str, str, str], tuple[WrittenRule, Rule]]:
    return {
        (written.part, rule.method, str(rule.template)): (written, rule)
        for written in side.rules
        for rule in written.paths
    }
