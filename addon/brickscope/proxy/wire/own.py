"""Answers of our own, before they are written out for one HTTP version."""

from __future__ import annotations

import json
from typing import NamedTuple


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
