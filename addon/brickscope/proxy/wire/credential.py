"""The real credential on the wire: put into a request in its placeholder's place, and looked for in the answer.

The one edit of a request: a placeholder gives way, in the value of Authorization alone. Whatever scheme the client has
written it in (``Basic token:`` as JDBC and curl do), what is sent is ``Bearer``, which is good for tokens of every kind.

An answer that holds the very credential is cut off before the client has it. Looked at are all heads and trailers, and the
first 64 KiB of the body, unpacked where it is compressed by gzip, deflate or zstd. What a host writes in another form
(Base64, a part of it, JSON escapes) or packs otherwise is not found: this stops an echo, not a host that means to give the
secret away.
"""

import sys
import zlib
from collections.abc import Callable
from typing import Protocol

from hpack.struct import NeverIndexedHeaderTuple

from .framing import Broken
from .head import Fields, Head

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MOST = 64 * 1024
"""Bytes of a body that are looked at."""
BEGUN = 8
"""So many bytes of the secret at the end of a piece keep that piece back until more has come."""
MEMBER = 64
"""What a further member or frame costs, in bytes that are looked at: empty ones are no end of work."""
CODINGS = 5
"""Most codings of one body, as urllib3 has it."""
_ENCODING = b"\r\ncontent-encoding:"
_AUTHORIZATION = b"\r\nauthorization:"


def place(head: Head, secret: bytes) -> tuple[bytes, Fields]:
    """The bytes of a head that was judged, in HTTP/2 its fields, with the secret in it. Raises ValueError for a head without
    one Authorization, which no decision allows."""
    value = b"Bearer " + secret
    if head.fields:
        (_,) = (name for name, _ in head.fields if name == b"authorization")
        # No table of a compression may keep it (RFC 7541 section 7.1).
        placed = NeverIndexedHeaderTuple(b"authorization", value)
        return b"", tuple([placed if field[0] == b"authorization" else field for field in head.fields])
    raw, lower = head.raw, head.raw.lower()
    start = lower.index(_AUTHORIZATION) + len(_AUTHORIZATION)
    if lower.find(_AUTHORIZATION, start) >= 0:
        raise ValueError("there are two")
    end = raw.index(b"\r", start)
    while raw[start] in b" \t":
        start += 1
    return b"".join((raw[:start], value, raw[end:])), ()


class Reflected(Broken):
    """The secret is in the answer."""


class _Unpacker(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


def _inflate(first: int) -> _Unpacker:
    """For what begins with this byte: gzip, zlib, or bare deflate, which clients take for ``deflate`` as well."""
    is_bare = first != 0x1F and first & 0x0F != 8
    return zlib.decompressobj(-zlib.MAX_WBITS if is_bare else 32 + zlib.MAX_WBITS)


_UNPACKERS: dict[bytes, Callable[[int], _Unpacker]] = dict.fromkeys(
    (b"gzip", b"x-gzip", b"deflate"), _inflate
)
_UNPACKERS[b"zstd"] = lambda _: zstd.ZstdDecompressor()


class Reflection:
    """Looks at one answer."""

    __slots__ = ("_is_begun", "_kept", "_left", "_secret", "_tail", "_unpacked", "_unpackers")

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._left = MOST + len(secret)  # whatever begins in the first MOST bytes is looked at as a whole
        self._tail = b""
        """The end of what was looked at, one byte short of the secret."""
        self._unpacked = b""
        """The same of what was unpacked."""
        self._is_begun = False
        """Whether the secret may go on in the next piece."""
        self._kept = b""
        """Pieces that wait, as they came."""
        self._unpackers: list[tuple[Callable[[int], _Unpacker], _Unpacker | None]] = []
        """How the body was packed, in this order; each once it is needed."""

    def check(self, head: bytes) -> None:
        """A head or a field, as bytes. Raises Reflected."""
        if self._secret in head:
            raise Reflected("in its head")

    def begin(self, head: bytes) -> None:
        """The final head of HTTP/1.1, as bytes. Raises Reflected. (A head before it says nothing of the body.)"""
        self.check(head)
        lower = head.lower()  # cheaper than a search that knows no case
        at = lower.find(_ENCODING)
        while at >= 0:
            end = lower.index(b"\r", at + 2)
            self.unpack(lower[at + len(_ENCODING) : end])
            at = lower.find(_ENCODING, end)

    def unpack(self, encoding: bytes) -> None:
        """How the body is compressed, by a Content-Encoding."""
        for coding in encoding.lower().split(b","):
            make = _UNPACKERS.get(coding.strip())
            if make is not None and len(self._unpackers) < CODINGS:
                self._unpackers.append((make, None))

    def wait(self) -> None:
        """Keep the piece that was looked at last: trailers have begun in it, and are not whole."""
        self._is_begun = True

    @property
    def kept(self) -> int:
        """Bytes that wait."""
        return len(self._kept)

    def rest(self) -> bytes:
        """What waits, as nothing more comes."""
        kept, self._kept = self._kept, b""
        return kept

    def look(self, piece: bytes, content: bytes, *, ended: bool) -> None:
        """Look at a piece of the body. ``content``: what it holds, without framing. Raises Reflected."""
        if self._left <= 0:
            self._is_begun = False
            return
        looked = self._tail + content if self._tail else content
        unpacked = b""
        if self._unpackers:
            unpacked = self._unpacked + self._unpack(content)
        else:
            self._left -= len(content)
        # Also as it came: who does not unpack anything reads that, whatever it is said to be.
        if (
            self._secret in looked
            or self._secret in unpacked
            or (piece is not content and self._secret in piece)
        ):
            raise Reflected("in its body")
        rest = len(self._secret) - 1
        self._tail, self._unpacked = looked[-rest:], unpacked[-rest:]
        self._is_begun = not ended and (self._begins_in(self._tail) or self._begins_in(self._unpacked))

    def give(self, piece: bytes) -> bytes:
        """What may be passed on of a piece that was looked at, and of those that waited."""
        if not (self._kept or self._is_begun):
            return piece
        whole, self._kept = self._kept + piece, b""
        if self._is_begun:
            self._kept = whole
            return b""
        return whole

    def _unpack(self, content: bytes) -> bytes:
        found = content
        for at in reversed(range(len(self._unpackers))):
            found = self._unpack_one(at, found)
        self._left -= max(len(found), 1)
        return found

    def _unpack_one(self, at: int, content: bytes) -> bytes:
        """By one coding. Several members or frames are one body (RFC 1952 section 2.2, RFC 8878 section 3.1)."""
        found = b""
        while content and len(found) < self._left:
            make, unpacker = self._unpackers[at]
            if unpacker is None or unpacker.eof:
                self._left -= 0 if unpacker is None else MEMBER
                unpacker = make(content[0])
                self._unpackers[at] = make, unpacker
            try:
                # Never 0, which is no bound to zlib, nor less, as a member's price may leave it.
                found += unpacker.decompress(content, max(self._left - len(found), 1))
            except (zlib.error, zstd.ZstdError, EOFError):
                # Not what it says, or no more. Who does not unpack it reads it as it comes, after what was unpacked.
                del self._unpackers[at]
                return found + content
            content = unpacker.unused_data if unpacker.eof else b""
        return found

    def _begins_in(self, tail: bytes) -> bool:
        """Whether the secret may go on in the next piece."""
        secret = self._secret
        at = tail.find(secret[:BEGUN])
        while at >= 0:
            if secret.startswith(tail[at:]):
                return True
            at = tail.find(secret[:BEGUN], at + 1)
        return False
