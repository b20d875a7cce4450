"""Records as events of the Open Cybersecurity Schema Framework.

A call is API Activity (6003) with the security_control profile, a tunnel or failed handshake Network Activity (4001), a
change of the policy Entity Management (3004), start and stop Application Lifecycle (6002), a gap Application Error (6008).
What has no attribute stays under ``unmapped``. Checkpoints and key sets are nothing that the schema has an event for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from .facts import (
    Record,
    Severity,
    activity,
    address,
    epoch_ms,
    moment,
    present,
    rest,
    result,
    sent,
    severity,
    things,
    uid,
)

VERSION = "1.8.0"
"""Of the schema, by whose definitions the tests check."""


class _Class(NamedTuple):
    uid: int
    name: str
    category: str

    @property
    def category_uid(self) -> int:
        """The thousands of the class."""
        return self.uid // 1000


_API = _Class(6003, "API Activity", "Application Activity")
_LIFECYCLE = _Class(6002, "Application Lifecycle", "Application Activity")
_ERROR = _Class(6008, "Application Error", "Application Activity")
_NETWORK = _Class(4001, "Network Activity", "Network Activity")
_ENTITY = _Class(3004, "Entity Management", "Identity & Access Management")

_ACTIVITIES = {
    "create": (1, "Create"),
    "read": (2, "Read"),
    "update": (3, "Update"),
    "delete": (4, "Delete"),
    "execute": (99, "Execute"),
    "unknown": (0, "Unknown"),
}
_STATUSES = {"success": (1, "Success"), "failure": (2, "Failure"), "unknown": (0, "Unknown")}
_INFORMATIONAL, _MEDIUM, _HIGH = (
    Severity(1, "Informational"),
    Severity(3, "Medium"),
    Severity(4, "High"),
)
_ALLOWED = {"action_id": 1, "action": "Allowed", "disposition_id": 1, "disposition": "Allowed"}
_DENIED = {"action_id": 2, "action": "Denied", "disposition_id": 2, "disposition": "Blocked"}
_OBSERVED = {"action_id": 3, "action": "Observed", "disposition_id": 17, "disposition": "Logged"}
_TOLD = frozenset((
    "schema", "time", "seq", "instance", "event", "decision_id", "decision", "reason", "detail",
    "subject", "fingerprint", "rule_set", "rule", "operation", "policy_revision", "client_address",
    "server_address", "server_port", "method", "path", "params", "user_agent", "status", "request_bytes",
    "response_bytes", "duration_ms", "error", "problems",
))  # fmt: skip


def ocsf_event(record: Record, outcome: Record | None = None) -> dict[str, Any] | None:
    """One event; None for a record that the schema has no class for. ``outcome``: how a call has ended, if that is known.

    Raises KeyError, TypeError or ValueError for a record that is none of this log's.
    """
    if record["event"] == "decision":
        return _call(record, outcome)
    make = _MAKERS.get(record["event"])
    return None if make is None else make(record)


def _call(record: Record, outcome: Record | None) -> dict[str, Any]:
    method, path = record.get("method"), record.get("path")
    operation = record.get("operation") or " ".join(filter(None, (method, path))) or "unknown"
    ended = outcome or {}
    status, error = ended.get("status"), ended.get("error")
    event = _event(record, _API, _ACTIVITIES[activity(record)], severity(record), result(record, outcome))
    event |= _control(record)
    event["actor"] = _actor(record)
    event["api"] = present(
        operation=operation,
        service={"name": "Databricks"},
        request=present(uid=record["decision_id"], data=record.get("params")),
        response=present(code=status, error_message=error),
    )
    event["src_endpoint"] = _endpoint(record.get("client_address"))
    event |= present(
        dst_endpoint={**_endpoint(record.get("server_address")), "svc_name": "Databricks"},
        http_request=present(
            uid=record["decision_id"],
            http_method=method,
            user_agent=record.get("user_agent"),
            body_length=ended.get("request_bytes"),
            url=present(hostname=_name(record.get("server_address")), path=path) if path else None,
        ),
        # `code` is required of an answer, so without a status there was none.
        http_response=present(
            code=status, body_length=ended.get("response_bytes"), latency=_whole(ended.get("duration_ms"))
        )
        if status is not None
        else None,
        resources=[
            {"type": thing.kind, "uid": thing.uid, "data": {"parameter": thing.name}}
            for thing in things(record)
        ],
    )
    if outcome is not None:
        event["unmapped"]["outcome"] = {"seq": outcome["seq"], "hash": outcome["hash"]}
    return event


def _tunnel(record: Record) -> dict[str, Any]:
    went_on = sent(record)
    what = (1, "Open") if went_on else (5, "Refuse")
    event = _event(record, _NETWORK, what, severity(record), "success" if went_on else "failure")
    return event | _control(record) | _ends(record)


def _handshake(record: Record) -> dict[str, Any]:
    event = _event(record, _NETWORK, (4, "Fail"), _MEDIUM, "failure") | _ends(record)
    return event | present(status_code=record.get("cause"))


def _lifecycle(record: Record) -> dict[str, Any]:
    what = (3, "Start") if record["event"] == "start" else (4, "Stop")
    app = present(name="Brickscope", uid=record["instance"], version=record.get("version"))
    return _event(record, _LIFECYCLE, what, _INFORMATIONAL, "success") | {"app": app}


def _policy_change(record: Record) -> dict[str, Any]:
    failed = record.get("loaded") is False
    revision = record.get("policy_revision")
    policy = {"name": "policy", **present(uid=revision, version=revision)}
    event = _event(record, _ENTITY, (3, "Update"), _MEDIUM, "failure" if failed else "success")
    problems = record.get("problems")
    event |= present(comment="\n".join(problems) if problems else None)
    return event | {"entity": {"name": "policy", "type_id": 5, "type": "Policy", "policy": policy}}


def _gap(record: Record) -> dict[str, Any]:
    event = _event(record, _ERROR, (1, "General Error"), _HIGH, "failure")
    return event | {"status_code": record["cause"]}


_MAKERS: dict[str, Callable[[Record], dict[str, Any]]] = {
    "tunnel": _tunnel,
    "tls_refused": _handshake,
    "start": _lifecycle,
    "stop": _lifecycle,
    "reload": _policy_change,
    "mode_change": _policy_change,
    "gap": _gap,
}


def _event(
    record: Record, kind: _Class, what: tuple[int, str], weight: Severity, ended: str
) -> dict[str, Any]:
    """What every event holds. ``what``: the activity's id and caption."""
    status_id, status = _STATUSES[ended]
    return present(
        time=epoch_ms(moment(record)),
        timezone_offset=0,
        category_uid=kind.category_uid,
        category_name=kind.category,
        class_uid=kind.uid,
        class_name=kind.name,
        activity_id=what[0],
        activity_name=what[1],
        type_uid=kind.uid * 100 + what[0],
        type_name=f"{kind.name}: {what[1] if what[0] != 99 else 'Other'}",
        severity_id=weight.level,
        severity=weight.caption,
        status_id=status_id,
        status=status,
        status_code=record.get("reason"),
        status_detail=record.get("detail"),
        message=record.get("detail"),
        metadata=present(
            version=VERSION,
            product={"name": "Brickscope", "vendor_name": "Brickscope"},
            profiles=["security_control"] if record["event"] in ("decision", "tunnel") else None,
            uid=uid(record),
            sequence=record["seq"],
            event_code=record["event"],
            log_name="audit",
            log_version=str(record["schema"]),
            log_source=record["instance"],
            original_time=record["time"],
            correlation_uid=record.get("decision_id"),
        ),
    ) | {"unmapped": rest(record, _TOLD)}


def _control(record: Record) -> dict[str, Any]:
    """The security_control profile: what the proxy did about it."""
    done = _DENIED if not sent(record) else _ALLOWED if record["decision"] == "allow" else _OBSERVED
    policy = present(
        name=record.get("rule_set"),
        uid=record.get("policy_revision"),
        version=record.get("policy_revision"),
        is_applied=record["enforced"],
    )
    return {
        **done,
        "is_alert": severity(record).level >= _MEDIUM.level,
        **present(
            policy=policy if "name" in policy or "uid" in policy else None,
            firewall_rule=present(name=record.get("rule")),
        ),
    }


def _actor(record: Record) -> dict[str, Any]:
    principal = record.get("principal")
    principal = principal if isinstance(principal, Mapping) else {}
    agent, issuer = record.get("user_agent"), principal.get("issuer")
    user = present(name=record.get("subject"), uid=principal.get("client_id") or principal.get("sub"))
    if user:
        user |= present(credential_uid=record.get("fingerprint"))
    elif fingerprint := record.get("fingerprint"):
        # Nobody that the policy knows: what is known of this user is the credential.
        user = {"uid": fingerprint, "credential_uid": fingerprint}
    actor = present(user=user, app_name=agent, idp=present(uid=issuer, issuer=issuer))
    return actor if "user" in actor or "app_name" in actor else actor | {"user": {"name": "unknown"}}


def _ends(record: Record) -> dict[str, Any]:
    """The two ends of a connection."""
    client, server = record.get("client_address"), record.get("server_address")
    return present(
        src_endpoint=_endpoint(client) if client or not server else None,
        dst_endpoint=_endpoint(server) | present(port=record.get("server_port")) if server else None,
    )


def _endpoint(text: str | None) -> dict[str, Any]:
    """An address as the schema wants it: an IP address, or a name; never neither."""
    ip = address(text)
    return {"ip": ip} if ip else {"hostname": text} if text else {"name": "unknown"}


def _name(text: str | None) -> str | None:
    return None if text is None or address(text) else text


def _whole(number: float | None) -> int | None:
    return None if number is None else round(number)
