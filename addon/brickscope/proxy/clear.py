"""Without TLS: an end where bytes go through as they come, for relays to other hosts, and one request in the clear to a host
that is not under policy.

Such a request is framed as strictly as what goes to a workspace, and by the same core: what a host could take for a second
request would be one that nobody has decided on. The connection ends with its answer.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import ClassVar

from .admission import Admitted
from .datapath import DataPath
from .guard import end as end_guarded
from .guard import guarded
from .pipe import IS_THERE, SIZE, Pipe
from .ruling import clear_plain
from .tls import End, Owner, Stage, received
from .tunnel import Tunnel, Visitor
from .wire.events import Judge, Ruling

IN_TURN = 8
"""Pieces that are carried for one connection before others have their turn."""
SCRAP = 4096
"""So much is still read in the turn in which bytes were carried: to see whether the other side has ended."""


class ClearEnd(End):
    """As ``End``; it is up at once, and the end of TCP is a clean one. ``carried``: bytes that nobody has looked at."""

    is_clear = True
    _pipe: ClassVar[Pipe | None] = None
    """Of all connections; made when it is needed, and again after a failure."""

    def __init__(self, owner: Owner) -> None:
        super().__init__(None, owner)
        self.carried = 0
        self._sink: ClearEnd | None = None

    def lead_to(self, sink: End | None) -> None:
        """From now on all that comes goes to another end, untouched, where the kernel can do that. The owner, who is given
        the rest, has to send it there as well."""
        if sink is not self._sink and isinstance(sink, ClearEnd) and self._is_bare and sink._is_bare:
            self._sink = sink

    @property
    def _is_bare(self) -> bool:
        """Whether its socket has the very bytes: the way to a parent proxy can be in TLS of asyncio's."""
        transport = self.transport
        return (
            IS_THERE
            and transport is not None
            and transport.get_extra_info("sslcontext") is None
            and transport.get_extra_info("socket") is not None
        )

    def get_buffer(self, sizehint: int) -> memoryview:
        """Asked when bytes are there: they are carried away before asyncio reads what is left of them. Never raises."""
        view = super().get_buffer(sizehint)
        if self._sink is None:
            return view
        try:
            return view[:SCRAP] if self._carry(self._sink) else view
        except Exception as error:
            ClearEnd._pipe = None
            end_guarded(self, error, "get_buffer")
            return view

    def _carry(self, sink: ClearEnd) -> bool:
        """Carry what has come, unless something waits before it. Whether that was possible."""
        source, target = self.transport, sink.transport
        if self.stage is not Stage.UP or sink.stage is not Stage.UP or source is None or target is None:
            return False
        if source.is_closing() or target.is_closing() or target.get_write_buffer_size():
            return False
        pipe = ClearEnd._pipe
        if pipe is None:
            try:
                pipe = ClearEnd._pipe = Pipe()
            except OSError:
                return False
        # Asked each time: the number of a socket that is closed is the next one's.
        numbers = [each.get_extra_info("socket").fileno() for each in (source, target)]
        for _ in range(IN_TURN):
            came, rest = pipe.carry(*numbers)
            self.carried += came
            if rest:
                sink.write(rest)
            if rest or came < SIZE:
                break
        return True

    @guarded
    def begin(self, first: bytes, alpn: bytes) -> None:
        """Begin with the bytes that came already."""
        self._shake()
        if first:
            self._owner.end_received(self, first)

    @guarded
    def buffer_updated(self, nbytes: int) -> None:
        """So many bytes are there."""
        if self.stage is Stage.UP:
            self._owner.end_received(self, received(nbytes))
        else:
            self._drop(nbytes)

    @guarded
    def eof_received(self) -> None:
        """The other side sends nothing more. The transport closes itself, as None is returned."""
        if self.stage is Stage.UP:
            self.stage = Stage.ENDED
            self._owner.end_closed(self, True)

    def write(self, data: bytes) -> None:
        """Send bytes; never none. They are dropped where nothing can be sent any more."""
        if self.stage in (Stage.UP, Stage.ENDED):
            assert self.transport is not None
            self.transport.write(data)

    def _shake(self) -> None:
        self.stage = Stage.UP
        self._owner.end_up(self)

    def _shut(self) -> None:
        """There is nothing to be said."""


class PlainCall(Tunnel):
    """As ``Tunnel``, without TLS on either side."""

    _is_last = True

    def __init__(self, path: DataPath, client: str, admitted: Admitted, on_end: Callable[[], None]) -> None:
        """``client``: its address. ``admitted``: the request, which comes first of all bytes."""
        self._admitted: Admitted | None = admitted
        target = admitted.target
        super().__init__(path, Visitor(client, target.dialled, target.port, None), on_end)

    def _make_client(self) -> End:
        return ClearEnd(self)

    def _make_host(self, owner: Owner) -> End:
        return ClearEnd(owner)

    def _rule(self, judge: Judge, settled: Collection[str]) -> Ruling:
        """The decision is on record already: for one request, and no other."""
        admitted, self._admitted = self._admitted, None
        assert admitted is not None
        assert admitted.plain is not None
        return clear_plain(judge.head, admitted.plain, admitted.decision_id, admitted.started)
