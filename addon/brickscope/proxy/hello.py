"""The ClientHello that begins a tunnel, found in what a client sends bit by bit.

The parser begins anew each time it is asked: a client that sends byte by byte, or records of a byte, could have it work
for seconds while all others wait. So records are counted here, once, and the parser is asked when all of them are there.
"""

from __future__ import annotations

from mitmproxy.proxy.layers.tls import parse_client_hello
from mitmproxy.tls import ClientHello

MAX_HELLO = 64 * 1024
"""Most bytes of a TLS ClientHello that are waited for; a real one has at most a few thousand."""
HANDSHAKE = 0x16
"""The first byte of a TLS record that may hold one."""


class NoHello(Exception):
    """What came is no ClientHello; the text says why and quotes nothing of it."""


class HelloReader:
    """Reads the ClientHello of one connection."""

    __slots__ = ("_at", "_begin", "_length")

    def __init__(self) -> None:
        self._at = 0
        """Where the first record begins that is not whole."""
        self._begin = b""
        """Type and length of the handshake message."""
        self._length = 0
        """Bytes of the message in the records before."""

    def read(self, received: bytes) -> ClientHello | None:
        """What all bytes that came so far say; None: more are needed. Raises NoHello."""
        try:
            hello = parse_client_hello(received) if self.is_whole(received) else None
        except Exception:  # whatever the parser stumbles over, it is no ClientHello
            raise NoHello("the TLS ClientHello can't be read") from None
        if hello is None and len(received) > MAX_HELLO:
            raise NoHello("the TLS ClientHello does not end")
        return hello

    def is_whole(self, received: bytes) -> bool:
        """Whether the parser can say what it is, by all bytes that came so far."""
        while len(received) >= self._at + 5:
            size = int.from_bytes(received[self._at + 3 : self._at + 5], "big")
            end = self._at + 5 + size
            if received[self._at] != HANDSHAKE or not size:
                return True
            if len(received) < end:
                return False
            if len(self._begin) < 4:
                self._begin += received[self._at + 5 : end][: 4 - len(self._begin)]
            self._at = end
            self._length += size
            if len(self._begin) == 4 and self._length >= 4 + int.from_bytes(self._begin[1:], "big"):
                return True
        return bool(received) and received[0] != HANDSHAKE
