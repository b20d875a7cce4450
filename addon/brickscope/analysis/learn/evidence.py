"""What a log shows of one subject: its calls that succeeded, alike ones together, and why others are no evidence.

A denied call is no evidence, nor is one that failed: whoever holds a stolen token tries what it may not do, and a rule that
was learned from the tries would let it. So is a call that a deny rule or a binding denied, though monitor mode sent it.
"""

import json
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, NamedTuple

from brickscope.audit.reader import AuditLog, Progress
from brickscope.shipped import text

_BATCH = 10_000

REASONS = (
    "allowed_by_rule",
    "no_rule_matches",
    "unknown_operation",
    "constraint_not_met",
    "unknown_token",
    "unknown_principal",
)
"""Reasons of decisions that say nothing against a call: it was allowed, or the policy knows no rule or subject yet."""

_WHO = {
    "subject": "subject = $who",
    "fingerprint": "fingerprint = $who",
    # A user's token names the application as its client: that is everybody who uses it.
    "client_id": "principal->>'$.client_id' = $who AND "
    # Of an application's own token of Entra ID, sub is the object id.
    "coalesce(nullif(principal->>'$.sub', principal->>'$.object_id'), $who) = $who",
    "sub": "principal->>'$.sub' = $who",
}

_TEXTS = (
    *("reason", "method", "path", "operation", "has_body", "server_address", "workspace", "host_workspace"),
    "client_address",
)
_DATA = ("params", "params_sent", "param_names", "batch")
"""Fields of a record that tell a call: as they are, and as JSON."""


class Selector(NamedTuple):
    """Whose calls. ``by``: ``subject``, ``fingerprint``, ``client_id`` (a service principal's) or ``sub`` (a user's)."""

    by: str
    value: str


class Group(NamedTuple):
    """Calls of one day that a record does not tell apart. ``record``: as the log has them. ``number``: 0, 1, 2 …"""

    number: int
    record: dict[str, Any]
    day: date
    calls: int
    first_seen: datetime
    last_seen: datetime


class Evidence(NamedTuple):
    """``calls``: of the subject, all. ``left_out``: calls that are no evidence, by why. ``groups``: of those that are.

    ``fingerprints``, ``principals``: by which the subject was known in them; ``workspaces``: where they went;
    ``clients``: addresses with their calls.
    """

    calls: int
    first_seen: datetime | None
    last_seen: datetime | None
    groups: int
    left_out: dict[str, int]
    fingerprints: tuple[str, ...]
    principals: tuple[dict[str, str | None], ...]
    workspaces: tuple[str, ...]
    clients: dict[str, int]


def collect(log: AuditLog, who: Selector, progress: Progress | None = None) -> Evidence:
    """Gather the calls of a subject into the table ``learned`` of the log's connection. Raises duckdb.Error."""
    log.ask(
        text(__package__, "learned.sql").format(who=_WHO[who.by], reasons=str(REASONS)),
        {"who": who.value},
        progress,
    )
    ask = log.connection.execute
    ((calls, first, last, groups),) = ask(
        "SELECT coalesce(sum(calls), 0), min(first_seen), max(last_seen), count(*) FROM learned"
    ).fetchall()
    left_out = ask(
        "SELECT why, sum(calls) FROM learned WHERE why IS NOT NULL GROUP BY why ORDER BY 2 DESC, why"
    )
    counted = {str(why): int(calls) for why, calls in left_out.fetchall()}

    def distinct(column: str) -> list[str]:
        sql = f"SELECT DISTINCT {column} FROM learned WHERE why IS NULL AND {column} IS NOT NULL ORDER BY 1"  # noqa: S608
        return [str(value) for (value,) in ask(sql).fetchall()]

    clients = ask(
        "SELECT coalesce(client_address, '-'), sum(calls) FROM learned WHERE why IS NULL GROUP BY 1 ORDER BY 2 DESC, 1"
    ).fetchall()
    return Evidence(
        int(calls),
        first,
        last,
        groups,
        counted,
        tuple(distinct("fingerprint")),
        tuple(json.loads(each) for each in distinct("principal")),
        tuple(distinct("server_address || coalesce('?o=' || workspace, '')")),
        {str(client): int(calls) for client, calls in clients},
    )


def groups(log: AuditLog) -> Iterator[Group]:
    """The calls that are evidence, in no order. No other question can be asked of the log meanwhile."""
    found = log.connection.execute(
        f"SELECT number, day, calls, first_seen, last_seen, {', '.join((*_TEXTS, *_DATA))} "  # noqa: S608 - names are ours
        "FROM learned WHERE why IS NULL"
    )
    while batch := found.fetchmany(_BATCH):
        for number, day, calls, first, last, *told in batch:
            record = dict(zip(_TEXTS, told, strict=False))
            for name, value in zip(_DATA, told[len(_TEXTS) :], strict=True):
                record[name] = None if value is None else json.loads(value)
            record["time"] = f"{last:%Y-%m-%dT%H:%M:%S.%f}Z"
            yield Group(int(number), record, day, int(calls), first, last)
