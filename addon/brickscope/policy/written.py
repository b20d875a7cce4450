"""The policy as it is written: each rule with its place in a file and the compiled rules that stand for it.

Decisions name a rule by its text. This finds the line for it, so that coverage, explanations and findings can point there.
It is made once, when a policy is loaded, and no decision looks at it.
"""

from __future__ import annotations

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
    def texts(self) -> set[str]:
        """The names that decisions give to this rule."""
        return {rule.text for rule in self.paths} | {rule.text for rule in self.operations}

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
        self._by_text: dict[tuple[str, str], dict[str, WrittenRule]] = {}
        for rule in self.rules:
            texts = self._by_text.setdefault((rule.rule_set, rule.part), {})
            for text in rule.texts:
                texts.setdefault(text, rule)

    def find(self, rule_set: str, part: str, text: str) -> WrittenRule | None:
        """The rule of a rule set's ``allow`` or ``deny`` that decisions call by a text; the first of several equal ones."""
        return self._by_text.get((rule_set, part), {}).get(text)

    def decided(self, decision: Decision) -> WrittenRule | None:
        """The rule that decided, None where none did."""
        if decision.rule_set is None or decision.rule is None:
            return None
        part = "deny" if decision.reason is Reason.DENIED_BY_RULE else "allow"
        return self.find(decision.rule_set, part, decision.rule)
