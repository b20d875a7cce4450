"""The report in a few sentences: what somebody reads who reads nothing else."""

from __future__ import annotations

from .data import Report
from .text import counted, moment, number, share, span


def sentences(report: Report) -> list[str]:
    """The first says what happened, the second what was denied, the last whether the log can be believed."""
    counts = report.counts
    said = [
        f"{counted(counts.calls, 'call')} by {counted(report.subject_count, 'subject')} in "
        f"{span(report.last - report.first)}, from {moment(report.first)} to {moment(report.last)} UTC."
    ]
    denied = counts.denied + counts.sent
    if denied:
        reasons = counted(report.reasons.total, "reason")
        sentence = f"{number(denied)} denied ({share(denied, counts.calls)}), for {reasons}"
        if counts.sent:
            sentence += f"; {number(counts.sent)} of them were sent all the same, in monitor mode"
        said.append(sentence + ".")
    elif counts.calls:
        said.append("None was denied.")
    said.append(report.integrity.sentence)
    return said
