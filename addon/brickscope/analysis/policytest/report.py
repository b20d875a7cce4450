"""The tree of a run, as ``--json`` prints it. JUnit's XML is pytest's own."""

from __future__ import annotations

from typing import Any

from brickscope.analysis.shown import place

from .run import Result, failure_lines
from .session import Session


def data(session: Session) -> dict[str, Any]:
    """A run. ``failure``: what a failed test needs to be understood, in lines."""
    return {
        "passed": len(session.results) - len(session.failed),
        "failed": len(session.failed),
        "seconds": round(session.seconds, 6),
        "tests": list(map(_result, session.results)),
        "coverage": [
            {
                "place": place(each.rule.position),
                "rule_set": each.rule.rule_set,
                "part": each.rule.part,
                "rule": each.rule.text,
                "tests": each.cells,
            }
            for each in session.coverage
        ],
    }


def _result(result: Result) -> dict[str, Any]:
    cell, decision = result.cell, result.decision
    return {
        "file": cell.position.file,
        "name": cell.name,
        "place": place(cell.position),
        "subject": cell.who.name,
        "call": cell.call.text,
        "expected": "allow" if cell.expected.allow else "deny",
        "decision": "allow" if decision.allow else "deny",
        "reason": decision.reason.value,
        "rule": decision.rule,
        "rule_place": None if result.rule is None else place(result.rule.position),
        "enforced": decision.enforced,
        "mode": decision.mode,
        "wrong": list(result.wrong),
        "failure": [] if result.passed else failure_lines(result),
    }
