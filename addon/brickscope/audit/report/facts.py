"""What the page is made of: a few tables of counts, taken from the log in one pass, however large it is."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from brickscope.audit.reader import AuditLog, Progress

BINS = 40
"""Bins of durations to a power of ten: a percentile read from them is at most 3 % off."""

BIN = f"CASE WHEN duration_ms IS NOT NULL THEN CAST(floor({BINS} * log10(greatest(duration_ms, 0.001))) AS INTEGER) END"
"""The bin of a duration, as SQL."""

_SETS = {
    "kind": ("event",),
    "call": ("event", "decision", "enforced", "reason", "subject", "rule_set", "rule", "operation"),
    "time": ("event", "decision", "enforced", "subject", "moment"),
    "caller": ("event", "decision", "enforced", "subject", "credential", "principal", "client_address"),
    "server": ("event", "decision", "enforced", "reason", "server_address"),
    "run": ("event", "instance"),
    "revision": ("event", "policy_revision"),
    "outcome": ("event", "moment", "bin"),
    "status": ("event", "status", "broken"),
}
"""The tables, each with its columns; every one has ``records``, ``first_seen`` and ``last_seen`` besides."""

_COLUMNS = {
    "event": "event",
    "decision": "decision",
    "enforced": "enforced",
    "reason": "reason",
    "subject": "subject",
    "rule_set": "rule_set",
    "rule": "rule",
    "operation": "operation",
    "client_address": "client_address",
    # OAuth tokens are new every hour: they are known by whom they name, others by their fingerprint.
    "credential": "CASE WHEN principal IS NULL THEN fingerprint END",
    "principal": "CAST(principal AS VARCHAR)",
    "instance": "instance",
    "policy_revision": "policy_revision",
    "status": "CASE WHEN event = 'outcome' THEN status END",
    "broken": "CASE WHEN event = 'outcome' THEN error IS NOT NULL END",
    "server_address": "server_address",
    "bin": f"CASE WHEN event = 'outcome' THEN {BIN} END",
}


class Facts:
    """The tables of one log, ready to be asked. Their names: the keys of ``_SETS``."""

    def __init__(self, log: AuditLog, progress: Progress | None = None) -> None:
        """Reads the whole log."""
        self.log = log
        self.resolution = _resolution(log)
        columns = {**_COLUMNS, "moment": f"time_bucket(INTERVAL {self.resolution} SECOND, time)"}
        names = ", ".join(f"{sql} AS {name}" for name, sql in columns.items())
        sets = ", ".join(f"({', '.join(_SETS[name])})" for name in _SETS)
        log.ask(
            f"""CREATE OR REPLACE TEMP TABLE report_facts AS
            SELECT grouping({", ".join(columns)}) AS grouped, {", ".join(columns)}, count(*) AS records,
                min(time) AS first_seen, max(time) AS last_seen,
                sum(request_bytes) AS request_bytes, sum(response_bytes) AS response_bytes,
                max(duration_ms) AS longest_ms
            FROM (SELECT {names}, time, request_bytes, response_bytes, duration_ms FROM audit_records)
            GROUP BY GROUPING SETS ({sets})""",  # noqa: S608 - only names of this file
            (),
            progress,
        )
        for name, kept in _SETS.items():
            mask = sum(0 if column in kept else 1 << at for at, column in enumerate(reversed(list(columns))))
            view = f"SELECT * FROM report_facts WHERE grouped = {mask}"  # noqa: S608 - a number
            log.ask(f"CREATE OR REPLACE TEMP VIEW by_{name} AS {view}")

    def ask(self, sql: str, parameters: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a SELECT from ``by_kind``, ``by_call``, …"""
        return self.log.ask(sql, tuple(parameters)).fetchall()


def _resolution(log: AuditLog) -> int:
    """Seconds to which times are kept: fine for a short log, so that a chart of minutes has more than one bar.

    It goes by the ends of the files, which tell enough for that.
    """
    marks = [mark.time for source in log.sources for mark in (source.first, source.last) if mark is not None]
    try:
        times = [datetime.fromisoformat(text) for text in marks]
        length = max(times) - min(times)
    except (ValueError, TypeError):
        return 3600
    if length < timedelta(hours=2):
        return 1
    return 60 if length < timedelta(days=3) else 3600
