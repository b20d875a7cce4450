"""Real credentials that are replaced again and again under load: while the old one is still good, no call fails."""

from __future__ import annotations

import threading
import time
from hashlib import sha256
from pathlib import Path

import pytest

from brickscope.core.placeholder import make_placeholder
from e2e.exchanging import Exchanging, exchanging
from e2e.gate import HOST, head
from e2e.raw_client import H2Client, h2_headers, open_tls, read_h1, send_h1
from lab.workspace.exchange import Exchange
from lab.workspace.route import Route

pytestmark = pytest.mark.timeout(240)
CREDENTIALS, ROTATIONS = 5, 20
HELD = {f"rotated{at}": make_placeholder(bytes([at]) * 32) for at in range(CREDENTIALS)}
CALL = "/status/200"


def real(name: str, rotation: int) -> str:
    return "dapi" + sha256(f"{name} {rotation}".encode()).hexdigest()[:32]


class Load:
    """Two clients of each credential, by HTTP/1.1 and HTTP/2, without a pause. ``statuses``: how often each came."""

    def __init__(self, run: Exchanging) -> None:
        self.statuses: dict[int, int] = {}
        self.over = threading.Event()
        self._run = run
        clients = [(name, version) for name in HELD for version in (1, 2)]
        self._threads = [threading.Thread(target=self._call, args=client) for client in clients]
        for each in self._threads:
            each.start()

    def _call(self, name: str, version: int) -> None:
        url, alpn = self._run.gate.proxy.proxy_url, ["h2"] if version == 2 else ["http/1.1"]
        target = f"{CALL}?client={name}-{version}"
        with open_tls(url, HOST, ca=self._run.gate.ca, alpn=alpn) as sock:
            client = H2Client(sock) if version == 2 else None
            while not self.over.is_set():
                if client is not None:
                    answer = client.collect(client.request(h2_headers("GET", target, HOST, HELD[name])))
                    status = answer.status or 0
                else:
                    send_h1(sock, head("GET", target, token=HELD[name]))
                    found = read_h1(sock)
                    status = 0 if found is None else found.status
                self.statuses[status] = self.statuses.get(status, 0) + 1
                if status != 200:
                    return

    def end(self) -> None:
        self.over.set()
        for each in self._threads:
            each.join(20)


def test_a_hundred_rotations_fail_no_call(tmp_path: Path, proxy_authority: Path) -> None:
    used: dict[str, str] = {}
    all_used: set[str] = set()

    async def note(exchange: Exchange) -> None:
        client = exchange.request.target.partition(b"client=")[2].decode()
        used[client] = (exchange.header(b"authorization") or b"").removeprefix(b"Bearer ").decode()
        all_used.add(used[client])
        await exchange.receive_all()
        await exchange.answer(200, b"application/json", b"{}")

    secrets = tmp_path / "run" / "secrets"
    further = {name: (placeholder, {"file": str(secrets / name)}) for name, placeholder in HELD.items()}
    secrets.mkdir(parents=True)
    for name in HELD:
        (secrets / name).write_text(real(name, 0))
    routes = [Route((b"GET",), CALL.encode(), note)]
    with exchanging(tmp_path / "run", proxy_authority, further=further, routes=routes) as run:
        bearers = run.gate.workspace.issuer.bearers
        assert bearers is not None
        bearers |= {real(name, 0) for name in HELD}
        load = Load(run)
        try:
            for rotation in range(ROTATIONS + 1):
                new = {name: real(name, rotation) for name in HELD}
                bearers |= set(new.values())
                for name, secret in new.items():
                    run.write(name, secret)
                wanted = {f"{name}-{version}": new[name] for name in HELD for version in (1, 2)}
                deadline = time.monotonic() + 10
                while used != wanted and set(load.statuses) <= {200}:
                    assert time.monotonic() < deadline, "a new credential was not taken up"
                    time.sleep(0.02)
                bearers -= {real(name, rotation - 1) for name in HELD}  # each client has used the new one
                run.gate.workspace.clear()
        finally:
            load.end()
        failing = [each for each in run.gate.proxy.audit("decision") if each["decision"] != "allow"]
    assert failing == []
    assert len(HELD) * ROTATIONS == 100
    assert set(load.statuses) == {200}
    assert load.statuses[200] > 10 * CREDENTIALS * ROTATIONS
    assert all_used == {real(name, rotation) for name in HELD for rotation in range(ROTATIONS + 1)}
