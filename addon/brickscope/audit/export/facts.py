"""What an exported event says about a record, whatever the format: how it ended, how bad it is, what was done to what.

Records are those of ``event.py`` as dictionaries; every value in them is somebody else's text. A record of a later version
may hold names and codes that are not known here: they are passed on, never guessed at.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from brickscope.catalog.catalog import Operation, load_catalog
from brickscope.core.reason import Kind, Reason

Record = Mapping[str, Any]
Activity = Literal["create", "read", "update", "delete", "execute", "unknown"]
Result = Literal["success", "failure", "unknown"]

_BY_METHOD: dict[str, Activity] = {
    "GET": "read",
    "HEAD": "read",
    "OPTIONS": "read",
    "PUT": "update",
    "PATCH": "update",
    "DELETE": "delete",
}
_BY_VERB: dict[str, Activity] = {
    "create": "create",
    "add": "create",
    "import": "create",
    "upload": "create",
    "mkdirs": "create",
    "register": "create",
    "delete": "delete",
    "remove": "delete",
    "purge": "delete",
    "permanent": "delete",
    "revoke": "delete",
    "trash": "delete",
}


class Severity(NamedTuple):
    """How much a record deserves to be looked at. ``level``: 0 not known, 1 informational, 2 low, 3 medium, 4 high."""

    level: int
    caption: str


_SEVERITIES = {
    level: Severity(level, caption)
    for level, caption in enumerate(("Unknown", "Informational", "Low", "Medium", "High"))
}
_BY_KIND = {
    Kind.ALLOW: 1,
    Kind.POLICY: 2,
    Kind.SUBJECT: 3,
    Kind.READING: 3,
    Kind.DESTINATION: 3,
    Kind.FORBIDDEN: 4,
    Kind.INTERNAL: 4,
}
_BY_REASON: dict[str, int] = {reason.value: _BY_KIND[reason.kind] for reason in Reason}


class Thing(NamedTuple):
    """What a call acted on. ``kind``: the service of the catalogue, such as ``jobs``; ``name``: of the parameter."""

    kind: str
    name: str
    uid: str


def present(**fields: Any) -> dict[str, Any]:
    """The fields that hold something: without None and without empty lists and dictionaries."""
    return {name: value for name, value in fields.items() if value is not None and value not in ({}, [], ())}


def moment(record: Record) -> datetime:
    """When the record was written. Raises ValueError, KeyError or TypeError if it does not say so."""
    return instant(record["time"])


def instant(text: str) -> datetime:
    """A time of the log, with its zone. Raises ValueError or TypeError."""
    when = datetime.fromisoformat(text)
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def epoch_ms(when: datetime) -> int:
    """Milliseconds since 1970, rounded down."""
    return int(when.timestamp() * 1000)


@lru_cache(maxsize=4096)
def address(text: str | None) -> str | None:
    """The text if it is an IP address, as typed fields of a SIEM take it: without a zone (``fe80::1%eth0``); else None."""
    if text is None or "%" in text:
        return None
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None


def uid(record: Record) -> str:
    """The record's own id, the same in every export of it, so that a SIEM can drop what is sent twice."""
    return f"{record['instance']}-{record['seq']}"


def sent(record: Record) -> bool:
    """Whether a call or tunnel went on: allowed, or denied where monitor mode does not enforce."""
    return record["decision"] == "allow" or record["enforced"] is False


def result(record: Record, outcome: Record | None) -> Result:
    """How a call ended: a denial fails; a call that was sent does as its answer says; without an answer it is unknown."""
    if not sent(record):
        return "failure"
    if outcome is None or (outcome.get("status") is None and outcome.get("error") is None):
        return "unknown"
    status = outcome.get("status")
    return "success" if status is not None and status < 400 and outcome.get("error") is None else "failure"


def severity(record: Record) -> Severity:
    """By the kind of the reason; a denial that monitor mode let go on counts no more than one that follows the policy."""
    level = _BY_REASON.get(record["reason"], 0)
    return _SEVERITIES[min(level, 2) if record["enforced"] is False else level]


@lru_cache(maxsize=4096)
def operation(name: str | None) -> Operation | None:
    """An operation of the catalogue; None for a name that this version does not know."""
    return None if name is None else load_catalog().find(name)


def activity(record: Record) -> Activity:
    """What a call does to its object, by the catalogue; by the method of a call that it does not know.

    A POST that is not known may do anything.
    """
    known = operation(record.get("operation"))
    if known is None:
        return _BY_METHOD.get(record.get("method") or "", "unknown")
    if known.kind in ("read", "secret"):
        return "read"
    if known.kind == "execute":
        return "execute"
    verb = known.name.rpartition(".")[2].partition("_")[0]
    method = known.calls[0].partition(" ")[0]
    return _BY_VERB.get(verb) or _BY_METHOD.get(method, "update")


def things(record: Record) -> list[Thing]:
    """What a call acted on, as far as a rule looked at it: parameters that name an object, if they are plain."""
    known, params = operation(record.get("operation")), record.get("params")
    if known is None or not isinstance(params, Mapping):
        return []
    found = []
    for name in known.object:
        value = params.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool):
            found.append(Thing(known.service, name, str(value)))
    return found


def rest(record: Record, told: frozenset[str]) -> dict[str, Any]:
    """What of a record has no place of its own in a format: everything that is not null and not ``told`` elsewhere."""
    return {name: value for name, value in record.items() if name not in told and value is not None}
