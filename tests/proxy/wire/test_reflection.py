"""An answer that holds the credential that was sent: found however it is cut, and nothing else is touched."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from backports import zstd
from http1_line import DOOR, request
from hypothesis import given
from hypothesis import strategies as st

from brickscope.proxy.wire.credential import MEMBER, MOST, Reflected, Reflection
from brickscope.proxy.wire.events import Event, ToClient
from brickscope.proxy.wire.exchange import Exchange
from brickscope.proxy.wire.head import NO_BODY, Cleared, HeadScanner
from brickscope.proxy.wire.response import Responses

SECRET = b"dapi" + b"ca1ab1e5" * 4


def passed(pieces: list[bytes], encoding: bytes = b"") -> bytes:
    """What of a body comes through. Raises Reflected."""
    reflection = Reflection(SECRET)
    if encoding:
        reflection.unpack(encoding)
    found = b""
    for at, piece in enumerate(pieces):
        ended = at + 1 == len(pieces)
        reflection.look(piece, piece, ended=ended)
        found += reflection.give(piece)
    assert reflection.kept == 0
    return found + reflection.rest()


def cut(text: bytes, *sizes: int) -> list[bytes]:
    """A text in pieces of these sizes, over and over."""
    found, at = [], 0
    while at < len(text):
        size = sizes[len(found) % len(sizes)]
        found.append(text[at : at + size])
        at += size
    return found or [b""]


@given(st.binary(max_size=200), st.lists(st.integers(1, 60), min_size=1, max_size=5))
def test_another_body_passes_as_it_came(body: bytes, sizes: list[int]) -> None:
    assert passed(cut(body, *sizes)) == body


@given(st.integers(0, len(SECRET) - 1), st.lists(st.integers(1, 60), min_size=1, max_size=5))
def test_so_does_a_part_of_the_secret(length: int, sizes: list[int]) -> None:
    body = b"{" + SECRET[:length] + b"}" + SECRET[1:]
    assert passed(cut(body, *sizes)) == body


@given(st.binary(max_size=100), st.binary(max_size=100), st.lists(st.integers(1, 60), min_size=1, max_size=5))
def test_it_is_found_however_it_is_cut_and_no_more_than_its_begin_is_out(
    before: bytes, after: bytes, sizes: list[int]
) -> None:
    reflection, out, is_found = Reflection(SECRET), b"", False
    pieces = cut(before + SECRET + after, *sizes)
    for at, piece in enumerate(pieces):
        try:
            reflection.look(piece, piece, ended=at + 1 == len(pieces))
        except Reflected:
            is_found = True
            break
        out += reflection.give(piece)
    assert is_found
    assert SECRET[:8] not in out.replace(before, b"", 1)


PACKED: dict[bytes, Callable[[bytes], bytes]] = {
    b"gzip": gzip.compress,
    b"deflate": zlib.compress,
    b"zstd": zstd.compress,
    b"Deflate": lambda body: zlib.compress(body)[
        2:-4
    ],  # bare, as some servers send it and all clients read it
    b"x-gzip": lambda body: gzip.compress(b"") + gzip.compress(body[:50]) + gzip.compress(body[50:]),
    b"ZSTD": lambda body: zstd.compress(body[:50]) + zstd.compress(body[50:]),
    b"gzip, identity, deflate": lambda body: zlib.compress(gzip.compress(body)),
    b"identity,zstd ,gzip": lambda body: gzip.compress(zstd.compress(body)),
}


@pytest.mark.parametrize("encoding", PACKED)
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_it_is_found_in_what_is_packed(encoding: bytes, size: int) -> None:
    pack = PACKED[encoding]
    with pytest.raises(Reflected):
        passed(cut(pack(b"x" * 100 + SECRET), size), encoding)
    harmless = pack(b"x" * 1000)
    assert passed(cut(harmless, size), encoding) == harmless


def test_what_is_not_packed_as_it_says_passes() -> None:
    assert passed([b"no gzip", b" at all"], b"gzip") == b"no gzip at all"


@pytest.mark.parametrize("first", range(256))
def test_nor_does_what_it_says_hide_a_body_that_is_not_packed(first: int) -> None:
    """Many a byte could be the begin of deflate, which goes on for long before it is none."""
    for encoding in (b"gzip", b"deflate", b"zstd", b"deflate, gzip"):
        for size in (1, 7, 1000):
            with pytest.raises(Reflected):
                passed(cut(bytes([first]) + SECRET, size), encoding)


def test_a_bomb_costs_no_more_than_what_is_looked_at() -> None:
    bomb = gzip.compress(b"\0" * 200_000_000)
    assert passed(cut(bomb, 4096), b"gzip") == bomb


def test_what_begins_within_the_first_64_kib_is_found() -> None:
    for before in (MOST - 1, MOST - 20, MOST - len(SECRET)):
        with pytest.raises(Reflected):
            passed(cut(b"x" * before + SECRET, 1000))
    late = b"x" * (MOST + 2000) + SECRET
    assert passed(cut(late, 1000)) == late


def test_a_million_members_cost_no_more_than_what_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    monkeypatch.setattr(
        zlib, "decompressobj", lambda bits, make=zlib.decompressobj: made.append(1) or make(bits)
    )
    body = gzip.compress(b"") * 100_000
    assert passed(cut(body, 65_536), b"gzip") == body
    assert len(made) < 1100
    assert passed([b"x"], b", ".join([b"gzip"] * 1000)) == b"x"


def test_nor_does_a_bomb_behind_as_many_members_as_use_all_of_it_up() -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    for before in (0, 1, 36, 37, 63, 64):
        begin = gzip.compress(b"x" * before) if before else b""
        for members in (1021, 1022, 1023, 1024, 1025):
            body = begin + gzip.compress(b"") * members + bomb
            tracemalloc.start()
            assert passed([body], b"gzip") == body
            assert tracemalloc.get_traced_memory()[1] < 5_000_000
            tracemalloc.stop()


def test_what_follows_a_whole_member_hides_nothing_of_it() -> None:
    for coding, packed in ((b"gzip", gzip.compress(SECRET)), (b"zstd", zstd.compress(SECRET))):
        for rest in (b"\0" * 16, b"no member", b"\x1f\x8b and no more"):
            with pytest.raises(Reflected):
                passed([packed + rest], coding)
            with pytest.raises(Reflected):
                passed([gzip.compress(packed + rest)], coding + b", gzip")
    harmless = gzip.compress(b"x") + b"\0" * 16
    assert passed(cut(harmless, 5), b"gzip") == harmless


@pytest.mark.parametrize("encoding", PACKED)
def test_packed_too_what_begins_within_the_first_64_kib_is_found(encoding: bytes) -> None:
    members = 2 * MEMBER if encoding in (b"x-gzip", b"ZSTD") else 0  # their price
    for before in (MOST - 1, MOST - 20, MOST - len(SECRET)):
        with pytest.raises(Reflected):
            passed([PACKED[encoding](b"x" * (before - members) + SECRET + b"y" * 100)], encoding)


def test_the_codings_of_all_lines_count() -> None:
    reflection = Reflection(SECRET)
    lines = b"content-encoding: identity\r\nX: y\r\nContent-Encoding:gzip"
    reflection.begin(b"HTTP/1.1 200 OK\r\n" + lines + b"\r\n\r\n")
    with pytest.raises(Reflected):
        reflection.look(packed := gzip.compress(SECRET), packed, ended=True)


def test_a_head() -> None:
    with pytest.raises(Reflected):
        Reflection(SECRET).begin(b"HTTP/1.1 200 OK\r\nX: Bearer " + SECRET + b"\r\n\r\n")


HALF, OTHER_HALF = SECRET[:20], SECRET[20:]
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
# what the host sends, as it is read
ANSWERS: dict[str, list[bytes]] = {
    "in a head before the final one": [b"HTTP/1.1 103 Early Hints\r\nX: " + SECRET + b"\r\n\r\n"],
    "in the reason phrase": [b"HTTP/1.1 200 " + SECRET + b"\r\nContent-Length: 0\r\n\r\n"],
    "behind a coding of a head before the final one": [
        b"HTTP/1.1 103 Early Hints\r\nContent-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(SECRET) + HALF,
        OTHER_HALF,
    ],
    "in a body that is not packed as it says": [
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(SECRET) + HALF,
        OTHER_HALF,
    ],
    "behind a member that is packed": [
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"x") + HALF,
        OTHER_HALF,
    ],
    "in a trailer": [CHUNKED + b"0\r\nX: " + SECRET + b"\r\n\r\n"],
    "in a trailer in two pieces": [CHUNKED + b"0\r\nX: " + HALF, OTHER_HALF + b"\r\n\r\n"],
    "in a trailer byte by byte": [
        CHUNKED,
        *(bytes([byte]) for byte in b"1\r\nx\r\n0\r\nX: " + SECRET + b"\r\n\r\n"),
    ],
    "in a trailer after a long body": [
        CHUNKED + b"%x\r\n" % (2 * MOST) + b"x" * 2 * MOST + b"\r\n",
        b"0\r\n",
        b"X: " + SECRET + b"\r\n\r\n",
    ],
    "across two chunks": [
        CHUNKED + b"14\r\n" + HALF + b"\r\n",
        b"10\r\n" + OTHER_HALF[:16] + b"\r\n0\r\n\r\n",
    ],
}


def answered(pieces: list[bytes]) -> bytes:
    """What a client gets of an answer to a call with the credential. Raises Reflected."""
    head = HeadScanner(DOOR).read(request(), 0)
    assert head is not None
    exchange, responses, events = Exchange(head), Responses(), list[Event]()
    exchange.clear(Cleared(head, head.raw, (), NO_BODY, "id", 0.0, SECRET))
    for piece in pieces:
        assert responses.take(events, exchange, piece, closing=False) == b""
    assert exchange.reply.ended
    return b"".join(event.data for event in events if isinstance(event, ToClient))


@pytest.mark.parametrize("pieces", ANSWERS.values(), ids=ANSWERS)
def test_it_is_found_wherever_it_stands_in_an_answer(pieces: list[bytes]) -> None:
    with pytest.raises(Reflected):
        answered(pieces)


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_other_trailers_pass_as_they_came(size: int) -> None:
    raw = CHUNKED + b"5\r\nhello\r\n0\r\nX: " + HALF + b"\r\nY: " + OTHER_HALF + b"\r\n\r\n"
    assert answered(cut(raw, size)) == raw
