"""The policy as it is written: each rule with its place in a file and the compiled rules that stand for it.

Decisions carry the index of the rule that decided. This has its line, so that coverage, explanations and findings can point
there. It is made once, when a policy is loaded, and no decision looks at it.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from brickscope.core.decision import Decision
from brickscope.core.operation import OperationRule
from brickscope.core.reason import Reason
from brickscope.core.rule import Rule

from .entry import Entry
from .problem import Position


class WrittenRule(NamedTuple):
    """One entry of ``allow`` or ``deny`` (``part``) as it is written.

    ``text``: in one line. ``paths``, ``operations``: what it was compiled to; a preset or a class stands for many.
    """

    rule_set: str
    part: str
    position: Position
    text: str
    paths: tuple[Rule, ...] = ()
    operations: tuple[OperationRule, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether it stands for nothing: a class of which its service has no operation."""
        return not self.paths and not self.operations

    @property
    def is_preset(self) -> bool:
        """Whether it is a preset of ours."""
        return self.text.startswith("preset ")


class Written:
    """All rules of a policy, and where its subjects and rule sets are defined.

    ``subjects`` (tokens, service principals, users and logins), ``rule_sets``: the places of their names. ``entries``:
    every named entry, by group and name. ``mode``: where the mode of the whole proxy stands, None where nothing says
    it. ``accepted``: the entries of ``accept``.
    """

    def __init__(
        self,
        rules: Iterable[WrittenRule] = (),
        subjects: Mapping[str, Position] | None = None,
        rule_sets: Mapping[str, Position] | None = None,
        entries: Mapping[str, Mapping[str, Entry]] | None = None,
        mode: Position | None = None,
        accepted: Iterable[Entry] = (),
    ) -> None:
        self.rules = tuple(rules)
        self.subjects = subjects or {}
        self.rule_sets = rule_sets or {}
        self.entries = entries or {}
        self.mode = mode
        self.accepted = tuple(accepted)
        self._lists: dict[tuple[str, str], list[WrittenRule]] = {}
        for rule in self.rules:
            self._lists.setdefault((rule.rule_set, rule.part), []).append(rule)

    def of(self, rule_set: str, part: str | None = None) -> list[WrittenRule]:
        """The rules of a rule set, or of its ``allow`` or ``deny`` alone, in their order."""
        parts = ("allow", "deny") if part is None else (part,)
        return [rule for each in parts for rule in self._lists.get((rule_set, each), ())]

    def decided(self, decision: Decision) -> WrittenRule | None:
        """The rule that decided, None where none did."""
        if decision.rule_set is None or decision.entry < 0:
            return None
        part = "deny" if decision.reason is Reason.DENIED_BY_RULE else "allow"
        return self._lists[decision.rule_set, part][decision.entry]
