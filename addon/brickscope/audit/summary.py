"""The log at a glance: what ``brickscope audit summary`` says, all from one pass over the log."""

from typing import Any

from .queries import query
from .reader import AuditLog, Progress

SECTIONS = ("subjects", "operations", "reasons", "clients", "credentials", "outcomes", "events")
"""Each the name of a query ``sql/summary_….sql``."""
COUNTS = ("calls", "allowed", "denied_sent", "denied")
_ODD = ("several_readings", "respelled")
"""Calls that are counted where there are any."""


def summarise(log: AuditLog, progress: Progress | None = None) -> dict[str, Any]:
    """How much the log holds, from when to when (None for an empty one), and its sections: rows, the most frequent first."""
    bad_lines = log.make_facts(progress)
    sections = {name: log.select(query(f"summary_{name}")) for name in SECTIONS}
    events = sections["events"] = [row for row in sections["events"] if row["event"] is not None]
    return {
        "files": [source.name for source in log.sources],
        "first_seen": min((row["first_seen"] for row in events), default=None),
        "last_seen": max((row["last_seen"] for row in events), default=None),
        "records": sum(row["records"] for row in events),
        "bad_lines": bad_lines,
        **{name: sum(int(row[name]) for row in sections["reasons"]) for name in (*COUNTS, *_ODD)},
        **sections,
    }
