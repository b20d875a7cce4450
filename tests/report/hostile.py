"""A log that attacks whoever reviews it: every text is an attempt on the page."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from report.story import END

PAYLOADS = (
    "<script>window.__hacked=1</script>",
    "</script><script>window.__hacked=1</script>",
    "</style><style>*{display:none!important}</style>",
    "</title></head><body onload=window.__hacked=1>",
    '"><img src=x onerror=window.__hacked=1>',
    "' onmouseover=window.__hacked=1 x='",
    "<svg onload=window.__hacked=1>",
    "<svg><title><script>window.__hacked=1</script>",
    "<iframe srcdoc='<script>parent.__hacked=1</script>'>",
    "<a href='javascript:window.__hacked=1'>click me</a>",
    "javascript:window.__hacked=1",
    "<meta http-equiv=refresh content='0;url=http://attacker.example/'>",
    "<link rel=stylesheet href=http://attacker.example/a.css>",
    "<base href=http://attacker.example/>",
    "http://attacker.example/pixel.png",
    "&lt;script&gt;window.__hacked=1&lt;/script&gt;",
    "&#60;script&#62;window.__hacked=1",
    "--><script>window.__hacked=1</script><!--",
    "]]><script>window.__hacked=1</script>",
    "{{ 7 * 7 }}{% include 'page.js' %}${window.__hacked=1}",
    "url(http://attacker.example/x)",
    "nightly-export\u202etropxe-ylthgin",
    "\u2066\u2067\u200f\u200b\ufeff invisible",
    "مرحبا بالعالم שלום",
    "\x1b[2J\x1b]0;title\x07\x00\x7f\x85",
    "line\u2028separator\u2029\r\nnext",
    '=HYPERLINK("http://attacker.example")',
    "W" * 6000,
    "-" * 6000,
    "'; DROP TABLE report_facts; --",
    "__proto__",
    "",
    " ",
)
"""Each is put in the place of every text that a log has."""


def hostile_records(payload: str) -> list[dict[str, Any]]:
    """A record of each kind in which all that is text is the payload."""
    decision = {
        **dict.fromkeys(
            (
                "decision_id",
                "mode",
                "reason",
                "detail",
                "subject",
                "fingerprint",
                "rule_set",
                "rule",
                "operation",
            ),
            payload,
        ),
        **dict.fromkeys(
            ("client_address", "server_address", "method", "path", "workspace", "user_agent"), payload
        ),
        "decision": "deny",
        "enforced": True,
        "params": {payload: payload, "list": [payload, {payload: payload}]},
        "param_names": [payload],
        "principal": {"issuer": payload, "client_id": payload, "sub": payload},
    }
    unknown = {"subject": None, "reason": "constraint_not_met"}
    known = {"decision": "allow", "reason": "allowed_by_rule", "operation": "jobs.list", "principal": None}
    return [
        {"event": "start", "version": payload, "engine": payload, "mode": payload, "fsync": payload,
         "scope_hosts": [payload], "scope_other_hosts": payload, "key_id": payload},
        {"event": "decision", **decision},
        {"event": "decision", **decision, **unknown},
        {"event": "decision", **decision, **unknown, "principal": None},
        {"event": "decision", **decision, **known},
        {"event": "outcome", "decision_id": payload, "status": 200, "request_bytes": 1, "response_bytes": 1,
         "duration_ms": 1.5, "error": payload},
        {"event": "tunnel", **decision, "server_port": 443},
        {"event": "reload", "loaded": True, "mode": payload, "previous_revision": payload},
        {"event": "reload", "loaded": False, "problems": [payload, payload]},
        {"event": "mode_change", "scope": payload, "name": payload, "previous_mode": payload, "mode": "monitor"},
        {"event": "tls_refused", "side": payload, "detail": payload, "client_address": payload,
         "server_address": payload, "server_port": 443},
        {"event": "key_set", "url": payload, "fetched": False, "key_ids": [payload], "detail": payload},
        {"event": "gap", "cause": payload, "detail": payload, "file": payload, "denied": 3},
        {"event": payload},
    ]  # fmt: skip


def write_hostile_log(folder: Path) -> Path:
    """A log of all payloads, under a name that is one itself, with lines that are no records."""
    file = folder / "<img src=x onerror=window.__hacked=1>'.jsonl"
    lines = []
    for number, payload in enumerate(PAYLOADS):
        for index, fields in enumerate(hostile_records(payload)):
            time = END - timedelta(minutes=10 * number + index)
            base = {
                "schema": 1,
                "time": f"{time:%Y-%m-%dT%H:%M:%S.%f}Z",
                "seq": len(lines) + 1,
                "instance": payload,
            }
            lines.append(
                json.dumps({**base, "policy_revision": payload, **fields, "prev_hash": "", "hash": ""})
            )
        lines.append(f'{{"schema":1,"time":"{payload}'.replace("\n", " "))
    far = {"schema": 1, "seq": 1, "instance": "x", "event": "stop", "policy_revision": None}
    lines += [json.dumps({**far, "time": f"{year}-01-01T00:00:00Z"}) for year in ("0001", "9999")]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8", errors="replace")
    return file
