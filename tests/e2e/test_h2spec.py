"""h2spec, the conformance suite for HTTP/2 (github.com/summerwind/h2spec), against the proxy as a server.

It knows no proxies, so each of its connections is led through a tunnel. Every request is answered by a 403, which is all
that it wants of a server. It is a program in Go that no package registry has: the test is skipped where it is not in PATH.
"""

from __future__ import annotations

import contextlib
import re
import select
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.gate import CATALOGS, HOST, Gate, running_gate
from e2e.raw_client import open_tls

H2SPEC = shutil.which("h2spec")
pytestmark = pytest.mark.skipif(
    H2SPEC is None, reason="h2spec is not in PATH, and no package registry has it"
)


def _lead(plain: socket.socket, gate: Gate) -> None:
    """One connection of h2spec, through a tunnel of its own, until either side ends. One thread: OpenSSL wants that."""
    with (
        contextlib.suppress(OSError),
        plain,
        open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca, alpn=["h2"]) as tunnel,
    ):
        while True:
            ready = [tunnel] if tunnel.pending() else select.select([plain, tunnel], [], [])[0]
            for source, target in ((plain, tunnel), (tunnel, plain)):
                if source in ready:
                    data = source.recv(65536)
                    if not data:
                        return
                    target.sendall(data)


@contextlib.contextmanager
def _doorway(gate: Gate) -> Iterator[int]:
    """The port of a server without TLS that leads to the proxy."""
    server = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                plain, _ = server.accept()
                threading.Thread(target=_lead, args=(plain, gate), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield server.getsockname()[1]
    finally:
        server.close()


def test_all_cases_of_h2spec_pass(tmp_path: Path, proxy_authority: Path) -> None:
    assert H2SPEC is not None
    with running_gate(tmp_path, proxy_authority) as gate, _doorway(gate) as port:
        command = [H2SPEC, "--strict", "--host", "127.0.0.1", "--port", str(port), "--path", CATALOGS]
        done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    found = re.search(r"(\d+) tests, (\d+) passed, (\d+) skipped, 0 failed", done.stdout)
    assert found is not None, done.stdout
    assert int(found[2]) >= 140, done.stdout
