"""HTTP/2 frames, split off one by one (RFC 9113 section 4), before anything is made of them.

Rules: one frame at a time goes to the library, so what a side sends means the same in whatever pieces it comes, and what
came before a broken frame counts. The first frame is SETTINGS. A frame that is too long is refused by its header alone;
within a header block nothing else may come.
"""

from collections.abc import Iterator
from typing import NamedTuple

from h2.errors import ErrorCodes

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
MAX_FRAME = 16384
"""Most bytes in a frame that comes in: what RFC 9113 section 4.2 has as the default, and nothing else is announced."""
_HEADER = 9

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = (
    range(10)
)
UNKNOWN = 10
"""Kinds from here on are extensions, which are ignored (section 5.5)."""
_END_HEADERS = 0x4
_ACK = 0x1


class Frame(NamedTuple):
    """``raw``: all of it, with its header."""

    kind: int
    flags: int
    stream: int
    raw: bytes


class BrokenFrame(Exception):
    """Frames that can't be. ``code``: what GOAWAY says of it."""

    def __init__(self, text: str, code: ErrorCodes = ErrorCodes.PROTOCOL_ERROR) -> None:
        super().__init__(text)
        self.code = code


class FrameReader:
    """Reads what one side sends."""

    __slots__ = ("_begun", "_block", "_preface", "_rest")

    def __init__(self, *, preface: bool) -> None:
        """``preface``: whether it has to say first that it speaks HTTP/2; a client has."""
        self._preface = preface
        self._begun = False
        self._rest = b""
        self._block = 0
        """The stream whose header block is not complete."""

    @property
    def is_in_head(self) -> bool:
        """Whether headers have begun that are not complete, or the first of all bytes."""
        rest = self._rest
        return bool(self._block or (rest and (len(rest) < 4 or rest[3] in (HEADERS, CONTINUATION))))

    def read(self, data: bytes) -> Iterator[Frame]:
        """The frames that are complete with ``data``. Raises BrokenFrame, after those before it."""
        data, self._rest = self._rest + data if self._rest else data, b""
        at = 0
        if self._preface:
            if not data.startswith(PREFACE[: len(data)]):
                raise BrokenFrame("what came is not HTTP/2")
            if len(data) < len(PREFACE):
                self._rest = data
                return
            self._preface = False
            at = len(PREFACE)
        while True:
            head = data[at : at + _HEADER]
            size = int.from_bytes(head[:3], "big")
            if len(head) >= 3 and size > MAX_FRAME:
                raise BrokenFrame("a frame is too long", ErrorCodes.FRAME_SIZE_ERROR)
            end = at + _HEADER + size
            if len(head) < _HEADER or end > len(data):
                self._rest = data[at:]
                return
            frame = Frame(head[3], head[4], int.from_bytes(head[5:], "big") & 0x7FFFFFFF, data[at:end])
            self._check(frame)
            yield frame
            at = end

    def _check(self, frame: Frame) -> None:
        kind, flags, stream, _ = frame
        if not self._begun:
            self._begun = True
            if kind != SETTINGS or flags & _ACK:
                raise BrokenFrame("the first frame is not SETTINGS")
        if self._block and (kind != CONTINUATION or stream != self._block):
            raise BrokenFrame("another frame comes within a header block")
        if kind in (HEADERS, PUSH_PROMISE, CONTINUATION):
            self._block = 0 if flags & _END_HEADERS else stream
