"""The log at a glance: the sections of ``brickscope audit summary``, all from one pass over the log."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from .queries import query
from .reader import AuditLog, Progress

SECTIONS = ("subjects", "operations", "reasons", "clients", "credentials", "outcomes", "events")
"""Each the name of a query ``sql/summary_….sql``."""
Row = dict[str, Any]


class Summary(NamedTuple):
    """``sections``: rows by section, the most frequent first."""

    sections: dict[str, list[Row]]

    @property
    def records(self) -> int:
        """Records of all kinds."""
        return sum(row["records"] for row in self.sections["events"])

    def total(self, name: str) -> int:
        """Calls in all: ``calls``, ``allowed``, ``denied``, ``denied_sent``, ``several_readings`` or ``respelled``."""
        return sum(int(row[name]) for row in self.sections["reasons"])

    @property
    def span(self) -> tuple[datetime, datetime] | None:
        """The times of the first and last record; None for an empty log."""
        rows = self.sections["events"]
        if not rows:
            return None
        return min(row["first_seen"] for row in rows), max(row["last_seen"] for row in rows)


def summarise(log: AuditLog, progress: Progress | None = None) -> Summary:
    """All sections. Reads the log once."""
    log.make_facts(progress)
    sections = {name: log.select(query(f"summary_{name}")) for name in SECTIONS}
    sections["events"] = [row for row in sections["events"] if row["event"] is not None]
    return Summary(sections)
