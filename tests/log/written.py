"""Logs as the proxy's own writer makes them, small."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from brickscope.audit.event import check_record
from brickscope.audit.evidence import Evidence
from brickscope.audit.verify import Verifier
from brickscope.log.writer import AuditWriter, Keeping

NOBODY: dict[str, Any] = dict.fromkeys(("subject", "fingerprint", "rule_set", "rule", "operation"))


def open_writer(folder: Path, keeping: Keeping | None = None, name: str = "audit.jsonl") -> AuditWriter:
    """A writer in a folder, with its keys in a folder below."""
    return AuditWriter(folder / name, folder / "keys", keeping)


def verify(paths: Iterable[Path], verifier: Verifier) -> Evidence:
    """Check the files of one log in this order."""
    for path in paths:
        verifier.check(path)
    return verifier.finish()


def start(writer: AuditWriter, digest_key_id: str | None = None, *, signed: bool = False) -> None:
    """The record that a run begins with, and its checkpoint if it goes on from another, or is to be ``signed``. (The proxy
    signs each start; most tests count the records of a first run.)"""
    writer.append(
        "start",
        {
            "version": "0",
            "engine": "test",
            "mode": "enforce",
            "scope_hosts": ["*.cloud.databricks.com"],
            "scope_other_hosts": "deny",
            "fsync": writer.keeping.fsync,
            "key_id": writer.key.public.key_id,
            "public_key": writer.key.public.base64,
            "digest_key_id": digest_key_id,
            "previous": None if writer.previous is None else writer.previous._asdict(),
        },
    )
    if signed or writer.previous is not None:
        writer.checkpoint("interval")


def call(writer: AuditWriter, *, allow: bool = True, outcome: bool = True, **fields: Any) -> str:
    """A call: its decision and, if it was let go on, its outcome."""
    decision_id = writer.new_decision_id()
    decided = {
        **NOBODY,
        "decision_id": decision_id,
        "decision": "allow" if allow else "deny",
        "enforced": True,
        "mode": "enforce",
        "reason": "allowed_by_rule" if allow else "no_rule_matches",
        "detail": 'it says "so": ,"event":"stop"',
        "method": "GET",
        "path": "/api/2.1/unity-catalog/catalogs",
    }
    writer.append("decision", {**decided, **fields})
    if allow and outcome:
        writer.append(
            "outcome",
            {
                "decision_id": decision_id,
                "status": 200,
                "request_bytes": 0,
                "response_bytes": 17,
                "duration_ms": 1.25,
            },
        )
    return decision_id


def stop(writer: AuditWriter) -> None:
    """The end of a run in good order."""
    writer.append("stop", {})
    writer.close()


def run(folder: Path, calls: int = 3, keeping: Keeping | None = None) -> AuditWriter:
    """A whole run."""
    writer = open_writer(folder, keeping)
    start(writer)
    for index in range(calls):
        call(writer, allow=index % 3 != 2)
    stop(writer)
    return writer


def records(path: Path) -> list[dict[str, Any]]:
    """The records of a file, each held against the schema."""
    lines = path.read_bytes().splitlines()
    for line in lines:
        check_record(line)
    return [orjson.loads(line) for line in lines]
