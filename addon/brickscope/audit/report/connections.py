"""What passed beside the calls: hosts that were called, tunnels to other hosts, failed TLS handshakes, fetched keys."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from .activity import COUNTS, Counts
from .facts import Facts
from .rows import LIMIT, Rows


@dataclass(frozen=True)
class Host:
    """A host under policy, by its calls, or (``tunnel``) another one, by connections that were opened to it or denied."""

    name: str | None
    tunnel: bool
    reason: str | None
    counts: Counts
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True)
class Handshake:
    """TLS handshakes that failed in the same way. ``side``: who refused, client or server."""

    side: str | None
    host: str | None
    client: str | None
    cause: str | None
    detail: str | None
    times: int
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True)
class KeySet:
    """Fetches of an issuer's public keys that ended alike."""

    url: str | None
    fetched: bool
    detail: str | None
    times: int
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True)
class Connections:
    """``tunnels``: how many, of all hosts."""

    hosts: Rows[Host]
    handshakes: Rows[Handshake]
    key_sets: Rows[KeySet]
    tunnels: int
    failed_handshakes: int
    failed_key_sets: int


def gather_connections(facts: Facts) -> Connections:
    """All of them, after ``keep_events``."""
    hosts = facts.ask(
        f"""SELECT server_address, event = 'tunnel' AS tunnel, CASE WHEN event = 'tunnel' THEN reason END AS why, {COUNTS},
            min(first_seen), max(last_seen), count(*) OVER ()
        FROM by_server WHERE event IN ('decision', 'tunnel') GROUP BY server_address, tunnel, why
        ORDER BY tunnel, calls DESC, server_address, why LIMIT {LIMIT}"""  # noqa: S608
    )
    handshakes = facts.ask(
        f"""SELECT side, server_address, client_address, cause, detail, count(*) AS times, min(time), max(time),
            count(*) OVER ()
        FROM report_events WHERE event = 'tls_refused' GROUP BY side, server_address, client_address, cause, detail
        ORDER BY times DESC, detail LIMIT {LIMIT}"""  # noqa: S608
    )
    keys = facts.ask(
        f"""SELECT url, coalesce(fetched, false) AS got, detail, count(*) AS times, min(time), max(time), count(*) OVER ()
        FROM report_events WHERE event = 'key_set' GROUP BY url, got, detail ORDER BY got, times DESC, url LIMIT {LIMIT}"""  # noqa: S608
    )
    ((tunnels,),) = facts.ask(
        "SELECT CAST(coalesce(sum(records), 0) AS BIGINT) FROM by_kind WHERE event = 'tunnel'"
    )
    ((refused, failed),) = facts.ask(
        """SELECT count(*) FILTER (event = 'tls_refused'), count(*) FILTER (event = 'key_set' AND NOT fetched)
        FROM report_events"""
    )
    return Connections(
        Rows.of(
            (
                Host(name, tunnel, why, Counts(*counts), first, last)
                for name, tunnel, why, *counts, first, last, _ in hosts
            ),
            hosts[0][-1] if hosts else 0,
        ),
        Rows.of((Handshake(*row[:-1]) for row in handshakes), handshakes[0][-1] if handshakes else 0),
        Rows.of((KeySet(*row[:-1]) for row in keys), keys[0][-1] if keys else 0),
        tunnels,
        refused,
        failed,
    )
