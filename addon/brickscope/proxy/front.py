"""The first bytes of a connection: whose it is, and which way it goes.

Rules: one shape is ours, ``CONNECT host:443`` with a regular head, to a host under policy, and then a ClientHello.
Everything else is handed to the engine's path unread, byte for byte; so is everything where the option ``proxyauth`` is
set. Nobody has for ever to send these bytes.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from mitmproxy import connection, ctx

from brickscope.core.decision import Refused
from brickscope.core.head import MAX_HEAD, REGULAR_REQUEST, find_odd_bytes, split_fields
from brickscope.core.reason import Reason

from . import balancer
from .balancer import Address, HeaderError, is_balancer, peer_address, read_header
from .datapath import DataPath
from .deadlines import Patience, record_timeout
from .destination import Side
from .drain import Connection
from .engine import EngineConnection
from .guard import guarded
from .hello import HelloReader, NoHello
from .tunnel import Tunnel, Visitor

if TYPE_CHECKING:
    from .listener import Listener

logger = logging.getLogger("brickscope")

ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"

_CONNECT = re.compile(rb"CONNECT ([A-Za-z0-9._-]{1,253}):443 HTTP/1\.1\r\n")
_BLOCKED: dict[tuple[str, bool, bool], bool] = {}
"""What mitmproxy's addon has said of a client's address, so that it is asked once, and says it once."""
MOST_CLIENTS = 4096
_NOT_OURS = frozenset({b"content-length", b"transfer-encoding", b"upgrade", b"expect"})
"""Headers with which a CONNECT is the engine's to judge."""


class Front(asyncio.Protocol):
    """A connection until it is known who serves it (``drain.Connection``)."""

    def __init__(self, listener: Listener, path: DataPath, on_end: Callable[[], None]) -> None:
        """``on_end``: called once when the connection is over, whoever serves it then and whatever becomes of it."""
        self._listener = listener
        self._path = path
        self._on_end: Callable[[], None] | None = on_end
        self._transport: asyncio.Transport | None = None
        self._client: Address = ("", 0)
        self._server: tuple[Any, ...] = ("", 0)
        self._received = b""
        self._seen = 0
        self._connect = b""
        """The head of CONNECT, once it is answered."""
        self._host = ""
        self._hello = HelloReader()
        self._expects_header = False
        self._patience = Patience()
        self._serves = True
        """Whether nobody else serves the connection yet."""

    # -- what asyncio calls ------------------------------------------------------------------------------------

    @guarded
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client connected."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._listener.open[transport] = self
        self._path.deadlines.watch(self)
        peer, server = (
            peer_address(transport.get_extra_info("peername")),
            transport.get_extra_info("sockname"),
        )
        if peer is None:
            transport.abort()  # it is gone, or has no address that a policy could know
            return
        self._client = peer
        if server:
            self._server = server
            # A worker does not know the port otherwise. Before the header, which may name any.
            self._path.gate.destinations.own_ports.add(server[1])
        self._expects_header = is_balancer(peer, self._listener.balancers)

    @guarded
    def data_received(self, data: bytes) -> None:
        """It sent bytes."""
        self._received += data
        if self._expects_header:
            self._read_header()
        if self._received and self._serves and not self._expects_header and not self._is_closing:
            if self._connect:
                self._read_hello()
            else:
                self._read_connect()

    @guarded
    def eof_received(self) -> None:
        """It sends nothing more. The transport closes itself, as None is returned."""
        if self._expects_header and self._received and not self._is_closing:
            self._refuse_header("the connection ended within the PROXY header")

    @guarded
    def connection_lost(self, error: Exception | None) -> None:
        """It is gone."""
        if self._serves:
            self._end()

    def fail_closed(self) -> None:
        """A callback raised."""
        if self._transport is not None:
            self._transport.abort()
        self._end()

    def _end(self) -> None:
        """The connection is over."""
        self._path.deadlines.forget(self)
        if self._transport is not None:
            self._listener.open.pop(self._transport, None)
        on_end, self._on_end = self._on_end, None
        if on_end is not None:
            on_end()

    @property
    def _is_closing(self) -> bool:
        return self._transport is None or self._transport.is_closing()

    # -- the balancer's word -----------------------------------------------------------------------------------

    def _read_header(self) -> None:
        try:
            header = read_header(self._received)
        except HeaderError as error:
            self._refuse_header(str(error))
            return
        if header is not None:
            self._expects_header = False
            self._received = self._received[header.length :]
            if header.ends is not None:
                self._client, self._server = header.ends

    def _refuse_header(self, detail: str) -> None:
        gate, address = self._path.gate, self._client[0]
        logger.warning(
            "Brickscope: a connection from %s was closed: %s",
            address,
            detail,
            extra={"event": "balancer_refused"},
        )
        self.abort()
        gate.record_tunnel(gate.refuse(Reason.PROXY_HEADER_REFUSED, detail), address, "", 0)

    # -- CONNECT -----------------------------------------------------------------------------------------------

    def _read_connect(self) -> None:
        received = self._received
        end = received.find(b"\r\n\r\n", max(self._seen - 3, 0))
        if end < 0 and len(received) <= MAX_HEAD and not find_odd_bytes(received, self._seen, end):
            self._seen = len(received)
            return
        host = self._find_host(received, end) if end >= 0 else None
        if host is None:
            self._hand_over(received, answered=False)
        elif self._is_blocked():
            self.abort()
        else:
            assert self._transport is not None
            self._host, self._connect, self._received = host, received, b""
            self._transport.write(ESTABLISHED)

    def _find_host(self, received: bytes, end: int) -> str | None:
        """The host under policy that a CONNECT names; None if it is not one of ours."""
        found = _CONNECT.match(received)
        if found is None or end + 4 != len(received) or ctx.options.proxyauth is not None:
            return None
        if not REGULAR_REQUEST.fullmatch(received, 0, end):
            return None
        if any(name.lower() in _NOT_OURS for name, _ in split_fields(received, 0, end)):
            return None
        host = found[1].decode("ascii").lower()
        try:
            side = self._path.gate.destinations.classify(host, 443)
        except Refused:
            return None
        return host if side is Side.WORKSPACE else None

    def _is_blocked(self) -> bool:
        """Whether mitmproxy's options ``block_global`` and ``block_private`` keep the client out."""
        options = ctx.options
        key = (self._client[0], options.block_global, options.block_private)
        blocked = _BLOCKED.get(key)
        if blocked is None:
            client = connection.Client(peername=self._client, sockname=("", 0), timestamp_start=0)
            ctx.master.addons.get("block").client_connected(client)
            if len(_BLOCKED) >= MOST_CLIENTS:
                del _BLOCKED[next(iter(_BLOCKED))]
            blocked = _BLOCKED[key] = client.error is not None
        return blocked

    # -- the ClientHello ---------------------------------------------------------------------------------------

    def _read_hello(self) -> None:
        received = self._received
        try:
            hello = self._hello.read(received)
        except NoHello:
            self._refuse_tls()
            return
        if hello is None:
            return
        self._begin_tunnel(hello.sni, hello.alpn_protocols, received)

    def _refuse_tls(self) -> None:
        gate = self._path.gate
        self.abort()
        decision = gate.refuse(Reason.NOT_TLS, "what came through the tunnel is not TLS")
        gate.record_tunnel(decision, self._client[0], self._host, 443)

    # -- who serves it -----------------------------------------------------------------------------------------

    def _begin_tunnel(self, server_name: str | None, offers: Sequence[bytes], hello: bytes) -> None:
        visitor = Visitor(self._client[0], self._host, 443, server_name, tuple(offers))
        tunnel = Tunnel(self._path, visitor, self._end)
        tunnel.begin(self._give_to(tunnel), hello)

    def _hand_over(self, received: bytes, *, answered: bool) -> None:
        engine = EngineConnection(self._listener.mode, self._client, self._server, self._end)
        engine.begin(self._give_to(engine), received, answered=answered)

    def _give_to(self, other: Connection) -> asyncio.Transport:
        """Another serves the connection from now on."""
        assert self._transport is not None
        self._serves = False
        self._path.deadlines.forget(self)
        self._listener.open[self._transport] = other
        return self._transport

    # -- time, and the end of all ------------------------------------------------------------------------------

    @guarded
    def look(self, now: float) -> None:
        """See whether its first bytes are waited for too long (``deadlines.Watched``)."""
        seconds = balancer.SECONDS if self._expects_header else self._path.limits.handshake
        if not self._patience.is_over((self._expects_header, self._host), seconds, now) or self._is_closing:
            return
        if self._expects_header:
            self._refuse_header(f"no whole PROXY header came within {seconds:g} seconds")
            return
        self.abort()
        record_timeout(
            self._path.gate, "handshake", seconds, self._client[0], self._host, 443 if self._host else 0
        )

    @property
    def hosts(self) -> int:
        """None yet."""
        return 0

    async def is_busy(self, *, late: bool) -> bool:
        """Nothing is under way before it is known what it is."""
        return False

    def close_idle(self) -> None:
        """End it."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """End it at once."""
        if self._transport is not None:
            self._transport.abort()
