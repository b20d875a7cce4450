"""One client's tunnel to a host that is not under policy: bytes both ways, untouched, once the client's first have been
looked at (``fence.py``).

Where nothing is looked at any more, the kernel carries the bytes (``pipe.py``).

Rules: neither side is read while the other takes no more, so memory is constant, whoever is slow. The host may speak first
(SSH, SMTP). Either end closes both, after what was sent before it (RFC 9110 section 9.3.6): there is no half of a tunnel.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from brickscope.core.decision import Refused
from brickscope.core.reason import Reason

from .clear import ClearEnd
from .datapath import DataPath
from .deadlines import Patience, record_timeout
from .denial import ESTABLISHED, answer_bytes
from .fence import Fence
from .flow import KEPT, LINGER, Reasons, Why
from .guard import guarded
from .target import Target
from .tls import End
from .upstream import Upstream


class Relay:
    """From CONNECT to the last byte (``tls.Owner``, ``upstream.Tunnelling``, ``drain.Connection``)."""

    def __init__(self, path: DataPath, client: str, target: Target, on_end: Callable[[], None]) -> None:
        """``client``: its address. ``on_end``: called when its connection is gone."""
        self._path = path
        self._gate = path.gate
        self._address = client
        self._target = target
        self._on_end = on_end
        self._client = ClearEnd(self)
        self._host: End | None = None
        self._upstream = Upstream(
            target.dialled,
            target.port,
            path.gate.destinations,
            ClearEnd,
            self,
            seconds=path.limits.handshake,
            local=path.local,
            parent=path.parent,
        )
        self._fence = Fence(path.gate.destinations.under_policy)
        self._from_client, self._from_host = Reasons(), Reasons()
        self._ahead = b""
        """What the client sent before the host was there."""
        self._is_up = self._is_over = False
        self._moved = 0
        self._patience = Patience()

    def __repr__(self) -> str:
        return f"<Relay client {self._client} {self._from_client} host {self._upstream} {self._from_host}>"

    def begin(self, transport: asyncio.Transport, ahead: bytes) -> None:
        """Take over the client's transport, and what it sent after its CONNECT."""
        self._from_client.attach(transport)
        self._path.deadlines.watch(self)
        self._upstream.dial()
        self._client.take_over(transport)
        self._client.begin(ahead, b"")

    # -- what the ends tell ------------------------------------------------------------------------------------

    def end_made(self, end: End) -> bool:
        """Only of connections that are opened, as none is here."""
        return False

    def end_up(self, end: End) -> None:
        """There is no TLS that would have to be waited for."""

    def end_failed(self, end: End, why: str | None) -> None:
        """Nor one that could fail."""

    def end_received(self, end: End, data: bytes) -> None:
        """The client sent bytes."""
        if self._is_over:
            return
        if not self._is_up:
            self._ahead += data
            self._from_client.set(Why.AHEAD, len(self._ahead) > KEPT)
            return
        self._moved += 1
        try:
            passed = self._fence.take(data)
        except Refused as refused:
            self._record(refused.reason, refused.detail)
            self.abort()
            return
        if passed:
            self._upstream.send(passed)
        if self._fence.is_open:
            self._client.lead_to(self._host)

    def end_closed(self, end: End, clean: bool) -> None:
        """The client sends nothing more."""
        self._is_over = True
        if clean:
            self._upstream.close()
        else:
            self._upstream.abort()

    def end_full(self, end: End, full: bool) -> None:
        """The client does not take what it is sent; or it does again."""
        self._from_host.set(Why.PEER_FULL, full)

    def end_lost(self, end: End) -> None:
        """The client's connection is gone."""
        self._path.deadlines.forget(self)
        try:
            self._upstream.abort()
        finally:
            self._on_end()

    def host_up(self) -> None:
        """The host is there."""
        transport = self._upstream.transport
        assert transport is not None
        self._from_host.attach(transport)
        self._is_up = True
        self._client.write(ESTABLISHED)
        self._host = host = self._upstream.end
        if isinstance(host, ClearEnd):
            host.lead_to(self._client)
        ahead, self._ahead = self._ahead, b""
        if ahead:
            self.end_received(self._client, ahead)
        self._from_client.set(Why.AHEAD, False)

    def host_failed(self, why: str) -> None:
        """The host can't be reached."""
        self._gate.tally.not_connected()
        if not self._is_over:
            text = f"Brickscope could not reach the host: {why}\n".encode("ascii", "replace")
            self._client.write(answer_bytes(502, b"Bad Gateway", text))
            self._is_over = True
            self._from_client.clear()
            self._client.linger()

    def host_refused_tls(self, why: str | None) -> None:
        """There is no TLS that could be refused."""

    def host_misled(self, detail: str) -> None:
        """The host leads to an address that may not be reached."""
        self._record(Reason.ADDRESS_NOT_ALLOWED, detail)

    def host_received(self, data: bytes) -> None:
        """The host sent bytes."""
        self._moved += 1
        self._client.write(data)

    def host_closed(self, clean: bool) -> None:
        """The host sends nothing more."""
        self._is_over = True
        if clean:
            self._from_client.clear()
            self._client.linger()
        else:
            self._client.abort()

    def host_full(self, full: bool) -> None:
        """The host does not take what it is sent; or it does again."""
        self._from_client.set(Why.PEER_FULL, full)

    def _record(self, reason: Reason, detail: str) -> None:
        target = self._target
        self._gate.record_tunnel(self._gate.refuse(reason, detail), self._address, target.host, target.port)

    # -- time, and the end of all ------------------------------------------------------------------------------

    @guarded
    def look(self, now: float) -> None:
        """See whether nothing has moved for too long (``deadlines.Watched``)."""
        client, limits = self._client, self._path.limits
        if not self._is_up and not self._is_over:
            return  # the dial has limits of its own
        carried = client.carried, self._host.carried if isinstance(self._host, ClearEnd) else 0
        moved = (self._is_over, self._moved, carried, client.unsent, self._upstream.unsent)
        if self._is_over:
            if self._patience.is_over(moved, limits.stall if client.unsent else LINGER, now):
                client.abort()
        elif self._patience.is_over(moved, limits.idle, now):
            record_timeout(
                self._gate, "idle", limits.idle, self._address, self._target.host, self._target.port
            )
            self.abort()

    @property
    def hosts(self) -> int:
        """Whether a connection to the host is open, as a number."""
        return int(self._upstream.transport is not None)

    async def is_busy(self, *, late: bool) -> bool:
        """Whether something is under way can't be seen."""
        return True

    def close_idle(self) -> None:
        """End it."""
        self.abort()

    def abort(self) -> None:
        """Cut it."""
        self._is_over = True
        self._upstream.abort()
        self._client.abort()

    def fail_closed(self) -> None:
        """Something raised, so the state is not known: nothing more is sent either way."""
        self.abort()
