"""The results of a run: lines for people, data for programs, JUnit's XML for CI."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

from brickscope.trial.shown import counted, place

from .coverage import Covered
from .run import Result, failure_lines
from .session import Session

MAX_FAILURES = 100
"""How many failures are printed whole; a changed rule can fail a whole table."""


def lines(session: Session, *, show_coverage: bool = True) -> list[str]:
    """A run, in lines: failures first, then the coverage of rules."""
    said: list[str] = []
    shown = 0
    for file in session.files:
        for result in file.results:
            if result.passed:
                continue
            shown += 1
            if shown <= MAX_FAILURES:
                said.append(f"FAILED  {place(result.cell.position)}  {result.cell.name}")
                said += [f"    {line}" for line in failure_lines(result, file.loaded)]
    if shown > MAX_FAILURES:
        said.append(f"... and {shown - MAX_FAILURES:,} more")
    if show_coverage and session.coverage:
        said += ["", "Rules, and how many tests they decided:"]
        said += [_covered(each) for each in session.coverage]
    total, failed = len(session.results), len(session.failed)
    rules, used = len(session.coverage), len(session.coverage) - len(session.uncovered)
    files = counted(len(session.files), "file")
    said += [
        "",
        f"{total - failed:,} passed, {failed:,} failed, in {files} and {session.seconds * 1000:,.0f} ms; "
        f"{used:,} of {counted(rules, 'rule')} covered",
    ]
    loose = sum(1 for each in session.results if not each.decision.allow and not each.decision.enforced)
    if loose:
        said.append(f"{counted(loose, 'denial')} in monitor mode: the proxy would let them go on")
    return said[1:] if said[0] == "" else said


def _covered(each: Covered) -> str:
    mark = f"{each.cells:6,}" if each.cells else "  none"
    return f"{mark}  {place(each.rule.position)}  {each.rule.part} {each.rule.text}"


def data(session: Session) -> dict[str, Any]:
    """A run, as data."""
    return {
        "passed": len(session.results) - len(session.failed),
        "failed": len(session.failed),
        "seconds": round(session.seconds, 6),
        "tests": [
            {"file": str(file.file), **_result(result)} for file in session.files for result in file.results
        ],
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


def junit(session: Session) -> str:
    """A run as JUnit's XML. All text in it was made printable, since XML has no way to hold control characters."""
    root = ET.Element("testsuites", name="brickscope", time=f"{session.seconds:.3f}")
    for file in session.files:
        failed = sum(1 for result in file.results if not result.passed)
        suite = ET.SubElement(
            root, "testsuite", name=str(file.file), tests=str(len(file.results)), failures=str(failed)
        )
        for result in file.results:
            position = result.cell.position
            case = ET.SubElement(
                suite,
                "testcase",
                classname=str(file.file),
                name=result.cell.name,
                file=position.file,
                line=str(position.line),
            )
            if not result.passed:
                failure = ET.SubElement(case, "failure", message="; ".join(result.wrong))
                failure.text = "\n".join(failure_lines(result, file.loaded))
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"
