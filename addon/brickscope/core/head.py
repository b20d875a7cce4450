"""The raw head of an HTTP/1.1 message, before any parser has smoothed it over.

Bare line feeds, folded lines and odd white space are read by some parsers as the end of a line and by others not, so two of
them on the way could read such a head in two ways (request smuggling). To write it on in regular form would be a repair; it
is refused instead. RFC 9112 sections 2.2, 3, 4 and 5 are the grammar.
"""

import re

from .decision import Refused
from .fields import MAX_HEADER_BYTES
from .path import MAX_TARGET
from .reason import Reason

MAX_HEAD = MAX_HEADER_BYTES + MAX_TARGET
"""Longest head of a request in bytes."""

_BARE_LINE_END = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)")
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_REQUEST_LINE = re.compile(rb"[^\x00-\x20\x7f]+ [^\x00-\x20\x7f]+ HTTP/[0-9]\.[0-9]")
_HEADER_LINE = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:")

_HEADER_LINES = rb"(?:\r\n[!#$%&'*+\-.^_`|~0-9A-Za-z]++:[^\x00-\x08\x0a-\x1f\x7f]*+)*+"
REGULAR_REQUEST = re.compile(
    rb"[^\x00-\x20\x7f]++ [^\x00-\x20\x7f]++ HTTP/[0-9]\.[0-9]" + _HEADER_LINES,
)
"""A whole head of a request, without the blank line that ends it."""
REGULAR_ANSWER = re.compile(
    rb"HTTP/1\.[01] [1-5][0-9][0-9](?: [^\x00-\x08\x0a-\x1f\x7f]*+)?+" + _HEADER_LINES,
)
"""A whole head of a response, without the blank line that ends it."""
REGULAR_FIELDS = re.compile(_HEADER_LINES)
"""Header lines, each after a line end."""

_FIELD = re.compile(rb"\r\n([^:]++):[ \t]*+([^\r \t]*+(?:[ \t]++[^\r \t]++)*+)")


def check_head(received: bytes, seen: int = 0) -> bool:
    """Look at all bytes received so far; whether they hold a complete and regular head of a request.

    ``seen``: how many of them were looked at before, so that a head that comes byte by byte is not gone through each time.
    False: more bytes are needed. Raises Refused: MALFORMED_HEAD or TOO_LARGE.
    """
    end = received.find(b"\r\n\r\n", max(seen - 3, 0))
    if 0 <= end <= MAX_HEAD and REGULAR_REQUEST.fullmatch(received, 0, end):
        return True
    if (len(received) if end < 0 else end) > MAX_HEAD:
        raise Refused(Reason.TOO_LARGE, f"the request's head has more than {MAX_HEAD} bytes")
    odd = find_odd_bytes(received, seen, end)
    if odd:
        raise Refused(Reason.MALFORMED_HEAD, f"the request's head has {odd}")
    if received.startswith(b"\r\n"):
        raise Refused(Reason.MALFORMED_HEAD, "the request starts with an empty line")
    if end < 0:
        return False
    first, *lines = received[:end].split(b"\r\n")
    if not _REQUEST_LINE.fullmatch(first):
        raise Refused(
            Reason.MALFORMED_HEAD,
            "the request line is not a method, a target and a version separated by one space",
        )
    for line in lines:
        if line[:1] in (b" ", b"\t"):
            raise Refused(Reason.MALFORMED_HEAD, "a header is folded across two lines")
        if not _HEADER_LINE.match(line):
            raise Refused(Reason.MALFORMED_HEAD, "a header line is not a name, a colon and a value")
    # Whatever it is, it is not regular: "\r" right before the blank line, for one.
    raise Refused(Reason.MALFORMED_HEAD, "a line of the request's head is not regular")


def find_odd_bytes(received: bytes, seen: int, end: int) -> str:
    """What no head can go on from, whatever follows: a line end that is none, or a control character; empty without any.

    It is looked for in what came since ``seen``, up to ``end`` (-1: to the last byte), so that such a head is refused
    at once and nobody waits for the rest of it.
    """
    start, stop = max(seen - 1, 0), len(received) if end < 0 else end
    if _BARE_LINE_END.search(received, start, stop):
        return "a line that does not end in CR LF"
    if _CONTROL.search(received, start, stop):
        return "a control character"
    return ""


def split_fields(head: bytes, start: int, end: int) -> list[tuple[bytes, bytes]]:
    """Names and values of a regular head's header lines, in order, without the blanks round the values.

    ``start``: of the head in ``head``; ``end``: of its last line, the line end excluded.
    """
    return _FIELD.findall(head, start, end)
