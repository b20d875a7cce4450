"""The one edit of a request: a placeholder gives way to the real credential, in the value of Authorization alone.

Whatever scheme the client has written it in (``Basic token:`` as JDBC and curl do), what is sent is ``Bearer``, which is
good for tokens of every kind.
"""

from __future__ import annotations

from hpack.struct import NeverIndexedHeaderTuple

from .head import Fields, Head

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
