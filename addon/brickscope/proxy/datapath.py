"""What all that passes has in common: the means of this process, and a client's connection with the one to its host."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from brickscope.core.reason import Reason

from .clear import ClearEnd
from .contexts import Contexts
from .deadlines import Limits, record_timeout
from .flow import Reasons, Why
from .gate import Gate
from .guard import guarded
from .handshake import Refusals
from .parent import Parent
from .tls import End, Owner
from .upstream import Upstream

PAUSE = 1.0
"""Seconds between two looks at all connections."""
HELD_OF_ALL = 8
"""So many of the largest bodies may be held back at once, to be judged; what exceeds that is denied."""


class DataPath:
    """The gate and the means. ``held``: bytes of bodies that are held back just now; ``room``: how many there may be."""

    def __init__(
        self,
        gate: Gate,
        contexts: Contexts,
        limits: Limits,
        *,
        local: str | None = None,
        parent: Parent | None = None,
    ) -> None:
        """``local``: the address that hosts are dialled from. ``parent``: the proxy that leads to them."""
        self.gate = gate
        self.contexts = contexts
        self.limits = limits
        self.local = local
        self.parent = parent
        self.open: dict[asyncio.BaseTransport, Connection] = {}
        """All connections until their last byte is sent, with what serves them."""
        self.refusals = Refusals(gate)
        self.held = 0
        self.room = HELD_OF_ALL * gate.body_limit

    def look_at_all(self, now: float) -> None:
        """See whether anything is waited for too long on any connection. ``now``: monotonic seconds."""
        for each in list(self.open.values()):
            each.look(now)

    async def keep_deadlines(self) -> None:
        """Look once a second, for ever: one look at all connections, not a timer for each read."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(PAUSE)
            self.look_at_all(loop.time())


class Connection(Owner):
    """A client's connection, whoever serves it."""

    @guarded
    def look(self, now: float) -> None:
        """See whether anything is waited for too long. ``now``: monotonic seconds."""
        raise NotImplementedError

    @property
    def hosts(self) -> int:
        """How many connections to hosts are open for it."""
        return 0

    async def is_busy(self, *, late: bool) -> bool:
        """Whether something is under way. Told on the way: the end has begun; ``late``: it had its grace already."""
        return False

    def close_idle(self) -> None:
        """End it, as nothing is under way."""
        self.abort()

    def abort(self) -> None:
        """Cut it; the outcome of a call goes into the log."""
        raise NotImplementedError


class Visitor(NamedTuple):
    """Who came, and where to. ``address``: the client's, as the policy sees it. ``host``, ``port``: as they were named.
    ``server_name``, ``offers``: of the ClientHello; what it offers for ALPN."""

    address: str
    host: str
    port: int
    server_name: str | None = None
    offers: tuple[bytes, ...] = ()

    @property
    def dialled(self) -> str:
        """The host as it is looked up."""
        return self.host.lower().strip("[]")


class Session(Connection):
    """A client's connection and the one to its host; in the clear, unless more is said. Tells ``on_end`` when the client's
    is gone."""

    def __init__(self, path: DataPath, visitor: Visitor, on_end: Callable[[], None]) -> None:
        """Raises what making the client's end raises."""
        self._path = path
        self._gate = path.gate
        self.visitor = visitor
        self._on_end = on_end
        self._client = self._make_client()
        self._upstream = Upstream(path, visitor.dialled, visitor.port, self._make_host, self)
        self._from_client, self._from_host = Reasons(), Reasons()

    def __repr__(self) -> str:
        client = f"client {self._client} {self._from_client}"
        return f"<{type(self).__name__} {client} host {self._upstream} {self._from_host}>"

    def _make_client(self) -> End:
        return ClearEnd(self)

    def _make_host(self, owner: Owner) -> End:
        return ClearEnd(owner)

    def _take_over(self, transport: asyncio.Transport) -> None:
        """The client's transport is this one's from now on."""
        self._from_client.attach(transport)
        self._client.take_over(transport)

    def _linger(self) -> None:
        """End the client's connection after the last byte; what still comes in is dropped for a moment."""
        self._from_client.clear()
        self._client.linger()

    # -- what the client's end tells ---------------------------------------------------------------------------

    def end_failed(self, end: End, why: str | None) -> None:
        """A client that refuses our certificate is a set-up problem that somebody has to see."""
        self._path.refusals.record("client", why, *self.visitor[:3])

    def end_full(self, end: End, full: bool) -> None:
        """The client does not take what it is sent; or it does again."""
        self._from_host.set(Why.PEER_FULL, full)

    def end_lost(self, end: End) -> None:
        """The client's connection is gone, and with it all there is."""
        try:
            self._upstream.abort()
        finally:
            self._on_end()

    # -- what the way to the host tells ------------------------------------------------------------------------

    def host_up(self) -> None:
        """The host is there."""
        assert self._upstream.transport is not None
        self._from_host.attach(self._upstream.transport)

    def host_failed(self, why: str) -> None:
        """It can't be reached. ``why``: for the log, nothing in it is a client's."""
        self._gate.tally.count("connect_failures")

    def host_refused_tls(self, why: str | None) -> None:
        """The handshake with it failed; ``host_failed`` follows. A host whose certificate is not trusted gets nothing."""
        self._path.refusals.record("server", why, *self.visitor[:3])

    def host_misled(self, detail: str) -> None:
        """It leads to an address that may not be reached; ``host_failed`` follows."""
        self._record(Reason.ADDRESS_NOT_ALLOWED, detail)

    def host_received(self, data: bytes) -> None:
        """It sent bytes."""
        raise NotImplementedError

    def host_closed(self, clean: bool) -> None:
        """It sends nothing more; the way is not there any more."""
        raise NotImplementedError

    def host_full(self, full: bool) -> None:
        """It takes no more just now; or it does again."""
        self._from_client.set(Why.PEER_FULL, full)

    # -- records, and the end ----------------------------------------------------------------------------------

    def _record(self, reason: Reason, detail: str) -> None:
        """Record why the tunnel ends."""
        self._gate.record_tunnel(self._gate.refuse(reason, detail), *self.visitor[:3])

    def _record_timeout(self, limit: str, seconds: float, decision_id: str | None = None) -> None:
        record_timeout(self._gate, limit, seconds, *self.visitor[:3], decision_id)

    @property
    def hosts(self) -> int:
        """Whether a connection to the host is open, as a number."""
        return int(self._upstream.transport is not None)

    def fail_closed(self) -> None:
        """Something raised, so the state is not known: nothing more is sent either way."""
        try:
            self._upstream.abort()
        finally:
            self._client.abort()
