"""Who is new and who is gone: tokens, client addresses, subjects; and callers that the policy did not name.

New can only be told against an earlier part of the log (``--since``); without one it is only told when each was first seen.
Callers without a subject are not compared: anybody can make up tokens, as many as he likes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from brickscope.audit.reader import AuditLog, Progress

from .activity import COUNTS, Counts
from .denials import describe_caller
from .facts import Facts
from .rows import LIMIT, Rows

_CREDENTIAL = "CASE WHEN principal IS NULL THEN fingerprint END"


@dataclass(frozen=True)
class Credential:
    """A token of a subject, by its fingerprint, or (``is_oauth``) by whom it names.

    ``new``: whether it was not seen before the period; None where there is no earlier log to tell by.
    """

    subject: str
    name: str
    is_oauth: bool
    counts: Counts
    first_seen: datetime
    last_seen: datetime
    new: bool | None


@dataclass(frozen=True)
class Client:
    """A client address used by a subject. ``new``: ``address`` (no subject used it before), ``subject`` (this one did not),
    empty for neither, None where there is no earlier log to tell by."""

    address: str | None
    subject: str
    counts: Counts
    first_seen: datetime
    last_seen: datetime
    new: str | None


@dataclass(frozen=True)
class Stranger:
    """A caller that the policy did not name, by what is known of it, and from where. ``name`` is empty for no credential."""

    name: str
    address: str | None
    counts: Counts
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True)
class Stale:
    """A subject without a call for long. ``last_seen``: None if the log has no call of it at all."""

    subject: str
    in_policy: bool | None
    last_seen: datetime | None
    age: timedelta | None


@dataclass(frozen=True)
class Earlier:
    """What subjects were seen with before the period, and when each called last. ``begins``: the first such record."""

    begins: datetime
    credentials: frozenset[tuple[str | None, str | None]]
    addresses: frozenset[str | None]
    pairs: frozenset[tuple[str, str | None]]
    last_calls: dict[str, datetime]


@dataclass(frozen=True)
class Presence:
    """``new_credentials``, ``new_clients``: how many are new; None where that can't be told."""

    begins: datetime | None
    credentials: Rows[Credential]
    new_credentials: int | None
    clients: Rows[Client]
    new_clients: int | None
    strangers: Rows[Stranger]
    stale: Rows[Stale]


def gather_earlier(log: AuditLog, progress: Progress | None = None) -> Earlier | None:
    """What a log of the time before the period holds; None if it has no calls of any subject."""
    rows = log.ask(
        f"""SELECT {_CREDENTIAL} AS credential, CAST(principal AS VARCHAR) AS named, client_address, subject, min(time),
            max(time)
        FROM decisions WHERE subject IS NOT NULL GROUP BY ALL""",  # noqa: S608
        (),
        progress,
    ).fetchall()
    if not rows:
        return None
    last_calls: dict[str, datetime] = {}
    for *_, subject, _, last in rows:
        last_calls[subject] = max(last, last_calls.get(subject, last))
    return Earlier(
        min(row[4] for row in rows),
        frozenset((row[0], row[1]) for row in rows),
        frozenset(row[2] for row in rows),
        frozenset((row[3], row[2]) for row in rows),
        last_calls,
    )


def gather_presence(
    facts: Facts, earlier: Earlier | None, named: frozenset[str] | None, end: datetime, days: int
) -> Presence:
    """Who is new and who is gone. ``named``: the subjects of the policy, None without one. Stale is who has no call in
    the ``days`` before ``end``."""
    credentials, clients = _credentials(facts, earlier), _clients(facts, earlier)
    return Presence(
        earlier.begins if earlier is not None else None,
        Rows.of(credentials, len(credentials)),
        None if earlier is None else sum(bool(each.new) for each in credentials),
        Rows.of(clients, len(clients)),
        None if earlier is None else sum(bool(each.new) for each in clients),
        _strangers(facts),
        _stale(facts, earlier, named, end, days),
    )


def _credentials(facts: Facts, earlier: Earlier | None) -> list[Credential]:
    """The newest first."""
    rows = facts.ask(
        f"""SELECT credential, principal, subject, {COUNTS}, min(first_seen) AS first, max(last_seen)
        FROM by_caller WHERE event = 'decision' AND subject IS NOT NULL AND coalesce(credential, principal) IS NOT NULL
        GROUP BY credential, principal, subject ORDER BY first DESC, subject"""  # noqa: S608
    )
    return [
        Credential(
            subject,
            describe_caller(credential, principal),
            principal is not None,
            Counts(*counts),
            first,
            last,
            None if earlier is None else (credential, principal) not in earlier.credentials,
        )
        for credential, principal, subject, *counts, first, last in rows
    ]


def _clients(facts: Facts, earlier: Earlier | None) -> list[Client]:
    """The newest first."""
    rows = facts.ask(
        f"""SELECT client_address, subject, {COUNTS}, min(first_seen) AS first, max(last_seen)
        FROM by_caller WHERE event = 'decision' AND subject IS NOT NULL GROUP BY client_address, subject
        ORDER BY first DESC, client_address, subject"""  # noqa: S608
    )
    found = []
    for address, subject, *counts, first, last in rows:
        new: str | None = None
        if earlier is not None:
            new = "address" if address not in earlier.addresses else ""
            new = new or ("subject" if (subject, address) not in earlier.pairs else "")
        found.append(Client(address, subject, Counts(*counts), first, last, new))
    return found


def _strangers(facts: Facts) -> Rows[Stranger]:
    """Those with the most calls."""
    rows = facts.ask(
        f"""SELECT credential, principal, client_address, {COUNTS}, min(first_seen), max(last_seen), count(*) OVER ()
        FROM by_caller WHERE event = 'decision' AND subject IS NULL AND decision = 'deny'
        GROUP BY credential, principal, client_address ORDER BY calls DESC, credential, client_address LIMIT {LIMIT}"""  # noqa: S608
    )
    return Rows.of(
        (
            Stranger(describe_caller(credential, principal), address, Counts(*counts), first, last)
            for credential, principal, address, *counts, first, last, _ in rows
        ),
        rows[0][-1] if rows else 0,
    )


def _stale(
    facts: Facts, earlier: Earlier | None, named: frozenset[str] | None, end: datetime, days: int
) -> Rows[Stale]:
    """Those that are gone longest first."""
    calls: dict[str, datetime] = dict(earlier.last_calls) if earlier is not None else {}
    calls |= dict(
        facts.ask(
            """SELECT subject, max(last_seen) FROM by_call WHERE event = 'decision' AND subject IS NOT NULL
            GROUP BY subject"""
        )
    )
    border = end - timedelta(days=days)
    found = [
        Stale(
            subject,
            None if named is None else subject in named,
            calls.get(subject),
            end - calls[subject] if subject in calls else None,
        )
        for subject in calls.keys() | (named or frozenset())
        if calls.get(subject) is None or calls[subject] < border
    ]
    found.sort(key=lambda stale: (stale.last_seen is not None, stale.last_seen, stale.subject))
    return Rows.of(found, len(found))
