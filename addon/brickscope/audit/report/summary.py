"""The report in a few sentences: what somebody reads who reads nothing else."""

from __future__ import annotations

from .data import Report
from .text import counted, number, share, span


def sentences(report: Report) -> list[str]:
    """The first says how much happened and what was denied, the last whether the log can be believed."""
    counts = report.counts
    denied = counts.denied + counts.sent
    who, length = counted(report.subject_count, "subject"), span(report.last - report.first)
    lead = f"{counted(counts.calls, 'call')} by {who} in {length}"
    if denied:
        why = counted(report.reasons.total, "reason")
        lead += f"; {number(denied)} denied ({share(denied, counts.calls)}), for {why}."
    else:
        lead += "; none was denied." if counts.calls else "."
    said = [lead]
    if counts.sent:
        said.append(
            f"{number(counts.sent)} of the denied calls were sent all the same, since monitor mode only records."
        )
    gaps = report.changes.gaps.total
    itself = f" It names {counted(gaps, 'gap')} itself." if gaps else ""
    return [*said, report.integrity.sentence + itself]
