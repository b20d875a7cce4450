"""The columns of the log as a table: every field of ``event.py`` with its SQL type.

Types are those of DuckDB. ``JSON`` is the text of a JSON value: on another engine, load it as text.
"""

from __future__ import annotations

COLUMNS: dict[str, str] = {
    # every record
    "schema": "INTEGER",
    "time": "TIMESTAMP",
    "seq": "BIGINT",
    "instance": "VARCHAR",
    "event": "VARCHAR",
    "policy_revision": "VARCHAR",
    "prev_hash": "VARCHAR",
    "hash": "VARCHAR",
    # decision, tunnel
    "decision_id": "VARCHAR",
    "decision": "VARCHAR",
    "enforced": "BOOLEAN",
    "mode": "VARCHAR",
    "reason": "VARCHAR",
    "detail": "VARCHAR",
    "subject": "VARCHAR",
    "fingerprint": "VARCHAR",
    "rule_set": "VARCHAR",
    "rule": "VARCHAR",
    "operation": "VARCHAR",
    "client_address": "VARCHAR",
    "server_address": "VARCHAR",
    "server_port": "INTEGER",
    "method": "VARCHAR",
    "path": "VARCHAR",
    "workspace": "VARCHAR",
    "host_workspace": "VARCHAR",
    "params": "JSON",
    "param_names": "JSON",
    "params_sent": "JSON",
    "readings": "JSON",
    "batch": "JSON",
    "principal": "JSON",
    "grant": "VARCHAR",
    "credential": "VARCHAR",
    "credential_fingerprint": "VARCHAR",
    "has_body": "BOOLEAN",
    "user_agent": "VARCHAR",
    # outcome
    "status": "INTEGER",
    "request_bytes": "BIGINT",
    "response_bytes": "BIGINT",
    "duration_ms": "DOUBLE",
    "error": "VARCHAR",
    # start
    "version": "VARCHAR",
    "engine": "VARCHAR",
    "versions": "JSON",
    "scope_hosts": "JSON",
    "scope_other_hosts": "VARCHAR",
    "fsync": "VARCHAR",
    "key_id": "VARCHAR",
    "public_key": "VARCHAR",
    "digest_key_id": "VARCHAR",
    "previous": "JSON",
    # reload, mode_change
    "loaded": "BOOLEAN",
    "previous_revision": "VARCHAR",
    "problems": "JSON",
    "scope": "VARCHAR",
    "name": "VARCHAR",
    "previous_mode": "VARCHAR",
    # tls_refused, key_set
    "side": "VARCHAR",
    "url": "VARCHAR",
    "fetched": "BOOLEAN",
    "key_ids": "JSON",
    # stop
    "cut": "BIGINT",
    # timeout
    "seconds": "DOUBLE",
    # gap, checkpoint, tls_refused, timeout
    "cause": "VARCHAR",
    "bytes": "BIGINT",
    "sha256": "VARCHAR",
    "denied": "BIGINT",
    "lost": "BIGINT",
    "since": "TIMESTAMP",
    "file": "VARCHAR",
    # checkpoint
    "records": "BIGINT",
    "signature": "VARCHAR",
}
