"""What one check found, as data: the findings that count, and those that are accepted."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from brickscope.analysis.shown import moment
from brickscope.policy.problem import PolicyError, Position

from ..witness import Witness
from .code import codes
from .finding import Finding, Severity

SCHEMA = 1
"""The version of what ``data`` returns."""
BROKEN = "BS001"
"""The code of an error that keeps the policy from being loaded."""


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
        "findings": [_finding(finding) for finding in findings],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    accepted = finding.accepted
    return {
        "code": finding.code,
        "severity": finding.severity.value,
        "title": codes()[finding.code].title,
        "message": finding.message,
        **_place(finding.position),
        "rule_set": finding.rule_set,
        "subject": finding.subject,
        "subjects": list(finding.subjects),
        "operations": list(finding.operations),
        "proofs": [_proof(proof) for proof in finding.proofs],
        "related": [{**_place(position), "message": words} for position, words in finding.related],
        "accepted": None
        if accepted is None
        else {
            **_place(accepted.position()),
            "reason": accepted.value.reason,
            "until": moment(accepted.value.until),
        },
    }


def _place(position: Position) -> dict[str, Any]:
    return {"file": position.file, "line": position.line, "column": position.column}


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
