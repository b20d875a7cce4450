"""The raw head of an HTTP/1.1 request, before any parser has smoothed it over.

mitmproxy accepts bare line feeds, folded lines and odd white space and writes them on in regular form. That would be a
repair; two parsers on the way could read such a head in two ways (request smuggling), so it is refused instead.
RFC 9112 sections 2.2, 3 and 5 are the grammar.
"""

from __future__ import annotations

import re

from .decision import Refused
from .header import MAX_HEADER_BYTES
from .path import MAX_TARGET
from .reason import Reason

MAX_HEAD = MAX_HEADER_BYTES + MAX_TARGET
"""Longest head in bytes; mitmproxy itself would buffer one of any length."""

_BARE_LINE_END = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)")
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_REQUEST_LINE = re.compile(rb"[^\x00-\x20\x7f]+ [^\x00-\x20\x7f]+ HTTP/[0-9]\.[0-9]")
_HEADER_LINE = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:")

_REGULAR = re.compile(
    rb"[^\x00-\x20\x7f]++ [^\x00-\x20\x7f]++ HTTP/[0-9]\.[0-9]"
    rb"(?:\r\n[!#$%&'*+\-.^_`|~0-9A-Za-z]++:[^\x00-\x08\x0a-\x1f\x7f]*+)*+"
)


def check_head(received: bytes) -> bool:
    """Look at all bytes received so far; whether they hold a complete and regular head.

    False: more bytes are needed. Raises Refused: MALFORMED_HEAD or TOO_LARGE.
    """
    end = received.find(b"\r\n\r\n")
    head = received if end < 0 else received[:end]
    if 0 <= end <= MAX_HEAD and _REGULAR.fullmatch(head):
        return True
    if len(head) > MAX_HEAD:
        raise Refused(Reason.TOO_LARGE, f"the request's head has more than {MAX_HEAD} bytes")
    if _BARE_LINE_END.search(head):
        raise Refused(Reason.MALFORMED_HEAD, "a line of the request's head does not end in CR LF")
    if _CONTROL.search(head):
        raise Refused(Reason.MALFORMED_HEAD, "the request's head has a control character")
    if head.startswith(b"\r\n"):
        raise Refused(Reason.MALFORMED_HEAD, "the request starts with an empty line")
    if end < 0:
        return False
    first, *lines = head.split(b"\r\n")
    if not _REQUEST_LINE.fullmatch(first):
        raise Refused(
            Reason.MALFORMED_HEAD,
            "the request line is not a method, a target and a version with one space between",
        )
    for line in lines:
        if line[:1] in (b" ", b"\t"):
            raise Refused(Reason.MALFORMED_HEAD, "a header is folded over two lines")
        if not _HEADER_LINE.match(line):
            raise Refused(Reason.MALFORMED_HEAD, "a header line is not a name, a colon and a value")
    # What is regular has returned above: this list only finds words for what is not (a CR before the last line's CR LF).
    raise Refused(Reason.MALFORMED_HEAD, "the request's head is not regular HTTP/1.1")
