"""What changed: the policy, its modes, the runs of the proxy, and where the log itself says that it has gaps."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from brickscope.audit.reader import Progress

from .facts import Facts
from .rows import LIMIT, Rows
from .text import counted

_KEPT = (
    "event, time, instance, seq, policy_revision, mode, version, engine, scope_hosts, scope_other_hosts, fsync, key_id, "
    "loaded, previous_revision, problems, scope, name, previous_mode, side, detail, client_address, server_address, "
    "server_port, url, fetched, cause, denied, CAST(since AS VARCHAR) AS since, file"
)


@dataclass(frozen=True)
class Change:
    """One event. ``kind``: start, stop, reload, failed_reload, mode_change, gap. ``title``, ``text``: what happened."""

    time: datetime
    kind: str
    title: str
    text: str
    revision: str | None
    instance: str


@dataclass(frozen=True)
class Run:
    """One run of one process. ``start`` is None where its beginning is not in the period; ``stopped``: in good order."""

    instance: str
    version: str | None
    mode: str | None
    fsync: str | None
    first_seen: datetime
    last_seen: datetime
    started: bool
    stopped: bool
    records: int


@dataclass(frozen=True)
class Revision:
    """A policy by its revision, and the calls that it decided."""

    revision: str | None
    first_seen: datetime
    last_seen: datetime
    calls: int


@dataclass(frozen=True)
class Changes:
    """``gaps``: those of the events that say what is missing from the log. ``monitored``: for whom denials ceased to be
    enforced."""

    events: Rows[Change]
    gaps: Rows[Change]
    runs: Rows[Run]
    revisions: Rows[Revision]
    failed_reloads: int
    monitored: Rows[str]


def keep_events(facts: Facts, progress: Progress | None = None) -> None:
    """Make the table ``report_events`` of all records that are neither calls, tunnels nor checkpoints. They are few."""
    facts.log.ask(
        f"CREATE OR REPLACE TEMP TABLE report_events AS SELECT {_KEPT} FROM events WHERE event <> 'checkpoint'",  # noqa: S608
        (),
        progress,
    )


def gather_changes(facts: Facts) -> Changes:
    """The changes of the period, after ``keep_events``."""
    ((failed,),) = facts.ask("SELECT count(*) FROM report_events WHERE event = 'reload' AND NOT loaded")
    monitored = [
        _whose(scope, name)
        for scope, name in facts.ask(
            """SELECT scope, name FROM report_events WHERE event = 'mode_change' AND mode = 'monitor'
            GROUP BY scope, name ORDER BY scope, name"""
        )
    ]
    return Changes(
        _events(facts, "event IN ('start', 'stop', 'reload', 'mode_change', 'gap')"),
        _events(facts, "event = 'gap'"),
        _runs(facts),
        _revisions(facts),
        failed,
        Rows.of(monitored, len(monitored)),
    )


def _events(facts: Facts, condition: str) -> Rows[Change]:
    cursor = facts.log.ask(
        f"SELECT *, count(*) OVER () AS total FROM report_events WHERE {condition} "  # noqa: S608
        f"ORDER BY time, instance, seq LIMIT {LIMIT}"
    )
    names = [column[0] for column in cursor.description or ()]
    rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return Rows.of(map(_change, rows), rows[0]["total"] if rows else 0)


def _change(row: dict[str, Any]) -> Change:
    kind, title, text = _WORDS[row["event"]](row)
    return Change(row["time"], kind, title, text, row["policy_revision"], row["instance"])


def _start(row: dict[str, Any]) -> tuple[str, str, str]:
    hosts = ", ".join(_strings(row["scope_hosts"])) or "no hosts"
    return (
        "start",
        f"Proxy started in {row['mode']} mode",
        f"version {row['version']} on {row['engine']}; governs {hosts}; other hosts: {row['scope_other_hosts']}; "
        f"fsync {row['fsync']}",
    )


def _stop(_: dict[str, Any]) -> tuple[str, str, str]:
    return "stop", "Proxy stopped", "in good order"


def _reload(row: dict[str, Any]) -> tuple[str, str, str]:
    if row["loaded"]:
        return (
            "reload",
            "Policy changed",
            f"from revision {row['previous_revision'] or 'none'}, {row['mode']} mode",
        )
    problems = _strings(row["problems"])
    return (
        "failed_reload",
        "Policy edit refused",
        f"{counted(len(problems), 'problem')}, so the old policy stayed in force: {' / '.join(problems)}",
    )


def _mode_change(row: dict[str, Any]) -> tuple[str, str, str]:
    before, after = (row[key] or "inherited" for key in ("previous_mode", "mode"))
    return "mode_change", f"Mode of {_whose(row['scope'], row['name'])}: {after}", f"before: {before}"


def _whose(scope: str | None, name: str | None) -> str:
    return "the whole proxy" if scope == "proxy" else f"{(scope or '').replace('_', ' ')} {name}"


def _gap(row: dict[str, Any]) -> tuple[str, str, str]:
    titles = {
        "torn_line": "A line was torn",
        "lost_tail": "The end of the log was lost",
        "write_failed": "The log could not be written",
        "file_replaced": "The log file was replaced",
        "retention": "A file was deleted by retention",
    }
    denied = row["denied"]
    facts = [
        row["detail"] or "",
        f"from {row['since']} on" if row["since"] else "",
        f"{counted(denied, 'call')} denied meanwhile, without a record of each" if denied is not None else "",
        row["file"] or "",
    ]
    return "gap", titles.get(row["cause"], "Gap"), "; ".join(filter(None, facts))


_WORDS = {"start": _start, "stop": _stop, "reload": _reload, "mode_change": _mode_change, "gap": _gap}


def _strings(value: str | None) -> list[str]:
    try:
        parsed = json.loads(value) if value else []
    except ValueError:
        return [str(value)]
    return [str(each) for each in parsed] if isinstance(parsed, list) else [str(parsed)]


def _runs(facts: Facts) -> Rows[Run]:
    rows = facts.ask(
        f"""WITH runs AS (
            SELECT instance, min(first_seen) AS first, max(last_seen) AS last, CAST(sum(records) AS BIGINT) AS records
            FROM by_run WHERE event IS NOT NULL GROUP BY instance
        ), marks AS (
            SELECT instance, max(version) AS version, max(mode) FILTER (event = 'start') AS mode, max(fsync) AS fsync,
                bool_or(event = 'start') AS started, bool_or(event = 'stop') AS stopped
            FROM report_events GROUP BY instance
        )
        SELECT instance, version, mode, fsync, first, last, coalesce(started, false), coalesce(stopped, false), records,
            count(*) OVER ()
        FROM runs LEFT JOIN marks USING (instance) ORDER BY first, instance LIMIT {LIMIT}"""  # noqa: S608
    )
    return Rows.of((Run(*row[:-1]) for row in rows), rows[0][-1] if rows else 0)


def _revisions(facts: Facts) -> Rows[Revision]:
    rows = facts.ask(
        f"""SELECT policy_revision, min(first_seen) AS first, max(last_seen),
            CAST(coalesce(sum(records) FILTER (event = 'decision'), 0) AS BIGINT), count(*) OVER ()
        FROM by_revision WHERE event IS NOT NULL GROUP BY policy_revision ORDER BY first LIMIT {LIMIT}"""  # noqa: S608
    )
    return Rows.of((Revision(*row[:-1]) for row in rows), rows[0][-1] if rows else 0)
