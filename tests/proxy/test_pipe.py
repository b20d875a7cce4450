"""Relays over real sockets: the kernel carries what was sent, whoever is slow, and nothing that is still looked at."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from ipaddress import ip_network
from typing import Any

import pytest
from by_hand import PretendedContexts, make_gate

from brickscope.proxy.clear import SIZE, ClearEnd, Pipe
from brickscope.proxy.datapath import DataPath, Visitor
from brickscope.proxy.deadlines import Limits
from brickscope.proxy.relay import Relay

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="splice(2) is of Linux")
LOOPBACK = "127.0.0.1"
OPAQUE = b"\x00\x01"
"""Begins what is of no kind that is looked at."""
BODY = os.urandom(1024) * 3000

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Ends:
    """A client and a host on either side of a relay."""

    relay: Relay
    client: Streams
    host: Streams

    @property
    def carried(self) -> tuple[int, int]:
        """Bytes that nobody has looked at, from the client and from the host."""
        host: Any = self.relay._host
        return self.relay._client.carried, host.carried


def relayed(story: Callable[[Ends], Awaitable[None]]) -> Ends:
    """Bring about what ``story`` does, once the tunnel is open."""
    ends = Ends()

    async def run() -> None:
        loop = asyncio.get_running_loop()
        gate, contexts = make_gate(), PretendedContexts()
        gate.destinations.allowed = (ip_network("127.0.0.0/8"),)
        path = DataPath(gate, contexts, Limits())  # type: ignore[arg-type]
        reached: asyncio.Future[Streams] = loop.create_future()
        host = await asyncio.start_server(lambda *both: reached.set_result(both), LOOPBACK, 0)
        port = host.sockets[0].getsockname()[1]

        class Front(asyncio.Protocol):
            def connection_made(self, transport: Any) -> None:
                ends.relay = Relay(path, Visitor(LOOPBACK, LOOPBACK, port), lambda: None)
                ends.relay.begin(transport, b"")

        proxy = await loop.create_server(Front, LOOPBACK, 0)
        ends.client = await asyncio.open_connection(*proxy.sockets[0].getsockname()[:2])
        assert (await ends.client[0].readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        ends.host = await reached
        async with asyncio.timeout(30):
            await story(ends)
        for _, writer in (ends.client, ends.host):
            writer.close()
        proxy.close()
        host.close()

    asyncio.run(run())
    return ends


async def send(way: Streams, data: bytes, pause: float = 0) -> None:
    for start in range(0, len(data), 100_000):
        way[1].write(data[start : start + 100_000])
        await way[1].drain()
        await asyncio.sleep(pause)


async def is_cut(way: Streams) -> bool:
    """Nothing more comes, however that is said."""
    try:
        return await way[0].read() == b""
    except ConnectionError:
        return True


async def opened(ends: Ends) -> None:
    """The client's first bytes have been looked at."""
    await send(ends.client, OPAQUE)
    assert await ends.host[0].readexactly(len(OPAQUE)) == OPAQUE


@pytest.mark.parametrize("by", ["client", "host"])
def test_what_is_carried_is_what_was_sent(by: str) -> None:
    async def story(ends: Ends) -> None:
        await opened(ends)
        one, other = (ends.client, ends.host) if by == "client" else (ends.host, ends.client)
        sending = asyncio.ensure_future(send(one, BODY))
        assert await other[0].readexactly(len(BODY)) == BODY
        await sending
        one[1].write_eof()
        assert await other[0].read() == b""

    ends = relayed(story)
    assert sum(ends.carried) > len(BODY) // 2


def test_a_side_that_takes_nothing_stops_the_other_and_misses_nothing() -> None:
    async def story(ends: Ends) -> None:
        await opened(ends)
        sending = asyncio.ensure_future(send(ends.client, BODY * 4))
        while repr(ends.relay._from_client) == "<reading>":  # noqa: ASYNC110 - nobody tells that it is not read
            await asyncio.sleep(0)
        assert not sending.done()
        assert ends.relay._upstream.unsent <= 2 * SIZE
        assert await ends.host[0].readexactly(4 * len(BODY)) == BODY * 4
        await sending

    relayed(story)


def test_both_ways_at_once_are_not_mixed_up() -> None:
    async def story(ends: Ends) -> None:
        await opened(ends)
        up, down = BODY[::-1], BODY
        sending = [
            asyncio.ensure_future(send(way, data)) for way, data in ((ends.client, up), (ends.host, down))
        ]
        assert await ends.host[0].readexactly(len(up)) == up
        assert await ends.client[0].readexactly(len(down)) == down
        await asyncio.gather(*sending)

    relayed(story)


def test_what_is_looked_at_is_never_carried() -> None:
    async def story(ends: Ends) -> None:
        await send(ends.client, b"GET http://other.example/ HTTP/1.1\r\nHost: other.example\r\n\r\n")
        await ends.host[0].readuntil(b"\r\n\r\n")
        await send(ends.client, b"CONNECT dbc-a.cloud.databricks.com:443 HTTP/1.1\r\n\r\n")
        assert await is_cut(ends.host)

    assert relayed(story).carried[0] == 0


def test_what_raises_within_ends_both_sides(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> tuple[int, bytes]:
        raise RuntimeError("dapi-secret")

    async def story(ends: Ends) -> None:
        await opened(ends)
        monkeypatch.setattr(Pipe, "carry", broken)
        await send(ends.client, b"more")
        assert await is_cut(ends.host)
        assert await is_cut(ends.client)

    relayed(story)
    assert "RuntimeError in get_buffer" in caplog.text
    assert "dapi-secret" not in caplog.text


def test_without_descriptors_bytes_are_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(self: Pipe) -> None:
        raise OSError(24, "Too many open files")

    async def story(ends: Ends) -> None:
        monkeypatch.setattr(ClearEnd, "_pipe", None)
        monkeypatch.setattr(Pipe, "__init__", none_left)
        await opened(ends)
        await send(ends.client, b"more")
        assert await ends.host[0].readexactly(4) == b"more"

    assert relayed(story).carried == (0, 0)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair()
    one.setblocking(False)
    other.setblocking(False)
    with one, other:
        yield one, other


def test_a_pipe_is_empty_after_it_was_used(pair: tuple[socket.socket, socket.socket]) -> None:
    pipe, (source, target) = Pipe(), pair
    with socket.socket() as nobody:
        target.send(b"for nobody")
        assert pipe.carry(source.fileno(), nobody.fileno()) == (10, b"for nobody")
        assert pipe.carry(source.fileno(), nobody.fileno()) == (0, b"")
    source.send(b"again")
    assert pipe.carry(target.fileno(), target.fileno()) == (5, b"")
    assert source.recv(9) == b"again"
    pipe.close()


def test_a_pipe_that_can_not_be_emptied_is_closed(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe, (source, target) = Pipe(), pair
    target.send(b"left over")

    def broken(*_: Any) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "read", broken)
    with socket.socket() as nobody, pytest.raises(OSError, match="Input/output"):
        pipe.carry(source.fileno(), nobody.fileno())
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(pipe._out)


def test_a_way_in_tls_is_not_carried() -> None:
    class Tls(asyncio.Transport):
        def get_extra_info(self, name: str, default: Any = None) -> Any:
            return {"sslcontext": object(), "socket": object()}.get(name, default)

    one, other = ClearEnd(None), ClearEnd(None)  # type: ignore[arg-type]
    one.transport = other.transport = Tls()
    one.lead_to(other)
    assert one._sink is None
