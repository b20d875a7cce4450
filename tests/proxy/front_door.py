"""The first bytes of a connection, played by hand: what hands it on, and stand-ins for what it is handed to."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable
from typing import Any

from by_hand import HOST, PretendedTransport, Scene, turn

from brickscope.proxy.deadlines import Limits
from brickscope.proxy.front import Front
from client_hello import client_hello as hello_of

CONNECT = f"CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}:443\r\nUser-Agent: x\r\n\r\n".encode()
PLAIN = "http://example.com/a?b"
LINE = b"PROXY TCP4 10.7.7.7 10.0.0.1 4000 8080\r\n"


def connect(
    target: str = f"{HOST}:443", *lines: str, method: str = "CONNECT", version: str = "HTTP/1.1"
) -> bytes:
    return "\r\n".join([f"{method} {target} {version}", *lines, "", ""]).encode("latin-1")


def client_hello(name: str | None = HOST, alpn: tuple[str, ...] = ("http/1.1",)) -> bytes:
    """As most clients of a workspace send it."""
    return hello_of(name, alpn)


class Relayed:
    """In the place of a relay."""

    made: list[Relayed]

    def __init__(self, path: Any, visitor: Any, on_end: Callable[[], None]) -> None:
        self.visitor, self.on_end = visitor, on_end
        Relayed.made.append(self)

    def begin(self, transport: Any, ahead: bytes) -> None:
        self.ahead = ahead


class Called:
    """In the place of a call in the clear."""

    made: list[Called]

    def __init__(self, path: Any, client: str, admitted: Any, on_end: Callable[[], None]) -> None:
        self.client, self.admitted, self.on_end = client, admitted, on_end
        Called.made.append(self)

    def begin(self, transport: Any, received: bytes) -> None:
        self.received = received


class Begun:
    """In the place of a tunnel."""

    made: list[Begun]

    def __init__(self, path: Any, visitor: Any, on_end: Callable[[], None]) -> None:
        self.visitor, self.on_end = visitor, on_end
        Begun.made.append(self)

    def begin(self, transport: Any, hello: bytes) -> None:
        self.hello = hello


class Door:
    """A connection that was just accepted."""

    def __init__(
        self,
        peer: tuple[str, int] = ("192.0.2.1", 4000),
        balancers: tuple[str, ...] = (),
        networks: tuple[str, ...] = (),
    ) -> None:
        self.scene = Scene(limits=Limits())
        self.scene.gate.destinations.allowed = tuple(map(ipaddress.ip_network, networks))
        self.transport = PretendedTransport(peer)
        self.ended = 0
        self.front = Front(self.scene.path, tuple(map(ipaddress.ip_network, balancers)), self._end)
        self.transport.protocol = self.front.end
        self.front.end.connection_made(self.transport)

    def _end(self) -> None:
        self.ended += 1

    def send(self, data: bytes, step: int = 0) -> None:
        for start in range(0, len(data), step or len(data) or 1):
            if self.transport.closed or Begun.made or Relayed.made or Called.made:
                return
            self.receive(data[start : start + (step or len(data))])

    def receive(self, data: bytes) -> None:
        """Bytes come, whoever serves the connection by now."""
        view = self.front.end.get_buffer(-1)
        for start in range(0, len(data), len(view)):
            piece = data[start : start + len(view)]
            view[: len(piece)] = piece
            self.front.end.buffer_updated(len(piece))

    @property
    def log(self) -> Any:
        return self.scene.log


def within_a_loop(story: Callable[[], Any]) -> Any:
    async def run() -> Any:
        found = story()
        await turn(3)
        return found

    return asyncio.run(run())


def answered(door: Door) -> tuple[bytes, bytes]:
    """The head and the body of the answer, which ends the connection."""
    assert Relayed.made == Called.made == Begun.made == []
    assert door.transport.eof_written
    head, _, body = door.transport.written.partition(b"\r\n\r\n")
    assert b"\r\nconnection: close" in head
    return head, body
