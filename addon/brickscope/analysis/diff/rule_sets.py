"""Two rule sets compared: operation by operation, then path by path, each difference with a call that shows it."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from enum import StrEnum
from functools import cached_property
from typing import Any, NamedTuple

from brickscope.analysis.algebra import RuleList, meets
from brickscope.analysis.call import Call, Home
from brickscope.analysis.judge import Known, Witness, judge
from brickscope.analysis.sent import CallError
from brickscope.analysis.way import Ability, Way, abilities
from brickscope.catalog.catalog import CLASSES, Operation, operation_table
from brickscope.core.decision import Decision
from brickscope.core.operation import OperationRule
from brickscope.core.policy import RuleSet, Subject
from brickscope.core.rule import Rule
from brickscope.policy.problem import Position
from brickscope.policy.written import WrittenRule

from .candidates import operation_calls, path_calls
from .origin import Version


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
    """Somebody's rules in one version; nobody's (``who``: None) allow nothing."""

    def __init__(self, version: Version, who: Known | None, at: float) -> None:
        self._version, self._who, self._at = version, who, at
        subject = None if who is None else who.subject
        self.rule_set = subject.rule_set if isinstance(subject, Subject) else None

    @cached_property
    def allow(self) -> RuleList:
        """What it allows."""
        return RuleList(self._list("allow"))

    @cached_property
    def deny(self) -> RuleList:
        """What it denies."""
        return RuleList(self._list("deny"))

    @property
    def rules(self) -> tuple[WrittenRule, ...]:
        """All of them as written."""
        return (*self.allow.written, *self.deny.written)

    def _list(self, part: str) -> list[WrittenRule]:
        return [] if self.rule_set is None else self._version.written.of(self.rule_set.name, part)

    def decide(self, call: Call) -> Decision | None:
        """The decision by rules alone, bindings apart; None for nobody."""
        if self._who is None or self.rule_set is None:
            return None
        unbound = self._who.subject._replace(workspaces=None, clients=None, expires=None)
        with suppress(CallError):
            return judge(self._version.policy, self._who._replace(subject=unbound), call, self._at)
        return None

    def allows(self, call: Call) -> bool:
        """Whether the rules alone allow a call."""
        decision = self.decide(call)
        return decision is not None and decision.allow


class Change(NamedTuple):
    """What became of an operation, or (without ``operation``) of a path rule for calls that are none.

    ``opened``, ``closed``: calls that are newly allowed and newly denied. ``places``: of the rules now, or of those before.
    ``before``, ``after``: the rules that allow it and under which conditions, in words. ``proof``: of what is newly
    allowed, within somebody's bindings.
    """

    name: str
    effect: Effect
    opened: Call | None
    closed: Call | None
    places: tuple[Position, ...]
    operation: Operation | None = None
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    proof: Witness | None = None


def compare(old: Side, new: Side, at: Home) -> list[Change]:
    """The differences of two rule sets, the most dangerous operations first. ``at``: where the calls go."""
    if _said_by(old.rule_set) == _said_by(new.rule_set):
        return []
    before, after = (abilities(side.rules).operations for side in (old, new))
    changes: list[Change] = []
    for name in sorted({*before, *after}):
        operation = (after.get(name) or before[name]).operation
        one = before.get(name, Ability(operation, (), ()))
        other = after.get(name, Ability(operation, (), ()))
        if (one.allowed or other.allowed) and _meaning(one) != _meaning(other):
            changes += _operation(operation, one, other, old, new, at)
    changes.sort(key=lambda each: (-CLASSES.index(each.operation.kind) if each.operation else 0, each.name))
    return [*changes, *_paths(old, new, at)]


def _said_by(rule_set: RuleSet | None) -> Any:
    """The very rules of a rule set; most are the same, in most comparisons."""
    return rule_set and (
        rule_set.allow.rules,
        rule_set.deny.rules,
        rule_set.operations,
        rule_set.denied_operations,
    )


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
) -> Iterator[Change]:
    ways = (*one.allowed, *one.denied, *other.allowed, *other.denied)
    named = dict.fromkeys(way.named for way in ways if way.named is not None)
    by_path = {
        (way.path, way.reach.segments) for way in ways if way.path is not None and way.reach is not None
    }
    calls = operation_calls(operation, list(named), sorted(by_path), at)
    could, can, opened, closed = _try(calls, operation.name, old, new)
    if opened is not None:
        effect = Effect.ALLOWED if not could else Effect.OTHER if closed is not None else Effect.WIDER
    elif not _not_wider(one, other, old, new):
        effect = Effect.UNCLEAR
    elif closed is not None:
        effect = Effect.NARROWER if can else Effect.DENIED
    else:
        effect = Effect.SAME if _not_wider(other, one, new, old) else Effect.NOT_WIDER
    places = tuple(dict.fromkeys(way.written.position for way in (other.allowed or one.allowed)))
    yield Change(operation.name, effect, opened, closed, places, operation, _words(one), _words(other))


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
            did, does = was is not None and was.allow, now is not None and now.allow
            could, can = could or did, can or does
            opened = call if opened is None and does and not did else opened
            closed = call if closed is None and did and not does else closed
    return could, can, opened, closed


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


def _paths(old: Side, new: Side, at: Home) -> Iterator[Change]:
    """What changes for calls that the catalogue does not know, by the path rules that only one of the two has."""
    before, after = _path_rules(old), _path_rules(new)
    for key in sorted(before.keys() ^ after.keys()):
        written, rule = after.get(key) or before[key]
        _, _, opened, closed = _try(path_calls(rule, at), None, old, new)
        came, allows = key in after, written.part == "allow"
        if opened is not None:
            effect = Effect.OTHER if closed is not None else Effect.ALLOWED
        elif closed is not None:
            effect = Effect.DENIED
        elif (
            allows is not came
            or operation_table().covers(rule) is not None
            or old.allow.paths.covers(rule) is not None
            or not any(map(new.allows, path_calls(rule, at)))
        ):
            continue  # it opens nothing, for sure or as far as anything was tried
        else:
            effect = Effect.UNCLEAR
        yield Change(f"{'' if allows else 'deny '}{rule.text}", effect, opened, closed, (written.position,))


def _path_rules(side: Side) -> dict[tuple[str, str, str], tuple[WrittenRule, Rule]]:
    return {
        (written.part, rule.method, str(rule.template)): (written, rule)
        for written in side.rules
        for rule in written.paths
    }
