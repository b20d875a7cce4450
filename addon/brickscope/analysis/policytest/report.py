"""The results of a run: lines for people, data for programs. JUnit's XML is pytest's own."""

from __future__ import annotations

from typing import Any

from brickscope.analysis.shown import counted, place

from .run import Result, failure_lines
from .session import Covered, Session

MAX_FAILURES = 100
"""How many failures are printed whole; a changed rule can fail a whole table."""


def lines(session: Session) -> list[str]:
    """A run, in lines: failures first, then the coverage of rules."""
    said: list[str] = []
    failed, coverage = session.failed, session.coverage
    for result in failed[:MAX_FAILURES]:
        said.append(f"FAILED  {place(result.cell.position)}  {result.cell.name}")
        said += [f"    {line}" for line in failure_lines(result)]
    if len(failed) > MAX_FAILURES:
        said.append(f"... and {len(failed) - MAX_FAILURES:,} more")
    said += ["", "Rules, and how many tests they decided:", *map(_covered, coverage), ""]
    files = counted(len({result.cell.position.file for result in session.results}), "file")
    used = len(coverage) - len(session.uncovered)
    said.append(
        f"{len(session.results) - len(failed):,} passed, {len(failed):,} failed, in {files} and "
        f"{session.seconds:.1f} s; {used:,} of {counted(len(coverage), 'rule')} covered"
    )
    loose = sum(1 for each in session.results if not each.decision.allow and not each.decision.enforced)
    if loose:
        said.append(f"{counted(loose, 'denial')} in monitor mode: the proxy would let them go on")
    return said if failed else said[1:]


def _covered(each: Covered) -> str:
    mark = f"{each.cells:6,}" if each.cells else "  none"
    return f"{mark}  {place(each.rule.position)}  {each.rule.part} {each.rule.text}"


def data(session: Session) -> dict[str, Any]:
    """A run, as data."""
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
    }
