"""What an exported event says about a record, whatever the format: how it ended, how bad it is, what was done to what.

Records are those of ``event.yaml`` as dictionaries; every value in them is somebody else's text. A record of a later version
may hold names and codes that are not known here: they are passed on, never guessed at.
"""

import ipaddress
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any

from brickscope.catalog.catalog import Operation, load_catalog
from brickscope.core.reason import Kind, Reason
from brickscope.shipped import table

Record = Mapping[str, Any]
Facts = dict[str, Any]
_ENDED = ("status", "request_bytes", "response_bytes", "duration_ms", "error")

_BY_METHOD = {
    **dict.fromkeys(("GET", "HEAD", "OPTIONS"), "read"),
    **dict.fromkeys(("PUT", "PATCH"), "update"),
    "DELETE": "delete",
}
_BY_VERB = {
    **dict.fromkeys(("create", "add", "import", "upload", "mkdirs", "register"), "create"),
    **dict.fromkeys(("delete", "remove", "purge", "permanent", "revoke", "trash"), "delete"),
}
_SEVERITY = {
    Kind.ALLOW: 1,
    Kind.POLICY: 2,
    Kind.SUBJECT: 3,
    Kind.READING: 3,
    Kind.DESTINATION: 3,
    Kind.PLACEHOLDER: 3,
    Kind.FORBIDDEN: 4,
    Kind.INTERNAL: 4,
}
_BY_REASON: dict[str, int] = {reason.value: _SEVERITY[reason.kind] for reason in Reason}


def find_facts(record: Record, outcome: Record | None) -> Facts:
    """The facts of a record, and of how the call that it decided has ended, by name: its own fields, and what follows.

    Raises KeyError, TypeError or ValueError for a record that is none of this log's.
    """
    began, client, server = (
        instant(record["time"]),
        record.get("client_address"),
        record.get("server_address"),
    )
    principal = record.get("principal")
    principal = principal if isinstance(principal, Mapping) else {}
    ended = outcome or {}
    return {
        **record,
        **{name: ended.get(name) for name in _ENDED},
        "began": began,
        "uid": uid(record),
        "seq": record["seq"],
        "hash": record["hash"],
        "client_ip": address(client),
        "client_name": client if client and not address(client) else None,
        "server_ip": address(server),
        "server_name": server if server and not address(server) else None,
        "identity": principal.get("object_id") or principal.get("client_id") or principal.get("sub"),
        "issuer": principal.get("issuer"),
        "outcome": None if outcome is None else {"seq": outcome["seq"], "hash": outcome["hash"]},
    } | (_decided(record, outcome) if record["event"] in ("decision", "tunnel") else {})


def _decided(record: Record, outcome: Record | None) -> Facts:
    """``sent``: whether it went on: allowed, or denied where monitor mode does not enforce. ``result``: a denial fails; a
    call that was sent does as its answer says; without an answer it is unknown. ``level``: how much it deserves to be looked
    at, by the kind of the reason: 0 not known, 1 informational, 2 low, 3 medium, 4 high."""
    sent = record["decision"] == "allow" or record["enforced"] is False
    status, error = (outcome or {}).get("status"), (outcome or {}).get("error")
    answered = "success" if status is not None and status < 400 and error is None else "failure"
    level = _BY_REASON.get(record["reason"], 0)
    return {
        "sent": sent,
        "result": "failure" if not sent else "unknown" if status is None and error is None else answered,
        # A denial that monitor mode let go on counts no more than one that follows the policy.
        "level": min(level, 2) if record["enforced"] is False else level,
        "detail": record["detail"],
        "decision_id": record["decision_id"],
    }


def activity(record: Record) -> str:
    """What a call does to its object, by the catalogue: create, read, update, delete, execute. By the method of a call that
    it does not know; a POST that is not known may do anything (unknown)."""
    known = operation(record.get("operation"))
    if known is None:
        return _BY_METHOD.get(record.get("method") or "", "unknown")
    if known.kind in ("read", "secret", "execute"):
        return "execute" if known.kind == "execute" else "read"
    verb = known.name.rpartition(".")[2].partition("_")[0]
    return _BY_VERB.get(verb) or _BY_METHOD.get(known.calls[0].partition(" ")[0], "update")


def things(record: Record) -> list[tuple[str, str, str]]:
    """What a call acted on, as far as a rule looked at it: service of the catalogue, name and value of parameters that name
    an object, if they are plain."""
    known, params = operation(record.get("operation")), record.get("params")
    if known is None or not isinstance(params, Mapping):
        return []
    plain = ((name, params[name]) for name in known.object if isinstance(params.get(name), str | int))
    return [(known.service, name, str(value)) for name, value in plain if not isinstance(value, bool)]


@lru_cache(maxsize=4096)
def operation(name: str | None) -> Operation | None:
    """An operation of the catalogue; None for a name that this version does not know."""
    return None if name is None else load_catalog().find(name)


def instant(text: str) -> datetime:
    """A time of the log, with its zone. Raises ValueError or TypeError."""
    when = datetime.fromisoformat(text)
    return when if when.tzinfo else when.replace(tzinfo=UTC)


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


# -- the formats, as tables (``ecs.yaml`` and ``ocsf.yaml``): which fact of a record stands in which field.


def load(name: str) -> dict[str, Any]:
    """A table."""
    found: dict[str, Any] = table(__package__, f"{name}.yaml")
    return found


@cache
def fields(name: str, event: str) -> list[tuple[list[list[str]], Any]]:
    """The fields of one event, those of all events among them, by the parts of their names; where one fact is a list, those
    of its members together."""
    written = load(name)
    found = written["fields"] | written.get(event, {})
    return [([path.split(".") for path in paths.split()], source) for paths, source in found.items()]


def fill(name: str, facts: Facts) -> dict[str, Any]:
    """An event of a format. A field of which there is no fact, or an empty one, is left out."""
    made: dict[str, Any] = {}
    for paths, source in fields(name, facts["event"]):
        value = source
        if isinstance(source, str):
            value = source[1:] if source[0] == "=" else facts.get(source)
        if value is None or value in ({}, [], ()):
            continue
        for path, each in zip(paths, value if len(paths) > 1 else [value], strict=True):
            at = made
            for part in path[:-1]:
                at = at.setdefault(part, {})
            at[path[-1]] = each
    return made


def rest(name: str, record: Record, outcome: dict[str, Any] | None) -> dict[str, Any]:
    """What of a record has no place of its own in a format, and where its outcome stands in the log."""
    told = load(name)["told"]
    kept = {key: value for key, value in record.items() if key not in told and value is not None}
    return kept | ({} if outcome is None else {"outcome": outcome})
