"""What one check found, as data: the findings that count, those that are accepted, and which of them make CI fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

from brickscope.analysis.shown import moment
from brickscope.policy.problem import PolicyError, Position

from ..lint.broken_policy import of_errors
from ..witness import Witness
from .code import codes
from .finding import Finding, Severity

SCHEMA = 1
"""The version of what ``data`` returns."""
BROKEN = "BS001"
"""The code of an error that keeps the policy from being loaded."""


class Report(NamedTuple):
    """``findings`` in the order of severity and place, also accepted ones. ``revision``: None if nothing was loaded."""

    revision: str | None
    findings: tuple[Finding, ...]

    @property
    def counting(self) -> list[Finding]:
        """Those that nobody accepted."""
        return [finding for finding in self.findings if finding.accepted is None]

    @property
    def accepted(self) -> list[Finding]:
        """Those that somebody accepted."""
        return [finding for finding in self.findings if finding.accepted is not None]

    def fails(self, at: Severity | None) -> bool:
        """Whether something that counts is as bad as ``at`` or worse; None for never."""
        return at is not None and any(finding.severity.rank <= at.rank for finding in self.counting)


def broken(error: PolicyError) -> Report:
    """The report of a policy that does not load."""
    severity = codes()[BROKEN].severity
    found = of_errors(error)
    return Report(None, tuple(Finding(BROKEN, severity, each.message, each.position) for each in found))


def chosen(findings: Iterable[Finding], select: Collection[str], ignore: Collection[str]) -> list[Finding]:
    """Findings whose code begins with one of ``select`` (any, if it is empty) and with none of ``ignore``."""
    return [
        finding
        for finding in findings
        if (not select or finding.code.startswith(tuple(select)))
        and not finding.code.startswith(tuple(ignore))
    ]


def data(report: Report) -> dict[str, Any]:
    """A report for programs."""
    counts = Counter(finding.severity.value for finding in report.counting)
    return {
        "schema": SCHEMA,
        "policy_revision": report.revision,
        "counts": {severity.value: counts[severity.value] for severity in Severity}
        | {"accepted": len(report.accepted)},
        "findings": [_finding(finding) for finding in report.findings],
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
        else {**_place(accepted.position), "reason": accepted.reason, "until": moment(accepted.until)},
    }


def _place(position: Position) -> dict[str, Any]:
    return {"file": position.file, "line": position.line, "column": position.column}


def _proof(proof: Witness) -> dict[str, Any]:
    return {
        "subject": proof.subject,
        "operation": proof.operation,
        "text": proof.text,
        "method": proof.method,
        "url": proof.url,
        "body": proof.body or None,
        "rule": proof.rule,
    }
