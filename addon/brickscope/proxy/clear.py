"""An end without TLS, where bytes go through as they come: relays to other hosts, and plain HTTP to them."""

from __future__ import annotations

from .guard import guarded
from .tls import End, Owner, Stage, received


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
