"""The header that a load balancer puts before a connection's own bytes, to say who the client is.

PROXY protocol, versions 1 and 2: https://www.haproxy.org/download/3.1/doc/proxy-protocol.txt, sections 2.1 and 2.2.
Whom it names is whom the policy's ``clients`` and the log see, so it is read strictly, and only from peers that the
operator named: anybody else could write one.
"""

import ipaddress
import re
import struct
from collections.abc import Sequence
from typing import NamedTuple

from .destination import Network

Address = tuple[str, int]

SECONDS = 5.0
"""The header has to be there so long after the connection; the protocol asks for three seconds at least."""
MAX_LINE = 107
"""Bytes of the longest line of version 1, its end included (section 2.1)."""
MAX_REST = 2048
"""Most bytes after the fixed part of version 2. The longest addresses have 216, the rest are TLVs."""

_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
_FIXED = len(_SIGNATURE) + 4
"""Bytes of the part of version 2 that every header has."""
_WORD = b"PROXY "
_PORT = rb"(0|[1-9][0-9]{0,4})"
# One way to write each part: what one reader takes for a space, digit or line end, another might not.
_LINE = re.compile(
    rb"PROXY (TCP4|TCP6) ([0-9a-fA-F:.]{2,45}) ([0-9a-fA-F:.]{2,45}) " + _PORT + rb" " + _PORT + rb"\r\n"
)
_FAMILIES = {0x11: ("!4s4sHH", 12), 0x21: ("!16s16sHH", 36)}
"""Of version 2: TCP over IPv4 and IPv6, with how their addresses are laid out and how many bytes they have."""
_LOCAL, _PROXY = 0x20, 0x21


class HeaderError(Exception):
    """No header that counts; the message says what is wrong, and quotes nothing of it."""


class Ends(NamedTuple):
    """Both ends of a connection, as addresses without zone and never IPv4 mapped into IPv6."""

    client: Address
    server: Address


class Header(NamedTuple):
    """A header that was read. ``ends``: None if the balancer speaks for itself (``LOCAL``, such as a health check).
    ``length``: its bytes; what follows them is the client's."""

    ends: Ends | None
    length: int


def read_header(received: bytes) -> Header | None:
    """The header at the begin of all that came so far; None: more bytes are needed.

    Raises HeaderError: it is malformed or too long.
    """
    if received.startswith(_SIGNATURE):
        if len(received) < _FIXED:
            return None
        code, family, length = struct.unpack_from("!BBH", received, len(_SIGNATURE))
        if length > MAX_REST:
            raise HeaderError(f"the PROXY header is longer than {MAX_REST} bytes")
        end = _FIXED + length
        if len(received) < end:
            return None
        return Header(parse_binary(code, family, received[_FIXED:end]), end)
    if received.startswith(_WORD):
        end = received.find(b"\r\n", 0, MAX_LINE) + 2
        if end >= 2:
            return Header(parse_line(received[:end]), end)
        if len(received) >= MAX_LINE:
            raise HeaderError(f"the line of the PROXY header is longer than {MAX_LINE} bytes")
        return None
    if not (_SIGNATURE.startswith(received) or _WORD.startswith(received)):
        raise HeaderError("the connection does not begin with a PROXY header")
    return None


def parse_line(line: bytes) -> Ends:
    """A header of version 1, line end included. Raises HeaderError.

    ``UNKNOWN`` is refused: the protocol would have the balancer's own address stand for that of a client who is not known,
    and that address may be one that the policy lets in.
    """
    if line.startswith(b"PROXY UNKNOWN"):
        raise HeaderError("the PROXY header does not say who the client is (UNKNOWN)")
    found = _LINE.fullmatch(line)
    if found is None or len(line) > MAX_LINE:
        raise HeaderError("the line of the PROXY header is malformed")
    version = 4 if found[1] == b"TCP4" else 6
    try:
        source, target = (ipaddress.ip_address(part.decode()) for part in found.group(2, 3))
    except ValueError:
        raise HeaderError("the PROXY header holds an address that is none") from None
    ports = [int(part) for part in found.group(4, 5)]
    if {source.version, target.version} != {version} or max(ports) > 65535:
        raise HeaderError("the PROXY header's addresses or ports are not of its family or range")
    return Ends((plain(source), ports[0]), (plain(target), ports[1]))


def parse_binary(code: int, family: int, rest: bytes) -> Ends | None:
    """A header of version 2: its 13th and 14th byte, and what follows its length. None for ``LOCAL``. Raises HeaderError."""
    if code == _LOCAL:
        return None  # "must discard the protocol block", whatever it holds (section 2.2)
    if code != _PROXY:
        raise HeaderError("the PROXY header's version or command is not known")
    if family not in _FAMILIES:
        raise HeaderError(
            "the PROXY header does not say who the client is: it is not of TCP over IPv4 or IPv6"
        )
    layout, length = _FAMILIES[family]
    if len(rest) < length:
        raise HeaderError("the PROXY header is shorter than its addresses")
    source, target, from_port, to_port = struct.unpack_from(layout, rest)
    _skip_extensions(rest[length:])
    return Ends(
        (plain(ipaddress.ip_address(source)), from_port), (plain(ipaddress.ip_address(target)), to_port)
    )


def _skip_extensions(rest: bytes) -> None:
    """Pass over the TLVs: they tell nothing that is needed, but have to fill the header to its end."""
    while rest:
        if len(rest) < 3 or len(rest) < (end := 3 + int.from_bytes(rest[1:3], "big")):
            raise HeaderError("the PROXY header's extensions do not end where it ends")
        rest = rest[end:]


def plain(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    """An address as it is compared and logged: balancers write IPv4 as ``::ffff:10.0.0.1`` where the other end is IPv6."""
    return str(getattr(address, "ipv4_mapped", None) or address)


def peer_address(name: object) -> Address | None:
    """A socket's other end, zone and mapping taken off; None where it is gone or has no IP address."""
    if not isinstance(name, tuple) or len(name) < 2:
        return None
    return plain(ipaddress.ip_address(str(name[0]).partition("%")[0])), int(name[1])


def is_balancer(address: Address, balancers: Sequence[Network]) -> bool:
    """Whether connections from there have to begin with a header."""
    if not balancers:
        return False
    found = ipaddress.ip_address(address[0])
    return any(found in network for network in balancers)
