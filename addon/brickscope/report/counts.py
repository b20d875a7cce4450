"""What the page is made of: a few tables of counts, taken from the log in few passes, however large it is.

``sql/NAME.sql`` makes a table of the page of them: its first line is the caption, the comments after it are the hint, and
each column is called as ``block.Column`` reads it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from brickscope.analysis.denials import Found
from brickscope.audit.evidence import Evidence
from brickscope.audit.reader import AuditLog, Faults, Progress
from brickscope.policy.load import Loaded
from brickscope.shipped import text

from .block import LIMIT, Cell, Table
from .grid import Grid

_SETS = {
    "kind": ("event",),
    "call": ("event", "decision", "enforced", "reason", "subject", "rule_set", "rule", "operation"),
    "time": ("event", "decision", "subject", "moment"),
    "caller": ("event", "subject", "credential", "principal", "client_address"),
    "server": ("event", "reason", "server_address"),
    "run": ("event", "instance"),
    "revision": ("event", "policy_revision"),
    "status": ("event", "status", "broken"),
}
"""The tables, each with its columns; every one has ``records``, ``denied`` (and ``sent``: denied, and sent anyway) and
the times of the first and last besides."""

_CREDENTIAL = "CASE WHEN principal IS NULL THEN fingerprint END"
"""OAuth tokens are new every hour: they are known by whom they name, others by their fingerprint."""
_MADE = {
    "credential": _CREDENTIAL,
    "principal": "CAST(principal AS VARCHAR)",
    "status": "CASE WHEN event = 'outcome' THEN status END",
    "broken": "CASE WHEN event = 'outcome' THEN error IS NOT NULL END",
}


class Earlier(NamedTuple):
    """A token and an address that a subject was seen with before the period. ``first``, ``last``: when."""

    credential: str | None
    principal: str | None
    client_address: str | None
    subject: str
    first: datetime
    last: datetime


def gather_earlier(log: AuditLog, progress: Progress | None = None) -> list[Earlier]:
    """What a log of the time before the period holds of subjects."""
    select = f"""SELECT {_CREDENTIAL}, CAST(principal AS VARCHAR) AS principal, client_address, subject, min(time), max(time)
        FROM decisions WHERE subject IS NOT NULL GROUP BY ALL"""  # noqa: S608 - ours
    return [Earlier(*row) for row in log.ask(select, (), progress).fetchall()]


class Counts:
    """The tables of one log, ready to be asked: ``by_kind``, ``by_call`` and the other keys of ``_SETS``; ``by_end``: how
    the calls of each subject and operation ended; ``report_events``: all records that are no calls; ``earlier``."""

    def __init__(
        self, log: AuditLog, earlier: Iterable[Earlier] = (), progress: Progress | None = None
    ) -> None:
        """Reads the whole log."""
        self.log = log
        self.resolution = _resolution(log)
        known = dict.fromkeys(
            column for columns in _SETS.values() for column in columns if column != "moment"
        )
        columns = {name: _MADE.get(name, name) for name in known}
        columns["moment"] = f"time_bucket(INTERVAL {self.resolution} SECOND, time)"
        names = ", ".join(f"{made} AS {name}" for name, made in columns.items())
        sets = ", ".join(f"({', '.join(kept)})" for kept in _SETS.values())
        self.log.ask(
            f"""CREATE OR REPLACE TEMP TABLE report_facts AS
            SELECT grouping({", ".join(columns)}) AS grouped, {", ".join(columns)}, count(*) AS records,
                count(*) FILTER (verdict = 'deny' AND held) AS denied,
                count(*) FILTER (verdict = 'deny' AND NOT held) AS sent,
                min(time) AS first_seen, max(time) AS last_seen,
                sum(request_bytes) AS request_bytes, sum(response_bytes) AS response_bytes, max(duration_ms) AS longest_ms
            FROM (
                SELECT {names}, decision AS verdict, enforced AS held, time, request_bytes, response_bytes, duration_ms
                FROM audit_records
            ) GROUP BY GROUPING SETS ({sets})""",  # noqa: S608 - only names of this file
            (),
            progress,
        )
        for name, kept in _SETS.items():
            mask = sum(0 if column in kept else 1 << at for at, column in enumerate(reversed(list(columns))))
            view = f"SELECT * FROM report_facts WHERE grouped = {mask}"  # noqa: S608 - a number
            log.ask(f"CREATE OR REPLACE TEMP VIEW by_{name} AS {view}")
        log.ask(f"CREATE OR REPLACE TEMP TABLE by_end AS {sql('ended')}", (), progress)
        log.ask(f"CREATE OR REPLACE TEMP TABLE report_events AS {sql('events')}", (), progress)
        times = {"first": "TIMESTAMP", "last": "TIMESTAMP"}
        seen = [each._asdict() | {name: f"{getattr(each, name)}" for name in times} for each in earlier]
        log.make_table("earlier", dict.fromkeys(Earlier._fields, "VARCHAR") | times, seen)

    def ask(self, select: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """All rows of a SELECT."""
        return self.log.ask(select, parameters).fetchall()

    def table(self, name: str, more: str = "", **parameters: Any) -> Table:
        """``sql/NAME.sql`` as a table, of which ``more`` says where all is. A struct becomes a ``Cell``."""
        select = sql(name)
        caption, *hint = (line.removeprefix("-- ") for line in select.splitlines() if line.startswith("-- "))
        asked = self.log.ask(f"{select}\nLIMIT {LIMIT}", parameters)
        columns = [str(column[0]) for column in asked.description or ()]
        rows = asked.fetchall()
        total = len(rows)
        if total == LIMIT:
            ((total,),) = self.ask(f"SELECT count(*) FROM ({select}\n)", **parameters)  # noqa: S608 - ours
        cells = ([Cell(**each) if isinstance(each, dict) else each for each in row] for row in rows)
        return Table.of(name, caption, columns, cells, total, " ".join(hint), more)


class Given(NamedTuple):
    """What a section is made from. ``end``: of the period, UTC without a zone, by which ages are told. ``loaded``: the
    policy, if one was given. ``compared_from``: where the log before the period begins, if there is any. ``evidence``: what
    checking the log showed, None if it was not checked."""

    counts: Counts
    grid: Grid
    denials: Found
    end: datetime
    stale: timedelta
    loaded: Loaded | None
    compared_from: datetime | None
    evidence: Sequence[Evidence] | None
    faults: Faults


def change(table: Table, label: str, values: Iterable[Any]) -> Table:
    """The table with other values in a column."""
    at = [column.label for column in table.columns].index(label)
    rows = zip(table.rows, values, strict=True)
    return replace(table, rows=tuple((*row[:at], value, *row[at + 1 :]) for row, value in rows))


def sql(name: str) -> str:
    """A file of ``sql/``: one SELECT without a semicolon."""
    return text(__package__, "sql", f"{name}.sql")


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
