"""Heads of answers: how their bodies end, what is taken out, and what is no head at all."""

from __future__ import annotations

import pytest

from brickscope.proxy.wire.answer import MAX_ANSWER_HEAD, AnswerHead, AnswerScanner
from brickscope.proxy.wire.framing import NOTHING, Broken


def read(raw: bytes, *, to_head: bool = False, closing: bool = False) -> AnswerHead | None:
    return AnswerScanner().read(raw, 0, to_head=to_head, closing=closing)


def head(*lines: str, status: str = "HTTP/1.1 200 OK") -> bytes:
    return "\r\n".join([status, *lines, "", ""]).encode("latin-1")


BODIES = {
    "a length": (head("Content-Length: 5"), "Length", False),
    "a length of nothing": (head("content-length:0"), "Length", False),
    "chunks": (head("Transfer-Encoding: chunked"), "Chunked", False),
    "chunks in capitals": (head("Transfer-Encoding: CHUNKED"), "Chunked", False),
    "neither": (head(), "UntilClose", True),
    "close": (head("Content-Length: 5", "Connection: close"), "Length", True),
    "close among others": (head("Content-Length: 5", "Connection: x , close"), "Length", True),
    "two lines of Connection": (
        head("Connection: x", "Connection: close", "Content-Length: 5"),
        "Length",
        True,
    ),
    "keep-alive": (head("Content-Length: 5", "Connection: keep-alive"), "Length", False),
    "HTTP/1.0": (
        head("Content-Length: 5", "Connection: keep-alive", status="HTTP/1.0 200 OK"),
        "Length",
        True,
    ),
    "204 with a length": (head("Content-Length: 5", status="HTTP/1.1 204 No Content"), "NoBody", False),
    "304 with a length": (head("Content-Length: 5", status="HTTP/1.1 304 Not Modified"), "NoBody", False),
    "100 with a length": (head("Content-Length: 5", status="HTTP/1.1 100 Continue"), "NoBody", False),
    "204 without": (head(status="HTTP/1.1 204 No Content"), "NoBody", False),
    "no reason": (head("Content-Length: 5", status="HTTP/1.1 200"), "Length", False),
    "8-bit bytes": (head("Content-Length: 5", "X: \xe9", status="HTTP/1.1 200 \xe9"), "Length", False),
}


@pytest.mark.parametrize(("raw", "body", "closes"), BODIES.values(), ids=BODIES)
def test_how_an_answer_ends(raw: bytes, body: str, closes: bool) -> None:
    found = read(raw)
    assert found is not None
    kind = "NoBody" if found.body is NOTHING else type(found.body).__name__
    assert (kind, found.closes, found.end) == (body, closes, len(raw))
    assert found.raw is None, "as it came"


def test_an_answer_to_head_has_no_body() -> None:
    for lines in (["Content-Length: 5"], ["Transfer-Encoding: chunked"], []):
        found = read(head(*lines), to_head=True)
        assert found is not None
        assert found.body.ended


BROKEN = {
    "both": head("Content-Length: 5", "Transfer-Encoding: chunked"),
    "both, the other way": head("Transfer-Encoding: chunked", "Content-Length: 5"),
    "two lengths": head("Content-Length: 5", "Content-Length: 5"),
    "a list of lengths": head("Content-Length: 5, 5"),
    "a negative length": head("Content-Length: -5"),
    "a signed length": head("Content-Length: +5"),
    "a length with a leading zero": head("Content-Length: 05"),
    "a length in hexadecimal": head("Content-Length: 0x5"),
    "an empty length": head("Content-Length:"),
    "too long a length": head("Content-Length: " + "9" * 19),
    "two codings": head("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
    "another coding": head("Transfer-Encoding: gzip, chunked"),
    "identity": head("Transfer-Encoding: identity"),
    "a coding in HTTP/1.0": head("Transfer-Encoding: chunked", status="HTTP/1.0 200 OK"),
    "a bare line feed": b"HTTP/1.1 200 OK\nContent-Length: 5\r\n\r\n",
    "a bare line feed without an end": b"HTTP/1.1 200 OK\nContent-Length: 5\n\n",
    "a fold": head("X: y", " z", "Content-Length: 5"),
    "a blank before the colon": head("Content-Length : 5"),
    "no colon": head("Content-Length"),
    "a control character": head("X: \x00"),
    "a control character without an end": b"HTTP/1.1 200 OK\r\nX: \x01",
    "HTTP/2": head(status="HTTP/2.0 200 OK"),
    "HTTP/1.2": head(status="HTTP/1.2 200 OK"),
    "HTTP/0.9": b"hello\r\n\r\n",
    "status 99": head(status="HTTP/1.1 099 X"),
    "status 600": head(status="HTTP/1.1 600 X"),
    "status of four digits": head(status="HTTP/1.1 2000 X"),
    "two blanks": head(status="HTTP/1.1  200 OK"),
    "an empty line first": b"\r\n" + head("Content-Length: 5"),
    "a name of 8-bit bytes": head("X\xe9: y"),
    "too long": head("X: " + "a" * MAX_ANSWER_HEAD),
    "too long without an end": b"HTTP/1.1 200 OK\r\nX: " + b"a" * MAX_ANSWER_HEAD,
}


@pytest.mark.parametrize("raw", BROKEN.values(), ids=BROKEN)
def test_what_can_be_read_in_two_ways_breaks(raw: bytes) -> None:
    with pytest.raises(Broken):
        read(raw)


@pytest.mark.parametrize("name", [name for name in BROKEN if not name.startswith("too long")])
def test_and_however_it_comes(name: str) -> None:
    raw, scanner = BROKEN[name], AnswerScanner()

    def feed() -> None:
        for end in range(1, len(raw) + 1):
            assert scanner.read(raw[:end], 0, to_head=False, closing=False) is None

    with pytest.raises(Broken):
        feed()


EDITS = {
    "Alt-Svc": (head("A: b", 'Alt-Svc: h3=":443"', "Content-Length: 0"), head("A: b", "Content-Length: 0")),
    "Alt-Svc twice": (
        head("alt-svc: a", "A: b", "ALT-SVC: c", "Content-Length: 0"),
        head("A: b", "Content-Length: 0"),
    ),
    "a name of ours": (
        head("X-Brickscope-Reason: x", "A: b", "Content-Length: 0"),
        head("A: b", "Content-Length: 0"),
    ),
    "a name that only begins so": (
        head("Alt-Svc-X: y", "Content-Length: 0"),
        head("Alt-Svc-X: y", "Content-Length: 0"),
    ),
}


@pytest.mark.parametrize(("raw", "expected"), EDITS.values(), ids=EDITS)
def test_what_is_taken_out(raw: bytes, expected: bytes) -> None:
    found = read(raw)
    assert found is not None
    assert (raw if found.raw is None else found.raw) == expected


CLOSING = {
    "a line is added": (head("Content-Length: 0"), head("Content-Length: 0", "connection: close")),
    "another one gives way": (
        head("Connection: keep-alive", "Content-Length: 0"),
        head("Content-Length: 0", "connection: close"),
    ),
    "one that says so is one": (
        head("Connection: close", "Content-Length: 0"),
        head("Content-Length: 0", "connection: close"),
    ),
    "what it names is for this hop alone": (
        head("Connection: X-A, close", "X-A: 1", "Keep-Alive: timeout=5", "X-B: 2", "Content-Length: 0"),
        head("X-B: 2", "Content-Length: 0", "connection: close"),
    ),
    "with what is taken out": (
        head("alt-svc: a", "Content-Length: 0"),
        head("Content-Length: 0", "connection: close"),
    ),
    "not in an interim one": (head(status="HTTP/1.1 100 Continue"), None),
}


@pytest.mark.parametrize(("raw", "expected"), CLOSING.values(), ids=CLOSING)
def test_the_last_answer_says_so(raw: bytes, expected: bytes | None) -> None:
    found = read(raw, closing=True)
    assert found is not None
    assert found.raw == expected
