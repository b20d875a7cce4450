"""The algebra of rules: whether one says all that others say, and whether two have something in common.

A "yes" to ``implies`` and ``covers`` is certain; "no" may only mean that nobody can tell from the rules alone. A "no" to
``meets`` is certain in the same way. Whether a call is allowed, only ``judge`` says.
"""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from brickscope.catalog.catalog import operation_table
from brickscope.core.constraint import Constraint, Test
from brickscope.core.operation import OperationRule
from brickscope.core.rule import Rule, RuleTable
from brickscope.policy.problem import Position
from brickscope.policy.written import WrittenRule

from .reach import calls, common, reach, spellings

MAX_PIECES = 256


def implies(narrow: Test, wide: Test) -> bool:
    """Whether every value that meets ``narrow`` meets ``wide``."""
    if narrow == wide:
        return True
    may_be_absent = narrow.absent or narrow.optional
    if may_be_absent and not (wide.absent or wide.optional):
        return False
    if narrow.absent:
        return True
    if wide.absent or narrow.kind is not wide.kind:
        return False
    if narrow.one_of is not None:
        return all(map(wide.holds, narrow.one_of))
    if narrow.prefix is not None and wide.prefix is not None:
        # Each form is for a reading of its own, and a value has to begin with all of them.
        return len(wide.prefix) == 1 and all(each.startswith(wide.prefix[0]) for each in narrow.prefix)
    if narrow.low is not None or narrow.high is not None:
        low = wide.low is None or (narrow.low is not None and narrow.low >= wide.low)
        high = wide.high is None or (narrow.high is not None and narrow.high <= wide.high)
        return low and high and not (wide.low is None and wide.high is None)
    if narrow.only is not None and wide.only is not None:
        return narrow.only <= wide.only
    return narrow._replace(optional=False) == wide._replace(optional=False)


def covers(wide: OperationRule, narrow: OperationRule) -> bool:
    """Whether every call that meets ``narrow`` meets ``wide``, a rule for the same operation."""
    if not wide.is_bound:
        return True
    where = {constraint.keys: constraint for constraint in narrow.where}
    if not all(_within(where.get(constraint.keys), constraint) for constraint in wide.where):
        return False
    if wide.only is None:
        return True
    return narrow.only is not None and names(narrow) <= names(wide)


def names(rule: OperationRule) -> set[str]:
    """The parameters that a rule names, in ``where`` or ``only``."""
    return set(rule.only or ()) | {constraint.keys[0] for constraint in rule.where}


def _within(narrow: Constraint | None, wide: Constraint) -> bool:
    return narrow is not None and narrow.place == wide.place and implies(narrow.test, wide.test)


def meets(one: OperationRule, other: OperationRule) -> bool:
    """Whether some call may meet both of two rules for an operation, as far as lists of values tell."""
    values = {each.keys: each.test for each in one.where}
    for constraint in other.where:
        test = values.get(constraint.keys)
        if test is None or test.optional or constraint.test.optional:
            continue
        mine, theirs = test.one_of, constraint.test.one_of
        if mine is not None and theirs is not None and not (mine & theirs or test.kind.covers):
            return False
    return True


def pieces(rule: OperationRule) -> list[OperationRule]:
    """Rules that together say what one says: one for each value of its lists. Not for parameters of the body, where a call
    may give a list itself, which meets the whole list and none of its values."""
    choices = [
        [
            constraint._replace(test=constraint.test._replace(one_of=frozenset({value})))
            for value in sorted_values
        ]
        if constraint.place != "body" and (sorted_values := sorted(constraint.test.one_of or (), key=str))
        else [constraint]
        for constraint in rule.where
    ]
    count = 1
    for choice in choices:
        count *= len(choice)
    if count > MAX_PIECES:
        return [rule]
    return [rule._replace(where=where) for where in itertools.product(*choices)]


class RuleList:
    """One list of a rule set, ``allow`` or ``deny``: what its rules say together."""

    def __init__(self, written: Iterable[WrittenRule]) -> None:
        self.written = tuple(written)
        self.by_operation: dict[str, list[tuple[OperationRule, WrittenRule]]] = {}
        self._owners = {path.entry: each for each in self.written for path in each.paths}
        for each in self.written:
            for rule in each.operations:
                self.by_operation.setdefault(rule.operation, []).append((rule, each))
        self.paths = RuleTable([path for each in self.written for path in each.paths])
        self._covered: dict[str, bool] = {}

    @cached_property
    def by_path(self) -> frozenset[str]:
        """The operations that its path rules reach."""
        return frozenset(each.operation.name for rule in self.paths.rules for each in reach(rule))

    def mentions(self, operation: str) -> bool:
        """Whether some rule is about an operation."""
        return operation in self.by_operation or operation in self.by_path

    def covers(self, operation: str) -> bool:
        """Whether it says all of an operation, without a condition."""
        if operation not in self._covered:
            self._covered[operation] = bool(self.over(OperationRule(operation, operation)))
        return self._covered[operation]

    def covers_rule(self, written: WrittenRule) -> bool:
        """Whether it says, without a condition, all that a rule of another list is about."""
        named = all(self.covers(rule.operation) for rule in written.operations)
        return named and all(self.over_path(path) for path in written.paths)

    def meets(self, written: WrittenRule) -> bool:
        """Whether a rule of another list and one of this are about the same call."""
        return any(
            self.paths.meeting(path) or any(each.operation.name in self.by_operation for each in reach(path))
            for path in written.paths
        ) or any(
            rule.operation in self.by_path
            or any(meets(rule, other) for other, _ in self.by_operation.get(rule.operation, ()))
            for rule in written.operations
        )

    # -- what covers what ------------------------------------------------------------------------------------------

    def over(
        self,
        rule: OperationRule,
        counts: Callable[[WrittenRule], bool] = lambda _: True,
        *,
        within: Rule | None = None,
        mirrored: bool = True,
    ) -> list[WrittenRule]:
        """The rules that together say all that a rule by name says; empty if they may not.

        ``counts``: which rules are asked. ``within``: only the calls that this path rule matches are meant.
        ``mirrored``: whether the mirror of the API has to be covered too.
        """
        owner = self._named(rule, counts)
        if owner is not None:
            return [owner]
        split = pieces(rule) if rule.operation in self.by_operation else []
        owners = [self._named(piece, counts) for piece in split]
        if owners and None not in owners:
            return [each for each in owners if each is not None]
        if not self.paths.rules:
            return []
        spelt = [
            call
            for call in (spellings if mirrored else calls)(rule.operation)
            if within is None
            or (call.method == within.method and common(within.template.segments, call.template.segments))
        ]
        found = [self._path(call, counts) for call in spelt]
        return [] if None in found else [each for each in found if each is not None]

    def over_path(
        self, path: Rule, counts: Callable[[WrittenRule], bool] = lambda _: True
    ) -> list[WrittenRule]:
        """The rules that together say all that a path rule says; empty if they may not."""
        owner = self._path(path, counts, besides=path)
        if owner is not None:
            return [owner]
        if operation_table().covers(path) is None:
            return []  # it also matches calls of no known operation, which no name covers
        found: list[WrittenRule] = []
        for each in reach(path):
            owners = self.over(OperationRule(each.operation.name, ""), counts)
            if not owners:
                return []
            found.append(owners[0])
        return found

    def _named(self, rule: OperationRule, counts: Callable[[WrittenRule], bool]) -> WrittenRule | None:
        found = (
            owner
            for other, owner in self.by_operation.get(rule.operation, ())
            if counts(owner) and covers(other, rule)
        )
        return next(found, None)

    def _path(
        self, path: Rule, counts: Callable[[WrittenRule], bool], besides: Rule | None = None
    ) -> WrittenRule | None:
        wider = self.paths.covers(path, besides)
        owner = None if wider is None else self._owners[wider.entry]
        return owner if owner is not None and counts(owner) else None

    # -- rules of its own ------------------------------------------------------------------------------------------

    @cached_property
    def _meanings(self) -> Mapping[Position, Any]:
        return {written.position: _meaning(written) for written in self.written}

    @cached_property
    def _first(self) -> Mapping[Any, WrittenRule]:
        return {self._meanings[written.position]: written for written in reversed(self.written)}

    def equal(self, written: WrittenRule) -> WrittenRule | None:
        """The first of its rules that means the same as a later one; None for that itself."""
        first = self._first[self._meanings[written.position]]
        return None if written.is_empty or first is written else first

    @cached_property
    def wider(self) -> Mapping[Position, Sequence[WrittenRule]]:
        """By the place of a rule others that together cover it. What was covered itself covers nothing later."""
        found: dict[Position, list[WrittenRule]] = {}
        for written in self.written:

            def counts(other: WrittenRule, written: WrittenRule = written) -> bool:
                same = self._meanings[other.position] == self._meanings[written.position]
                return not same and other.position not in found

            # Without the mirror: whoever deletes a name that a path covers loses that alone.
            parts = [self.over(rule, counts, mirrored=False) for rule in written.operations]
            parts += [self.over_path(path, counts) for path in written.paths]
            if parts and all(parts):
                found[written.position] = [owner for part in parts for owner in part]
        return found


def _meaning(written: WrittenRule) -> Any:
    """What a rule means, whatever it is called."""
    return (
        # A path without the names of its variables, which mean nothing in a rule.
        frozenset(
            (path.method, tuple((type(part), part._replace(name="")) for part in path.template.segments))
            for path in written.paths
        ),
        frozenset(
            (rule.operation, frozenset((each.keys, each.test) for each in rule.where), rule.only)
            for rule in written.operations
        ),
    )
