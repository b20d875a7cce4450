"""A report in lines for people, grouped by rule set. Colour only where the terminal has it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.text import Text

from brickscope.analysis.shown import counted, moment, place

from .finding import Finding, Severity
from .report import Report

_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}
_INDENT = " " * 11
SHOWN = 6
"""How many subjects a heading names before it counts the rest."""


def report_lines(report: Report) -> Iterator[Text]:
    """A report, line by line."""
    groups: dict[str, list[Finding]] = {}
    for finding in report.counting:
        groups.setdefault(_about(finding), []).append(finding)
    for about, findings in groups.items():
        yield Text(f"{about}{_whom(findings)}", style="bold")
        for finding in findings:
            yield from _finding(finding)
        yield Text("")
    if report.accepted:
        yield Text("accepted", style="bold")
        yield from map(_accepted, report.accepted)
        yield Text("")
    yield Text(_summary(report))
    worst = next(iter(report.counting), None)
    if worst is not None:
        yield Text(f"why, how to fix it, how to accept: brickscope check --explain {worst.code}", style="dim")


def _about(finding: Finding) -> str:
    if finding.rule_set is not None:
        return f"rule set {finding.rule_set}"
    return "the policy" if finding.subject is None else f"subject {finding.subject}"


def _whom(findings: Iterable[Finding]) -> str:
    """Who has the rule set, for its heading."""
    names = sorted(
        {name for finding in findings if finding.rule_set is not None for name in finding.subjects}
    )
    if not names:
        return ""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f" ({', '.join(names[:SHOWN])}{more})"


def _finding(finding: Finding) -> Iterator[Text]:
    head = Text("  ")
    head.append(f"{finding.severity.value:8} ", style=_STYLES[finding.severity])
    head.append(f"{finding.code}  ", style="bold")
    head.append(_plain(place(finding.position)))
    yield head
    yield Text(f"{_INDENT}{_plain(finding.message)}")
    for position, words in finding.related[:SHOWN]:
        yield Text(f"{_INDENT}  {_plain(place(position))}  {_plain(words)}", style="dim")
    for proof in finding.proofs:
        yield Text(
            f"{_INDENT}{_plain(proof.subject or 'whoever has it')} may {_plain(proof.text)}", style="dim"
        )


def _accepted(finding: Finding) -> Text:
    accepted = finding.accepted
    assert accepted is not None
    text = f"  {finding.code}  {_about(finding)}, until {moment(accepted.until)}: {accepted.reason}"
    return Text(_plain(text), style="dim")


def _summary(report: Report) -> str:
    counting = report.counting
    parts = [
        counted(number, severity.value)
        for severity in Severity
        if (number := sum(finding.severity is severity for finding in counting))
    ]
    text = ", ".join(parts) if parts else "nothing found"
    return f"{text}; {len(report.accepted)} accepted" if report.accepted else text


def _plain(text: str) -> str:
    """Text of a policy file without characters that move the cursor or reorder the line: a change that waits for review is
    a stranger's, and its reason or file name is shown in the reviewer's terminal."""
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text)
