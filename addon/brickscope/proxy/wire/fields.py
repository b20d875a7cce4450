"""Header lists of HTTP/2: which ones are regular, and what is made of them (RFC 9113 sections 8.2 and 8.3).

Rules: a list is passed on as it came, field by field, in its order; what is not regular is refused and never mended. The
library's own checks of what comes in are off, as these here are stricter (a test holds that) and it would end the
whole connection without a word; its checks of what goes out are on.
"""

import contextlib
import re
from collections.abc import Iterable, Sequence

from hpack.struct import HeaderTuple, NeverIndexedHeaderTuple

from brickscope.core.decision import Refused
from brickscope.core.reason import Reason
from brickscope.core.request import WireRequest

from .framing import Broken, read_length
from .head import Door, Fields, Head, head_of

_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")
_VALUE = re.compile(rb"(?:[^\x00-\x20\x7f](?:[^\x00-\x08\x0a-\x1f\x7f]*[^\x00-\x20\x7f])?)?")
_STATUS = re.compile(rb"[1-5][0-9][0-9]")
_OF_ONE_HOP = frozenset(
    # RFC 9113 section 8.2.2
    {b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade"}
)
_REQUEST = frozenset({b":method", b":scheme", b":authority", b":path"})
_SECRET = frozenset({b"authorization", b"proxy-authorization", b"cookie", b"set-cookie"})
_BODILESS = (204, 304)


class IrregularFields(Exception):
    """A list that nobody should read; the text quotes nothing of it."""


def _check(fields: Iterable[tuple[bytes, bytes]]) -> None:
    """Raises IrregularFields."""
    for name, value in fields:
        if not _NAME.fullmatch(name):
            raise IrregularFields("the name of a header is not regular")
        if not _VALUE.fullmatch(value):
            raise IrregularFields("the value of a header is not regular")
        if name in _OF_ONE_HOP or (name == b"te" and value.lower() != b"trailers"):
            raise IrregularFields("a header is of HTTP/1.1 connections alone")


def read_request(
    door: Door, fields: Sequence[tuple[bytes, bytes]], *, ended: bool
) -> tuple[Head, Refused | None]:
    """The head of a request, and why it is refused whatever the policy says; it can't be sent then. ``ended``: it has no
    body."""
    count = sum(name[:1] == b":" for name, _ in fields)
    first, rest = dict(fields[:count]), fields[count:]
    wire = WireRequest(
        first.get(b":method", b""),
        first.get(b":path", b""),
        first.get(b":authority", b""),
        b"HTTP/2.0",
        rest,
        *door,
        ended,
    )
    try:
        if first.keys() != _REQUEST or len(first) != count:
            raise IrregularFields("its first fields are not method, scheme, authority and path, once each")
        if first[b":scheme"] != b"https":
            raise IrregularFields("the scheme is not https")
        if not all(value and _VALUE.fullmatch(value) for value in first.values()):
            raise IrregularFields("the value of one of its first fields is not regular")
        _check(rest)
        if any(name == b"host" and value != first[b":authority"] for name, value in rest):
            raise IrregularFields("it names its host in two ways")
        if ended and any(name == b"content-length" and value != b"0" for name, value in rest):
            raise IrregularFields("a body was announced and does not come")
    except IrregularFields as error:
        return head_of(wire, ()), Refused(Reason.MALFORMED_HEAD, f"the request's head is malformed: {error}")
    return head_of(wire, as_secrets(fields), expects=not ended and b"expect" in dict(rest)), None


def length_of(fields: Iterable[tuple[bytes, bytes]]) -> int | None:
    """How long a body is, if a list says so once and plainly; the core refuses a request that says it in another way."""
    lengths = [value for name, value in fields if name == b"content-length"]
    with contextlib.suppress(Broken):
        return read_length(*lengths) if len(lengths) == 1 else None
    return None


def as_secrets(fields: Iterable[tuple[bytes, bytes]]) -> Fields:
    """The same fields, with those that hold credentials marked: no table of a compression may keep them (RFC 7541 section
    7.1)."""
    return tuple(
        [
            field
            if field[0] not in _SECRET or isinstance(field, NeverIndexedHeaderTuple)
            else NeverIndexedHeaderTuple(field[0], field[1])
            for field in fields
        ]
    )


def read_answer(
    fields: Sequence[tuple[bytes, bytes]], *, to_head: bool, ended: bool
) -> tuple[int, Fields, int | None]:
    """The head of an answer: its status, the fields that are passed on, how long its body is; None where it does not say.
    Raises Broken."""
    if not fields or fields[0][0] != b":status" or not _STATUS.fullmatch(fields[0][1]):
        raise Broken("its first field is not the status")
    status, rest = int(fields[0][1]), fields[1:]
    if status == 101 or (status < 200 and ended):
        raise Broken("an interim answer is the last, or switches protocols")
    bodiless = to_head or status in _BODILESS
    lengths = [value for name, value in rest if name == b"content-length"]
    if len(lengths) > 1:
        raise Broken("the length of the answer is given twice")
    length = read_length(lengths[0]) if lengths else None
    if length and ended and not bodiless:
        raise Broken("a body was announced and does not come")
    return status, (fields[0], *pass_on(rest)), 0 if bodiless else length


def pass_on(fields: Sequence[tuple[bytes, bytes]]) -> Fields:
    """Headers or trailers of an answer as they came, but for what would lead the client to HTTP/3, round the proxy, or
    speaks in our name. Raises Broken."""
    try:
        _check(fields)
    except IrregularFields as error:
        raise Broken(str(error)) from None
    return as_secrets(
        [field for field in fields if field[0] != b"alt-svc" and not field[0].startswith(b"x-brickscope-")]
    )


def own(status: int, fields: Iterable[tuple[bytes, bytes]]) -> Fields:
    """The head of an answer of ours; what is of HTTP/1.1 connections is left out."""
    return (
        HeaderTuple(b":status", b"%d" % status),
        *[HeaderTuple(*field) for field in fields if field[0] not in _OF_ONE_HOP],
    )
