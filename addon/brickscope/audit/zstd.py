"""Reading zstd files block by block (RFC 8878), so that no file, however made, unpacks to more than a block at a time.

A few bytes of a zstd file can stand for gigabytes. A block has 128 KB of content at most (RFC 8878 section
3.1.1.2.4), so blocks are handed to the library one at a time. It also shows a file that was cut, which the library's own
reader takes for one that ended.
"""

from __future__ import annotations

import io
from typing import IO, Any

import zstandard

_MAGIC = b"\x28\xb5\x2f\xfd"
_SKIPPABLE = b"\x2a\x4d\x18"
_HEADER = 18
"""Longest frame header, in bytes, with its magic number."""
_CHECKSUM = 0b100
_RUN = 1
"""A block of one byte, repeated."""


class ZstdReader(io.RawIOBase):
    """The content of a zstd file. Raises EOFError where it was cut, zstandard.ZstdError where it was altered."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self._frame: Any = None
        self._has_checksum = False
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            if self._frame is None and not self._begin():
                return 0
            self._ready = memoryview(self._next_block())
        size = min(len(buffer), len(self._ready))
        buffer[:size], self._ready = self._ready[:size], self._ready[size:]
        return size

    def _begin(self) -> bool:
        """Open the next frame (files may have been joined); False at the end of the file."""
        while True:
            magic = self._raw.read(4)
            if not magic:
                return False
            if magic[1:] != _SKIPPABLE or magic[0] & 0xF0 != 0x50:
                break
            left = int.from_bytes(self._take(4), "little")
            while left:
                left -= len(self._take(min(left, 64 * 1024)))
        if len(magic) < 4:
            raise EOFError("the compressed file ends too soon")
        if magic != _MAGIC:
            raise zstandard.ZstdError("what stands here is not compressed by zstd")
        header = magic + self._take(1)
        # The descriptor tells how long the header is; the library wants to see as many bytes as it might have.
        size = zstandard.frame_header_size(header + bytes(_HEADER - len(header)))
        header += self._take(size - len(header))
        self._has_checksum = bool(header[4] & _CHECKSUM)
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._frame.decompress(header)
        return True

    def _next_block(self) -> bytes:
        header = self._take(3)
        word = int.from_bytes(header, "little")
        is_last, kind, size = word & 1, word >> 1 & 3, word >> 3
        if kind != _RUN and size > 128 * 1024:
            raise zstandard.ZstdError("a block is larger than any can be")
        block = header + self._take(1 if kind == _RUN else size)
        if is_last and self._has_checksum:
            block += self._take(4)
        content: bytes = self._frame.decompress(block)
        if is_last:
            if not self._frame.eof:
                raise EOFError("the compressed file ends too soon")
            self._frame = None
        return content

    def _take(self, size: int) -> bytes:
        found = self._raw.read(size)
        if len(found) < size:
            raise EOFError("the compressed file ends too soon")
        return found
