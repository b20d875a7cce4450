"""The status server: what it answers, and that nobody can hold it up."""

from __future__ import annotations

import asyncio
import socket
import stat
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from brickscope.service.monitoring import status
from brickscope.service.monitoring.address import StatusAddress, read_address
from brickscope.service.monitoring.status import MAX_CONNECTIONS, MAX_HEAD, Page, StatusServer, json_page

LOCAL = StatusAddress("127.0.0.1", 0)


def broken() -> Page:
    """A page that fails."""
    raise RuntimeError("dapi0123456789abcdef0123456789abcdef")


PAGES: dict[str, Callable[[], Page]] = {
    "/": lambda: json_page({"pages": []}),
    "/big": lambda: Page(200, b"x" * 4_000_000, "text/plain"),
    "/broken": broken,
}


async def ask(address: StatusAddress, request: bytes) -> bytes:
    """All that comes back on one connection."""
    if address.path is not None:
        reader, writer = await asyncio.open_unix_connection(address.path)
    else:
        reader, writer = await asyncio.open_connection(address.host, address.port)
    try:
        writer.write(request)
        return await asyncio.wait_for(reader.read(), 30)
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


def served(look: Callable[[StatusServer], Coroutine[Any, Any, Any]], address: StatusAddress = LOCAL) -> Any:
    """Run ``look`` on a server that runs."""

    async def run() -> Any:
        server = StatusServer(PAGES)
        await server.start(address)
        try:
            return await look(server)
        finally:
            server.close()

    return asyncio.run(run())


ANSWERS = {
    "GET": (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"200", b'{"pages":[]}'),
    "GET with a query": (b"GET /?x=1 HTTP/1.1\r\nHost: x\r\n\r\n", b"200", b'{"pages":[]}'),
    "GET of HTTP/1.0": (b"GET / HTTP/1.0\r\n\r\n", b"200", b'{"pages":[]}'),
    "HEAD": (b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", b"200", b""),
    "a page that is not there": (
        b"GET /dapi HTTP/1.1\r\nHost: x\r\n\r\n",
        b"404",
        b'{"error":"no such page"',
    ),
    "another method": (b"DELETE / HTTP/1.1\r\nHost: x\r\n\r\n", b"405", b'{"error":"only GET and HEAD"'),
    "a POST with a body": (
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
        b"405",
        b'{"error":"only GET',
    ),
    "CONNECT": (b"CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: x\r\n\r\n", b"405", b'{"error":"only GET'),
    "a whole URL": (b"GET http://127.0.0.1:1/ HTTP/1.1\r\nHost: x\r\n\r\n", b"404", b'{"error"'),
    "no HTTP": (b"\x16\x03\x01\x02\x00 hello\r\n\r\n", b"400", b'{"error":"malformed request"}'),
    "a head that is too large": (
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * (MAX_HEAD + 1),
        b"431",
        b'{"error":"malformed request"}',
    ),
    "a page that fails": (
        b"GET /broken HTTP/1.1\r\nHost: x\r\n\r\n",
        b"500",
        b'{"error":"this page failed inside"}',
    ),
}


@pytest.mark.parametrize(("request_", "code", "body"), ANSWERS.values(), ids=ANSWERS)
def test_answers(request_: bytes, code: bytes, body: bytes, caplog: pytest.LogCaptureFixture) -> None:
    answer: bytes = served(lambda server: ask(server.address, request_))
    assert answer.split(b" ", 2)[1] == code
    head, _, content = answer.partition(b"\r\n\r\n")
    assert b"connection: close" in head.lower()
    assert content.startswith(body)
    assert bool(content) is bool(body)
    assert "dapi" not in caplog.text


def test_a_page_that_fails_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    async def look(server: StatusServer) -> None:
        for _ in range(3):
            await ask(server.address, ANSWERS["a page that fails"][0])

    served(look)
    assert len(caplog.records) == 1


def test_stuck_connections_make_room_for_the_next() -> None:
    async def look(server: StatusServer) -> bytes:
        stuck = [
            await asyncio.open_connection(server.address.host, server.address.port)
            for _ in range(MAX_CONNECTIONS * 2)
        ]
        for _, writer in stuck[::2]:
            writer.write(b"GET / HTTP/1.1\r\nX: ")  # and no more
        answer = await ask(server.address, ANSWERS["GET"][0])
        assert len(server._open) <= MAX_CONNECTIONS
        for _, writer in stuck:
            writer.close()
        return answer

    assert served(look).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("request_", [b"", b"GET / HTTP/1.1\r\nHo", b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n"])
def test_who_is_slow_is_dropped(request_: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """It sends nothing, half a head, or does not read what it asked for."""
    monkeypatch.setattr(status, "SECONDS", 0.2)

    async def look(server: StatusServer) -> None:
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(sock, (server.address.host, server.address.port))
            await loop.sock_sendall(sock, request_)
            async with asyncio.timeout(30):
                while not server._open:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
                while server._open:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)

    served(look)


def test_a_unix_socket_is_its_owners_and_goes_with_the_server(tmp_path: Path) -> None:
    path = tmp_path / "status.sock"

    async def look(server: StatusServer) -> bytes:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        return await ask(server.address, ANSWERS["GET"][0])

    for _ in range(2):
        assert served(look, StatusAddress(path=path)).startswith(b"HTTP/1.1 200")
        assert not path.exists()


def test_a_socket_that_a_killed_process_left_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "status.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    served(lambda server: ask(server.address, ANSWERS["GET"][0]), StatusAddress(path=path))


def test_what_belongs_to_others_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "status.sock"
    path.write_text("precious")
    with pytest.raises(OSError, match="is not a socket"):
        served(lambda server: asyncio.sleep(0), StatusAddress(path=path))
    assert path.read_text() == "precious"
    path.unlink()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        with pytest.raises(OSError, match="another process listens"):
            served(lambda server: asyncio.sleep(0), StatusAddress(path=path))
        assert path.exists()


ADDRESSES: dict[str, StatusAddress | str] = {
    "127.0.0.1:9464": StatusAddress("127.0.0.1", 9464),
    "[::1]:9464": StatusAddress("::1", 9464),
    "localhost:0": StatusAddress("127.0.0.1", 0),
    "0.0.0.0:9464": StatusAddress("0.0.0.0", 9464),
    "unix:/run/x.sock": StatusAddress(path=Path("/run/x.sock")),
    "unix:x.sock": "not an absolute path",
    "unix:/" + "x" * 120: "longer than",
    "9464": "not an address and port",
    ":9464": "not an address and port",
    "proxy.example.com:9464": "not an address and port",
    "127.0.0.1": "not an address and port",
    "127.0.0.1:": "no port",
    "127.0.0.1:70000": "no port",
    "127.0.0.1:-1": "no port",
    "127.0.0.1:١": "no port",
}


@pytest.mark.parametrize(("text", "expected"), ADDRESSES.items(), ids=ADDRESSES)
def test_addresses(text: str, expected: StatusAddress | str) -> None:
    if isinstance(expected, str):
        with pytest.raises(ValueError, match=expected):
            read_address(text)
    else:
        assert read_address(text) == expected
        assert expected.is_local is not text.startswith("0.0.0.0")
