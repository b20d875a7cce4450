"""Hosts that are not under policy, through a real mitmdump: relays and plain HTTP, passwords, and hostile ends of both."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from e2e.gate import HOST, Gate, call_status, head, running_gate
from e2e.raw_client import H1Reader, H2Client, connect, dial, h2_headers, hung_up, read_h1, send_h1, tls

OTHER = "other.example"
MIB = 1024 * 1024
RESET = struct.pack("ii", 1, 0)


class Other:
    """Another host: each connection is put into ``accepted``, for a test to serve."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.settimeout(20)
        self.port = self._server.getsockname()[1]

    def accept(self) -> socket.socket:
        peer, _ = self._server.accept()
        peer.settimeout(20)
        return peer

    def close(self) -> None:
        self._server.close()


@pytest.fixture(scope="module")
def other() -> Iterator[Other]:
    host = Other()
    yield host
    host.close()


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory, proxy_authority: Path, other: Other) -> Iterator[Gate]:
    folder = tmp_path_factory.mktemp("other hosts")
    led = ("--set", f"scope_connect_to={OTHER}=127.0.0.1:{other.port}")
    with running_gate(folder, proxy_authority, *led) as gate:
        yield gate
        assert call_status(gate) == 200
        assert "; the connection was closed" not in gate.proxy.output, "something raised inside"


def opened(gate: Gate, other: Other) -> tuple[socket.socket, socket.socket]:
    """Both ends of a tunnel, past the look at the first bytes."""
    tunnel = connect(gate.proxy.proxy_url, f"{OTHER}:443")
    assert tunnel.status == 200
    peer = other.accept()
    tunnel.sock.sendall(b"\x00")
    assert peer.recv(1) == b"\x00"
    return tunnel.sock, peer


def read_all(sock: socket.socket) -> bytes:
    found = b""
    while data := sock.recv(65536):
        found += data
    return found


@pytest.mark.parametrize("step", [1, 1000])
def test_connect_byte_by_byte_and_what_follows_it(gate: Gate, other: Other, step: int) -> None:
    raw = f"CONNECT {OTHER}:22 HTTP/1.1\r\nHost: {OTHER}:22\r\n\r\nSSH-2.0-x\r\n".encode()
    with dial(gate.proxy.proxy_url) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(raw), step):
            sock.sendall(raw[start : start + step])
        with other.accept() as peer:
            found = b""
            while len(found) < 11:
                found += peer.recv(100)
            assert found == b"SSH-2.0-x\r\n"
            peer.sendall(b"hello")
            assert H1Reader(sock).read("CONNECT") is not None


@pytest.mark.parametrize("side", ["client", "host"])
def test_a_slow_reader_costs_constant_memory(gate: Gate, other: Other, side: str) -> None:
    client, peer = opened(gate, other)
    sender = peer if side == "client" else client
    before, sent = gate.proxy.rss_kib(), 0
    sender.settimeout(1)
    with client, peer:
        with contextlib.suppress(TimeoutError):
            while sent < 200 * MIB:
                sent += sender.send(bytes(MIB))
        assert sent < 50 * MIB, "it took all that nobody reads"
        assert gate.proxy.rss_kib() - before < 8 * 1024
        # And goes on where it stopped, without a byte lost.
        reader = client if side == "client" else peer
        sender.shutdown(socket.SHUT_WR)
        reader.settimeout(20)
        assert len(read_all(reader)) == sent


@pytest.mark.parametrize("side", ["client", "host"])
def test_an_end_comes_after_all_that_was_sent_before_it(gate: Gate, other: Other, side: str) -> None:
    client, peer = opened(gate, other)
    one, another = (client, peer) if side == "client" else (peer, client)
    with client, peer:
        one.sendall(b"x" * (2 * MIB)) if side == "host" else one.sendall(b"x" * 100_000)
        one.shutdown(socket.SHUT_WR)
        expected = 2 * MIB if side == "host" else 100_000
        assert len(read_all(another)) == expected
        one.settimeout(20)
        assert one.recv(1) == b""


@pytest.mark.parametrize("side", ["client", "host"])
def test_a_reset_reaches_the_other_side(gate: Gate, other: Other, side: str) -> None:
    client, peer = opened(gate, other)
    one, another = (client, peer) if side == "client" else (peer, client)
    with client, peer:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        one.close()
        assert hung_up(another)


def descriptors(gate: Gate) -> int:
    return len(list(Path(f"/proc/{gate.proxy.process.pid}/fd").iterdir()))


def test_no_descriptor_is_left_whatever_the_end(gate: Gate, other: Other) -> None:
    before = descriptors(gate)

    def begun() -> socket.socket:
        sock = dial(gate.proxy.proxy_url)
        sock.sendall(f"CONNECT {OTHER}:443 HTTP/1.1\r\n\r\n".encode())
        return sock

    def reset(sock: socket.socket) -> None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        sock.close()

    for _ in range(10):
        reset(begun())
        begun().close()
        other.accept().close()
        other.accept().close()
        for end in (socket.socket.close, reset):
            for mine in (0, 1):
                pair = opened(gate, other)
                end(pair[mine])
                with contextlib.suppress(OSError):
                    read_all(pair[1 - mine])
                pair[1 - mine].close()
        with dial(gate.proxy.proxy_url) as sock:
            sock.sendall(f"GET http://{OTHER}/ HTTP/1.1\r\n\r\n".encode())
            other.accept().close()
        with dial(gate.proxy.proxy_url) as sock:
            sock.sendall(b"CONNECT 127.0.0.1:1 HTTP/1.1\r\n\r\n")
            assert read_h1(sock, "CONNECT") is not None
    gate.proxy.wait_for(lambda: descriptors(gate) <= before, timeout=20)


# -- plain HTTP --------------------------------------------------------------------------------------------------

CHUNKS = b"5\r\nhello\r\n1000\r\n" + b"y" * 0x1000 + b"\r\n0\r\n\r\n"
ANSWERS: dict[str, tuple[bytes, bytes, bool]] = {
    "with a length": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Kept: 1\r\n\r\nhello", b"hello", True),
    "in chunks": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Kept: 1\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"hello",
        True,
    ),
    "until its end": (b"HTTP/1.0 200 OK\r\nX-Kept: 1\r\n\r\nhello", b"hello", True),
    "for this hop": (
        b"HTTP/1.1 200 OK\r\nConnection: X-Hop, close\r\nX-Hop: 1\r\nKeep-Alive: timeout=1\r\n"
        b"Content-Length: 0\r\nX-Kept: 1\r\n\r\n",
        b"",
        True,
    ),
    "too short": (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\nX-Kept: 1\r\n\r\nhello", b"hello", False),
}


def call(gate: Gate, other: Other, raw: bytes, answer: Callable[[socket.socket], None]) -> bytes:
    """What comes back for a request, and is there until the end."""
    with dial(gate.proxy.proxy_url) as sock:
        send_h1(sock, raw)
        with other.accept() as peer:
            answer(peer)
        with contextlib.suppress(ConnectionResetError):
            return read_all(sock)
        return b"reset"


@pytest.mark.parametrize(("sent", "body", "whole"), ANSWERS.values(), ids=ANSWERS)
def test_a_request_in_the_clear_and_its_answer(
    gate: Gate, other: Other, sent: bytes, body: bytes, whole: bool
) -> None:
    raw = f"POST http://{OTHER}/a?b HTTP/1.1\r\nHost: {OTHER}\r\nProxy-Connection: keep-alive\r\n".encode()
    raw += b"Transfer-Encoding: chunked\r\nX-Mine:  1 \r\n\r\n" + CHUNKS
    received = b""

    def answer(peer: socket.socket) -> None:
        nonlocal received
        while not received.endswith(b"\r\n0\r\n\r\n"):
            received += peer.recv(65536)
        peer.sendall(sent)

    outcomes = len(gate.proxy.audit("outcome"))
    # A second request on the same connection is nobody's.
    found = call(gate, other, raw + head(target=f"http://{OTHER}/second"), answer)
    assert received == (
        f"POST /a?b HTTP/1.1\r\nHost: {OTHER}\r\nTransfer-Encoding: chunked\r\n".encode()
        + b"X-Mine:  1 \r\nConnection: close\r\n\r\n"
        + CHUNKS
    )
    (outcome,) = gate.proxy.wait_for(lambda: gate.proxy.audit("outcome")[outcomes:])
    record = gate.proxy.audit("tunnel")[-1]
    assert (record["reason"], record["server_address"], record["server_port"]) == ("other_host", OTHER, 80)
    assert (outcome["decision_id"], outcome["status"]) == (record["decision_id"], 200)
    assert (outcome["request_bytes"], outcome["response_bytes"]) == (0x1005, len(body))
    assert ("error" in outcome) is not whole
    if whole:
        fields, _, rest = found.partition(b"\r\n\r\n")
        assert fields.endswith(b"\r\nX-Kept: 1\r\nconnection: close")
        assert b"Hop" not in fields
        assert body in rest


def test_an_answer_that_could_be_two_is_none(gate: Gate, other: Other) -> None:
    def answer(peer: socket.socket) -> None:
        peer.recv(65536)
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")

    found = call(gate, other, f"GET http://{OTHER}/ HTTP/1.1\r\n\r\n".encode(), answer)
    assert found.startswith(b"HTTP/1.1 502 ")


# -- passwords ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, proxy_authority: Path, other: Other) -> Iterator[Gate]:
    folder = tmp_path_factory.mktemp("passwords")
    led = ("--set", f"scope_connect_to={OTHER}=127.0.0.1:{other.port}")
    with running_gate(folder, proxy_authority, *led, "--set", "proxyauth=me:secret") as gate:
        yield gate
        assert "secret" not in gate.proxy.audit_file.read_text() + gate.proxy.output


PAIR = [("Proxy-Authorization", f"Basic {b64encode(b'me:secret').decode()}")]


@pytest.mark.parametrize("alpn", ["http/1.1", "h2"])
def test_calls_of_who_has_the_password(guarded: Gate, alpn: str) -> None:
    guarded.clear()
    tunnel = connect(guarded.proxy.proxy_url, f"{HOST}:443", PAIR)
    assert tunnel.status == 200
    with tls(tunnel.sock, ca=guarded.ca, sni=HOST, alpn=[alpn]) as sock:
        if alpn == "h2":
            client = H2Client(sock)
            path = "/api/2.1/unity-catalog/catalogs"
            token = "dapi0123456789abcdef0123456789abcdef"
            assert client.collect(client.request(h2_headers("GET", path, HOST, token))).status == 200
        else:
            send_h1(sock, head())
            answer = read_h1(sock)
            assert answer is not None
            assert answer.status == 200
    (request,) = guarded.workspace.requests
    assert b"proxy-authorization" not in {name.lower() for name, _ in request.headers}


@pytest.mark.parametrize("target", [f"{HOST}:443", f"{OTHER}:443", "127.0.0.1:1"])
def test_nobody_else_gets_a_tunnel(guarded: Gate, target: str) -> None:
    guarded.clear()
    tunnel = connect(guarded.proxy.proxy_url, target)
    with tunnel.sock:
        assert tunnel.response is not None
        assert tunnel.status == 407
        assert tunnel.response.values(b"proxy-authenticate") == [b'Basic realm="mitmproxy"']
        assert hung_up(tunnel.sock)
    assert guarded.workspace.connections == []


def test_nor_is_a_request_in_the_clear_passed_on(guarded: Gate, other: Other) -> None:
    with dial(guarded.proxy.proxy_url) as sock:
        send_h1(sock, f"GET http://{OTHER}/ HTTP/1.1\r\n\r\n".encode())
        answer = read_h1(sock)
        assert answer is not None
        assert answer.status == 407
    received = b""

    def serve(peer: socket.socket) -> None:
        nonlocal received
        received = peer.recv(65536)
        peer.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    lines = f"{PAIR[0][0]}: {PAIR[0][1]}\r\n\r\n"
    found = call(guarded, other, f"GET http://{OTHER}/ HTTP/1.1\r\n{lines}".encode(), serve)
    assert found.startswith(b"HTTP/1.1 204 ")
    assert b"uthorization" not in received


def test_many_tunnels_at_once(gate: Gate, other: Other) -> None:
    failures: list[str] = []

    def serve() -> None:
        with other.accept() as peer, contextlib.suppress(OSError):
            while data := peer.recv(65536):
                peer.sendall(data)

    def use(number: int) -> None:
        tunnel = connect(gate.proxy.proxy_url, f"{OTHER}:443")
        with tunnel.sock as sock:
            sock.sendall(b"\x00")
            assert sock.recv(1) == b"\x00"
            expected, found = b"", b""
            for index in range(500):
                piece = b"<%d %d>" % (number, index)
                sock.sendall(piece)
                expected += piece
            while len(found) < len(expected):
                found += sock.recv(65536)
            if found != expected:
                failures.append(f"{number}: {found[:100]!r}")

    threads = [threading.Thread(target=serve) for _ in range(20)]
    threads += [threading.Thread(target=use, args=[number]) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failures == []
