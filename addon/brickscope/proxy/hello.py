"""The ClientHello that begins a tunnel (RFC 8446 section 4.1.2): the server it names and the protocols it offers.

Rules: what could be read in two ways is none. Each length is followed to the end of what holds it, no extension comes
twice, and one server is named at most; so TLS itself, which answers the same bytes, finds no other name in them. Records are
counted as they come: a client that sends byte by byte, or records of a byte, would have all of it read anew each time.
"""

from typing import NamedTuple

MAX_HELLO = 64 * 1024
"""Most bytes of a TLS ClientHello that are waited for; a real one has at most a few thousand."""
HANDSHAKE = 0x16
"""The first byte of a TLS record that may hold one (RFC 8446 section 5.1)."""

_CLIENT_HELLO = 1
_SERVER_NAME, _ALPN = b"\x00\x00", b"\x00\x10"
"""Extensions (RFC 6066 section 3, RFC 7301 section 3.1)."""
_HOST_NAME = b"\x00"
_UNREADABLE = "the TLS ClientHello can't be read"


class NoHello(Exception):
    """What came is no ClientHello; the text says why and quotes nothing of it."""


class Hello(NamedTuple):
    """What a client says at first. ``server_name``: None where it names no server. ``offers``: for ALPN, in its order."""

    server_name: str | None
    offers: tuple[bytes, ...]


class HelloReader:
    """Reads the ClientHello of one connection."""

    __slots__ = ("_at", "_message")

    def __init__(self) -> None:
        self._at = 0
        """Where the first record begins that is not whole."""
        self._message = b""
        """What the records before it hold."""

    def read(self, received: bytes) -> Hello | None:
        """What all bytes that came so far say; None: more are needed. Raises NoHello."""
        if received and received[0] != HANDSHAKE:
            raise NoHello(_UNREADABLE)
        while len(received) >= self._at + 5:
            size = int.from_bytes(received[self._at + 3 : self._at + 5], "big")
            end = self._at + 5 + size
            if received[self._at] != HANDSHAKE or received[self._at + 1] != 3 or not size:
                raise NoHello(_UNREADABLE)
            if len(received) < end:
                break
            self._message += received[self._at + 5 : end]
            self._at = end
            length = 4 + int.from_bytes(self._message[1:4], "big")
            if self._message[0] != _CLIENT_HELLO:
                raise NoHello(_UNREADABLE)
            if 4 <= length <= len(self._message):
                return read_message(self._message[4:length])
        if len(received) > MAX_HELLO:
            raise NoHello("the TLS ClientHello does not end")
        return None


def read_message(message: bytes) -> Hello:
    """Read a ClientHello without the four bytes of type and length before it. Raises NoHello."""
    session, at = _vector(message, 2 + 32, 1)  # behind the version and the random bytes
    suites, at = _vector(message, at, 2)
    methods, at = _vector(message, at, 1)
    if message[0] != 3 or len(session) > 32 or not suites or len(suites) % 2 or not methods:
        raise NoHello(_UNREADABLE)
    extensions: dict[bytes, bytes] = {}
    listed = _all(message[at:], 2) if at < len(message) else b""
    at = 0
    while at < len(listed):
        kind = listed[at : at + 2]
        content, at = _vector(listed, at + 2, 2)
        if kind in extensions:
            raise NoHello(_UNREADABLE)
        extensions[kind] = content
    name = offers = None
    if (named := extensions.get(_SERVER_NAME)) is not None:
        entry = _all(named, 2)
        name = _all(entry[1:], 2)
        if entry[:1] != _HOST_NAME or not name or not name.isascii():
            raise NoHello(_UNREADABLE)
    if (offered := extensions.get(_ALPN)) is not None:
        offers = _offers(_all(offered, 2))
    return Hello(None if name is None else name.decode("ascii"), offers or ())


def _offers(listed: bytes) -> tuple[bytes, ...]:
    found = []
    at = 0
    while at < len(listed):
        offer, at = _vector(listed, at, 1)
        found.append(offer)
    if not all(found):
        raise NoHello(_UNREADABLE)
    return tuple(found)


def _vector(data: bytes, at: int, width: int) -> tuple[bytes, int]:
    """What has its length in ``width`` bytes before it (RFC 8446 section 3.4), and where it ends. Raises NoHello."""
    begin = at + width
    end = begin + int.from_bytes(data[at:begin], "big")
    if begin > len(data) or end > len(data):
        raise NoHello(_UNREADABLE)
    return data[begin:end], end


def _all(data: bytes, width: int) -> bytes:
    """The same, where nothing may follow it."""
    content, end = _vector(data, 0, width)
    if end != len(data):
        raise NoHello(_UNREADABLE)
    return content
