"""One record of each kind that the log knows, each held against the log's own schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from brickscope.audit.event import check_record
from brickscope.core.reason import Kind, Reason

Record = dict[str, Any]
FINGERPRINT = "sha256:" + "5a" * 32
CLIENT_ID = "6f1c2f6e-0000-4000-8000-3d1a2b4c5d6e"
HOST = "dbc-a1b2c3d4-e5f6.cloud.databricks.com"
BASE = {
    "schema": 1,
    "time": "2026-11-23T20:57:57.730114Z",
    "seq": 6,
    "instance": "397d7b97",
    "policy_revision": "49daed835d6830e6",
    "prev_hash": "0" * 64,
    "hash": "ab" * 32,
}
DECIDED = {
    "decision_id": "397d7b97-3",
    "decision": "allow",
    "enforced": True,
    "mode": "enforce",
    "reason": "allowed_by_rule",
    "detail": "a rule allows it",
    "subject": "etl",
    "fingerprint": FINGERPRINT,
    "rule_set": "job-runner",
    "rule": "jobs.run_now where job_id: [1012, 1013]",
    "operation": "jobs.run_now",
}
CALL = {
    "client_address": "10.0.8.7",
    "server_address": HOST,
    "method": "POST",
    "path": "/api/2.1/jobs/run-now",
    "workspace": None,
    "host_workspace": None,
    "params": {"job_id": 1012},
    "param_names": None,
    "principal": None,
    "grant": None,
    "has_body": True,
    "user_agent": "databricks-sdk-py/0.162.0",
}


def _record(event: str, **fields: Any) -> Record:
    made: Record = {**BASE, "event": event, **fields}
    check_record(json.dumps(made))
    return made


def decision(**fields: Any) -> Record:
    """A call that is allowed, with these fields in the place of its own."""
    return _record("decision", **{**DECIDED, **CALL, **fields})


def outcome(**fields: Any) -> Record:
    """How that call ended: well."""
    return _record(
        "outcome",
        **{
            "time": "2026-11-23T20:57:57.742514Z",
            "seq": 7,
            "decision_id": "397d7b97-3",
            "status": 200,
            "request_bytes": 15,
            "response_bytes": 210,
            "duration_ms": 12.4,
        }
        | fields,
    )


def tunnel(**fields: Any) -> Record:
    """A tunnel to a host that is not under policy."""
    nobody = dict.fromkeys(("subject", "fingerprint", "rule_set", "rule", "operation"))
    ends = {"client_address": "10.0.8.7", "server_address": "pypi.example", "server_port": 443}
    return _record("tunnel", **{**DECIDED, **nobody, **ends, **fields})


DENIED = {"decision": "deny", "reason": "no_rule_matches", "detail": "no rule allows it", "rule": None}
FAILED_HOOK = {**DECIDED, **dict.fromkeys(("subject", "fingerprint", "rule_set", "rule", "operation"))}


def by_reason() -> Iterator[Record]:
    """A call for each reason, enforced or not as it can be."""
    for reason in Reason:
        allowed = reason.kind is Kind.ALLOW
        fields = {"reason": reason.value, "decision": "allow" if allowed else "deny"}
        yield decision(**fields)
        if not allowed:
            yield decision(**fields, enforced=False, mode="monitor")


CALLS: dict[str, tuple[Record, Record | None]] = {
    "allowed, and answered": (decision(), outcome()),
    "allowed, without an outcome": (decision(), None),
    "allowed, refused by Databricks": (decision(), outcome(status=403)),
    "allowed, broken on the way": (decision(), outcome(status=None, response_bytes=None, error="timed out")),
    "allowed, broken within the answer": (decision(), outcome(error="connection closed")),
    "denied": (decision(**DENIED), None),
    "denied, not enforced": (decision(**DENIED, enforced=False, mode="monitor"), outcome()),
    "an unknown token": (
        decision(**DENIED | {"reason": "unknown_token"}, subject=None, rule_set=None, operation=None),
        None,
    ),
    "nothing is known of the caller": (
        decision(**DENIED | {"reason": "missing_credential"})
        | dict.fromkeys(("subject", "fingerprint", "rule_set", "operation", "user_agent", "params")),
        None,
    ),
    "a service principal": (
        decision(principal={"issuer": f"https://{HOST}/oidc", "client_id": CLIENT_ID, "sub": CLIENT_ID}),
        outcome(),
    ),
    "a user": (
        decision(principal={"issuer": f"https://{HOST}/oidc", "client_id": None, "sub": "ann@example.com"}),
        outcome(),
    ),
    "IPv6": (decision(client_address="2001:db8::7", server_address="2001:db8::1"), outcome()),
    "an address with a zone": (decision(client_address="fe80::1%eth0"), outcome()),
    "no operation": (decision(operation=None, method="POST", path="/api/2.0/new/thing"), outcome()),
    "a read": (decision(operation="jobs.list", method="GET", params=None), outcome()),
    "a deletion": (decision(operation="jobs.delete"), outcome()),
    "a creation": (decision(operation="jobs.create", params={}), outcome()),
    "an update": (decision(operation="jobs.update"), outcome()),
    "parameters of every shape": (
        decision(params={"job_id": {"hmac_sha256": "00"}, "x": [1, True, None, "a"], "y": {"keys": ["b"]}}),
        outcome(),
    ),
    "an object in another spelling": (
        decision(
            operation="workspace.export",
            params={"path": "/Workspace/Users/me/nb"},
            params_sent={"path": "/Users/me/nb"},
        ),
        outcome(),
    ),
    "several readings": (
        decision(
            operation="tables.get",
            method="GET",
            path="/api/2.1/unity-catalog/tables/main.a.in%2Fout",
            readings=["as it stands", "split at '/'"],
        ),
        outcome(),
    ),
    "several calls in one body": (
        decision(
            operation="mcp.call_tool",
            method="POST",
            path="/api/2.0/mcp/sql",
            params={"tool": [None, "find"]},
            batch=["mcp.list_tools", "mcp.call_tool"],
        ),
        outcome(),
    ),
    "a hook that failed": (
        _record("decision", **FAILED_HOOK | {"decision": "deny", "reason": "internal_error"}),
        None,
    ),
    "an operation that is not known yet": (decision(operation="moonbase.launch"), outcome()),
    "hostile text": (
        decision(
            user_agent='\\x1b[31m"},{"a":"', path="/api/<script>", params={"job_id": "'; DROP TABLE x--"}
        ),
        outcome(),
    ),
}
OTHERS: dict[str, Record] = {
    "a tunnel": tunnel(),
    "a refused tunnel": tunnel(**DENIED | {"reason": "address_not_allowed"}, server_address="10.1.2.3"),
    "a start": _record(
        "start",
        version="0.1.0",
        engine="mitmproxy 12.2.3",
        mode="enforce",
        scope_hosts=["*.cloud.databricks.com"],
        scope_other_hosts="tunnel",
        fsync="interval",
        key_id="ed25519:" + "0" * 16,
        public_key="A" * 44,
        previous={"instance": "00000000", "seq": 1, "hash": "0" * 64},
    ),
    "a stop": _record("stop"),
    "a reload": _record("reload", loaded=True, mode="enforce", previous_revision="e62b876b259a34fd"),
    "a reload that failed": _record("reload", loaded=False, problems=["policy.yaml:6:15: error: no", "and"]),
    "a change of mode": _record(
        "mode_change", scope="subject", name="etl", previous_mode="enforce", mode="monitor"
    ),
    "a failed handshake": _record(
        "tls_refused",
        side="client",
        cause="ca_unknown",
        detail="unknown ca",
        client_address="10.0.8.7",
        server_address=HOST,
        server_port=443,
    ),
    "a failed handshake of nobody": _record(
        "tls_refused", side="client", detail="x", client_address=None, server_address=None, server_port=None
    ),
    "keys": _record(
        "key_set", url=f"https://{HOST}/oidc/jwks.json", fetched=True, key_ids=["a"], detail=None
    ),
    "keys that can't be had": _record("key_set", url="https://x/", fetched=False, key_ids=[], detail="no"),
    "a gap": _record("gap", cause="torn_line", detail="a line has no end", bytes=17, sha256="0" * 64),
    "a checkpoint": _record(
        "checkpoint", cause="interval", records=5, key_id="ed25519:" + "0" * 16, signature="A" * 88
    ),
}
