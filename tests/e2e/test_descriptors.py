"""A proxy that has no file descriptors left: it says so briefly, serves again, and can be stopped."""

from __future__ import annotations

import resource
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from e2e.gate import HOST, Gate, head, running_gate
from e2e.raw_client import open_tls, read_h1, send_h1

LIMIT = 60


@contextmanager
def too_many(gate: Gate) -> Iterator[None]:
    """Twice as many silent connections as the proxy may have."""
    sockets = [socket.create_connection(("127.0.0.1", gate.proxy.port), 10) for _ in range(2 * LIMIT)]
    try:
        gate.proxy.wait_for(lambda: "Too many open files" in gate.proxy.output, 30)
        time.sleep(2)
        yield
    finally:
        for each in sockets:
            each.close()


def test_without_descriptors_it_is_quiet_and_comes_back_and_stops(
    tmp_path: Path, proxy_authority: Path
) -> None:
    with running_gate(tmp_path, proxy_authority) as gate:
        resource.prlimit(gate.proxy.process.pid, resource.RLIMIT_NOFILE, (LIMIT, LIMIT))
        with too_many(gate):
            # asyncio would say it 1,024 times a second, with a traceback each.
            assert gate.proxy.output.count("Too many open files") < 100
        with open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca, timeout=30) as sock:
            send_h1(sock, head())
            answer = read_h1(sock)
        assert answer is not None
        assert answer.status == 200
        with too_many(gate):
            gate.proxy.process.terminate()
            assert gate.proxy.process.wait(60) == 0
        assert [record["event"] for record in gate.proxy.audit()].count("stop") == 1
