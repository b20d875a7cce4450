"""Acceptances: findings that somebody accepted in the policy, with a reason and until a day."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from brickscope.policy.entry import Entry

from .finding import Finding, Found
from .survey import Survey


class Accepted(NamedTuple):
    """An entry of ``accept``, and whether it ``matched`` a finding. ``str()``: what it accepts, in words."""

    entry: Entry
    survey: Survey
    matched: bool

    @property
    def value(self) -> Any:
        """What is written."""
        return self.entry.value

    @property
    def is_over(self) -> bool:
        """Whether its day is past."""
        return bool(self.value.until <= self.survey.now)

    def found(self, message: str) -> Found:
        """Said of it, with the rule set or subject that it names, if the policy has one of that name."""
        rule_set = self.value.rule_set if self.value.rule_set in self.survey.written.rule_sets else None
        subject = (
            self.value.subject if rule_set is None and self.value.subject in self.survey.people else None
        )
        return Found(self.entry.position(), message, rule_set=rule_set, subject=subject)

    def __str__(self) -> str:
        words = [self.value.finding]
        if self.value.rule_set is not None:
            words.append(f"in the rule set {self.value.rule_set}")
        if self.value.subject is not None:
            words.append(f"for {self.value.subject}")
        return " ".join(words)


def apply_acceptances(findings: Iterable[Finding], survey: Survey) -> tuple[list[Finding], list[Accepted]]:
    """The findings, those that are accepted marked so, and what became of the acceptances."""
    found = list(findings)
    accepted = []
    for entry in survey.written.accepted:
        each = Accepted(entry, survey, matched=False)
        for index, finding in enumerate(found):
            if not each.is_over and finding.accepted is None and _fits(entry, finding):
                each = each._replace(matched=True)
                found[index] = _accept(entry, finding)
        accepted.append(each)
    return found, accepted


def _fits(entry: Entry, finding: Finding) -> bool:
    value = entry.value
    if value.finding != finding.code:
        return False
    if value.operations is not None and not set(finding.operations) <= set(value.operations):
        return False
    if value.subject is None:
        # Said of neither a rule set nor a subject, it accepts what is about the whole policy, and not everything.
        return bool(value.rule_set == finding.rule_set and finding.subject is None)
    return value.subject in finding.subjects and value.rule_set in (None, finding.rule_set)


def _accept(entry: Entry, finding: Finding) -> Finding:
    """The finding without the accepted subject; accepted, if it is nobody else's."""
    value = entry.value
    rest = tuple(name for name in finding.subjects if name != value.subject)
    if value.subject is not None and rest:
        return finding._replace(subjects=rest)
    return finding._replace(accepted=entry)
