"""Denials, grouped by what would allow them: ``sql/denials.sql``, the remedy of each group, and their order."""

import json
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from brickscope.audit.queries import query
from brickscope.audit.reader import AuditLog, Progress
from brickscope.catalog.catalog import load_catalog

from .logged_remedy import logged_remedy
from .remedy import Remedy

MOST = 10_000
POWERFUL = ("secret", "grant", "execute")
"""Classes of operations that return or make credentials, change who may act, or run code: the gravest first."""


class Denials(NamedTuple):
    """Calls that were denied for one reason and that one change would allow.

    ``caller``: the subject, else what is known of the caller (``known_by``), empty for no credential. ``what``: the
    operation, else method and path, else the host. ``kind``: the gravest class of ``POWERFUL`` among what was called,
    else empty. ``probe``: the call is one that ``brickscope doctor`` makes to be denied. ``sent``: those that monitor
    mode let go on. ``params``: what they had as parameters, each once. ``example``: the id of one of them.
    """

    subject: str | None
    caller: str
    rule_set: str | None
    reason: str
    what: str
    kind: str
    operations: list[str]
    probe: bool
    calls: int
    sent: int
    first_seen: datetime | None
    last_seen: datetime | None
    detail: str
    example: str
    params: list[Any]
    remedy: Remedy


class Found(NamedTuple):
    """The groups in the order of ``rank``, and of all denials how many groups and calls there are."""

    groups: list[Denials]
    total: int
    calls: int


def rank(groups: Iterable[Denials]) -> list[Denials]:
    """Denials in the order in which a reviewer should look at them.

    First what is powerful, caller by caller: 54 denials of ``tokens.create`` to one job say more than a thousand of
    ``warehouses.list``. Then all else by the number of calls. Last the probes of our own doctor, which are always denied.
    """
    groups = list(groups)
    tried: Counter[tuple[str, str]] = Counter()
    for group in groups:
        tried[group.kind, group.caller] += group.calls

    def place(group: Denials) -> tuple[Any, ...]:
        if group.kind:
            return POWERFUL.index(group.kind), -tried[group.kind, group.caller], group.caller, -group.calls
        return len(POWERFUL) + group.probe, -group.calls

    return sorted(groups, key=lambda group: (*place(group), group.example))


def find_denials(log: AuditLog, progress: Progress | None = None) -> Found:
    """The groups of a log. Whoever sends a million different paths gets MOST of them, and hides nobody else's."""
    log.ask(f"CREATE OR REPLACE TEMP TABLE denial_groups AS {query('denials')}", (), progress)
    total, calls, bad = log.connection.execute(
        "SELECT count(reason), sum(calls) FILTER (reason IS NOT NULL), sum(calls) FILTER (reason IS NULL) FROM denial_groups"
    ).fetchall()[0]
    classes = [
        {"operation": operation.name, "weight": POWERFUL.index(operation.kind)}
        for operation in load_catalog().operations.values()
        if operation.kind in POWERFUL
    ]
    log.make_table("operation_classes", {"operation": "VARCHAR", "weight": "INTEGER"}, classes)
    rows = log.select(
        """SELECT * FROM (
            SELECT *, coalesce(subject, known_by(fingerprint, principal)) AS caller, CASE WHEN caller <> '' THEN (
                SELECT min(c.weight) FROM operation_classes AS c WHERE list_contains(g.operations, c.operation)
            ) END AS weight
            FROM denial_groups AS g WHERE reason IS NOT NULL
        ) ORDER BY weight NULLS LAST, row_number() OVER (PARTITION BY weight, subject ORDER BY calls DESC, example),
            calls DESC, example LIMIT $most""",
        {"most": MOST},
    )
    groups = rank(map(_group, _join(rows)))
    log.bad_lines = int(bad or 0)
    return Found(groups, total - min(total, MOST) + len(groups), int(calls or 0))


def _join(rows: Iterable[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Rows that differ in what they name alone become one group: calls of one operation that no rule allows, and those that
    differ in the value of one parameter."""
    found: dict[Any, list[dict[str, Any]]] = {}
    for number, row in enumerate(rows):
        for name in ("params", "param_names", "principal"):
            row[name] = None if row[name] is None else json.loads(row[name])
        row["grant"] = row.pop("asked_grant")
        if row["reason"] == "constraint_not_met":
            row["method"], _, row["path"] = (row["last_call"] or "").partition(" ")
        row["server_address"] = row["server_address"] or row["last_host"]
        params = row["params"]
        single = isinstance(params, dict) and len(params) == 1
        key: Any = number
        if row["reason"] == "constraint_not_met" and isinstance(params, dict) and single:
            names = json.dumps([*params, row["param_names"]])
            key = (row["subject"], row["rule_set"], row["operation"], names, type(*params.values()).__name__)
        elif row["reason"] == "no_rule_matches" and row["operation"] is not None:
            key = (row["subject"], row["rule_set"], row["operation"])
        found.setdefault(key, []).append(row)
    return list(found.values())


def _group(rows: list[dict[str, Any]]) -> Denials:
    rows.sort(key=lambda row: -row["calls"])
    first = rows[0]
    params = [row["params"] for row in rows if row["params"] is not None]
    return Denials(
        first["subject"],
        first["caller"],
        first["rule_set"],
        first["reason"],
        _what(first),
        "" if first["weight"] is None else POWERFUL[first["weight"]],
        sorted({name for row in rows for name in row["operations"] or ()}),
        first["probe"] and not first["sent"],
        sum(row["calls"] for row in rows),
        sum(row["sent"] for row in rows),
        min(filter(None, (row["first_seen"] for row in rows)), default=None),
        max(filter(None, (row["last_seen"] for row in rows)), default=None),
        first["detail"],
        first["example"] or "",
        params,
        logged_remedy(first, rows[1:]),
    )


def _what(row: dict[str, Any]) -> str:
    """One call of a group, the gravest operation of all, and whether there are others."""
    if row["operation"] is not None:
        return str(row["operation"])
    named = sorted(row["operations"] or (), key=lambda name: (_gravity(name), name))
    one = next(iter(named), None) or row["first_call"] or "a request that could not be read"
    return one if row["first_call"] == row["last_call"] else f"{one} and others"


def _gravity(name: str) -> int:
    operation = load_catalog().find(name)
    return (
        POWERFUL.index(operation.kind)
        if operation is not None and operation.kind in POWERFUL
        else len(POWERFUL)
    )
