"""Entra ID at the gate: each part of it broken on purpose, and no call leaves; no token in any record."""

from __future__ import annotations

import asyncio
import importlib
from pathlib import Path
from typing import Any

import pytest
from made_gate import decisions, on_record

from brickscope.core.pending import NotYetKnown
from brickscope.identity.directory import TokenDirectory
from brickscope.log.key import DigestKey
from brickscope.log.writer import AuditWriter
from brickscope.proxy.gate import Gate, Verdict
from core.entra_tokens import POLICY, V1_KEYS, app_claims, load, token
from core.oauth import key_set
from core.wire import h1
from lab.workspace.entra import HOST, OBJECT, RESOURCE_ID, TENANT

CATALOGS = b"/api/2.1/unity-catalog/catalogs"
NOW = {"iat": 1.0, "nbf": 1.0, "exp": 9e9}
BEARER = token(app_claims(**NOW))
SECOND = token(app_claims(aud="https://management.core.windows.net/", **NOW))
PAIR = (
    (b"X-Databricks-Azure-SP-Management-Token", SECOND),
    (b"X-Databricks-Azure-Workspace-Resource-Id", RESOURCE_ID.encode()),
)


def judged(
    writer: AuditWriter, folder: Path, *more: tuple[bytes, bytes], target: bytes = CATALOGS
) -> Verdict:
    """A call with a token of Entra ID at a gate whose keys can be fetched."""
    named = f"object_id: {OBJECT}\n    azure_resource: {RESOURCE_ID}\n"
    policy = load(folder, POLICY.replace(f"object_id: {OBJECT}\n", named, 1))

    async def fetch(url: str) -> bytes | None:
        return key_set() if url == V1_KEYS else None

    async def play() -> Verdict:
        directory = TokenDirectory(fetch)
        gate = Gate(None, writer, policy, directory, DigestKey(b"k"))  # type: ignore[arg-type]
        fields = [(b"Host", HOST.encode()), (b"Authorization", b"Bearer " + BEARER), *more]
        wire = h1(b"GET", target, fields, tunnel_host=HOST, server_name=HOST)
        settled: list[str] = []
        while True:
            try:
                return on_record(gate, wire, "10.0.0.1", settled=tuple(settled))
            except NotYetKnown as unknown:
                await directory.learn(unknown)
                settled.append(unknown.url)

    return asyncio.run(play())


PARTS = {
    "the reading of the issuer": "brickscope.core.jwt_token read_authority",
    "the reading of the claims": "brickscope.core.jwt_token read_identity",
    "the pinning of the tenant": "brickscope.identity.directory key_source",
    "the pinning of the audience": "brickscope.identity.directory check_audience",
    "the match of the ids": "brickscope.core.principal find_claimed",
    "the second token": "brickscope.core.decide check_management",
    "its fingerprint": "brickscope.core.management fingerprint",
}


def test_whole_it_is_let_through(writer: AuditWriter, tmp_path: Path) -> None:
    assert judged(writer, tmp_path, *PAIR).decision.allow


@pytest.mark.parametrize("part", PARTS)
def test_a_broken_part_lets_nothing_through(
    part: str, writer: AuditWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: Any, **named: Any) -> Any:
        raise RuntimeError("broken on purpose")

    module, _, name = PARTS[part].partition(" ")
    monkeypatch.setattr(importlib.import_module(module), name, broken)
    decision = judged(writer, tmp_path, *PAIR).decision
    assert (decision.allow, decision.forwards) == (False, False)
    assert decision.reason.value == "internal_error"


def test_no_record_has_a_token_and_one_says_who_it_was(writer: AuditWriter, tmp_path: Path) -> None:
    for target in (CATALOGS, b"/api/2.0/sql/warehouses", b"/api/2.0/" + SECOND):
        verdict = judged(writer, tmp_path, *PAIR, target=target)
        assert SECOND.decode() not in f"{verdict.decision} {verdict.asked}"
    raw = writer.path.read_bytes()
    for part in (*BEARER.split(b"."), *SECOND.split(b".")):
        assert part not in raw
    records = decisions(Gate(None, writer, load(tmp_path), None, DigestKey(b"k")))  # type: ignore[arg-type]
    assert [record["path"] for record in records][2] == "[redacted]"
    principal = records[0]["principal"]
    assert (principal["tenant"], principal["object_id"]) == (TENANT, OBJECT)
    assert principal["azure_resource"] == RESOURCE_ID.lower()
