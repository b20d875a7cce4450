"""What was denied, and why."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from brickscope.audit.denials import Denials, find_denials
from brickscope.audit.reader import Progress
from brickscope.core.reason import Kind, Reason

from .facts import Facts
from .rows import LIMIT, Rows

KINDS = {
    Kind.ALLOW: "Allowed",
    Kind.POLICY: "Not allowed by the policy",
    Kind.SUBJECT: "Nobody the policy knows",
    Kind.READING: "No regular reading",
    Kind.FORBIDDEN: "Never allowed",
    Kind.DESTINATION: "Destination",
    Kind.INTERNAL: "Failed inside the proxy",
}
"""The kinds of reasons, in words for the page."""
MOST_VALUES = 8


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


def gather_denials(facts: Facts, progress: Progress | None = None) -> Rows[Denials]:
    """The most frequent denials, tunnels among them, grouped as ``brickscope audit denials`` groups them."""
    found = find_denials(facts.log, progress)
    return Rows.of(found.groups, found.total)


def describe_params(params: list[Any]) -> str:
    """The parameters of denied calls on one line: ``job_id = 1044 or 1045``."""
    values: dict[str, dict[str, None]] = {}
    for each in params:
        for name, value in each.items() if isinstance(each, dict) else ():
            values.setdefault(str(name), {})[json.dumps(value, ensure_ascii=False)] = None
    return "; ".join(
        f"{name} = {' or '.join(list(said)[:MOST_VALUES])}{' …' if len(said) > MOST_VALUES else ''}"
        for name, said in values.items()
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
