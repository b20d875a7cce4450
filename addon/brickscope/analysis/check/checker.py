"""All lints over one policy, and what they found as data: the findings that count, and those that are accepted."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from brickscope.analysis.shown import moment
from brickscope.policy.load import Loaded
from brickscope.policy.problem import PolicyError

from ..judge import Witness, known
from .acceptance import apply_acceptances
from .code import Code, codes, lints
from .escalation import escalations
from .finding import Finding, Found, Severity
from .survey import RuleSetView, Survey

DAY = 86400.0
SCHEMA = 1
"""The version of what ``data`` returns."""
BROKEN = "BS001"
"""The code of an error that keeps the policy from being loaded."""


def check(loaded: Loaded, now: float, days: float = 30.0) -> list[Finding]:
    """Every finding about a policy that loads, those that are accepted among them, in the order of severity and place.

    ``now``: seconds since the epoch, UTC. ``days``: how far ahead something runs out soon.
    """
    surveyed = Survey(loaded.policy, loaded.written, known(loaded.policy), now, now + days * DAY)
    found, accepted = apply_acceptances(_findings(surveyed), surveyed)
    for lint in lints():
        found += [_completed(lint.code, said) for each in accepted for said in lint.find(each)]
    return sorted(found, key=lambda finding: (finding.severity.rank, finding.position, finding.code))


def _findings(surveyed: Survey) -> Iterator[Finding]:
    for rule_set in surveyed.policy.rule_sets.values():
        view = RuleSetView(surveyed, rule_set)
        for lint in lints():
            yield from (_completed(lint.code, each, view) for each in lint.find(view))
        yield from (_completed(code, each, view) for code, each in escalations(view))
    for lint in lints():
        yield from (_completed(lint.code, each) for each in lint.find(surveyed))


def _completed(code: Code, found: Found, view: RuleSetView | None = None) -> Finding:
    """What a lint says, with what its page and the rule set say where it left that open."""
    told = found._asdict() | {"severity": found.severity or code.severity}
    if view is not None:
        told["rule_set"] = view.name
    if found.subjects is None:
        told["subjects"] = () if view is None else view.subjects
    return Finding(code.code, **told)


def broken(error: PolicyError) -> list[Finding]:
    """What is wrong with a policy that does not load."""
    severity = codes()[BROKEN].severity
    return [
        Finding(BROKEN, severity, each.message + (f" ({each.hint})" if each.hint else ""), each.position)
        for each in error.problems
    ]


def chosen(findings: Iterable[Finding], select: Collection[str], ignore: Collection[str]) -> list[Finding]:
    """Findings whose code begins with one of ``select`` (any, if it is empty) and with none of ``ignore``."""
    return [
        finding
        for finding in findings
        if (not select or finding.code.startswith(tuple(select)))
        and not finding.code.startswith(tuple(ignore))
    ]


def data(findings: Sequence[Finding], revision: str | None = None) -> dict[str, Any]:
    """A report for programs: ``findings`` in the order of severity and place, also accepted ones, which do not count.
    ``revision``: of the policy, None if it was not loaded."""
    counts = Counter(finding.severity for finding in findings if finding.accepted is None)
    accepted = len(findings) - counts.total()
    return {
        "schema": SCHEMA,
        "policy_revision": revision,
        "counts": {severity.value: counts[severity] for severity in Severity} | {"accepted": accepted},
        "findings": [_data_of(finding) for finding in findings],
    }


def _data_of(finding: Finding) -> dict[str, Any]:
    accepted = finding.accepted
    return {
        "code": finding.code,
        "severity": finding.severity.value,
        "title": codes()[finding.code].title,
        "message": finding.message,
        **finding.position._asdict(),
        "rule_set": finding.rule_set,
        "subject": finding.subject,
        "subjects": list(finding.subjects),
        "operations": list(finding.operations),
        "proofs": [_proof(proof) for proof in finding.proofs],
        "related": [position._asdict() | {"message": words} for position, words in finding.related],
        "accepted": None
        if accepted is None
        else {
            **accepted.position()._asdict(),
            "reason": accepted.value.reason,
            "until": moment(accepted.value.until),
        },
    }


def _proof(proof: Witness) -> dict[str, Any]:
    return {
        "subject": proof.subject,
        "operation": proof.operation,
        "text": proof.call.text,
        "method": proof.method,
        "url": proof.url,
        "body": proof.body or None,
        "rule": proof.rule,
    }
