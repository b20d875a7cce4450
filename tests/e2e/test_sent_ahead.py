"""Requests that a client sends before the answers: each decided on its own, answered in order, none by another's leave."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.gate import CATALOGS, HOST, QUERIES, WAREHOUSES, Gate, head, running_gate
from e2e.raw_client import H1Reader, open_tls

MANY = 1000
"""Far more than Python's stack would bear if each denial were answered from within the one before."""


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory, proxy_authority: Path) -> Iterator[Gate]:
    with running_gate(tmp_path_factory.mktemp("ahead") / "x", proxy_authority) as running:
        yield running


def statuses(gate: Gate, requests: list[bytes]) -> list[int]:
    """Send all at once on one connection; the statuses of the answers, in order."""
    with open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca, alpn=["http/1.1"]) as sock:
        sock.sendall(b"".join(requests))
        reader = H1Reader(sock)
        found = []
        for _ in requests:
            response = reader.read(timeout=60)
            assert response is not None
            assert response.complete
            found.append(response.status)
    return found


def test_a_thousand_denials_ahead_are_answered_one_by_one(gate: Gate) -> None:
    gate.clear()
    assert statuses(gate, [head(target=WAREHOUSES)] * MANY) == [403] * MANY
    assert gate.workspace.requests == []
    found = statuses(gate, [head(target=CATALOGS)])
    assert found == [200]


PATTERNS = {
    "in turn": [CATALOGS, WAREHOUSES] * 20,
    "a denial before an allowed call": [WAREHOUSES, CATALOGS],
    "many denials between allowed calls": [CATALOGS, *[WAREHOUSES] * 30, QUERIES],
    "allowed calls only": [CATALOGS, QUERIES] * 20,
}


@pytest.mark.parametrize("targets", PATTERNS.values(), ids=PATTERNS)
def test_allowed_and_denied_ahead_of_each_other(gate: Gate, targets: list[str]) -> None:
    gate.clear()
    allowed = [target for target in targets if target != WAREHOUSES]
    assert statuses(gate, [head(target=target) for target in targets]) == [
        403 if target == WAREHOUSES else 200 for target in targets
    ]
    assert [request.target.decode() for request in gate.workspace.requests] == allowed


def test_bodies_ahead_stay_with_their_requests(gate: Gate) -> None:
    gate.clear()
    upload = "/api/2.0/fs/files/Volumes/ahead"
    bodies = [json.dumps({"number": number}).encode() * (number + 1) for number in range(12)]
    requests = []
    for number, body in enumerate(bodies):
        target = upload if number % 3 else WAREHOUSES
        requests.append(head("PUT", target, f"Content-Length: {len(body)}") + body)
    found = statuses(gate, requests)
    assert [status == 403 for status in found] == [number % 3 == 0 for number in range(12)]
    sent = [request for request in gate.workspace.requests if request.complete]
    assert [request.body for request in sent] == [body for number, body in enumerate(bodies) if number % 3]
