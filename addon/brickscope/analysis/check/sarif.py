"""A report as SARIF 2.1.0, the format in which code hosts take findings and show them beside the lines of a change.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html; sections are named where it matters.
"""

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import brickscope

from .code import Code, codes, plain

SCHEMA_URI = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_ROOT = "%SRCROOT%"
_SECURITY = {"error": "8.0", "warning": "5.0", "note": "2.0"}
"""How a severity counts among security alerts, 0 to 10."""


def sarif(report: Mapping[str, Any], root: Path) -> dict[str, Any]:
    """The report (the tree of ``report.data``) as a SARIF log. ``root``: the folder that paths are written relative to, as a
    repository's are."""
    used = [codes()[code] for code in sorted({finding["code"] for finding in report["findings"]})]
    indices = {code.code: index for index, code in enumerate(used)}
    driver = {
        "name": "brickscope check",
        "version": brickscope.__version__,
        "rules": [_rule(code) for code in used],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": report["policy_revision"] is not None}],
        "results": [_result(finding, indices, root) for finding in report["findings"]],
    }
    return {"$schema": SCHEMA_URI, "version": "2.1.0", "runs": [run]}


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


def _result(finding: Mapping[str, Any], indices: dict[str, int], root: Path) -> dict[str, Any]:
    proofs = [
        f"{proof['subject'] or 'Whoever has the rule set'} may {proof['text']}" for proof in finding["proofs"]
    ]
    found: dict[str, Any] = {
        "ruleId": finding["code"],
        "ruleIndex": indices[finding["code"]],
        "level": finding["severity"],
        "message": {"text": ". ".join([finding["message"], *proofs])},
        "locations": [_location(finding, root)],
        "partialFingerprints": {"brickscopeFinding/v1": _fingerprint(finding)},
        "properties": {key: finding[key] for key in ("rule_set", "subjects", "operations")},
    }
    if finding["related"]:
        found["relatedLocations"] = [
            {"id": index, "message": {"text": each["message"]}, **_location(each, root)}
            for index, each in enumerate(finding["related"], 1)
        ]
    accepted = finding["accepted"]
    if accepted is not None:
        # Section 3.35: accepted in the file itself, so that the host shows it as dismissed.
        suppression = {"kind": "inSource", "status": "accepted", "justification": accepted["reason"]}
        found["suppressions"] = [{**suppression, "location": _location(accepted, root)}]
    return found


def _location(place: Mapping[str, Any], root: Path) -> dict[str, Any]:
    region = {"startLine": max(place["line"], 1), "startColumn": max(place["column"], 1)}
    return {"physicalLocation": {"artifactLocation": _artifact(place["file"], root), "region": region}}


def _artifact(file: str, root: Path) -> dict[str, str]:
    """A file by its path below the root; by its whole URI if it is elsewhere."""
    # A policy's file may be a link to itself, or have a name that is no text: each is a finding, with its place.
    whole, top = (Path(os.path.realpath(each)) for each in (root / file, root))
    try:
        return {"uri": quote(os.fsencode(whole.relative_to(top).as_posix())), "uriBaseId": _ROOT}
    except ValueError:
        return {"uri": whole.as_uri()}


def _fingerprint(finding: Mapping[str, Any]) -> str:
    """What stays the same of a finding when lines move, so that a host knows it again (section 3.27.17)."""
    parts = [finding["code"], finding["rule_set"] or "", finding["subject"] or ""]
    if not codes()[finding["code"]].needs:
        parts.append(finding["message"])
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
