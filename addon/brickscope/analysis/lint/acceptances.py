"""Acceptances that have run out, soon will, or accept nothing (BS901 to BS903)."""

from collections.abc import Iterable

from brickscope.policy.problem import nearest

from ..check.acceptance import Accepted
from ..check.code import codes
from ..check.finding import Findings
from ..shown import moment


def expired_acceptance(entry: Accepted) -> Findings:
    """BS901: one whose day is past."""
    if entry.is_over:
        yield entry.found(f"the acceptance of {entry} expired at {moment(entry.value.until)}")


def needless_acceptance(entry: Accepted) -> Findings:
    """BS902: one that fits no finding, with what may be mistyped."""
    if entry.is_over or entry.matched:
        return
    value, survey = entry.value, entry.survey
    text = f"there is no {entry} to accept"
    if value.finding not in codes():
        text = f"there is no code {value.finding}" + _hint(value.finding, codes())
    elif value.rule_set is not None and value.rule_set not in survey.written.rule_sets:
        text += (
            f": the policy has no rule set {value.rule_set}{_hint(value.rule_set, survey.written.rule_sets)}"
        )
    elif value.subject is not None and value.subject not in survey.people:
        text += f": the policy names nobody {value.subject}{_hint(value.subject, survey.people)}"
    elif value.operations is not None:
        text += f" that depends only on {', '.join(value.operations)}"
    yield entry.found(text)


def _hint(name: str, known: Iterable[str]) -> str:
    hint = nearest(name, known)
    return f" ({hint})" if hint else ""


def expiring_acceptance(entry: Accepted) -> Findings:
    """BS903: one that fits a finding, and whose day is near."""
    if entry.matched and entry.value.until <= entry.survey.soon:
        yield entry.found(f"the acceptance of {entry} expires at {moment(entry.value.until)}")
