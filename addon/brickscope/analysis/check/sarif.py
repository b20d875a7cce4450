"""A report as SARIF 2.1.0, the format in which code hosts take findings and show them beside the lines of a change.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html; sections are named where it matters.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

import brickscope
from brickscope.policy.problem import Position

from ..witness import Witness
from .code import Code, codes
from .finding import Finding
from .reference import plain
from .report import Report

SCHEMA_URI = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_ROOT = "%SRCROOT%"
_SECURITY = {"error": "8.0", "warning": "5.0", "note": "2.0"}
"""How a severity counts among security alerts, 0 to 10."""


def sarif(report: Report, root: Path) -> dict[str, Any]:
    """The report as a SARIF log. ``root``: the folder that paths are written relative to, as a repository's are."""
    used = [codes()[code] for code in sorted({finding.code for finding in report.findings})]
    indices = {code.code: index for index, code in enumerate(used)}
    return {
        "$schema": SCHEMA_URI,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "brickscope check",
                        "version": brickscope.__version__,
                        "rules": [_rule(code) for code in used],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "invocations": [{"executionSuccessful": report.revision is not None}],
                "results": [_result(finding, indices, root) for finding in report.findings],
            }
        ],
    }


def _rule(code: Code) -> dict[str, Any]:
    found: dict[str, Any] = {
        "id": code.code,
        "name": "".join(word.capitalize() for word in re.findall("[A-Za-z]+", code.title)),
        "shortDescription": {"text": code.title},
        "fullDescription": {"text": code.why},
        "help": {"text": f"{code.why}\n\n{code.fix}", "markdown": plain(code)},
        "defaultConfiguration": {"level": code.severity.value},
        "properties": {"tags": ["policy"]},
    }
    if code.needs:
        found["properties"] = {
            "tags": ["policy", "security"],
            "security-severity": _SECURITY[code.severity.value],
        }
    return found


def _result(finding: Finding, indices: dict[str, int], root: Path) -> dict[str, Any]:
    message = ". ".join([finding.message, *map(_sentence, finding.proofs)])
    found: dict[str, Any] = {
        "ruleId": finding.code,
        "ruleIndex": indices[finding.code],
        "level": finding.severity.value,
        "message": {"text": message},
        "locations": [_location(finding.position, root)],
        "partialFingerprints": {"brickscopeFinding/v1": _fingerprint(finding)},
        "properties": {
            "rule_set": finding.rule_set,
            "subjects": list(finding.subjects),
            "operations": list(finding.operations),
        },
    }
    if finding.related:
        found["relatedLocations"] = [
            {"id": index, "message": {"text": words}, **_location(position, root)}
            for index, (position, words) in enumerate(finding.related, 1)
        ]
    if finding.accepted is not None:
        # Section 3.35: accepted in the file itself, so that the host shows it as dismissed.
        found["suppressions"] = [
            {
                "kind": "inSource",
                "status": "accepted",
                "justification": finding.accepted.reason,
                "location": _location(finding.accepted.position, root),
            }
        ]
    return found


def _sentence(proof: Witness) -> str:
    return f"{proof.subject or 'Whoever has the rule set'} may {proof.text}"


def _location(position: Position, root: Path) -> dict[str, Any]:
    region = {"startLine": max(position.line, 1), "startColumn": max(position.column, 1)}
    return {"physicalLocation": {"artifactLocation": _artifact(position.file, root), "region": region}}


def _artifact(file: str, root: Path) -> dict[str, str]:
    """A file by its path below the root; by its whole URI if it is elsewhere."""
    path = Path(file)
    whole = path if path.is_absolute() else root / path
    try:
        below = PurePosixPath(*whole.resolve().relative_to(root.resolve()).parts)
    except ValueError:
        return {"uri": whole.resolve().as_uri()}
    return {"uri": quote(str(below)), "uriBaseId": _ROOT}


def _fingerprint(finding: Finding) -> str:
    """What stays the same of a finding when lines move, so that a host knows it again (section 3.27.17)."""
    parts = [finding.code, finding.rule_set or "", finding.subject or ""]
    if not codes()[finding.code].needs:
        parts.append(finding.message)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
