"""Flow control from end to end (RFC 9113 section 5.2): one direction of one stream, from the side that sends to the side
that takes.

Rule: what a side sent is acknowledged when it has left to the other side, never before. So a side that takes nothing stops
the one that sends, after at most a window, and what is kept is bounded however slow either of them is.
"""

from __future__ import annotations

from .frames import MAX_FRAME
from .framing import UntilClose
from .head import Fields
from .peer import Peer


class Lane:
    """``body``: counts what has left. ``moved``: changes with every byte that comes or leaves. ``ended``: nothing more
    comes; ``finished``: its end has left too."""

    __slots__ = (
        "_data",
        "_number",
        "_owed",
        "_source",
        "_source_number",
        "_target",
        "body",
        "ended",
        "finished",
        "moved",
        "trailers",
    )

    def __init__(self) -> None:
        self._source: Peer | None = None
        """Who sends; None for us."""
        self._source_number = 0
        self._target: Peer | None = None
        self._number = 0
        self._data = bytearray()
        self._owed = 0
        """How many of the bytes that wait, the last ones, are to be acknowledged."""
        self.body = UntilClose()
        self.moved = 0
        self.ended = self.finished = False
        self.trailers: Fields | None = None

    def __repr__(self) -> str:
        return (
            f"<Lane {self.body.size}+{len(self._data)}{' ended' * self.ended}{' finished' * self.finished}>"
        )

    @property
    def waiting(self) -> int:
        """Bytes that have not left."""
        return len(self._data)

    @property
    def is_stuck(self) -> bool:
        """Whether something waits for the side that takes."""
        return self._target is not None and not self.finished and bool(self._data or self.ended)

    def come_from(self, source: Peer, number: int) -> None:
        """It is this stream whose bytes come."""
        self._source, self._source_number = source, number

    def lead_to(self, target: Peer, number: int) -> None:
        """From now on it can be sent, on this stream."""
        self._target, self._number = target, number

    def put(self, data: bytes, *, ended: bool) -> None:
        """Bytes came. They are sent at once where nothing waits and there is room."""
        self.ended = ended
        self.moved += len(data) + ended
        target = self._target
        if target is not None and not self._data and 0 < len(data) <= target.room(self._number):
            self._send(target, data, len(data), limited=False)
        else:
            self._data += data
            self._owed += len(data)

    def put_first(self, data: bytes | bytearray) -> None:
        """Bytes that are to leave before all others, and are acknowledged already, or ours."""
        self._data[:0] = data

    def take(self) -> bytes:
        """All that waits, which is done with."""
        data, self._data = bytes(self._data), bytearray()
        owed, self._owed = self._owed, 0
        self._acknowledge(owed)
        return data

    def stop(self) -> None:
        """Send nothing more."""
        self.take()
        self._target = None

    def end(self, trailers: Fields | None = None) -> None:
        """Nothing more comes, but for trailers."""
        self.ended = True
        self.trailers = trailers
        self.moved += 1

    def step(self) -> bool:
        """Send one frame, if there is room. Whether another may follow."""
        target = self._target
        if target is None or self.finished:
            return False
        if not self._data:
            if self.ended:
                self._finish(target)
            return False
        room = target.room(self._number)
        if room <= 0:
            return False
        piece = bytes(self._data[:room])
        del self._data[:room]
        owed = max(len(piece) - (len(self._data) + len(piece) - self._owed), 0)
        self._owed -= owed
        self._send(target, piece, owed, limited=room < MAX_FRAME and bool(self._data))
        return not self.finished

    def _send(self, target: Peer, piece: bytes, owed: int, *, limited: bool) -> None:
        last = self.ended and not self._data and self.trailers is None
        target.send(self._number, piece, ended=last)
        target.glitches.earn_sent(len(piece), limited=limited)
        self.body.size += len(piece)
        self.moved += 1
        self.finished = self.body.ended = last
        self._acknowledge(owed)

    def _finish(self, target: Peer) -> None:
        if self.trailers is None:
            target.end(self._number)
        else:
            target.send_head(self._number, self.trailers, ended=True)
        self.finished = self.body.ended = True

    def _acknowledge(self, size: int) -> None:
        if self._source is not None:
            self._source.acknowledge(size, self._source_number)
