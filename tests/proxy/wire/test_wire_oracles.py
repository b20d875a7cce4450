"""Two other parsers, asked about the same bytes: llhttp (by httptools) and h11.

Whatever this parser accepts, both have to read in the same way: method, target, headers, content, and where the message
ends. There is nothing that we accept and one of them refuses. (That they accept more than we do is no matter: neither
is strict in everything.) ``BRICKSCOPE_FUZZ=100000`` makes so many examples.
"""

from __future__ import annotations

from contextlib import nullcontext, suppress
from typing import Any, NamedTuple

import h11
import httptools
import pytest
from http1_line import DOOR, HOST
from hypothesis import given, settings
from hypothesis import strategies as st

from brickscope.core.decision import Refused
from brickscope.core.request import read_request
from brickscope.proxy.ruling import announced_by
from brickscope.proxy.wire.answer import AnswerScanner
from brickscope.proxy.wire.framing import Body, Broken, Chunked, UntilClose
from brickscope.proxy.wire.head import HeadScanner
from examples import examples

EXAMPLES = examples(600)
NEXT_REQUEST = f"GET /next HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 0\r\n\r\n".encode()
NEXT_ANSWER = b"HTTP/1.1 299 Next\r\nContent-Length: 0\r\n\r\n"


class Message(NamedTuple):
    """What a parser made of the first message: its line, its headers with lower-case names, its content, and how many bytes
    are left behind it (None: it has no end)."""

    line: tuple[Any, ...]
    fields: list[tuple[bytes, bytes]]
    content: bytes
    rest: int | None


class Rejected(Exception):
    """The parser refuses the message, or waits for more of it."""


def count_off(body: Body, data: bytes, at: int) -> tuple[bytes, int | None]:
    """The content of a body, and how much is left behind it."""
    if isinstance(body, Chunked):
        body.content = bytearray()
    end = body.feed(data, at)
    content = bytes(body.content or b"") if isinstance(body, Chunked) else data[at:end]
    if isinstance(body, UntilClose):
        return content, None
    if not body.ended:
        raise Rejected
    return content, len(data) - end


# -- requests --------------------------------------------------------------------------------------------------


def our_request(data: bytes) -> tuple[Message, bool]:
    """What we make of it, and whether it is regular; what is not, can go on in ``monitor``."""
    try:
        head = HeadScanner(DOOR).read(data, 0)
        if head is None:
            raise Rejected
        request = read_request(head.wire)
        announced = announced_by(request)
        content, rest = count_off(announced.body(), data, len(head.raw))
    except (Refused, Broken):
        raise Rejected from None
    wire = head.wire
    fields = [(name.lower(), value) for name, value in wire.headers]
    return Message(
        (wire.method, wire.target, wire.http_version[5:]), fields, content, rest
    ), request.flaw is None


class Heard:
    """Callbacks of httptools: what the first message is."""

    def __init__(self) -> None:
        self.target = b""
        self.fields: list[tuple[bytes, bytes]] = []
        self.content = b""
        self.complete = 0
        self.headers_complete = 0
        self.status: int | None = None
        self.line: tuple[Any, ...] = ()
        self.parser: Any = None

    def on_url(self, url: bytes) -> None:
        if not self.headers_complete:
            self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.headers_complete:
            self.fields.append((name.lower(), value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        if not self.headers_complete:
            if isinstance(self.parser, httptools.HttpRequestParser):
                self.line = (self.parser.get_method(), self.target, self.parser.get_http_version().encode())
            else:
                self.line = (self.parser.get_status_code(), self.parser.get_http_version().encode())
        self.headers_complete += 1

    def on_body(self, body: bytes) -> None:
        if not self.complete:
            self.content += body

    def on_message_complete(self) -> None:
        self.complete += 1


def llhttp(data: bytes, kind: Any) -> Message:
    """By llhttp, byte by byte, so that it is seen where it takes the message to end."""
    heard = Heard()
    heard.parser = kind(heard)
    rest = None
    try:
        for at in range(len(data)):
            heard.parser.feed_data(data[at : at + 1])
            if heard.complete:
                rest = len(data) - at - 1
                break
    except httptools.HttpParserError:
        raise Rejected from None
    if not heard.headers_complete:
        raise Rejected
    return Message(heard.line, heard.fields, heard.content, rest)


def by_h11(data: bytes, ours: Any, method: bytes = b"GET") -> Message:
    """By h11, as a server or as a client that has asked."""
    connection = h11.Connection(ours, max_incomplete_event_size=2**20)
    if ours is h11.CLIENT:
        connection.send(h11.Request(method=method, target=b"/", headers=[("Host", "h")]))
        connection.send(h11.EndOfMessage())
    content, head = b"", None
    try:
        connection.receive_data(data)
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                if head is None or not isinstance(head, h11.Response):
                    raise Rejected
                rest = None  # until the connection ends
                break
            if isinstance(event, h11.Request | h11.Response):
                head = event
            elif isinstance(event, h11.InformationalResponse):
                head = event
                rest = len(connection.trailing_data[0])
                break
            elif isinstance(event, h11.Data):
                content += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                rest = len(connection.trailing_data[0])
                break
            else:
                raise Rejected
    except h11.RemoteProtocolError:
        raise Rejected from None
    assert head is not None
    fields = [(bytes(name).lower(), bytes(value)) for name, value in head.headers.raw_items()]
    if isinstance(head, h11.Request):
        line: tuple[Any, ...] = (bytes(head.method), bytes(head.target), bytes(head.http_version))
    else:
        line = (head.status_code, bytes(head.http_version))
    return Message(line, fields, content, rest)


ODD = [
    b"\r",
    b"\n",
    b"\r\n",
    b" ",
    b"\t",
    b"\x00",
    b"\x0b",
    b";",
    b":",
    b",",
    b"0",
    b"\xe9",
    b"x",
    b"_",
    b"+",
    b"-",
]
FIELDS = [
    b"Content-Length: 5",
    b"Content-Length: 0",
    b"content-length:5",
    b"Content-Length: 05",
    b"Content-Length: +5",
    b"Content-Length: 5, 5",
    b"Content-Length: 5 ",
    b"Content-Length: 0x5",
    b"Content_Length: 5",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: Chunked",
    b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding: chunked, chunked",
    b"Transfer-Encoding: identity",
    b"Transfer-Encoding:\tchunked",
    b"Transfer-Encoding : chunked",
    b"Transfer_Encoding: chunked",
    b"Expect: 100-continue",
    b"Connection: close",
    b"Connection: keep-alive",
    b"TE: trailers",
    b"X: y",
    b"X:",
    b"X: a:b",
    b" X: folded",
    b"\tfolded",
]
CHUNKS = [
    b"5\r\nhello\r\n0\r\n\r\n",
    b"0\r\n\r\n",
    b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n",
    b"05\r\nhello\r\n00\r\n\r\n",
    b"5;x=y\r\nhello\r\n0\r\n\r\n",
    b"5 \r\nhello\r\n0\r\n\r\n",
    b"5\nhello\n0\n\n",
    b"5\r\nhello\r\n0\r\nX: y\r\n\r\n",
    b"A\r\n0123456789\r\n0\r\n\r\n",
    b"fffffffffffffffff\r\n",
    b"-5\r\nhello\r\n0\r\n\r\n",
    b"5\r\nhelloX0\r\n\r\n",
]
BODIES = [b"", b"hello", *CHUNKS]


@st.composite
def messages(draw: st.DrawFn, lines: list[bytes], always: list[bytes]) -> bytes:
    """A message of likely parts, with a few odd bytes put in, taken out or put in the place of others."""
    fields = [*always, *draw(st.lists(st.sampled_from(FIELDS), max_size=3))]
    raw = b"\r\n".join([draw(st.sampled_from(lines)), *draw(st.permutations(fields)), b"", b""])
    raw += draw(st.sampled_from(BODIES))
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(raw)))
        raw = raw[:at] + draw(st.sampled_from([b"", *ODD])) + raw[at + draw(st.integers(0, 2)) :]
    return raw


REQUEST_LINES = [
    b"GET /api HTTP/1.1",
    b"POST /api?x=1 HTTP/1.1",
    b"DELETE /api HTTP/1.1",
    b"GET /api HTTP/1.0",
    b"GET  /api HTTP/1.1",
    b"GET * HTTP/1.1",
    b"GET https://h/api HTTP/1.1",
]
HOST_LINE = b"Host: " + HOST.encode()


def agree(ours: Message, theirs: Message, name: str) -> None:
    assert theirs.line == ours.line, name
    assert theirs.fields == ours.fields, name
    assert theirs.content == ours.content, name
    assert theirs.rest == ours.rest, name


def hold_against_both(raw: bytes) -> bool:
    """Whether we accept a request as regular. If so both others have to read it in the same way.

    Likewise what they accept of what is not regular, since ``monitor`` lets it go on.
    """
    try:
        ours, is_regular = our_request(raw + NEXT_REQUEST)
    except Rejected:
        return False
    with nullcontext() if is_regular else suppress(Rejected):
        agree(ours, llhttp(raw + NEXT_REQUEST, httptools.HttpRequestParser), "llhttp")
    with nullcontext() if is_regular else suppress(Rejected):
        agree(ours, by_h11(raw + NEXT_REQUEST, h11.SERVER), "h11")
    return is_regular


@settings(max_examples=EXAMPLES, deadline=None)
@given(messages(REQUEST_LINES, [HOST_LINE]))
def test_a_request_that_we_accept_has_one_reading(raw: bytes) -> None:
    hold_against_both(raw)


def of(*lines: bytes, body: bytes = b"", first: bytes = b"POST /api HTTP/1.1") -> bytes:
    return b"\r\n".join([first, HOST_LINE, *lines, b"", b""]) + body


SAME = {
    "nothing more": of(first=b"GET /api HTTP/1.1"),
    "a length": of(b"Content-Length: 5", body=b"hello"),
    "a length of nothing": of(b"Content-Length: 0"),
    "chunks": of(b"Transfer-Encoding: chunked", body=CHUNKS[0]),
    "no chunks": of(b"Transfer-Encoding: chunked", body=CHUNKS[1]),
    "leading zeros": of(b"Transfer-Encoding: chunked", body=CHUNKS[3]),
    "a body that holds a request": of(b"Content-Length: %d" % len(NEXT_REQUEST), body=NEXT_REQUEST),
    "blanks round a value": of(b"X:  y \t", b"Content-Length:   5\t", body=b"hello"),
    "an empty value": of(b"X:", first=b"GET /api HTTP/1.1"),
}


@pytest.mark.parametrize("raw", SAME.values(), ids=SAME)
def test_plain_requests_are_accepted_by_all_three(raw: bytes) -> None:
    assert hold_against_both(raw)


# From public lists of request smuggling: PortSwigger's "HTTP Desync Attacks" and its scanner's permutations, the tables of
# "HTTP Request Smuggling" by Linhart et al., the CVEs of llhttp, h11, Tornado, waitress and aiohttp.
SMUGGLED = {
    "CL.TE": of(b"Content-Length: 6", b"Transfer-Encoding: chunked", body=b"0\r\n\r\nG"),
    "TE.CL": of(
        b"Transfer-Encoding: chunked", b"Content-Length: 4", body=b"5c\r\nGPOST / HTTP/1.1\r\n\r\n0\r\n\r\n"
    ),
    "two lengths": of(b"Content-Length: 0", b"Content-Length: 5", body=b"hello"),
    "two equal lengths": of(b"Content-Length: 5", b"Content-Length: 5", body=b"hello"),
    "a list of lengths": of(b"Content-Length: 5, 5", body=b"hello"),
    "a length with a sign": of(b"Content-Length: +5", body=b"hello"),
    "a length with an underscore": of(b"Content-Length: 1_0", body=b"0123456789"),
    "a length in octal": of(b"Content-Length: 010", body=b"0123456789"),
    "a length in hexadecimal": of(b"Content-Length: 0x5", body=b"hello"),
    "a length in other digits": of("Content-Length: \u0665".encode(), body=b"hello"),
    "a length with a blank in it": of(b"Content-Length: 1 0", body=b"0123456789"),
    "an empty length": of(b"Content-Length:", body=b""),
    "a negative length": of(b"Content-Length: -1", body=b""),
    "a length too large": of(b"Content-Length: 18446744073709551621", body=b"hello"),
    "a blank before the colon": of(b"Transfer-Encoding : chunked", b"Content-Length: 5", body=b"hello"),
    "a coding behind a tab": of(b"Transfer-Encoding:\tchunked", b"Content-Length: 5", body=b"hello"),
    "a coding with a vertical tab": of(b"Transfer-Encoding: \x0bchunked", body=CHUNKS[0]),
    "a coding with a form feed": of(b"Transfer-Encoding: chunked\x0c", body=CHUNKS[0]),
    "a coding with a NUL": of(b"Transfer-Encoding: chunked\x00", body=CHUNKS[0]),
    "a coding in quotes": of(b'Transfer-Encoding: "chunked"', body=CHUNKS[0]),
    "a coding of another name": of(b"Transfer-Encoding: xchunked", body=CHUNKS[0]),
    "a coding with a comma": of(b"Transfer-Encoding: chunked,", body=CHUNKS[0]),
    "a coding after identity": of(b"Transfer-Encoding: identity, chunked", body=CHUNKS[0]),
    "two codings": of(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity", body=CHUNKS[0]),
    "a folded coding": of(b"Transfer-Encoding:\r\n chunked", body=CHUNKS[0]),
    "a folded coding behind another": of(
        b"X: y\r\n Transfer-Encoding: chunked", b"Content-Length: 5", body=b"hello"
    ),
    "a coding behind a bare line feed": of(b"X: y\nTransfer-Encoding: chunked", body=CHUNKS[0]),
    "a coding behind a bare carriage return": of(b"X: y\rTransfer-Encoding: chunked", body=CHUNKS[0]),
    "a coding with an underscore": of(b"Transfer_Encoding: chunked", body=CHUNKS[0]),
    "a coding with an 8-bit blank": of(b"Transfer-Encoding:\xa0chunked", body=CHUNKS[0]),
    "a coding in the request line": b"POST /api HTTP/1.1\nTransfer-Encoding: chunked\r\n"
    + HOST_LINE
    + b"\r\n\r\n",
    "a coding in HTTP/1.0": of(b"Transfer-Encoding: chunked", body=CHUNKS[0], first=b"POST /api HTTP/1.0"),
    "a chunk extension": of(b"Transfer-Encoding: chunked", body=CHUNKS[4]),
    "a chunk extension with a line feed": of(
        b"Transfer-Encoding: chunked", body=b"2;\nxx\r\n4c\r\n0\r\n\r\n"
    ),
    "a chunk size with a blank": of(b"Transfer-Encoding: chunked", body=CHUNKS[5]),
    "chunks with line feeds": of(b"Transfer-Encoding: chunked", body=CHUNKS[6]),
    "trailers": of(b"Transfer-Encoding: chunked", body=CHUNKS[7]),
    "a chunk size that overflows": of(b"Transfer-Encoding: chunked", body=CHUNKS[9]),
    "a negative chunk size": of(b"Transfer-Encoding: chunked", body=CHUNKS[10]),
    "a chunk size with 0x": of(b"Transfer-Encoding: chunked", body=b"0x5\r\nhello\r\n0\r\n\r\n"),
    "a chunk that ends in other bytes": of(b"Transfer-Encoding: chunked", body=CHUNKS[11]),
    "a chunk size of nothing": of(b"Transfer-Encoding: chunked", body=b"\r\nhello\r\n0\r\n\r\n"),
    "a leading line end": b"\r\n" + of(b"Content-Length: 5", body=b"hello"),
    "a leading blank": b" " + of(b"Content-Length: 5", body=b"hello"),
    "two blanks": of(first=b"POST  /api HTTP/1.1"),
    "a tab": of(first=b"POST\t/api HTTP/1.1"),
    "a blank after the version": of(first=b"POST /api HTTP/1.1 "),
    "HTTP/0.9": b"GET /api\r\n\r\n",
    "HTTP/1.10": of(first=b"POST /api HTTP/1.10"),
    "http/1.1": of(first=b"POST /api http/1.1"),
    "a method with a colon": of(first=b"GET: /api HTTP/1.1"),
    "a header without a colon": of(b"X", b"Content-Length: 5", body=b"hello"),
    "a header without a name": of(b": y", b"Content-Length: 5", body=b"hello"),
    "a line of a blank": of(b" ", b"Content-Length: 5", body=b"hello"),
    "another host": of(b"Host: other", b"Content-Length: 5", body=b"hello"),
    "upgrade": of(b"Connection: upgrade", b"Upgrade: h2c"),
    "a Connection that names the length": of(
        b"Connection: content-length", b"Content-Length: 5", body=b"hello"
    ),
    "an Expect of something else": of(b"Expect: 100-continue, x", b"Content-Length: 5", body=b"hello"),
}


@pytest.mark.parametrize("raw", SMUGGLED.values(), ids=SMUGGLED)
def test_known_ways_to_smuggle_are_refused(raw: bytes) -> None:
    with pytest.raises(Rejected):
        our_request(raw + NEXT_REQUEST)


# -- answers ---------------------------------------------------------------------------------------------------


def our_answer(data: bytes, *, to_head: bool = False) -> Message:
    try:
        head = AnswerScanner().read(data, 0, to_head=to_head, closing=False)
        if head is None:
            raise Rejected
        content, rest = count_off(head.body, data, head.end)
    except Broken:
        raise Rejected from None
    return Message((head.status, data[5:8]), [], content, rest)


ANSWER_LINES = [
    b"HTTP/1.1 200 OK",
    b"HTTP/1.1 200 ",
    b"HTTP/1.0 200 OK",
    b"HTTP/1.1 204 No Content",
    b"HTTP/1.1 304 Not Modified",
    b"HTTP/1.1 500 X",
    b"HTTP/1.1  200 OK",
    b"HTTP/2.0 200 OK",
]


def hold_answer_against_both(raw: bytes) -> bool:
    """Whether we accept an answer. If so both others have to read it in the same way."""
    try:
        ours = our_answer(raw + NEXT_ANSWER)
    except Rejected:
        return False
    if ours.line[0] < 200:
        return True
    for theirs, name in (
        (llhttp(raw + NEXT_ANSWER, httptools.HttpResponseParser), "llhttp"),
        (by_h11(raw + NEXT_ANSWER, h11.CLIENT), "h11"),
    ):
        assert theirs.line == ours.line, name
        assert theirs.content == ours.content, name
        assert theirs.rest == ours.rest, name
    return True


@settings(max_examples=EXAMPLES, deadline=None)
@given(messages(ANSWER_LINES, []))
def test_an_answer_that_we_accept_has_one_reading(raw: bytes) -> None:
    hold_answer_against_both(raw)


PLAIN_ANSWERS = {
    "a length": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS[0],
    "trailers": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS[7],
    "until close": b"HTTP/1.1 200 OK\r\nX: y\r\n\r\nhello",
    "204 with a length": b"HTTP/1.1 204 No Content\r\nX: y\r\n\r\n",
}


@pytest.mark.parametrize("raw", PLAIN_ANSWERS.values(), ids=PLAIN_ANSWERS)
def test_plain_answers_are_accepted_by_all_three(raw: bytes) -> None:
    assert hold_answer_against_both(raw)
