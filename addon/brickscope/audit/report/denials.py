"""What was denied, and why."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from brickscope.audit.queries import query
from brickscope.core.reason import Kind, Reason

from .activity import Counts
from .facts import Facts
from .rows import LIMIT, Rows

KINDS = {
    Kind.ALLOW: "Allowed",
    Kind.POLICY: "Not allowed by the policy",
    Kind.SUBJECT: "Nobody the policy knows",
    Kind.READING: "More than one reading",
    Kind.FORBIDDEN: "Never allowed",
    Kind.DESTINATION: "Destination",
    Kind.INTERNAL: "Failed inside the proxy",
}
"""The kinds of reasons, in words for the page."""


@dataclass(frozen=True)
class ReasonCount:
    """How often a denial had a reason. ``kind``: None for a reason that this version does not know."""

    reason: str
    sentence: str
    kind: Kind | None
    denied: int
    sent: int
    subjects: int
    first_seen: datetime
    last_seen: datetime

    @property
    def calls(self) -> int:
        """All denials, sent ones too."""
        return self.denied + self.sent


@dataclass(frozen=True)
class Denial:
    """Denied calls that the same change would allow. ``subject``: None for a caller the policy did not name.

    ``who``: what is known of such a caller. ``what``: the operation or call. ``given``: what about it was not allowed.
    ``example``: a decision id, to be shown whole by ``brickscope audit show``.
    """

    subject: str | None
    who: str
    reason: str
    what: str
    given: str
    detail: str
    counts: Counts
    clients: int
    first_seen: datetime
    last_seen: datetime
    example: str | None


def reason_of(code: str | None) -> Reason | None:
    """The reason of a code; None for one that this version does not know."""
    return Reason.__members__.get((code or "").upper())


def gather_reasons(facts: Facts) -> Rows[ReasonCount]:
    """The reasons of denied calls (tunnels not among them), the most frequent first."""
    rows = facts.ask(
        f"""SELECT coalesce(reason, ''), CAST(coalesce(sum(records) FILTER (enforced IS NOT false), 0) AS BIGINT) AS denied,
            CAST(coalesce(sum(records) FILTER (NOT enforced), 0) AS BIGINT) AS sent, count(DISTINCT subject),
            min(first_seen), max(last_seen), count(*) OVER ()
        FROM by_call WHERE event = 'decision' AND decision = 'deny' GROUP BY reason
        ORDER BY denied + sent DESC, reason LIMIT {LIMIT}"""  # noqa: S608
    )
    found = []
    for code, *numbers, _ in rows:
        reason = reason_of(code)
        sentence = reason.sentence if reason else "This version of Brickscope does not know this reason."
        found.append(ReasonCount(code, sentence, reason.kind if reason else None, *numbers))
    return Rows.of(found, rows[0][-1] if rows else 0)


def gather_denials(facts: Facts) -> Rows[Denial]:
    """The most frequent denials, tunnels among them, grouped as ``brickscope audit denials`` groups them."""
    cursor = facts.log.ask(
        f"SELECT *, count(*) OVER () AS total FROM ({query('denials')}) WHERE reason IS NOT NULL "  # noqa: S608
        f"ORDER BY calls DESC, last_seen DESC, example LIMIT {LIMIT}"
    )
    names = [column[0] for column in cursor.description or ()]
    rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return Rows.of(map(_denial, rows), rows[0]["total"] if rows else 0)


def _denial(row: dict[str, Any]) -> Denial:
    call = " ".join(filter(None, (row["method"], row["path"])))
    tunnel = f"connection to {row['server_address']}" if row["server_address"] else ""
    given = [
        ("parameters", row["params"]),
        ("names", row["param_names"]),
        ("client", row["client_address"]),
        ("host", row["server_address"] if row["operation"] or call else None),
        ("workspace", row["workspace"]),
        ("grant", row["asked_grant"]),
    ]
    calls, sent = int(row["calls"]), int(row["sent"] or 0)
    return Denial(
        row["subject"],
        "" if row["subject"] else describe_caller(row["fingerprint"], row["principal"]),
        row["reason"],
        row["operation"] or call or tunnel or "–",
        "; ".join(f"{word} {_plain(value)}" for word, value in given if value not in (None, "{}", "[]")),
        row["detail"] or "",
        Counts(calls, 0, sent, calls - sent),
        row["clients"],
        row["first_seen"],
        row["last_seen"],
        row["example"],
    )


def describe_caller(fingerprint: str | None, principal: str | None) -> str:
    """Who it was that the policy did not name: verified claims, else the fingerprint, else nothing."""
    if principal is not None:
        try:
            claims = json.loads(principal)
        except ValueError:
            claims = None
        if isinstance(claims, dict):
            sub, client = claims.get("sub"), claims.get("client_id")
            said = [f"{sub}" if sub else "", f"by client {client}" if client and client != sub else ""]
            return " ".join(filter(None, said))
    return fingerprint or ""


def _plain(value: Any) -> str:
    """A JSON value of the log on one line; text as it is."""
    try:
        parsed = json.loads(value) if isinstance(value, str) and value[:1] in "{[" else value
    except ValueError:
        parsed = value
    if isinstance(parsed, dict):
        return ", ".join(f"{name} = {json.dumps(each, ensure_ascii=False)}" for name, each in parsed.items())
    if isinstance(parsed, list):
        return ", ".join(map(str, parsed))
    return str(parsed)
