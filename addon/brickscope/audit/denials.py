"""Denials, grouped by what would allow them: ``sql/denials.sql`` and the remedy of each group."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from .queries import query
from .reader import AuditLog, Progress
from .remedy import MAX_VALUES, Remedy, find_remedy

MOST = 10_000


class Denials(NamedTuple):
    """Calls that were denied for one reason and that one change would allow.

    ``what``: the operation, else method and path, else the host. ``sent``: those that monitor mode let go on. ``params``:
    what they had as parameters, each once. ``example``: the id of one of them.
    """

    subject: str | None
    rule_set: str | None
    reason: str
    what: str
    calls: int
    sent: int
    first_seen: datetime
    last_seen: datetime
    detail: str
    example: str
    params: list[Any]
    remedy: Remedy


class Found(NamedTuple):
    """The most frequent groups, and of all denials how many groups, calls and bad lines there are."""

    groups: list[Denials]
    total: int
    calls: int
    bad_lines: int


def find_denials(log: AuditLog, progress: Progress | None = None) -> Found:
    """The groups, the most frequent first. Whoever sends a million different paths gets MOST of them."""
    log.ask(f"CREATE OR REPLACE TEMP TABLE denial_groups AS {query('denials')}", (), progress)
    total, calls, bad = log.connection.execute(
        "SELECT count(reason), sum(calls) FILTER (reason IS NOT NULL), sum(calls) FILTER (reason IS NULL) FROM denial_groups"
    ).fetchall()[0]
    result = log.connection.execute(
        "SELECT * FROM denial_groups WHERE reason IS NOT NULL ORDER BY calls DESC, example LIMIT $most",
        {"most": MOST},
    )
    names = [column[0] for column in result.description or ()]
    joined = _join(dict(zip(names, row, strict=True)) for row in result.fetchall())
    groups = sorted(map(_group, joined), key=lambda group: (-group.calls, group.example))
    return Found(groups, total - min(total, MOST) + len(groups), int(calls or 0), int(bad or 0))


def _join(rows: Iterable[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Rows that differ in the value of one parameter alone become one group: one rule with a list allows them."""
    found: dict[Any, list[dict[str, Any]]] = {}
    for number, row in enumerate(rows):
        for name in ("params", "param_names", "principal"):
            row[name] = _json(row[name])
        row["grant"] = row.pop("asked_grant")
        params = row["params"]
        single = isinstance(params, dict) and len(params) == 1
        key: Any = number
        if row["reason"] == "constraint_not_met" and isinstance(params, dict) and single:
            names = json.dumps([*params, row["param_names"]])
            key = (row["subject"], row["rule_set"], row["operation"], names, type(*params.values()).__name__)
        found.setdefault(key, []).append(row)
    return list(found.values())


def _group(rows: list[dict[str, Any]]) -> Denials:
    rows.sort(key=lambda row: -row["calls"])
    first = rows[0]
    params = [row["params"] for row in rows if row["params"] is not None]
    if first["operation"] is not None:
        what = first["operation"]
    elif first["method"] is not None:
        what = f"{first['method']} {first['path']}"
    else:
        what = first["server_address"] or "a request that could not be read"
    return Denials(
        first["subject"],
        first["rule_set"],
        first["reason"],
        what,
        sum(row["calls"] for row in rows),
        sum(row["sent"] for row in rows),
        min(row["first_seen"] for row in rows),
        max(row["last_seen"] for row in rows),
        first["detail"],
        first["example"],
        params,
        find_remedy(first, params[:MAX_VALUES]),
    )


def _json(text: str | None) -> Any:
    return None if text is None else json.loads(text)
