"""The head of an answer, and how its body ends.

Rules: a regular head of bounded size, HTTP/1.0 or 1.1, one length or one plain ``chunked``, never both, no coding in
HTTP/1.0. Answers to HEAD, 204, 304 and 1xx have no body whatever they say. A host, or somebody who speaks through one,
that could have its answer counted in two ways could put a second answer behind it (response splitting).

The only edits of an answer, both by taking out or adding whole lines: ``alt-svc`` would lead the client to HTTP/3,
round the proxy; the names under ``x-brickscope-`` are ours; ``connection: close`` comes in while the proxy stops (RFC
9112 section 9.6).
"""

import json
import re
from typing import NamedTuple

from brickscope.core.head import REGULAR_ANSWER, find_odd_bytes, split_fields

from .framing import NOTHING, Body, Broken, Chunked, Length, UntilClose, read_length
from .head import end_to_end

MAX_ANSWER_HEAD = 64 * 1024
MAX_INTERIMS = 16
"""Most heads before the final one."""

_TAKEN_OUT = re.compile(rb"\r\n(?i:alt-svc|x-brickscope-[^:]*):[^\r]*")


class AnswerHead(NamedTuple):
    """One head. ``raw``: as it is passed on, None where that is as it came. ``end``: where the body begins. ``body``:
    how it ends. ``closes``: nothing comes after this answer."""

    status: int
    raw: bytes | None
    end: int
    body: Body
    closes: bool


class AnswerScanner:
    """Finds the head that begins a piece of what a host sends."""

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        self._seen = 0
        """How many bytes of an unfinished head were looked at."""

    def read(self, data: bytes, start: int, *, to_head: bool, closing: bool) -> AnswerHead | None:
        """The head that begins at ``start``; None: more bytes are needed. Raises Broken.

        ``to_head``: the request was HEAD. ``closing``: the answer shall say that it is the last on its connection.
        """
        end = data.find(b"\r\n\r\n", start + max(self._seen - 3, 0))
        if end < 0 or end - start > MAX_ANSWER_HEAD:
            if len(data) - start > MAX_ANSWER_HEAD:
                raise Broken(f"the head of the answer has more than {MAX_ANSWER_HEAD} bytes")
            if odd := find_odd_bytes(data, start + self._seen, -1):
                raise Broken(f"the head of the answer has {odd}")
            self._seen = len(data) - start
            return None
        self._seen = 0
        if not REGULAR_ANSWER.fullmatch(data, start, end):
            raise Broken("the head of the answer is not regular")
        status = int(data[start + 9 : start + 12])
        lower = data[start : end + 2].lower()
        body, closes = _read_body(lower, status, to_head)
        raw = None
        if b"\r\nalt-svc:" in lower or b"\r\nx-brickscope-" in lower:
            raw = _TAKEN_OUT.sub(b"", data[start:end]) + b"\r\n\r\n"
        if closing and status >= 200:
            raw = end_to_end(data[start:end] if raw is None else raw[:-4]) + b"\r\nconnection: close\r\n\r\n"
        return AnswerHead(status, raw, end + 4, body, closes)


def _read_body(lower: bytes, status: int, to_head: bool) -> tuple[Body, bool]:
    """How the body ends, and whether the connection does, by a head in lower case with its last line end. Raises Broken."""
    old = lower[7:8] == b"0"
    length, coding = _value(lower, b"\r\ncontent-length:"), _value(lower, b"\r\ntransfer-encoding:")
    if length is not None and coding is not None:
        raise Broken("the length of the answer is given in two ways")
    if coding is not None and (old or coding != b"chunked"):
        raise Broken("the transfer coding of the answer is not chunked in HTTP/1.1")
    size = None if length is None else read_length(length)
    closes = old or (b"\r\nconnection:" in lower and _names_close(lower))
    if to_head or status < 200 or status in (204, 304):
        return NOTHING, closes
    if coding is not None:
        return Chunked(trailers=True), closes
    if size is None:
        return UntilClose(), True
    return Length(size), closes


def _value(lower: bytes, line: bytes) -> bytes | None:
    """The value of a header; ``line``: its name as it begins a line. None without it. Raises Broken if it is there twice."""
    start = lower.find(line)
    if start < 0:
        return None
    start += len(line)
    end = lower.find(b"\r\n", start)
    if lower.find(line, end) >= 0:
        raise Broken("the length of the answer is given twice")
    return lower[start:end].strip(b" \t")


def _names_close(lower: bytes) -> bool:
    """Whether a header Connection names ``close`` among others."""
    fields = split_fields(lower, 0, len(lower) - 2)
    return any(
        name == b"connection" and b"close" in [token.strip(b" \t") for token in value.split(b",")]
        for name, value in fields
    )


class Form(NamedTuple):
    """An answer of ours. ``phrase``: of HTTP/1.1 alone, as is the field ``connection``."""

    status: int
    phrase: bytes
    fields: list[tuple[bytes, bytes]]
    body: bytes


def written(form: Form) -> bytes:
    """As it goes over an HTTP/1.1 connection."""
    lines = b"".join([b"%b: %b\r\n" % field for field in form.fields])
    return b"HTTP/1.1 %d %b\r\n%b\r\n%b" % (form.status, form.phrase, lines, form.body)


_PHRASES = {400: b"Bad Request", 502: b"Bad Gateway", 504: b"Gateway Timeout"}


def failure(status: int, text: str, decision_id: str, *, head: bool) -> Form:
    """The answer to a call that broke before anything of the host's answer was passed on; an HTTP/1.1 connection ends
    with it.

    ``status``: 400, 502 or 504. ``text``: what broke, a sentence of ours. ``head``: the request was HEAD.
    """
    phrase = _PHRASES[status]
    said = f"Brickscope got no answer for this call: {text} (decision {decision_id})."
    body = json.dumps({"error_code": phrase.decode().upper().replace(" ", "_"), "message": said}).encode()
    fields = [
        (b"x-request-id", decision_id.encode()),
        (b"content-type", b"application/json"),
        (b"cache-control", b"no-store"),
        (b"content-length", b"0" if head else str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    return Form(status, phrase, fields, b"" if head else body)
