"""The data path without sockets, TLS and time: transports that record, a TLS that passes bytes through, a gate with a
log in memory.

``Scene`` is one tunnel with a client before it and hosts behind it; everything that happens is brought about by hand,
within a real event loop that turns until nothing is ready any more.
"""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from hashlib import sha256
from typing import Any

from OpenSSL import SSL

from brickscope.core.hostname import HostPatterns
from brickscope.core.policy import Mode, Policy, RuleSet, Subject
from brickscope.core.rule import RuleTable, parse_rule
from brickscope.identity.directory import TokenDirectory
from brickscope.identity.fetch import FetchError
from brickscope.log.error import AuditError
from brickscope.log.key import DigestKey
from brickscope.proxy.datapath import DataPath, Visitor
from brickscope.proxy.deadlines import Limits
from brickscope.proxy.destination import Destinations
from brickscope.proxy.gate import Gate
from brickscope.proxy.relay import Relay
from brickscope.proxy.tunnel import Tunnel

HOST = "dbc-a.cloud.databricks.com"
TOKEN = "dapi0123456789abcdef0123456789abcdef"
OWN = ("10.0.0.1", 8080)
HELLO = b"<hello>"
END = b"<end>"
"""What a side of the pretended TLS sends for close_notify."""
UPDATE = b"<update>"
"""What asks for an answer of TLS itself, as KeyUpdate does (RFC 8446 section 4.6.3); the answer is the same."""
_MARK = re.compile(b"|".join([END, UPDATE, b"<garbage>"]))
ADDRESS = ("8.8.8.8", 443)
"""Public, and never dialled."""


class PretendedTls:
    """In the place of an ``SSL.Connection``: bytes are their own ciphertext. The handshake is one ``HELLO`` each way,
    the client's first; ``END`` is close_notify."""

    def __init__(self, *, server: bool, alpn: bytes = b"http/1.1") -> None:
        self._server = server
        self._alpn = alpn
        self._in = b""
        self._out = b""
        self._greeted = False
        self._shaken = False
        self.broken = False

    def bio_write(self, data: Any) -> int:
        assert data, "pyOpenSSL raises for nothing"
        self._in += bytes(data)
        return len(data)

    def bio_read(self, size: int) -> bytes:
        if not self._out:
            raise SSL.WantReadError
        data, self._out = self._out[:size], self._out[size:]
        return data

    def do_handshake(self) -> None:
        if not self._server and not self._greeted:
            self._greeted = True
            self._out += HELLO
        if self._in.startswith(b"<alert>"):
            raise SSL.Error([("SSL routines", "", "tlsv1 alert unknown ca")])
        if not self._in.startswith(HELLO):
            raise SSL.WantReadError
        self._in = self._in[len(HELLO) :]
        if self._server:
            self._out += HELLO
        self._shaken = True

    def get_protocol_version(self) -> int:
        return SSL.TLS1_2_VERSION

    def set_app_data(self, alpn: bytes) -> None:
        """The data path has chosen."""
        self._alpn = alpn

    def get_alpn_proto_negotiated(self) -> bytes:
        return self._alpn

    def recv(self, size: int) -> bytes:
        assert self._shaken
        while self._in.startswith(UPDATE):
            self._in = self._in[len(UPDATE) :]
            self._out += UPDATE
        if self._in.startswith(END):
            raise SSL.ZeroReturnError
        if self._in.startswith(b"<garbage>"):
            raise SSL.Error([("SSL routines", "", "wrong version number")])
        end = _MARK.search(self._in)
        data = self._in[: size if end is None else min(size, end.start())]
        if not data:
            raise SSL.WantReadError
        self._in = self._in[len(data) :]
        return data

    def sendall(self, data: bytes) -> int:
        assert self._shaken
        assert data, "nothing is no record"
        self._out += data
        return len(data)

    def shutdown(self) -> bool:
        self._out += END
        return False


class PretendedTransport(asyncio.Transport):
    """A transport that records. ``full``: whether its protocol was told to write no more. Ends are told in the next turn."""

    def __init__(self, peer: tuple[str, int], own: tuple[str, int] = OWN) -> None:
        super().__init__({"peername": peer, "sockname": own, "socket": None})
        self.protocol: Any = None
        self.written = b""
        self.unread = 0
        """Bytes that wait to be sent, while the other side takes none."""
        self.full = False
        self.paused = False
        self.closed: str = ""
        self.eof_written = False
        self.lost = False

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def write(self, data: Any) -> None:
        assert data, "an empty write"
        assert not self.eof_written, "written after its end"
        if not self.closed:
            self.written += bytes(data)
            if self.full:
                self.unread += len(data)

    def write_eof(self) -> None:
        self.eof_written = True

    def can_write_eof(self) -> bool:
        return True

    def pause_reading(self) -> None:
        assert not self.paused
        self.paused = True

    def resume_reading(self) -> None:
        assert self.paused
        self.paused = False

    def is_closing(self) -> bool:
        return bool(self.closed)

    def get_write_buffer_size(self) -> int:
        return self.unread

    def close(self) -> None:
        self._end("closed")

    def abort(self) -> None:
        self.unread = 0
        self._end("aborted")

    def _end(self, how: str) -> None:
        if not self.closed:
            self.closed = how
            asyncio.get_running_loop().call_soon(self._lose)
        elif how == "aborted":
            self.closed = how

    def _lose(self) -> None:
        if not self.lost:
            self.lost = True
            self.protocol.connection_lost(None)

    # -- what the other side does ------------------------------------------------------------------------------

    def receive(self, data: bytes) -> bool:
        """Bytes come; False if nobody reads just now."""
        if self.paused or self.closed or not data:
            return False
        view = self.protocol.get_buffer(-1)
        for start in range(0, len(data), len(view)):
            piece = data[start : start + len(view)]
            view[: len(piece)] = piece
            self.protocol.buffer_updated(len(piece))
        return True

    def receive_end(self) -> bool:
        """Its TCP ends."""
        if self.paused or self.closed:
            return False
        if not self.protocol.eof_received():
            self.close()
        return True

    def fill(self, full: bool) -> None:
        """The other side takes no more, or everything."""
        if full is not self.full and not self.lost:
            self.full = full
            self.unread = 70_000 if full else 0
            (self.protocol.pause_writing if full else self.protocol.resume_writing)()

    def cut(self) -> None:
        """The connection is reset."""
        self.abort()


class Kept(list[dict[str, Any]]):
    """A batch, as the gate sees it."""

    outcomes = 0

    @property
    def waiting(self) -> int:
        return len(self)


class LogInMemory:
    """In the place of the audit writer."""

    def __init__(self) -> None:
        self.revision: str | None = None
        self.records: list[dict[str, Any]] = []
        self.is_failing = False
        self.batch: list[dict[str, Any]] | None = None
        self._failed: list[list[dict[str, Any]]] = []
        self._ids = itertools.count(1)

    def new_decision_id(self) -> str:
        return f"00000000-{next(self._ids)}"

    def append(self, event: str, fields: dict[str, Any]) -> None:
        self.commit(self.keep(event, fields))

    def keep(self, event: str, fields: dict[str, Any]) -> list[dict[str, Any]]:
        self.batch = self.batch or Kept()
        self.batch.append({"event": event, **fields})
        return self.batch

    def commit(self, batch: list[dict[str, Any]]) -> None:
        if batch is self.batch:
            self.batch = None
            if self.is_failing:
                self._failed.append(batch)
            else:
                self.records += batch
        if any(batch is each for each in self._failed):
            raise AuditError("the disk is full")

    def flush(self) -> None:
        if self.batch is not None:
            self.commit(self.batch)

    def of(self, event: str) -> list[dict[str, Any]]:
        return [record for record in self.records if record["event"] == event]


class PretendedContexts:
    """In the place of ``Contexts``. ``speaks``: what the host chooses, if it is offered. ``offered``: to hosts."""

    def __init__(self) -> None:
        self.speaks = b"http/1.1"
        self.offered: list[tuple[bytes, ...]] = []

    def for_client(self, host: str, server_name: str | None) -> Any:
        return PretendedTls(server=True)

    def serves(self, offers: Sequence[bytes]) -> bool:
        return b"h2" in offers

    def for_host(self, host: str, offers: Sequence[bytes]) -> Any:
        self.offered.append(tuple(offers))
        speaks = self.speaks if self.speaks in offers else b""
        return PretendedTls(server=False, alpn=speaks)

    def keep_session(self, host: str, ended: Any) -> None:
        """Nothing is resumed."""


async def no_network(url: str) -> bytes | None:
    raise FetchError(f"{url} is not fetched here")


def make_gate(mode: Mode = Mode.ENFORCE) -> Gate:
    """A gate for ``TOKEN``, which may GET and PUT below ``/ok``."""
    rules = RuleTable([parse_rule(text) for text in ("GET /ok/{p...}", "PUT /ok/{p...}", "HEAD /ok/{p...}")])
    rule_set = RuleSet("some", rules, RuleTable(()))
    name = f"sha256:{sha256(TOKEN.encode()).hexdigest()}"
    policy = Policy({name: Subject("ci", rule_set)}, {"some": rule_set}, mode, "revision")
    destinations = Destinations(HostPatterns(["*.cloud.databricks.com"]), relay_other_hosts=True)
    log: Any = LogInMemory()
    return Gate(destinations, log, policy, TokenDirectory(no_network), DigestKey(b""))


def head(
    target: str = "/ok/1", *lines: str, method: str = "GET", token: str = TOKEN, body: bytes = b""
) -> bytes:
    """A request."""
    more = [f"Content-Length: {len(body)}"] if body else []
    first = [f"{method} {target} HTTP/1.1", f"Host: {HOST}", f"Authorization: Bearer {token}"]
    return "\r\n".join([*first, *lines, *more, "", ""]).encode() + body


def answer(body: bytes = b"", *lines: str, status: int = 200) -> bytes:
    """An answer."""
    return (
        "\r\n".join([f"HTTP/1.1 {status} OK", f"content-length: {len(body)}", *lines, "", ""]).encode() + body
    )


class Scene:
    """A tunnel, its client's transport, and those of the hosts that it dials. ``addresses``: what its host resolves to.

    ``reach``: what becomes of a dial; an exception, or None for a connection.
    """

    def __init__(
        self, *, mode: Mode = Mode.ENFORCE, limits: Limits | None = None, local: str | None = None
    ) -> None:
        self.gate = make_gate(mode)
        self.log: Any = self.gate.writer
        self.contexts = PretendedContexts()
        self.path = DataPath(self.gate, self.contexts, limits or Limits(), local=local)  # type: ignore[arg-type]
        self.client = PretendedTransport(("192.0.2.1", 4000))
        self.hosts: list[PretendedTransport] = []
        self.dials: list[tuple[Any, ...]] = []
        self.ended = 0
        self.addresses: list[tuple[str, int]] | Exception = [ADDRESS]
        self.reach: list[Exception | None] = []
        self.hold_dials = False
        self._held: list[asyncio.Future[None]] = []
        self.greets = True
        """Whether a host that is reached completes its handshake at once."""
        self.tunnel: Tunnel

    def begin(self, hello: bytes = HELLO, *offers: bytes) -> None:
        """The client's ClientHello has come."""
        visitor = Visitor("192.0.2.1", HOST, 443, HOST, offers)
        self.tunnel = Tunnel(self.path, visitor, self._end)
        self.path.open[self.client] = self.tunnel
        self.tunnel.begin(self.client, hello)

    def relay(self, ahead: bytes = b"", host: str = "other.example") -> Relay:
        """The client's CONNECT to another host has come."""
        self.greets = False
        relay = Relay(self.path, Visitor("192.0.2.1", host, 443), self._end)
        self.path.open[self.client] = relay
        relay.begin(self.client, ahead)
        return relay

    def _end(self) -> None:
        del self.path.open[self.client]
        self.ended += 1

    @property
    def host(self) -> PretendedTransport:
        """The last one that was reached."""
        return self.hosts[-1]

    def install(self, loop: Any) -> None:
        """Stand in the place of what the event loop does with names and sockets."""
        self.gate.soon = loop.call_soon
        loop.getaddrinfo = self._getaddrinfo
        loop.create_connection = self._create_connection

    async def _getaddrinfo(self, host: str, port: int, **_: Any) -> list[Any]:
        await asyncio.sleep(0)
        if isinstance(self.addresses, Exception):
            raise self.addresses
        return [(2, 1, 6, "", address) for address in self.addresses]

    async def _create_connection(
        self, factory: Callable[[], Any], host: str, port: int, **options: Any
    ) -> Any:
        self.dials.append((host, port, options.get("local_addr")))
        if self.hold_dials:
            held = asyncio.get_running_loop().create_future()
            self._held.append(held)
            await held
        else:
            await asyncio.sleep(0)
        error = self.reach.pop(0) if self.reach else None
        if error is not None:
            raise error
        transport, protocol = PretendedTransport((host, port)), factory()
        self.hosts.append(transport)
        transport.protocol = protocol
        protocol.connection_made(transport)
        if self.greets:
            asyncio.get_running_loop().call_soon(transport.receive, HELLO)
        return transport, protocol

    def release(self) -> None:
        """Let held dials go on."""
        held, self._held = self._held, []
        for each in held:
            if not each.done():
                each.set_result(None)


async def turn(times: int = 20) -> None:
    """Let the loop turn until nothing is ready."""
    for _ in range(times):
        await asyncio.sleep(0)


def play(story: Callable[[Scene], Awaitable[None]], scene: Scene | None = None) -> Scene:
    """Bring about what ``story`` does, and then end all there is."""
    scene = scene or Scene()

    async def run() -> None:
        scene.install(asyncio.get_running_loop())
        await story(scene)
        await turn()

    work: Coroutine[Any, Any, None] = run()
    asyncio.run(work)
    return scene


OK = answer(b"hello")


async def call(scene: Scene, request: bytes | None = None, reply: bytes = OK) -> None:
    """One allowed call on a tunnel that has begun."""
    scene.client.receive(head() if request is None else request)
    await turn()
    scene.host.receive(reply)
    await turn()


def outcomes(scene: Scene) -> list[tuple[int | None, str]]:
    """Status and error of each outcome on record."""
    return [(record["status"], record.get("error", "")) for record in scene.log.of("outcome")]


def broken(*_: Any, **__: Any) -> Any:
    """In the place of whatever is to raise: an error whose text nobody may repeat."""
    raise RuntimeError("dapi-secret")
