"""The one edit of a request: a placeholder gives way to the real credential, in the value of Authorization alone.

Whatever scheme the client has written it in (``Basic token:`` as JDBC and curl do), what is sent is ``Bearer``, which is
good for tokens of every kind.
"""

from __future__ import annotations

import re

from hpack.struct import NeverIndexedHeaderTuple

from .head import Fields, Head

_AUTHORIZATION = re.compile(rb"(?i:\r\nauthorization):[ \t]*+([^\r]*+)")


def place(head: Head, secret: bytes) -> tuple[bytes, Fields]:
    """The bytes of a head that was judged, in HTTP/2 its fields, with the secret in it. Raises ValueError for a head without
    one Authorization, which no decision allows."""
    value = b"Bearer " + secret
    if head.fields:
        (_,) = (name for name, _ in head.fields if name == b"authorization")
        # No table of a compression may keep it (RFC 7541 section 7.1).
        placed = NeverIndexedHeaderTuple(b"authorization", value)
        return b"", tuple([placed if field[0] == b"authorization" else field for field in head.fields])
    raw = head.raw
    (found,) = _AUTHORIZATION.finditer(raw, 0, len(raw) - 2)
    return raw[: found.start(1)] + value + raw[found.end(1) :], ()
