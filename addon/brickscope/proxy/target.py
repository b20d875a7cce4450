"""What a client asks of the proxy itself: a tunnel (CONNECT), or to pass on a request in the clear.

Rules: one spelling of each form (RFC 9112 sections 3.2.2 and 3.2.3). Whom such a request is for is what its target
says, and a Host header that says otherwise goes no further; but if either names Databricks, it is refused.
"""

import re
from typing import NamedTuple

from brickscope.core.decision import Refused
from brickscope.core.reason import Reason

from .destination import Destinations
from .fence import hosts_of
from .wire.framing import Broken
from .wire.head import Announced, Head, end_to_end, read_announced

_HOST = rb"(\[[0-9A-Fa-f:.]{2,45}\]|[^\x00-\x20\x7f:/?#@\[\]\\]{1,253})"
_PORT = rb"([1-9][0-9]{0,4})"
_AUTHORITY = re.compile(_HOST + rb":" + _PORT)
_ABSOLUTE = re.compile(rb"[Hh][Tt][Tt][Pp]://" + _HOST + rb"(?::" + _PORT + rb")?((?:[/?][^#]*)?)")
_VERSIONS = (b"HTTP/1.1", b"HTTP/1.0")
"""Of CONNECT; older Python clients send the second."""


class Target(NamedTuple):
    """Whom a request is for. ``host``: as it was written; empty where it names none that can be read."""

    host: str
    port: int


class Plain(NamedTuple):
    """A request in the clear, as it is sent on. ``announced``: how its body ends."""

    target: Target
    head: bytes
    announced: Announced


NOBODY = Target("", 0)


def is_connect(head: Head) -> bool:
    """Whether it asks for a tunnel, in whatever spelling."""
    return head.wire.method.upper() == b"CONNECT"


def read_connect(head: Head) -> Target:
    """Whom a CONNECT is for. Raises Refused."""
    wire = head.wire
    found = _AUTHORITY.fullmatch(wire.target)
    if found is None or int(found[2]) > 65535 or wire.http_version not in _VERSIONS:
        raise Refused(Reason.MALFORMED_HEAD, "CONNECT names a host and a port, such as host.example:443")
    if read_announced(wire.headers) not in (Announced(), Announced(0)):
        raise Refused(Reason.MALFORMED_HEAD, "CONNECT has no body")
    return Target(found[1].decode("latin-1"), int(found[2]))


def named_by(head: Head) -> Target:
    """Whom a request is for that is not read further: as good as that can be said."""
    target = head.wire.target
    found = _AUTHORITY.fullmatch(target) if is_connect(head) else _ABSOLUTE.fullmatch(target)
    if found is None:
        return NOBODY
    return Target(found[1].decode("latin-1"), int(found[2] or 80))


def read_plain(head: Head, destinations: Destinations) -> Plain:
    """A request in the clear to a host that may be reached so. Raises Refused."""
    wire = head.wire
    hosts = [value for name, value in wire.headers if name.lower() == b"host"]
    if any(destinations.under_policy(host) for name in (wire.target, *hosts) for host in hosts_of(name)):
        raise Refused(Reason.NOT_ENCRYPTED, "Databricks hosts are reached by HTTPS in a tunnel only")
    malformed = Refused(Reason.MALFORMED_HEAD, "the proxy itself answers regular, plain HTTP/1.1 only")
    found, announced = _ABSOLUTE.fullmatch(wire.target), read_announced(wire.headers)
    if found is None or wire.http_version != b"HTTP/1.1" or announced is None:
        raise malformed
    target = Target(found[1].decode("latin-1"), int(found[2] or 80))
    if target.port > 65535:
        raise malformed
    destinations.classify(target.host, target.port)
    authority = found[1] if found[2] is None else found[1] + b":" + found[2]
    expected = (found[1].lower(), b"%b:%d" % (found[1].lower(), target.port))
    if len(hosts) > 1 or (hosts and hosts[0].lower() not in expected):
        raise Refused(Reason.HOST_MISMATCH, "the Host header is not the host of the request's URL")
    if any(name.lower() == b"upgrade" for name, _ in wire.headers):
        raise Refused(Reason.UPGRADE_REFUSED, "the header Upgrade requests another protocol")
    try:
        _, *lines = end_to_end(head.raw[:-4]).split(b"\r\n")
    except Broken:
        raise malformed from None
    path = found[3] if found[3].startswith(b"/") else b"/" + found[3]
    first = [b"%b %b HTTP/1.1" % (wire.method, path), b"Host: " + authority]
    kept = [line for line in lines if line[:5].lower() != b"host:"]
    return Plain(target, b"\r\n".join([*first, *kept, b"Connection: close", b"", b""]), announced)
