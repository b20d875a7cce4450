"""Acceptances: findings that somebody accepted in the policy, with a reason and until a day; and those that are no good
(BS901 to BS903)."""

from __future__ import annotations

from collections.abc import Iterable

from brickscope.analysis.shown import moment
from brickscope.policy.entry import Entry
from brickscope.policy.problem import nearest

from .code import codes
from .finding import Acceptance, Finding
from .survey import Survey


def apply_acceptances(findings: Iterable[Finding], survey: Survey) -> list[Finding]:
    """The findings, those that are accepted marked so, and the findings about acceptances."""
    found = list(findings)
    about: list[Finding] = []
    for entry in survey.written.accepted:
        if entry.value.until <= survey.now:
            about.append(_expired(entry, survey))
            continue
        matched = False
        for index, finding in enumerate(found):
            if finding.accepted is None and _fits(entry, finding):
                matched = True
                found[index] = _accept(entry, finding)
        if not matched:
            about.append(_unmatched(entry, survey))
        elif entry.value.until <= survey.soon:
            text = f"the acceptance of {_what(entry)} runs out at {moment(entry.value.until)}"
            about.append(_about("BS903", entry, survey, text))
    return [*found, *about]


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
    return finding._replace(accepted=Acceptance(entry.position(), value.reason, value.until))


def _expired(entry: Entry, survey: Survey) -> Finding:
    return _about(
        "BS901", entry, survey, f"the acceptance of {_what(entry)} ran out at {moment(entry.value.until)}"
    )


def _unmatched(entry: Entry, survey: Survey) -> Finding:
    value = entry.value
    text = f"there is no {_what(entry)} to accept"
    if value.finding not in codes():
        hint = nearest(value.finding, codes())
        text = f"there is no code {value.finding}" + (f" ({hint})" if hint else "")
    elif value.rule_set is not None and value.rule_set not in survey.written.rule_sets:
        hint = nearest(value.rule_set, survey.written.rule_sets)
        text += f": the policy has no rule set {value.rule_set}" + (f" ({hint})" if hint else "")
    elif value.subject is not None and value.subject not in survey.people:
        hint = nearest(value.subject, survey.people)
        text += f": the policy names nobody {value.subject}" + (f" ({hint})" if hint else "")
    elif value.operations is not None:
        text += f" that rests on nothing but {', '.join(value.operations)}"
    return _about("BS902", entry, survey, text)


def _about(code: str, entry: Entry, survey: Survey, text: str) -> Finding:
    value = entry.value
    # Shown with the rule set or subject, if the policy has one of that name.
    rule_set = value.rule_set if value.rule_set in survey.written.rule_sets else None
    subject = value.subject if rule_set is None and value.subject in survey.people else None
    return Finding(code, codes()[code].severity, text, entry.position(), rule_set, subject)


def _what(entry: Entry) -> str:
    value = entry.value
    words = [value.finding]
    if value.rule_set is not None:
        words.append(f"in the rule set {value.rule_set}")
    if value.subject is not None:
        words.append(f"for {value.subject}")
    return " ".join(words)
