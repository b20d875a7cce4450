"""The fake workspace as ground truth: nothing that reached it is missing, nothing is made up."""

from __future__ import annotations

import hashlib
import json
import resource
import socket
import threading
import time

import pytest

from e2e.raw_client import H1Reader, H2Client, h2_headers, read_h1, send_h1
from lab.workspace.client import HOST, call, head, open_connection, settled
from lab.workspace.evidence import MAX_RAW
from lab.workspace.server import FakeWorkspace
from lab.workspace.streams import pattern


def test_a_request_is_recorded_exactly_as_it_came(workspace: FakeWorkspace) -> None:
    sent = (
        head("POST", "/a%2Fb/../c?x=%20&&", "X-Odd-CASE:  v ", "x-odd-case: w", "Content-Length: 3") + b"abc"
    )
    with open_connection(workspace) as sock:
        send_h1(sock, sent)
        assert read_h1(sock) is not None
        (request,) = settled(workspace)
        assert (request.method, request.target, request.version) == (b"POST", b"/a%2Fb/../c?x=%20&&", "1.1")
        assert request.path == b"/a%2Fb/../c"
        assert request.headers[:3] == (
            (b"Host", HOST.encode()),
            (b"X-Odd-CASE", b"v"),
            (b"x-odd-case", b"w"),
        )
        assert request.values(b"X-ODD-Case") == [b"v", b"w"]
        assert (request.body, request.body_length) == (b"abc", 3)
        assert request.body_sha256 == hashlib.sha256(b"abc").hexdigest()
        (connection,) = workspace.connections
        assert connection.raw == sent
        assert connection.received == len(sent)
        assert (connection.sni, connection.alpn, connection.open, connection.error) == (
            HOST,
            "http/1.1",
            True,
            None,
        )
        assert request.connection == connection.number


def test_a_connection_is_kept_alive_and_pipelined(workspace: FakeWorkspace) -> None:
    with open_connection(workspace) as sock:
        send_h1(sock, head("GET", "/1") + head("GET", "/2") + head("GET", "/3", "Connection: close"))
        reader = H1Reader(sock)
        bodies = [response.body for _ in range(3) if (response := reader.read()) is not None]
        assert [json.loads(body)["path"] for body in bodies] == ["/1", "/2", "/3"]
        assert reader.read(timeout=2) is None
        assert sock.recv(1) == b""
    assert [request.target for request in workspace.requests] == [b"/1", b"/2", b"/3"]
    assert len(workspace.connections) == 1


def test_chunks_and_trailers(workspace: FakeWorkspace) -> None:
    with open_connection(workspace) as sock:
        body = b"3\r\nabc\r\n2;ext=1\r\nde\r\n0\r\nX-Trail: t\r\n\r\n"
        send_h1(sock, head("POST", "/c", "Transfer-Encoding: chunked") + body)
        assert read_h1(sock) is not None
    (request,) = settled(workspace)
    assert (request.body, request.trailers) == (b"abcde", ((b"X-Trail", b"t"),))


def test_a_request_that_never_ends_is_recorded_incomplete(workspace: FakeWorkspace) -> None:
    with open_connection(workspace) as sock:
        send_h1(sock, head("POST", "/half", "Content-Length: 10") + b"12345")
        deadline = time.monotonic() + 5
        while not workspace.requests or workspace.requests[0].body_length < 5:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert not workspace.requests[0].complete
    deadline = time.monotonic() + 5
    while workspace.connections[0].open:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert not workspace.requests[0].complete
    assert workspace.connections[0].error is not None


def test_rubbish_is_a_400_and_its_bytes_are_kept(workspace: FakeWorkspace) -> None:
    with open_connection(workspace) as sock:
        send_h1(sock, b"GET / HTTP/1.1\r\nbad header\r\n\r\n")
        response = read_h1(sock)
    assert response is not None
    assert response.status == 400
    assert workspace.requests == []
    assert workspace.connections[0].raw.endswith(b"bad header\r\n\r\n")
    assert "RemoteProtocolError" in (workspace.connections[0].error or "")


def test_expect_100_continue(workspace: FakeWorkspace) -> None:
    with open_connection(workspace) as sock:
        send_h1(sock, head("PUT", "/x", "Expect: 100-continue", "Content-Length: 2"))
        assert sock.recv(1000).startswith(b"HTTP/1.1 100")
        send_h1(sock, b"ok")
        response = read_h1(sock)
        assert response is not None
        assert response.status == 200


def test_http2_requests_side_by_side(workspace: FakeWorkspace) -> None:
    with open_connection(workspace, "h2") as sock:
        client = H2Client(sock)
        slow = client.request(h2_headers("GET", "/slow/0.3", HOST, "t"))
        fast = client.request(
            [*h2_headers("POST", "/x", HOST, "t"), (b"Bad Name", b"kept"), (b"x", b"1"), (b"x", b"2")],
            b"abc",
            [(b"x-trail", b"t")],
        )
        assert client.collect(fast).status == 200
        with pytest.raises(TimeoutError):
            client.collect(slow, 0.01)
        assert client.collect(slow).status == 200
    first, second = settled(workspace, 2)
    assert (first.target, second.target) == (b"/slow/0.3", b"/x")
    assert second.headers[:4] == tuple(h2_headers("POST", "/x", HOST))
    assert second.headers[-3:] == ((b"Bad Name", b"kept"), (b"x", b"1"), (b"x", b"2"))
    assert (second.body, second.trailers, second.version) == (b"abc", ((b"x-trail", b"t"),), "2")
    assert workspace.connections[0].alpn == "h2"
    assert workspace.connections[0].raw.startswith(b"PRI * HTTP/2.0")


def test_http2_expect_and_reset(workspace: FakeWorkspace) -> None:
    with open_connection(workspace, "h2") as sock:
        client = H2Client(sock)
        number = client.open(h2_headers("PUT", "/x", HOST, "t", [(b"expect", b"100-continue")]))
        client.send(number, b"ok", end=True)
        assert client.collect(number).status == 200
        given_up = client.open(h2_headers("PUT", "/given/up", HOST, "t"))
        client.send(given_up, b"half")
        client.reset(given_up)
        assert client.collect(client.request(h2_headers("GET", "/after", HOST, "t"))).status == 200
    done = {request.target: request.complete for request in workspace.requests}
    assert done == {b"/x": True, b"/given/up": False, b"/after": True}


@pytest.mark.parametrize(("offered", "asked", "agreed"), [(["h2"], "h2", "h2"), (["http/1.1"], "h2", None)])
def test_alpn_can_be_restricted(offered: list[str], asked: str, agreed: str | None) -> None:
    with FakeWorkspace.start(alpn=offered) as workspace:
        try:
            with open_connection(workspace, asked) as sock:
                assert sock.selected_alpn_protocol() == agreed
        except OSError:
            assert agreed is None  # OpenSSL may refuse the handshake when nothing fits


def test_a_connection_without_tls_counts_too(workspace: FakeWorkspace) -> None:
    with socket.create_connection(("127.0.0.1", workspace.port), 5) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
        sock.settimeout(5)
        while sock.recv(1000):
            pass
    deadline = time.monotonic() + 5
    while workspace.connections[0].open:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    (connection,) = workspace.connections
    assert (connection.sni, connection.raw) == (None, b"")
    assert "SSL" in (connection.error or "")


def test_no_sni_is_recorded_as_none(workspace: FakeWorkspace) -> None:
    with open_connection(workspace, sni=None) as sock:
        send_h1(sock, head("GET", "/"))
        assert read_h1(sock) is not None
    assert workspace.connections[0].sni is None


def test_nothing_is_lost_under_concurrency(workspace: FakeWorkspace) -> None:
    def client(number: int) -> None:
        with open_connection(workspace) as sock:
            reader = H1Reader(sock)
            for turn in range(20):
                send_h1(sock, head("GET", f"/{number}/{turn}"))
                assert reader.read() is not None

    threads = [threading.Thread(target=client, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    targets = sorted(request.target for request in settled(workspace, 200))
    assert targets == sorted(f"/{number}/{turn}".encode() for number in range(10) for turn in range(20))
    assert len(workspace.connections) == 10


def test_clear_forgets(workspace: FakeWorkspace) -> None:
    call(workspace, "GET", "/old")
    with open_connection(workspace) as sock:
        reader = H1Reader(sock)
        send_h1(sock, head("GET", "/older"))
        assert reader.read() is not None
        workspace.clear()
        assert workspace.requests == []
        send_h1(sock, head("GET", "/new"))
        assert reader.read() is not None
        assert [request.target for request in workspace.requests] == [b"/new"]
        assert workspace.connections[-1].raw == head("GET", "/new")


@pytest.mark.parametrize("alpn", ["http/1.1", "h2"])
def test_a_large_upload_takes_little_memory(workspace: FakeWorkspace, alpn: str) -> None:
    length = 200_000_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    digest = hashlib.sha256()
    with open_connection(workspace, alpn) as sock:
        client = H2Client(sock) if alpn == "h2" else None
        number = client.open(h2_headers("PUT", "/api/2.0/fs/files/x", HOST, "t")) if client else 0
        if not client:
            send_h1(sock, head("PUT", "/api/2.0/fs/files/x", f"Content-Length: {length}"))
        for piece in pattern(length):
            digest.update(piece)
            if client:
                client.send(number, piece)
            else:
                sock.sendall(piece)
        if client:
            client.send(number, b"", end=True)
            assert client.collect(number).status == 204
        else:
            response = read_h1(sock)
            assert response is not None
            assert response.status == 204
    (request,) = settled(workspace)
    assert (request.body_length, request.body_sha256) == (length, digest.hexdigest())
    assert len(workspace.connections[0].raw) == MAX_RAW
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40_000


def test_close_ends_connections_and_may_be_called_twice() -> None:
    workspace = FakeWorkspace.start()
    sock = open_connection(workspace)
    folder = workspace.ca_file.parent
    workspace.close()
    workspace.close()
    assert sock.recv(1) == b""
    assert not folder.exists()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", workspace.port), 1)
