"""The way to one host: resolved, checked, dialled, verified; for one client's tunnel alone.

Rules: the address that was really reached is looked at before a byte is sent to it, so there is no second look-up that could
answer differently (DNS rebinding). The host's certificate is verified for the host of the tunnel. Nothing is shared between
clients. Several addresses are tried in turn, each for a limited time: nothing was sent, so nothing can happen twice.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any

from .destination import CHOSEN
from .guard import end as end_guarded
from .guard import guarded
from .parent import Parent, ParentError
from .tls import End, Owner, Stage

if TYPE_CHECKING:
    from .datapath import DataPath, Session

MOST_ADDRESSES = 8
LAST = 60.0
"""Seconds that a host has to take the last bytes for it."""


class State(Enum):
    """Where the way stands."""

    IDLE = "not there"
    DIALLING = "being dialled"
    UP = "there"
    CLOSED = "not wanted any more"


class Upstream(Owner):
    """The way to ``host``. Methods are called, and tell, in the event loop."""

    def __init__(
        self, path: DataPath, host: str, port: int, make: Callable[[Owner], End], session: Session
    ) -> None:
        """``make``: an end that is not connected, for an owner. ``session``: who is told what happens."""
        self.host = host
        self.port = port
        self.state = State.IDLE
        self._destinations = path.gate.destinations
        self._make = make
        self._session = session
        self._seconds = path.limits.handshake
        """For each address to be reached, and then for the handshake."""
        self._local = None if path.local is None else (path.local, 0)
        self._parent = path.parent
        self._first = b""
        """What the host said before it was asked; only through a parent."""
        self._task: asyncio.Task[None] | None = None
        self.end: End | None = None
        """What is connected, or is to be: its end here."""
        self._shaken: asyncio.Future[str] | None = None
        """Done when the handshake is: why it came to nothing, empty if it did not."""
        self._misled = ""

    def __repr__(self) -> str:
        return f"<Upstream {self.state.name} {self.end}>"

    # -- what the session calls --------------------------------------------------------------------------------

    def dial(self) -> None:
        """Connect. What comes of it is told later, never within this call."""
        if self.state is State.IDLE:
            self.state = State.DIALLING
            # Not begun at once: tasks of mitmproxy's loop would run to their first wait before this one is kept.
            asyncio.get_running_loop().call_soon(self._begin)

    def send(self, data: bytes) -> None:
        """Send bytes to a host that is there."""
        if self.state is State.UP and self.end is not None:
            self.end.write(data)

    @property
    def transport(self) -> asyncio.Transport | None:
        """Of the connection, if there is one."""
        return None if self.end is None else self.end.transport

    @property
    def unsent(self) -> int:
        """Bytes that wait to be sent."""
        return 0 if self.end is None else self.end.unsent

    @property
    def alpn(self) -> bytes | None:
        """The protocol that the host chose."""
        return None if self.end is None else self.end.alpn

    def hang_up(self) -> None:
        """End the connection when all is sent; another may be dialled."""
        end, self.end = self.end, None
        self.state = State.IDLE
        if end is not None:
            end.close()

    def abort(self) -> None:
        """End the way at once."""
        self.close(abort=True)

    def close(self, *, abort: bool = False) -> None:
        """End the way when all is sent; or at once."""
        self.state = State.CLOSED
        if self._task is not None:
            self._task.cancel()
        end, self.end = self.end, None
        if end is not None:
            if abort or end.stage is Stage.HANDSHAKE:
                end.abort()
            else:
                end.close()
                if end.unsent:  # or a host that takes nothing would keep the connection for ever
                    asyncio.get_running_loop().call_later(LAST, end.abort)

    # -- dialling ----------------------------------------------------------------------------------------------

    @guarded
    def _begin(self) -> None:
        if self.state is not State.DIALLING:
            return  # the client left at once
        self._task = asyncio.get_running_loop().create_task(self._dial(), name="dial")

    async def _dial(self) -> None:
        try:
            why = await self._reach()
            if self.state is not State.DIALLING:
                return
            if not why and (self.end is None or self.end.stage is not Stage.UP):
                why = "it hung up after the handshake"
            if why:
                self.state = State.IDLE
                self.end = None
                self._session.host_failed(why)
            else:
                self.state = State.UP
                self._session.host_up()
                first, self._first = self._first, b""
                if first:
                    self._session.host_received(first)
        except Exception as error:
            end_guarded(self._session, error, "dial")

    async def _reach(self) -> str:
        """Connect to the first address that can be reached, and shake hands. Returns why not, empty if it is done."""
        loop = asyncio.get_running_loop()
        if self._parent is not None:
            return await self._go_through(self._parent)
        CHOSEN.set(not self._destinations.under_policy(self.host))
        try:
            async with asyncio.timeout(self._seconds):
                found = await loop.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except TimeoutError:
            return f"its name was not resolved within {self._seconds:g} seconds"
        except OSError as error:
            return _words(error)
        why = "its name has no address"
        for family, _, _, _, address in found[:MOST_ADDRESSES]:
            why = await self._try(family, address)
            if not why or self.end is not None:
                break  # it was reached: another address is no remedy for what went wrong then
        return why

    async def _try(self, family: int, address: Sequence[Any]) -> str:
        """Connect to one address, given as a literal, so that nothing is looked up again. ``end`` is set once it
        is reached."""
        loop = asyncio.get_running_loop()
        made = self._prepare()
        try:
            async with asyncio.timeout(self._seconds):
                await loop.create_connection(
                    lambda: made, str(address[0]), int(address[1]), family=family, local_addr=self._local
                )
        except TimeoutError:
            made.abort()
            return f"it did not answer within {self._seconds:g} seconds"
        except OSError as error:
            return _words(error)
        except asyncio.CancelledError:
            made.abort()
            raise
        self.end = made
        return await self._shake(made)

    async def _go_through(self, parent: Parent) -> str:
        """The same by way of the parent proxy, which looks the name up."""
        try:
            transport, first = await parent.open(self.host, self.port, self._seconds)
        except ParentError as error:
            return str(error)
        made = self._prepare()
        if first and not made.is_clear:
            transport.abort()  # whoever that was, it is not the host: in TLS the client speaks first
            return "the parent proxy: it spoke before it was asked"
        self.end, self._first = made, first
        transport.set_protocol(made)
        made.connection_made(transport)
        return await self._shake(made)

    def _prepare(self) -> End:
        self._shaken = asyncio.get_running_loop().create_future()
        self._misled = ""
        return self._make(self)

    async def _shake(self, made: End) -> str:
        assert self._shaken is not None
        try:
            async with asyncio.timeout(self._seconds):
                return await self._shaken
        except TimeoutError:
            made.abort()
            return f"its TLS handshake took more than {self._seconds:g} seconds"

    # -- what its end tells ------------------------------------------------------------------------------------

    def end_made(self, end: End) -> bool:
        """It is connected: look at whom it is connected to."""
        transport = end.transport
        assert transport is not None
        peer, own = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        if self.state is not State.DIALLING:
            end.abort()
            return False
        if self._parent is not None:
            return True  # its own address was looked at, and the host's is not ours to see
        detail = "the host leads to a private or local address"
        if peer is not None and self._destinations.may_reach(str(peer[0]), self.host):
            back = self._destinations.leads_back(peer, own or ("",))
            if not back:
                return True
            detail = f"the host leads to {back}"
        self._misled = detail
        end.abort()
        self._session.host_misled(detail)
        self._settle(detail)
        return False

    def end_up(self, end: End) -> None:
        """The handshake is complete, its certificate verified."""
        self._settle("")

    def end_failed(self, end: End, why: str | None) -> None:
        """The handshake failed."""
        if self.state is State.DIALLING and not self._misled:
            self._session.host_refused_tls(why)
            self._settle(f"TLS: {why or 'it hung up'}")

    def _settle(self, why: str) -> None:
        if self._shaken is not None and not self._shaken.done():
            self._shaken.set_result(why)

    def end_received(self, end: End, data: bytes) -> None:
        """Bytes came."""
        if end is self.end:
            self._session.host_received(data)

    def end_closed(self, end: End, clean: bool) -> None:
        """Nothing more comes, so the connection is of no more use."""
        if end is not self.end:
            return
        self.end = None
        end.close()
        if self.state is State.UP:
            self.state = State.IDLE
            self._session.host_closed(clean)

    def end_full(self, end: End, full: bool) -> None:
        """Enough waits to be sent, or no longer."""
        if end is self.end:
            self._session.host_full(full)

    def fail_closed(self) -> None:
        """A callback raised."""
        self._session.fail_closed()


def _words(error: OSError) -> str:
    """An error in few words: its own if it has any, else the system's."""
    return error.strerror or str(error) or type(error).__name__
