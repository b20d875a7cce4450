"""The first bytes of a connection: who it is, what it asks of the proxy, and so who serves it.

Rules: a PROXY header where one is due, then one regular head, then (for a host under policy) a ClientHello; each by a
reader of its own, and nobody has for ever to send them. What is refused gets an answer of ours, which ends the
connection.
"""

import asyncio
from collections.abc import Callable, Sequence

from brickscope import notice
from brickscope.core.decision import Refused
from brickscope.core.reason import Reason

from . import balancer
from .admission import PASSWORD_NEEDED, admit, asks_password, has_password, is_blocked
from .balancer import Address, HeaderError, is_balancer, peer_address, read_header
from .clear import ClearEnd
from .datapath import Connection, DataPath, Visitor
from .deadlines import Patience, record_timeout
from .denial import ESTABLISHED
from .destination import Network, Side
from .flow import LINGER, Reasons, Why
from .guard import end as end_guarded
from .guard import guarded
from .hello import HANDSHAKE, HelloReader, NoHello
from .relay import PlainCall, Relay
from .ruling import refuse_head
from .tls import End, Stage
from .tunnel import Tunnel
from .wire.head import Door, Head, HeadScanner


class Front(Connection):
    """A connection until it is known who serves it."""

    def __init__(self, path: DataPath, balancers: Sequence[Network], on_end: Callable[[], None]) -> None:
        """``balancers``: who has to send a PROXY header. ``on_end``: called once when the connection is over, whoever serves
        it then and whatever becomes of it."""
        self._path = path
        self._balancers = balancers
        self._on_end: Callable[[], None] | None = on_end
        self.end = ClearEnd(self)
        """What asyncio calls."""
        self._client: Address = ("", 0)
        self._received = b""
        self._read: Callable[[], None] = self._begin
        """What is done with the bytes that are there."""
        self._scanner = HeadScanner(Door("", 0, None, None))
        self._host = ""
        """Of CONNECT, once it is answered."""
        self._hello = HelloReader()
        self._reading = Reasons()
        self._task: asyncio.Task[None] | None = None
        self._patience = Patience()

    # -- what the end tells ------------------------------------------------------------------------------------

    def end_made(self, end: End) -> bool:
        """A client connected."""
        transport = end.transport
        assert transport is not None
        self._reading.attach(transport)
        self._path.open[transport] = self
        peer = peer_address(transport.get_extra_info("peername"))
        server = transport.get_extra_info("sockname")
        if peer is None:
            transport.abort()  # it is gone, or has no address that a policy could know
            return False
        self._client = peer
        if server:
            # A worker does not know the port otherwise. Before the header, which may name any.
            self._path.gate.destinations.own_ports.add(server[1])
        if is_balancer(peer, self._balancers):
            self._read = self._read_header
        return True

    def end_received(self, end: End, data: bytes) -> None:
        """It sent bytes."""
        self._received += data
        if not self._is_closing:
            self._read()

    def end_closed(self, end: End, clean: bool) -> None:
        """It sends nothing more."""
        if clean and self._expects_header and self._received and not self._is_closing:
            self._refuse_header("the connection ended within the PROXY header")

    def end_lost(self, end: End) -> None:
        """It is gone."""
        self._over()

    def fail_closed(self) -> None:
        """A callback raised."""
        self.abort()
        self._over()

    def _over(self) -> None:
        """The connection is over, whoever serves it."""
        if self._task is not None:
            self._task.cancel()
        if self._transport is not None:
            self._path.open.pop(self._transport, None)
        on_end, self._on_end = self._on_end, None
        if on_end is not None:
            on_end()

    @property
    def _transport(self) -> asyncio.Transport | None:
        return self.end.transport

    @property
    def _is_closing(self) -> bool:
        return self._transport is None or self._transport.is_closing()

    # -- the balancer's word -----------------------------------------------------------------------------------

    @property
    def _expects_header(self) -> bool:
        return self._read == self._read_header

    def _read_header(self) -> None:
        try:
            header = read_header(self._received)
        except HeaderError as error:
            self._refuse_header(str(error))
            return
        if header is not None:
            self._received = self._received[header.length :]
            if header.ends is not None:
                self._client = header.ends.client
            self._read = self._begin
            if self._received:
                self._begin()

    def _refuse_header(self, detail: str) -> None:
        gate, address = self._path.gate, self._client[0]
        notice.warning("balancer_refused", f"a connection from {address} was closed: {detail}")
        self.abort()
        gate.record_tunnel(gate.refuse(Reason.PROXY_HEADER_REFUSED, detail), address, "", 0)

    # -- what the proxy itself is asked ------------------------------------------------------------------------

    def _begin(self) -> None:
        if is_blocked(self._client) or self._received[0] == HANDSHAKE:
            self.abort()  # TLS with the proxy itself is not served: what it holds could be anything
        else:
            self._read = self._read_head
            self._read_head()

    def _read_head(self) -> None:
        try:
            head = self._scanner.read(self._received, 0)
        except Refused as refused:
            self._answer(refuse_head(self._path.gate, self._scanner.irregular(), self._client[0], refused))
            return
        if head is None:
            return
        self._received = self._received[len(head.raw) :]
        if not asks_password():
            self._admit(head)
            return
        self._read = self._wait
        self._reading.set(Why.AHEAD, True)
        self._task = asyncio.get_running_loop().create_task(self._check(head), name="proxyauth")

    def _wait(self) -> None:
        """What has come stays where it is."""

    async def _check(self, head: Head) -> None:
        """Ask whether the client may use the proxy; others go on meanwhile."""
        try:
            accepted = await has_password(head, self._client[0])
            if self._is_closing:
                return
            self._reading.set(Why.AHEAD, False)
            if accepted:
                self._admit(head)
            else:
                self._answer(PASSWORD_NEEDED)
        except Exception as error:
            end_guarded(self, error, "proxyauth")

    def _admit(self, head: Head) -> None:
        path, client = self._path, self._client[0]
        admitted = admit(path.gate, head, client)
        if isinstance(admitted, bytes):
            self._answer(admitted)
        elif admitted.side is Side.WORKSPACE:
            assert self._transport is not None
            self._host = admitted.target.host.lower()
            self._transport.write(ESTABLISHED)
            self._read = self._read_hello
            if self._received:
                self._read_hello()
        elif admitted.plain is not None:
            call = PlainCall(path, client, admitted, self._over)
            call.begin(self._give_to(call), head.raw + self._received)
        else:
            relay = Relay(path, Visitor(client, *admitted.target), self._over)
            relay.begin(self._give_to(relay), self._received)

    def _answer(self, answer: bytes) -> None:
        """Say why it goes no further, and end the connection."""
        self.end.write(answer)
        self.end.linger()

    # -- the ClientHello ---------------------------------------------------------------------------------------

    def _read_hello(self) -> None:
        received, gate = self._received, self._path.gate
        try:
            hello = self._hello.read(received)
        except NoHello:
            self.abort()
            decision = gate.refuse(Reason.NOT_TLS, "what came through the tunnel is not TLS")
            gate.record_tunnel(decision, self._client[0], self._host, 443)
            return
        if hello is not None:
            tunnel = Tunnel(self._path, Visitor(self._client[0], self._host, 443, *hello), self._over)
            tunnel.begin(self._give_to(tunnel), received)

    # -- who serves it -----------------------------------------------------------------------------------------

    def _give_to(self, other: Connection) -> asyncio.Transport:
        """Another serves the connection from now on."""
        assert self._transport is not None
        self._path.open[self._transport] = other
        return self._transport

    # -- time, and the end of all ------------------------------------------------------------------------------

    @guarded
    def look(self, now: float) -> None:
        """See whether its first bytes are waited for too long."""
        limits, is_answered = self._path.limits, self.end.stage is Stage.LINGERING
        seconds = LINGER if is_answered else balancer.SECONDS if self._expects_header else limits.handshake
        what = (is_answered, self._expects_header, self._host)
        if not self._patience.is_over(what, seconds, now) or self._is_closing:
            return
        if self._expects_header:
            self._refuse_header(f"no whole PROXY header came within {seconds:g} seconds")
            return
        self.abort()
        if not is_answered:
            port = 443 if self._host else 0
            record_timeout(self._path.gate, "handshake", seconds, self._client[0], self._host, port)

    def close_idle(self) -> None:
        """End it."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """End it at once."""
        if self._transport is not None:
            self._transport.abort()
