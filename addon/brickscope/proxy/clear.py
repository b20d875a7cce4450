"""Without TLS: an end where bytes go through as they come. Where nobody looks at them any more, the kernel carries them from
one socket to the other (splice(2)): without a copy in this process, on Linux alone.

Rule: one pipe serves all connections, and it is empty whenever ``carry`` returns: what is left in it would be the next
client's. Where that can't be had, the pipe is closed and nobody uses it again.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
from typing import ClassVar

from .guard import end as end_guarded
from .guard import guarded
from .tls import LOOKED_AT, RECEIVE, End, Owner, Stage, received

IN_TURN = 8
"""Pieces that are carried for one connection before others have their turn."""
SCRAP = 4096
"""So much is still read in the turn in which bytes were carried: to see whether the other side has ended."""
SIZE = RECEIVE
"""Bytes that are carried at once: as many as are read at once where they are copied."""


class Pipe:
    """Makes its two descriptors. Raises OSError where there are none left."""

    __slots__ = ("_in", "_out")

    def __init__(self) -> None:
        self._out, self._in = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        with contextlib.suppress(OSError):  # there is a limit for all pipes of a user; 64 KiB do as well
            fcntl.fcntl(self._in, fcntl.F_SETPIPE_SZ, SIZE)

    def carry(self, source: int, target: int) -> tuple[int, bytes]:
        """Carry what has come from one descriptor to another. Returns how many bytes came (0: none just now, no more at
        all, or the source is broken, which reading it tells), and those that the target does not take just now."""
        if sys.platform != "linux":
            return 0, b""
        try:
            came = left = os.splice(source, self._in, SIZE, flags=os.SPLICE_F_NONBLOCK)
        except OSError:
            return 0, b""
        try:
            with contextlib.suppress(OSError):  # it is full, or broken, which writing to it tells
                while left:
                    left -= os.splice(self._out, target, left, flags=os.SPLICE_F_NONBLOCK)
            rest = b""
            while len(rest) < left:
                rest += os.read(self._out, left - len(rest))
        except BaseException:
            self.close()
            raise
        return came, rest

    def close(self) -> None:
        """Let go of the descriptors."""
        os.close(self._in)
        os.close(self._out)


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
            sys.platform == "linux"
            and transport is not None
            and transport.get_extra_info("sslcontext") is None
            and transport.get_extra_info("socket") is not None
        )

    def get_buffer(self, sizehint: int) -> memoryview:
        """Asked when bytes are there: they are carried away before asyncio reads what is left of them. Never raises."""
        if self._sink is None:
            return LOOKED_AT
        view = super().get_buffer(sizehint)
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
