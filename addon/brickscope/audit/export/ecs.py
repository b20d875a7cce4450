"""Records as events of the Elastic Common Schema.

Fields that the schema lacks stay under ``brickscope``, by their own names; a custom object of one's product is how the
schema wants that done. What each field means, and why a value is chosen: docs/shipping.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from .facts import Record, activity, address, instant, moment, present, rest, result, sent, uid

VERSION = "9.4.0"
"""Of the Elastic Common Schema, by whose definitions the tests check."""

_TYPES = {"create": "creation", "read": "access", "update": "change", "delete": "deletion"}
_TOLD = frozenset((
    "time", "seq", "hash", "event", "decision_id", "detail", "reason", "subject", "rule", "rule_set",
    "operation", "client_address", "server_address", "server_port", "method", "path", "user_agent",
    "status", "request_bytes", "response_bytes", "duration_ms", "error", "url",
))  # fmt: skip
_OTHERS: dict[str, tuple[list[str], list[str]]] = {
    "start": (["process"], ["start"]),
    "stop": (["process"], ["end"]),
    "reload": (["configuration"], ["change"]),
    "mode_change": (["configuration"], ["change"]),
    "tls_refused": (["network"], ["connection", "denied"]),
    "key_set": (["configuration"], ["info"]),
    "gap": (["process"], ["info"]),
    "checkpoint": (["process"], ["info"]),
}
"""Category and type of the records about the proxy itself."""
_MESSAGES = {
    "start": "the proxy has started",
    "stop": "the proxy has ended in good order",
    "reload": "the policy was reloaded",
    "mode_change": "a reload changed whether denials are enforced",
    "key_set": "an issuer's public keys were fetched",
    "checkpoint": "the log up to here was signed",
}


def ecs_event(record: Record, outcome: Record | None = None) -> dict[str, Any]:
    """One document. ``outcome``: how a call that was let go on has ended, if that is known.

    Raises KeyError, TypeError or ValueError for a record that is none of this log's.
    """
    kind = record["event"]
    if kind in ("decision", "tunnel"):
        return _decided(record, outcome)
    category, types = _OTHERS.get(kind, ([], []))
    failed = kind in ("tls_refused", "gap") or record.get("loaded") is False or record.get("fetched") is False
    return _document(
        record,
        present(
            kind="event",
            category=category,
            type=types,
            action=kind,
            outcome="failure" if failed else "success",
            reason=record.get("cause"),
        ),
        _message(record),
    )


def _decided(record: Record, outcome: Record | None) -> dict[str, Any]:
    is_call = record["event"] == "decision"
    verdict = "allowed" if sent(record) else "denied"
    what = _TYPES.get(activity(record), "info") if is_call else "connection"
    began = moment(record)
    facts = present(
        kind="event",
        category=["api"] if is_call else ["network"],
        type=[what, verdict],
        action=record.get("operation") or ("api_call" if is_call else "tunnel"),
        outcome=result(record, outcome) if is_call else ("unknown" if sent(record) else "failure"),
        reason=record["reason"],
    )
    document = _document(record, facts, record["detail"])
    if outcome is not None:
        document["event"] |= _ended(began, outcome)
        document |= present(error=present(message=outcome.get("error")))
        document["brickscope"]["outcome"] = {"seq": outcome["seq"], "hash": outcome["hash"]}
    if is_call:
        document |= present(
            url=present(domain=record.get("server_address"), path=record.get("path")),
            http=_http(record, outcome),
            user_agent=present(original=record.get("user_agent")),
            cloud={"service": {"name": "databricks"}},
        )
    return document


def _document(record: Record, facts: dict[str, Any], message: str) -> dict[str, Any]:
    """What every document holds."""
    principal = record.get("principal")
    principal = principal if isinstance(principal, Mapping) else {}
    client, server = record.get("client_address"), record.get("server_address")
    subject, fingerprint = record.get("subject"), record.get("fingerprint")
    source = present(address=client, ip=address(client))
    destination = present(
        address=server,
        ip=address(server),
        domain=None if address(server) else server,
        port=record.get("server_port"),
    )
    identity = principal.get("client_id") or principal.get("sub")
    return present(
        **{"@timestamp": _time(moment(record))},
        ecs={"version": VERSION},
        message=message,
        event={
            **facts,
            "id": uid(record),
            "sequence": record["seq"],
            "hash": record["hash"],
            "module": "brickscope",
            "dataset": "brickscope.audit",
        },
        # An event has a source and a destination; of a call the same two are its client and its server.
        source=source,
        client=source,
        destination=destination,
        server=destination,
        user=present(name=subject, id=identity),
        rule=present(name=record.get("rule"), ruleset=record.get("rule_set")),
        url=present(full=record.get("url")),
        transaction=present(id=record.get("decision_id")),
        observer={
            "type": "proxy",
            "vendor": "Brickscope",
            "product": "Brickscope",
            "name": record["instance"],
        },
        related=present(
            user=[each for each in dict.fromkeys((subject, identity)) if each],
            ip=[each for each in dict.fromkeys((address(client), address(server))) if each],
            hosts=[server] if server and not address(server) else [],
            hash=[fingerprint.removeprefix("sha256:")] if fingerprint else [],
        ),
        brickscope={"event": record["event"], **_own(record)},
    )


def _own(record: Record) -> dict[str, Any]:
    """What the schema has no field for. Parameters are text: a client that sends a number here and a name there would
    else make fields of two types, and Elasticsearch refuses the document that comes second."""
    own = rest(record, _TOLD)
    for name in ("params", "params_sent"):
        if isinstance(own.get(name), Mapping):
            own[name] = json.dumps(own[name], sort_keys=True)
    return own


def _ended(began: datetime, outcome: Record) -> dict[str, Any]:
    duration = outcome.get("duration_ms")
    if duration is None:
        return {"start": _time(began), "end": _time(instant(outcome["time"]))}
    return {
        "start": _time(began),
        "end": _time(began + timedelta(milliseconds=duration)),
        "duration": round(duration * 1_000_000),
    }


def _http(record: Record, outcome: Record | None) -> dict[str, Any]:
    outcome = outcome or {}
    return present(
        request=present(
            method=record.get("method"),
            id=record["decision_id"],
            body=present(bytes=outcome.get("request_bytes")),
        ),
        response=present(
            status_code=outcome.get("status"), body=present(bytes=outcome.get("response_bytes"))
        ),
    )


def _message(record: Record) -> str:
    detail: str | None = record.get("detail")
    if detail:
        return detail
    kind: str = record["event"]
    if kind == "reload" and not record.get("loaded"):
        return "the policy does not load; the one before stays"
    return _MESSAGES.get(kind, kind)


def _time(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
