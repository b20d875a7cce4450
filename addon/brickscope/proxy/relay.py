"""What is not under policy: a tunnel to another host, whose bytes pass untouched once the client's first have been looked at
(``fence.py``), and one request to such a host in the clear.

Rules: neither side is read while the other takes no more, so memory is constant, whoever is slow. The host may speak first
(SSH, SMTP). Either end closes both, after what was sent before it (RFC 9110 section 9.3.6): there is no half of a tunnel.
A request in the clear is framed as strictly as what goes to a workspace, and by the same core: what a host could take for a
second request would be one that nobody has decided on. The connection ends with its answer.
"""

import asyncio
from collections.abc import Callable, Collection

from brickscope.core.decision import Refused

from .admission import Admitted
from .clear import ClearEnd
from .datapath import DataPath, Session, Visitor
from .deadlines import Patience
from .denial import ESTABLISHED, answer_bytes
from .fence import Fence
from .flow import KEPT, LINGER, Why
from .guard import guarded
from .ruling import clear_plain
from .tls import End
from .tunnel import Tunnel
from .wire.events import Judge, Ruling


class Relay(Session):
    """From CONNECT to the last byte. Where nothing is looked at any more, the kernel carries the bytes (``clear.py``)."""

    def __init__(self, path: DataPath, visitor: Visitor, on_end: Callable[[], None]) -> None:
        super().__init__(path, visitor, on_end)
        self._fence = Fence(path.gate.destinations.under_policy)
        self._ahead = b""
        """What the client sent before the host was there."""
        self._host: End | None = None
        self._is_up = self._is_over = False
        self._moved = 0
        self._patience = Patience()

    def begin(self, transport: asyncio.Transport, ahead: bytes) -> None:
        """Take over the client's transport, and what it sent after its CONNECT."""
        self._upstream.dial()
        self._take_over(transport)
        self._client.begin(ahead, b"")

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
        if self._fence.is_open and isinstance(self._client, ClearEnd):
            self._client.lead_to(self._host)

    def end_closed(self, end: End, clean: bool) -> None:
        """The client sends nothing more."""
        self._is_over = True
        if clean:
            self._upstream.close()
        else:
            self._upstream.abort()

    def host_up(self) -> None:
        """The host is there."""
        super().host_up()
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
        super().host_failed(why)
        if not self._is_over:
            text = f"Brickscope could not reach the host: {why}\n".encode("ascii", "replace")
            self._client.write(answer_bytes(502, b"Bad Gateway", text))
            self._is_over = True
            self._linger()

    def host_received(self, data: bytes) -> None:
        """The host sent bytes."""
        self._moved += 1
        self._client.write(data)

    def host_closed(self, clean: bool) -> None:
        """The host sends nothing more."""
        self._is_over = True
        if clean:
            self._linger()
        else:
            self._client.abort()

    # -- time, and the end of all ------------------------------------------------------------------------------

    @guarded
    def look(self, now: float) -> None:
        """See whether nothing has moved for too long."""
        client, limits = self._client, self._path.limits
        if not self._is_up and not self._is_over:
            return  # the dial has limits of its own
        carried = [each.carried for each in (client, self._host) if isinstance(each, ClearEnd)]
        moved = (self._is_over, self._moved, carried, client.unsent, self._upstream.unsent)
        if self._is_over:
            if self._patience.is_over(moved, limits.stall if client.unsent else LINGER, now):
                client.abort()
        elif self._patience.is_over(moved, limits.idle, now):
            self._record_timeout("idle", limits.idle)
            self.abort()

    async def is_busy(self, *, late: bool) -> bool:
        """Whether something is under way can't be seen."""
        return True

    def abort(self) -> None:
        """Cut it."""
        self._is_over = True
        self.fail_closed()


class PlainCall(Tunnel):
    """One request in the clear; as ``Tunnel``, without TLS on either side."""

    _is_last = True
    _make_client, _make_host = Session._make_client, Session._make_host

    def __init__(self, path: DataPath, client: str, admitted: Admitted, on_end: Callable[[], None]) -> None:
        """``client``: its address. ``admitted``: the request, which comes first of all bytes."""
        self._admitted: Admitted | None = admitted
        super().__init__(path, Visitor(client, *admitted.target), on_end)

    def _judge(self, judge: Judge, settled: Collection[str]) -> Ruling:
        """The decision is on record already: for one request, and no other."""
        admitted, self._admitted = self._admitted, None
        assert admitted is not None
        assert admitted.plain is not None
        return clear_plain(judge.head, admitted.plain, admitted.decision_id, admitted.started)
