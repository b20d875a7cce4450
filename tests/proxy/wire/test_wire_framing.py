"""Bodies: what belongs to them, in whatever pieces they come, and what breaks them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickscope.proxy.wire.framing import (
    MAX_TRAILERS,
    NOTHING,
    SMALL_CHUNK,
    SMALL_CHUNKS,
    Body,
    Broken,
    Chunked,
    Length,
    TrailersSent,
    UntilClose,
)
from brickscope.proxy.wire.head import Announced, read_announced

HEX = "0123456789abcdefABCDEF"


def feed(body: Body, data: bytes, step: int = 0) -> int:
    """How many bytes belong to the body, fed in pieces of ``step`` bytes (0: at once)."""
    step = step or max(len(data), 1)
    at = 0
    for start in range(0, len(data), step):
        if body.ended:
            break
        piece = data[start : start + step]
        took = body.feed(b"##" + piece, 2) - 2
        at += took
        if took < len(piece):
            break
    return at


def test_no_body_takes_nothing() -> None:
    assert NOTHING.feed(b"abc", 1) == 1
    assert (NOTHING.ended, NOTHING.size) == (True, 0)


@pytest.mark.parametrize("step", [0, 1, 2, 3])
def test_a_length_takes_so_many_bytes(step: int) -> None:
    body = Length(5)
    assert (feed(body, b"abcdeGET", step), body.ended, body.size) == (5, True, 5)


def test_until_close_takes_everything_and_does_not_end_by_itself() -> None:
    body = UntilClose()
    assert (feed(body, b"abc" * 9, 4), body.ended, body.size) == (27, False, 27)


CHUNKS = {
    "nothing": (b"0\r\n\r\n", b""),
    "one chunk": (b"3\r\nabc\r\n0\r\n\r\n", b"abc"),
    "capital digits": (b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
    "leading zeros": (b"003\r\nabc\r\n000\r\n\r\n", b"abc"),
    "as many digits as may be": (b"000000000000003\r\nabc\r\n0\r\n\r\n", b"abc"),
    "line ends in the data": (b"4\r\n\r\n\r\n\r\n0\r\n\r\n", b"\r\n\r\n"),
    "many": (b"1\r\na\r\n" * 50 + b"0\r\n\r\n", b"a" * 50),
}


@pytest.mark.parametrize("step", [0, 1, 2, 3, 5])
@pytest.mark.parametrize("name", CHUNKS)
def test_chunks(name: str, step: int) -> None:
    raw, content = CHUNKS[name]
    body = Chunked()
    body.content = bytearray()
    assert feed(body, raw + b"GET / HTTP/1.1", step) == len(raw)
    assert (body.ended, body.size, bytes(body.content)) == (True, len(content), content)


MALFORMED_CHUNKS = {
    "no digit": b"\r\n",
    "another letter": b"zz\r\n",
    "a sign": b"+3\r\nabc\r\n",
    "0x": b"0x3\r\nabc\r\n",
    "an underscore": b"1_0\r\n",
    "a blank before": b" 3\r\nabc\r\n",
    "a blank after": b"3 \r\nabc\r\n",
    "a tab after": b"3\t\r\nabc\r\n",
    "an extension": b"3;x=y\r\nabc\r\n",
    "a bare line feed": b"3\nabc\r\n",
    "a bare carriage return": b"3\rabc\r\n",
    "two carriage returns": b"3\r\r\nabc\r\n",
    "sixteen digits": b"0000000000000003\r\nabc\r\n",
    "a chunk that is longer than it says": b"3\r\nabcd\r\n",
    "a chunk that ends in a line feed": b"3\r\nabc\n0\r\n\r\n",
    "a chunk without its end": b"3\r\nabc0\r\n\r\n",
    "a bare line feed at the end": b"0\r\n\n",
    "a carriage return and something else at the end": b"0\r\n\rX",
}


@pytest.mark.parametrize("step", [0, 1, 2, 3])
@pytest.mark.parametrize("trailers", [False, True])
@pytest.mark.parametrize("name", MALFORMED_CHUNKS)
def test_malformed_chunks_break(name: str, step: int, trailers: bool) -> None:
    with pytest.raises(Broken):
        feed(Chunked(trailers=trailers), MALFORMED_CHUNKS[name], step)


def test_small_chunks_of_a_request_are_counted() -> None:
    """A quarter of a megabyte of chunks of a byte would hold others up for longer than anything else that is read."""
    small = b"1\r\na\r\n"
    body = Chunked()
    body.feed(small * SMALL_CHUNKS, 0)
    with pytest.raises(Broken, match="too many and too small"):
        body.feed(small * (SMALL_CHUNKS // SMALL_CHUNK + 300), 0)
    fair = Chunked()
    fair.feed((b"10\r\n" + b"a" * 16 + b"\r\n") * (4 * SMALL_CHUNKS) + b"0\r\n\r\n", 0)
    assert fair.ended
    answer = Chunked(trailers=True)
    answer.feed(small * (4 * SMALL_CHUNKS) + b"0\r\n\r\n", 0)
    assert (answer.ended, answer.size) == (True, 4 * SMALL_CHUNKS)


@pytest.mark.parametrize("step", [0, 1, 2])
def test_trailers_of_a_request_break_and_are_told_apart(step: int) -> None:
    with pytest.raises(TrailersSent):
        feed(Chunked(), b"0\r\nX: y\r\n\r\n", step)


TRAILERS = {
    "one": b"X: y\r\n",
    "two": b"grpc-status: 0\r\nServer-Timing: x\r\n",
    "an empty value": b"X:\r\n",
}


@pytest.mark.parametrize("step", [0, 1, 2, 3, 7])
@pytest.mark.parametrize("name", TRAILERS)
def test_regular_trailers_of_an_answer_belong_to_it(name: str, step: int) -> None:
    raw = b"1\r\na\r\n0\r\n" + TRAILERS[name] + b"\r\n"
    body = Chunked(trailers=True)
    assert feed(body, raw + b"HTTP/1.1", step) == len(raw)
    assert (body.ended, body.size) == (True, 1)


UNFIT = {
    "a length": b"Content-Length: 5\r\n",
    "a coding": b"transfer-encoding: chunked\r\n",
    "a way round the proxy": b"Alt-Svc: h3=x\r\n",
    "a name of ours": b"X-Brickscope-Reason: x\r\n",
    "a fold": b"X: y\r\n z\r\n",
    "no name": b": y\r\n",
    "no colon": b"X\r\n",
    "a bare line feed": b"X: y\n",
    "a control character": b"X: \x00\r\n",
    "too many": b"X: y\r\n" * MAX_TRAILERS,
}


@pytest.mark.parametrize("step", [0, 1, 3])
@pytest.mark.parametrize("name", UNFIT)
def test_other_trailers_break(name: str, step: int) -> None:
    with pytest.raises(Broken):
        feed(Chunked(trailers=True), b"0\r\n" + UNFIT[name] + b"\r\n", step)


@given(
    st.lists(st.binary(min_size=1, max_size=40), max_size=6),
    st.integers(1, 20),
    st.integers(0, 3),
)
def test_any_chunks_in_any_pieces(chunks: list[bytes], step: int, zeros: int) -> None:
    raw = b"".join(b"0" * zeros + b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    body = Chunked()
    body.content = bytearray()
    assert feed(body, raw + b"next", step) == len(raw)
    assert body.ended
    assert bytes(body.content) == b"".join(chunks)


@given(st.binary(max_size=60), st.integers(1, 7), st.booleans())
def test_pieces_change_nothing(raw: bytes, step: int, trailers: bool) -> None:
    def outcome(step: int) -> object:
        body = Chunked(trailers=trailers)
        try:
            return feed(body, raw, step), body.ended, body.size
        except Broken:
            return "broken"

    whole, split = outcome(0), outcome(step)
    assert whole == split


ANNOUNCED = {
    "nothing": ([], Announced()),
    "a length": ([(b"Content-Length", b"12")], Announced(12)),
    "a length of nothing": ([(b"content-length", b"0")], Announced(0)),
    "chunks": ([(b"Transfer-Encoding", b"chunked")], Announced(None, True)),
    "both": ([(b"Content-Length", b"1"), (b"Transfer-Encoding", b"chunked")], None),
    "two lengths": ([(b"Content-Length", b"1"), (b"Content-Length", b"1")], None),
    "two codings": ([(b"Transfer-Encoding", b"chunked")] * 2, None),
    "another coding": ([(b"Transfer-Encoding", b"gzip, chunked")], None),
    "a coding in capitals": ([(b"Transfer-Encoding", b"Chunked")], None),
    "a length in another spelling": ([(b"Content_Length", b"1")], None),
    "a length beside another spelling": ([(b"Content_Length", b"1"), (b"Content-Length", b"1")], None),
    "a coding in another spelling": ([(b"Transfer_Encoding", b"chunked")], None),
    "a length with a dot": ([(b"Content.Length", b"1")], None),
    "a length with an end too many": ([(b"Content-Length", b"1"), (b"Content-Length-", b"1")], None),
    "a coding with a begin too many": ([(b"_Transfer-Encoding", b"chunked")], None),
    "a list": ([(b"Content-Length", b"1, 1")], None),
    "a sign": ([(b"Content-Length", b"+1")], None),
    "a leading zero": ([(b"Content-Length", b"01")], None),
    "no number": ([(b"Content-Length", b"")], None),
    "too long a number": ([(b"Content-Length", b"1" * 19)], None),
}


@pytest.mark.parametrize(("fields", "expected"), ANNOUNCED.values(), ids=ANNOUNCED)
def test_what_a_head_announces(fields: list[tuple[bytes, bytes]], expected: Announced | None) -> None:
    assert read_announced([(b"Host", b"h"), *fields, (b"Accept", b"*/*")]) == expected
