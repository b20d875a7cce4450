"""Clients and hosts that take their time: each limit ends the connection, is recorded, and disturbs nobody else."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.gate import CATALOGS, HOST, QUERIES, head
from e2e.proxy_process import ProxyProcess
from e2e.raw_client import connect, dial, hung_up, open_tls, read_h1, send_h1
from e2e.raw_upstream import End, RawUpstream, running_raw

LIMITS = {"handshake": 1.0, "head": 1.5, "idle": 2.0, "stall": 2.5}
WAIT = 30.0
HONEST = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhonest"


@pytest.fixture(scope="module")
def raw(
    tmp_path_factory: pytest.TempPathFactory, proxy_authority: Path
) -> Iterator[tuple[ProxyProcess, RawUpstream]]:
    options = [f"scope_{name}_timeout={seconds}" for name, seconds in LIMITS.items()]
    arguments = [part for option in options for part in ("--set", option)]
    with running_raw(tmp_path_factory.mktemp("slow"), proxy_authority, *arguments) as both:
        both[1].answers = {
            QUERIES.encode(): (HONEST, End.STAYS),
            CATALOGS.encode(): (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf", End.STAYS),
        }
        yield both


def drip(sock: socket.socket, data: bytes) -> bool:
    """Whether the other side hangs up while it is sent byte by byte."""
    sock.settimeout(0.2)
    for at in range(len(data)):
        try:
            sock.sendall(data[at : at + 1])
            if sock.recv(1) == b"":
                return True
        except TimeoutError:
            continue
        except OSError:
            return True
    return False


def no_connect(proxy: ProxyProcess) -> bool:
    with dial(proxy.proxy_url) as sock:
        return hung_up(sock, WAIT)


def dripped_connect(proxy: ProxyProcess) -> bool:
    with dial(proxy.proxy_url) as sock:
        return drip(sock, f"CONNECT {HOST}:443 HTTP/1.1\r\nX: {'a' * 300}".encode())


def no_hello(proxy: ProxyProcess) -> bool:
    with connect(proxy.proxy_url, f"{HOST}:443").sock as sock:
        return hung_up(sock, WAIT)


def dripped_hello(proxy: ProxyProcess) -> bool:
    with connect(proxy.proxy_url, f"{HOST}:443").sock as sock:
        return drip(sock, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc" + b"\x03" * 300)


def dripped_head(proxy: ProxyProcess) -> bool:
    with open_tls(proxy.proxy_url, HOST, ca=proxy.ca_file) as sock:
        return drip(sock, head("GET", QUERIES, "X: " + "a" * 300))


def no_request(proxy: ProxyProcess) -> bool:
    with open_tls(proxy.proxy_url, HOST, ca=proxy.ca_file) as sock:
        send_h1(sock, head("GET", QUERIES))
        response = read_h1(sock)
        assert response is not None
        return response.body == b"honest" and hung_up(sock, WAIT)


def half_an_answer(proxy: ProxyProcess) -> bool:
    with open_tls(proxy.proxy_url, HOST, ca=proxy.ca_file) as sock:
        send_h1(sock, head("GET", CATALOGS))
        response = read_h1(sock, timeout=WAIT)
        return response is not None and not response.complete


def half_a_body(proxy: ProxyProcess) -> bool:
    target = "/api/2.0/fs/files/Volumes/a/b/c/d"
    with open_tls(proxy.proxy_url, HOST, ca=proxy.ca_file) as sock:
        send_h1(sock, head("PUT", target, "Content-Length: 50") + b"half")
        with contextlib.suppress(ConnectionError):
            return read_h1(sock, timeout=WAIT) is None
        return True


# What is slow, the limit that ends it, and what the outcome says of a call that was under way.
SLOW: dict[str, tuple[Any, str, str | None]] = {
    "no CONNECT": (no_connect, "handshake", None),
    "CONNECT byte by byte": (dripped_connect, "handshake", None),
    "no ClientHello": (no_hello, "handshake", None),
    "a ClientHello byte by byte": (dripped_hello, "handshake", None),
    "a head byte by byte": (dripped_head, "head", None),
    "no further request": (no_request, "idle", None),
    "a host that stops amid its answer": (half_an_answer, "stall", "the host sent and took nothing any more"),
    "a client that stops amid its body": (half_a_body, "stall", "the client sent and took nothing any more"),
}


@pytest.mark.parametrize("name", SLOW)
def test_what_is_slow_ends_and_is_recorded(raw: tuple[ProxyProcess, RawUpstream], name: str) -> None:
    proxy, _ = raw
    act, limit, error = SLOW[name]
    before, outcomes = len(proxy.audit("timeout")), len(proxy.audit("outcome"))
    assert act(proxy)
    proxy.wait_for(lambda: len(proxy.audit("timeout")) > before)
    record = next(each for each in proxy.audit("timeout")[before:] if each["cause"] == limit)
    assert record["seconds"] == LIMITS[limit]
    assert record["client_address"] == "127.0.0.1"
    assert (record["decision_id"] is None) is (error is None)
    if error is not None:
        ended = [
            each for each in proxy.audit("outcome")[outcomes:] if each["decision_id"] == record["decision_id"]
        ]
        assert [each["error"] for each in ended] == [error]
    with open_tls(proxy.proxy_url, HOST, ca=proxy.ca_file) as sock:
        send_h1(sock, head("GET", QUERIES))
        response = read_h1(sock)
    assert response is not None
    assert response.body == b"honest"


# -- what is kept for a side that takes nothing ------------------------------------------------------------------

LARGE = 64 * 1024 * 1024
KEPT_KIB = 10 * 1024
"""More than this, above idle, is not kept for anybody."""


@pytest.fixture(scope="module")
def patient(
    tmp_path_factory: pytest.TempPathFactory, proxy_authority: Path
) -> Iterator[tuple[ProxyProcess, RawUpstream]]:
    with running_raw(tmp_path_factory.mktemp("patient"), proxy_authority) as both:
        both[1].answers = {QUERIES.encode(): (HONEST, End.STAYS)}
        yield both


def is_steady(proxy: ProxyProcess, idle: int, seconds: float = 2.0) -> bool:
    """Whether the proxy's memory stays within ``KEPT_KIB`` of ``idle`` KiB for a while."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if proxy.rss_kib() - idle > KEPT_KIB:
            return False
        time.sleep(0.02)
    return True


def test_a_host_that_takes_nothing_costs_no_memory(patient: tuple[ProxyProcess, RawUpstream]) -> None:
    proxy, upstream = patient
    upstream.go.clear()
    idle = proxy.rss_kib()
    target = "/api/2.0/fs/files/Volumes/a/b/c/d"
    with open_tls(proxy.proxy_url, HOST, ca=proxy.ca_file) as sock:
        # Only what the kernel's buffers on the way hold is taken.
        body = head("PUT", target, f"Content-Length: {LARGE}") + bytes(LARGE)
        assert not send_h1(sock, body, timeout=2)
        assert is_steady(proxy, idle)
    upstream.go.set()


def test_a_client_that_takes_nothing_costs_no_memory(patient: tuple[ProxyProcess, RawUpstream]) -> None:
    proxy, upstream = patient
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (LARGE, bytes(LARGE))
    upstream.answers[CATALOGS.encode()] = (answer, End.STAYS)
    idle = proxy.rss_kib()
    with open_tls(proxy.proxy_url, HOST, ca=proxy.ca_file) as sock:
        send_h1(sock, head("GET", CATALOGS))
        assert is_steady(proxy, idle)
        response = read_h1(sock, timeout=WAIT)
        assert response is not None
        assert len(response.body) == LARGE
        assert is_steady(proxy, idle, 0.2)


def test_denials_that_nobody_reads_cost_no_memory(patient: tuple[ProxyProcess, RawUpstream]) -> None:
    """Tiny requests with larger answers: a client that never reads must not have them pile up."""
    proxy, _ = patient
    idle = proxy.rss_kib()
    with open_tls(proxy.proxy_url, HOST, ca=proxy.ca_file) as sock:
        requests = head("GET", "/nothing") * 512
        assert not all(send_h1(sock, requests, timeout=2) for _ in range(2048))
        assert is_steady(proxy, idle)
