"""Without TLS: an end where bytes go through as they come, for relays to other hosts, and one request in the clear to a host
that is not under policy.

Such a request is framed as strictly as what goes to a workspace, and by the same core: what a host could take for a second
request would be one that nobody has decided on. The connection ends with its answer.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from .admission import Admitted
from .datapath import DataPath
from .guard import guarded
from .ruling import clear_plain
from .tls import End, Owner, Stage, received
from .tunnel import Tunnel, Visitor
from .wire.events import Judge, Ruling


class ClearEnd(End):
    """As ``End``; it is up at once, and the end of TCP is a clean one."""

    is_clear = True

    def __init__(self, owner: Owner) -> None:
        super().__init__(None, owner)

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
