"""Where a message ends: the only forms of a body that exist here, and how each is counted off.

Rules: one way to write each form. A length is plain decimal; a chunk's size is 1 to 15 hexadecimal digits and CR LF,
without extension or blank; a request has no trailers. Whatever two parsers could count in two ways breaks the
connection instead: the rest of such a body could be the next request to one of them (request smuggling), or the next
answer (response splitting). A body is counted and passed on as it came, never written anew.
"""

import re
from typing import Protocol

from brickscope.core.head import REGULAR_FIELDS, find_odd_bytes, split_fields

MAX_SIZE_DIGITS = 15
SMALL_CHUNKS, SMALL_CHUNK = 4096, 16
"""A request may have so many chunks, and one more for so many bytes: the smallest cost ten thousand times what their bytes
cost, and a few clients that send nothing else would take all the time there is. Answers may: they come token by token."""
MAX_TRAILERS = 8 * 1024
"""Most bytes of the trailers of an answer."""

_LENGTH = re.compile(rb"0|[1-9][0-9]{0,17}")
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})\r\n")
_SIZE_BEGUN = re.compile(rb"(?:[0-9A-Fa-f]{1,15}\r?)?")
_LONGEST_SIZE_LINE = MAX_SIZE_DIGITS + 2
_UNFIT_TRAILERS = (
    # RFC 9110 section 6.5.1: what decides on framing or routing has to be known before the body.
    b"content-length",
    b"transfer-encoding",
    b"connection",
    b"trailer",
    b"host",
    b"upgrade",
    # What is taken out of a head (``answer.py``).
    b"alt-svc",
)


class Broken(Exception):
    """A message that can't be framed; the text quotes nothing of it."""


class TrailersSent(Broken):
    """Headers after the body of a request: they were not there when the call was judged."""


class Body(Protocol):
    """A body while it passes. ``size``: bytes of content so far, without chunk framing. ``ended``: whether it is
    complete."""

    size: int
    ended: bool

    def feed(self, data: bytes, start: int) -> int:
        """Count off what of ``data`` belongs to the body, from ``start`` on. Returns where the rest begins. Raises
        Broken."""


class Length:
    """So many bytes."""

    __slots__ = ("_left", "ended", "size")

    def __init__(self, length: int) -> None:
        self._left = length
        self.size = 0
        self.ended = not length

    def feed(self, data: bytes, start: int) -> int:
        """As ``Body``."""
        took = min(self._left, len(data) - start)
        self._left -= took
        self.size += took
        self.ended = not self._left
        return start + took


class UntilClose:
    """Everything until the connection ends; of an answer only. Whoever sees the end says so."""

    __slots__ = ("ended", "size")

    def __init__(self) -> None:
        self.size = 0
        self.ended = False

    def feed(self, data: bytes, start: int) -> int:
        """As ``Body``."""
        self.size += len(data) - start
        return len(data)


class Chunked:
    """Chunks (RFC 9112 section 7.1). ``content``: what they hold, where it is to be kept."""

    __slots__ = ("_count", "_data_ends", "_last", "_left", "_part", "_trailers", "content", "ended", "size")

    def __init__(self, *, trailers: bool = False) -> None:
        """``trailers``: whether headers may follow the last chunk."""
        self._trailers = trailers
        self._count = 0
        self._left = 0
        self._data_ends = self._last = False
        """Whether the line end after a chunk's data is due, and whether all chunks are through."""
        self._part = b""
        """The begin of a line whose rest is yet to come."""
        self.size = 0
        self.ended = False
        self.content: bytearray | None = None

    @property
    def trailers(self) -> bytes:
        """What has come after the last chunk, the blank line with it."""
        return self._part if self._last else b""

    def feed(self, data: bytes, start: int) -> int:
        """As ``Body``."""
        at, end = start, len(data)
        while at < end and not self.ended:
            if self._left:
                took = min(self._left, end - at)
                if self.content is not None:
                    self.content += data[at : at + took]
                self._left -= took
                self.size += took
                self._data_ends = not self._left
                at += took
            elif self._data_ends:
                at = self._end_data(data, at)
            elif self._last:
                at = self._end(data, at)
            else:
                at = self._read_size(data, at)
        return at

    def _read_size(self, data: bytes, at: int) -> int:
        part = self._part
        line = part + data[at : at + _LONGEST_SIZE_LINE - len(part)]
        found = _SIZE_LINE.match(line)
        if found is None:
            if not _SIZE_BEGUN.fullmatch(line):
                raise Broken("the size of a chunk is not plain hexadecimal digits and CR LF")
            self._part = line
            return len(data)
        self._part = b""
        self._count += 1
        if self._count > SMALL_CHUNKS + self.size // SMALL_CHUNK and not self._trailers:
            raise Broken("the chunks are too many and too small")
        self._left = int(found[1], 16)
        self._last = not self._left
        return at + found.end() - len(part)

    def _end_data(self, data: bytes, at: int) -> int:
        line = self._part + data[at : at + 2 - len(self._part)]
        if not b"\r\n".startswith(line):
            raise Broken("a chunk is longer than it says")
        if len(line) < 2:
            self._part = line
            return len(data)
        at += 2 - len(self._part)
        self._part = b""
        self._data_ends = False
        return at

    def _end(self, data: bytes, at: int) -> int:
        """The blank line after the last chunk, and the trailers before it."""
        held = self._part
        if not held and data.startswith(b"\r\n", at):
            self.ended = True
            return at + 2
        if not self._trailers and data[at : at + 1] != (b"\n" if held else b"\r"):
            raise TrailersSent("headers follow the body")
        self._part = found = held + data[at : at + MAX_TRAILERS + 4 - len(held)]
        # With a line end before it, the blank line looks the same with and without trailers.
        lines = b"\r\n" + found
        end = lines.find(b"\r\n\r\n")
        if find_odd_bytes(lines, 2 + len(held), end):
            raise Broken("the trailers have a byte that no header has")
        if end < 0:
            if len(found) > MAX_TRAILERS:
                raise Broken(f"the trailers have more than {MAX_TRAILERS} bytes")
            return len(data)
        self._check_trailers(lines, end)
        self.ended = True
        return at + end + 2 - len(held)

    @staticmethod
    def _check_trailers(lines: bytes, end: int) -> None:
        if not REGULAR_FIELDS.fullmatch(lines, 0, end):
            raise Broken("the trailers are not regular header lines")
        for name, _ in split_fields(lines, 0, end):
            lower = name.lower()
            if lower in _UNFIT_TRAILERS or lower.startswith(b"x-brickscope-"):
                raise Broken("a trailer is no header that may follow a body")


NOTHING = Length(0)
"""No body at all; it never changes, so one does for all."""


def read_length(value: bytes) -> int:
    """The value of a header Content-Length. Raises Broken."""
    if not _LENGTH.fullmatch(value):
        raise Broken("the header Content-Length is not a plain decimal number")
    return int(value)
