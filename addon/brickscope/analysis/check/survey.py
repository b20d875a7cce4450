"""A loaded policy as the lints look at it: its rule sets with what several lints ask of them, worked out once."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, NamedTuple

from brickscope.catalog.catalog import load_catalog
from brickscope.core.operation import OperationRule
from brickscope.core.policy import Policy, RuleSet, Subject
from brickscope.core.template import Rest
from brickscope.policy.problem import Position
from brickscope.policy.written import Written, WrittenRule

from ..algebra import RuleList, names
from ..example import UNNAMED, made_up
from ..judge import Known, Witness
from ..reach import reach
from ..way import Way, ways
from .condition import never
from .finding import Found
from .prover import Prover

Broken = Mapping[str, tuple[Witness, WrittenRule]]
"""By operation the call that breaks the limits of a rule, and the rule that allows it."""


class Survey(NamedTuple):
    """What is looked at. ``now``: seconds since the epoch, UTC. ``soon``: the moment before which things run out soon."""

    policy: Policy
    written: Written
    people: Mapping[str, Known]
    now: float
    soon: float

    def place(self, name: str, *keys: str) -> Position:
        """Where the name of a subject, or a value of its entry, is written."""
        for group in self.written.entries.values():
            if name in group:
                return group[name].position(*keys) if keys else group[name].key_position()
        return Position("policy")

    def about(self, name: str, message: str, *keys: str) -> Found:
        """What is said of a subject, at its name or a value of its entry."""
        return Found(self.place(name, *keys), message, subject=name, subjects=(name,))


class Span(NamedTuple):
    """A path rule with the ways to operations that it opens and no deny takes away. ``ends_open``: whether it takes all that
    lies below."""

    written: WrittenRule
    ways: tuple[Way, ...]
    ends_open: bool

    @property
    def names(self) -> set[str]:
        """The operations."""
        return {way.operation.name for way in self.ways}

    @property
    def services(self) -> list[str]:
        """Their services."""
        return sorted({way.operation.service for way in self.ways})

    @property
    def is_wide(self) -> bool:
        """Whether it goes over several services."""
        return self.ends_open and len(self.services) > 1


class RuleSetView:
    """A rule set with its rules as written (``allow``, ``deny``) and those who have it (``subjects``: their names)."""

    def __init__(self, survey: Survey, rule_set: RuleSet) -> None:
        self.survey, self.rule_set, self.name = survey, rule_set, rule_set.name
        self.position = survey.written.rule_sets[self.name]
        self.allowed = RuleList(survey.written.of(self.name, "allow"))
        self.denied = RuleList(survey.written.of(self.name, "deny"))
        self.allow, self.deny = self.allowed.written, self.denied.written
        everybody = sorted(survey.people.items())
        self.holders = [each for _, each in everybody if each.rule_set == self.name]
        self.subjects = tuple(holder.name for holder in self.holders)
        self._never: dict[Position, list[str]] = {}

    @cached_property
    def prover(self) -> Prover:
        """Asks the decision function for somebody who has it."""
        survey = self.survey
        for holder in self.holders:
            expires = holder.subject.expires
            if expires is None or expires > survey.now:
                return Prover(survey.policy, holder, self.rule_set, survey.now)
        nobody = Known("nobody", "user", Subject("nobody", self.rule_set))
        return Prover(survey.policy, nobody, self.rule_set, survey.now, is_made_up=True)

    def never(self, written: WrittenRule) -> list[str]:
        """Why no call can meet a rule; empty if some call can."""
        if written.position not in self._never:
            self._never[written.position] = never(written)
        return self._never[written.position]

    def is_idle(self, written: WrittenRule) -> bool:
        """Whether a rule under ``allow`` allows nothing: it is empty, can't be met, or is denied."""
        return written.is_empty or bool(self.never(written)) or self.denied.covers_rule(written)

    @cached_property
    def undone_limits(self) -> dict[WrittenRule, Broken]:
        """The rules whose limits another rule takes away."""
        return dict(_undone_limits(self.allowed, self.prover))

    @cached_property
    def spans(self) -> list[Span]:
        """The path rules under ``allow`` with all that they reach; presets are ours, and looked at when they are made."""
        paths = [(each, path) for each in self.allow if not each.is_preset for path in each.paths]
        return [
            Span(
                written,
                tuple(
                    way
                    for way in ways([written._replace(paths=(path,), operations=())])
                    if not self.denied.covers(way.operation.name)
                ),
                isinstance(path.template.segments[-1], Rest),
            )
            for written, path in paths
        ]


# -- limits that another rule of the list takes away: each proved by a call that breaks it and is allowed all the same --


def _undone_limits(allowed: RuleList, prover: Prover) -> Iterator[tuple[WrittenRule, Broken]]:
    """The rules of a list whose limits hold nothing back."""
    for written in allowed.written:
        found = {}
        for rule in written.operations:
            named = allowed.by_operation[rule.operation]
            is_free = any(not other.is_bound for other, _ in named) or rule.operation in allowed.by_path
            broken = _broken(rule, allowed, prover) if rule.is_bound and is_free else None
            if broken is not None:
                found[rule.operation] = broken
        if found:
            yield written, found


def _broken(rule: OperationRule, allowed: RuleList, prover: Prover) -> tuple[Witness, WrittenRule] | None:
    operation = load_catalog().operations[rule.operation]
    changes: list[dict[str, Any]] = [
        {constraint.name: value}
        for constraint in rule.where
        for value in UNNAMED
        if not constraint.test.takes(value)
    ]
    if rule.only is not None:
        more = [name for name in (*operation.query, *operation.body) if name not in names(rule)]
        changes += [{name: made_up(name)} for name in more[:1]]
    for change in changes:
        for proof in prover.allowed(prover.variations(operation, rule, change), operation.name):
            other = allowed.written[proof.entry]
            if _is_free(other, operation.name):
                return proof, other
    return None


def _is_free(written: WrittenRule, operation: str) -> bool:
    """Whether a rule says something of an operation without a limit."""
    return any(not rule.is_bound for rule in written.operations if rule.operation == operation) or any(
        not each.fixed for path in written.paths for each in reach(path) if each.operation.name == operation
    )
