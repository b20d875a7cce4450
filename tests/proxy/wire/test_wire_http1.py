"""Exchanges in a row: what both sides say, in whatever pieces, and what comes of it."""

from __future__ import annotations

import random
from typing import NamedTuple

import pytest
from http1_line import DENIAL, EXPLAINED, Line, answer, chunked, clear, request

from brickscope.core.decision import Refused
from brickscope.core.reason import Reason
from brickscope.proxy.wire.events import Fault
from brickscope.proxy.wire.head import Announced
from brickscope.proxy.wire.http1 import Phase

HELLO = answer(b"hello")
GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"


class C(NamedTuple):
    """The client sends."""

    data: bytes


class H(NamedTuple):
    """The host sends."""

    data: bytes


C_END, H_END, H_CUT = "client ends", "host ends", "host is cut off"
Step = C | H | str


def play(line: Line, steps: list[Step], split: int = 0, seed: int | None = None) -> Line:
    """Bring about the steps; bytes in pieces of ``split`` bytes, or of random sizes."""
    dice = random.Random(seed)
    for step in steps:
        if isinstance(step, str):
            line.do(line.core.client_ended() if step == C_END else line.core.host_ended(clean=step == H_END))
            continue
        at = 0
        while at < len(step.data):
            size = dice.randint(1, 30) if seed is not None else split or len(step.data)
            piece = step.data[at : at + size]
            (line.client if isinstance(step, C) else line.host)(piece)
            at += size
    return line


OK = ["judge /ok", "dial", "host<", "answered 200", "client<"]
CLOSED = ["close host gently", "close client gently"]
CUT = ["close host at once", "close client at once"]
TOLD = ["close host at once", "close client gently"]
CHUNKS = answer(b"", "Transfer-Encoding: chunked", sized=False) + b"2\r\nhi\r\n0\r\n\r\n"
REFUSED = Refused(Reason.TOO_LARGE, "too many bodies")

# name: steps, what the host got, what the client got, story
STORIES: dict[str, tuple[list[Step], bytes, bytes, list[str]]] = {
    "a call": ([C(request()), H(HELLO)], request(), HELLO, [*OK, "ended 200 0 5"]),
    "two calls on one connection": (
        [C(request()), H(HELLO), C(request("/two")), H(answer(b"x"))],
        request() + request("/two"),
        HELLO + answer(b"x"),
        [*OK, "ended 200 0 5", "judge /two", "host<", "answered 200", "client<", "ended 200 0 1"],
    ),
    "a body": (
        [C(request(body=b"abcd", method="POST")), H(HELLO)],
        request(body=b"abcd", method="POST"),
        HELLO,
        [*OK, "ended 200 4 5"],
    ),
    "chunks both ways": (
        [
            C(chunked(body=b"3\r\nabc\r\n0\r\n\r\n")),
            H(CHUNKS),
        ],
        chunked(body=b"3\r\nabc\r\n0\r\n\r\n"),
        CHUNKS,
        [*OK, "ended 200 3 2"],
    ),
    "a denial, and the connection goes on": (
        [C(request("/deny") + request()), H(HELLO)],
        request(),
        DENIAL + HELLO,
        ["judge /deny", "client<", *OK, "ended 200 0 5"],
    ),
    "a denied body is dropped": (
        [C(request("/deny", method="PUT", body=b"x" * 50) + request()), H(HELLO)],
        request(),
        DENIAL + HELLO,
        ["judge /deny", "client<", *OK, "ended 200 0 5"],
    ),
    "denied chunks that hold a request": (
        [C(chunked("/deny", b"%x\r\n%b\r\n0\r\n\r\n" % (len(request("/in")), request("/in"))) + request())],
        request(),
        DENIAL,
        ["judge /deny", "client<", "judge /ok", "dial", "host<"],
    ),
    "denied chunks that are malformed": (
        [C(chunked("/deny", b"zz\r\n"))],
        b"",
        DENIAL,
        ["judge /deny", "client<", *CLOSED],
    ),
    "denied chunks with trailers": (
        [C(chunked("/deny", b"0\r\nX: y\r\n\r\n") + request())],
        b"",
        DENIAL,
        ["judge /deny", "client<", *CLOSED],
    ),
    "a denial of a body that waits for 100": (
        [C(request("/deny", "Expect: 100-continue", "Content-Length: 5", method="PUT"))],
        b"",
        DENIAL,
        ["judge /deny", "client<", *CLOSED],
    ),
    "a denial that is the last answer": (
        [C(request("/deny-last", method="PUT", body=b"x" * 50) + request())],
        b"",
        DENIAL,
        ["judge /deny-last", "client<", *CLOSED],
    ),
    "an irregular head": (
        [C(b"GET / HTTP/1.1\nHost: h\r\n\r\n")],
        b"",
        DENIAL,
        ["judge ", "client<", *CLOSED],
    ),
    "an irregular head after a call": (
        [C(request() + b"GET  / HTTP/1.1\r\n\r\n"), H(HELLO)],
        request(),
        HELLO + DENIAL,
        [*OK, "ended 200 0 5", "judge ", "client<", *CLOSED],
    ),
    "two lengths": (
        [C(request("/ok", "Content-Length: 3", method="POST", body=b"ab") + request())],
        b"",
        DENIAL,
        ["judge /ok", "client<", *CLOSED],
    ),
    "sent ahead": (
        [C(request("/1") + request("/2") + request("/3")), H(answer(b"1")), H(answer(b"2")), H(answer(b"3"))],
        request("/1") + request("/2") + request("/3"),
        answer(b"1") + answer(b"2") + answer(b"3"),
        [
            *["judge /1", "dial", "host<", "answered 200", "client<", "ended 200 0 1"],
            *["judge /2", "host<", "answered 200", "client<", "ended 200 0 1"],
            *["judge /3", "host<", "answered 200", "client<", "ended 200 0 1"],
        ],
    ),
    "nothing is read after Connection: close": (
        [C(request("/ok", "Connection: close") + request("/two")), H(HELLO)],
        request("/ok", "Connection: close"),
        HELLO,
        [*OK, "ended 200 0 5", *CLOSED],
    ),
    "nothing is read after an answer with Connection: close": (
        [C(request() + request("/two")), H(answer(b"hello", "Connection: close"))],
        request(),
        answer(b"hello", "Connection: close"),
        [*OK, "ended 200 0 5", *CLOSED],
    ),
    "nor after one in HTTP/1.0": (
        [C(request() + request("/two")), H(answer(b"hello", "Connection: keep-alive", version="1.0"))],
        request(),
        answer(b"hello", "Connection: keep-alive", version="1.0"),
        [*OK, "ended 200 0 5", *CLOSED],
    ),
    "nor after a denial with Connection: close": (
        [C(request("/deny", "Connection: close") + request("/two"))],
        b"",
        DENIAL,
        ["judge /deny", "client<", *CLOSED],
    ),
    "HEAD": (
        [C(request(method="HEAD") + request()), H(answer(b"", "Content-Length: 500", sized=False)), H(HELLO)],
        request(method="HEAD") + request(),
        answer(b"", "Content-Length: 500", sized=False) + HELLO,
        [*OK, "ended 200 0 0", "judge /ok", "host<", "answered 200", "client<", "ended 200 0 5"],
    ),
    "204": (
        [C(request() + request()), H(answer(status=204, sized=False)), H(HELLO)],
        request() * 2,
        answer(status=204, sized=False) + HELLO,
        [
            *["judge /ok", "dial", "host<", "answered 204", "client<", "ended 204 0 0"],
            *["judge /ok", "host<", "answered 200", "client<", "ended 200 0 5"],
        ],
    ),
    "304 with a length": (
        [C(request()), H(answer(b"", "Content-Length: 500", status=304, sized=False))],
        request(),
        answer(b"", "Content-Length: 500", status=304, sized=False),
        ["judge /ok", "dial", "host<", "answered 304", "client<", "ended 304 0 0"],
    ),
    "interim answers": (
        [C(request()), H(answer(status=103, sized=False) * 16 + HELLO)],
        request(),
        answer(status=103, sized=False) * 16 + HELLO,
        ["judge /ok", "dial", "host<", "client<", "answered 200", "client<", "ended 200 0 5"],
    ),
    "a body that waits for 100": (
        [
            C(request("/ok", "Expect: 100-continue", "Content-Length: 4", method="PUT")),
            H(GO_ON),
            C(b"body"),
            H(HELLO),
        ],
        request("/ok", "Expect: 100-continue", "Content-Length: 4", method="PUT") + b"body",
        GO_ON + HELLO,
        [*["judge /ok", "dial", "host<", "client<", "host<", "answered 200", "client<"], "ended 200 4 5"],
    ),
    "a final answer without 100": (
        [
            C(request("/ok", "Expect: 100-continue", "Content-Length: 4", method="PUT")),
            H(answer(status=417)),
            C(request()),
        ],
        request("/ok", "Expect: 100-continue", "Content-Length: 4", method="PUT"),
        answer(status=417),
        ["judge /ok", "dial", "host<", "answered 417", "client<", "ended 417 0 0", *CLOSED],
    ),
    "an answer before the end of the request": (
        [C(request("/ok", "Content-Length: 100", method="PUT") + b"part"), H(HELLO), C(request())],
        request("/ok", "Content-Length: 100", method="PUT") + b"part",
        HELLO,
        [*OK, "ended 200 4 5", *CLOSED],
    ),
    "a request that ends while its answer comes": (
        [
            C(request("/ok", "Content-Length: 8", method="PUT") + b"part"),
            H(HELLO[:-2]),
            C(b"rest"),
            H(HELLO[-2:]),
            C(request()),
        ],
        request("/ok", "Content-Length: 8", method="PUT") + b"partrest" + request(),
        HELLO,
        [
            *["judge /ok", "dial", "host<", "answered 200", "client<", "host<", "client<"],
            *["ended 200 8 5", "judge /ok", "host<"],
        ],
    ),
    "until the host closes": (
        [C(request() + request("/two")), H(answer(b"all", sized=False)), H_END],
        request(),
        answer(b"all", sized=False),
        [*OK, "ended 200 0 3", *CLOSED],
    ),
    "until the host is cut off": (
        [C(request() + request("/two")), H(answer(b"all", sized=False)), H_CUT],
        request(),
        answer(b"all", sized=False),
        [*OK, "ended 200 0 3 HOST_LEFT", *CUT],
    ),
    "a host that closes while idle": (
        [C(request()), H(HELLO), H_END, C(request("/two")), H(HELLO)],
        request() + request("/two"),
        HELLO * 2,
        [*OK, "ended 200 0 5", "judge /two", "dial", "host<", "answered 200", "client<", "ended 200 0 5"],
    ),
    "a host that is cut off while idle": (
        [C(request()), H(HELLO), H_CUT, C(request("/two"))],
        request() + request("/two"),
        HELLO,
        [*OK, "ended 200 0 5", "judge /two", "dial", "host<"],
    ),
    "a host that leaves instead of an answer": (
        [C(request()), H_END],
        request(),
        EXPLAINED,
        ["judge /ok", "dial", "host<", "explained", "ended None 0 0 HOST_LEFT", *TOLD],
    ),
    "a host that leaves within a head": (
        [C(request()), H(HELLO[:20]), H_CUT],
        request(),
        EXPLAINED,
        ["judge /ok", "dial", "host<", "explained", "ended None 0 0 HOST_LEFT", *TOLD],
    ),
    "a host that leaves after an interim answer": (
        [C(request()), H(GO_ON), H_END],
        request(),
        GO_ON + EXPLAINED,
        ["judge /ok", "dial", "host<", "client<", "explained", "ended None 0 0 HOST_LEFT", *TOLD],
    ),
    "a host that leaves within an answer": (
        [C(request() + request()), H(HELLO[:-1]), H_END],
        request(),
        HELLO[:-1],
        [*OK, "ended 200 0 4 HOST_LEFT", *CUT],
    ),
    "a host that leaves within chunks": (
        [C(request()), H(CHUNKS[:-2]), H_END],
        request(),
        CHUNKS[:-2],
        [*OK, "ended 200 0 2 HOST_LEFT", *CUT],
    ),
    "two answers to one request": (
        [C(request()), H(HELLO + HELLO), C(request("/two"))],
        request(),
        HELLO,
        [*OK, "ended 200 0 5 UNASKED", "close host at once", "close client gently"],
    ),
    "two answers to one of two requests": (
        [C(request() + request("/two")), H(HELLO + HELLO)],
        request(),
        HELLO,
        [*OK, "ended 200 0 5 UNASKED", "close host at once", "close client gently"],
    ),
    "a body after 204": (
        [C(request() + request("/two")), H(answer(b"HTTP/1.1 200 OK", status=204))],
        request(),
        answer(b"HTTP/1.1 200 OK", status=204)[:-15],
        [
            *["judge /ok", "dial", "host<", "answered 204", "client<", "ended 204 0 0 UNASKED"],
            *["close host at once", "close client gently"],
        ],
    ),
    "a body after the answer to HEAD": (
        [C(request(method="HEAD") + request("/two")), H(HELLO)],
        request(method="HEAD"),
        HELLO[:-5],
        [*OK, "ended 200 0 0 UNASKED", "close host at once", "close client gently"],
    ),
    "an answer before any request": (
        [C(request("/deny")), H(HELLO), C(request())],
        b"",
        DENIAL,
        ["judge /deny", "client<", "close host at once", "close client gently"],
    ),
    "an answer that nobody asked for, between two requests": (
        [C(request()), H(HELLO), H(HELLO), C(request("/two"))],
        request(),
        HELLO,
        [*OK, "ended 200 0 5", "close host at once", "close client gently"],
    ),
    "a malformed head of an answer": (
        [C(request()), H(b"HTTP/1.1 200 OK\nContent-Length: 0\n\n")],
        request(),
        EXPLAINED,
        ["judge /ok", "dial", "host<", "explained", "ended None 0 0 HOST_BROKE", *TOLD],
    ),
    "a switch of protocols": (
        [C(request()), H(answer(status=101, sized=False) + b"raw")],
        request(),
        EXPLAINED,
        ["judge /ok", "dial", "host<", "explained", "ended None 0 0 HOST_BROKE", *TOLD],
    ),
    "malformed chunks of an answer": (
        [C(request()), H(CHUNKS[:-5]), H(b"x\r\n")],
        request(),
        CHUNKS[:-5],
        [*OK, "ended 200 0 2 HOST_BROKE", *CUT],
    ),
    "malformed chunks of a request": (
        [C(chunked(body=b"3\r\nabc\r\n")), C(b"zz\r\n")],
        chunked(body=b"3\r\nabc\r\n"),
        EXPLAINED,
        ["judge /ok", "dial", "host<", "explained", "ended None 3 0 CLIENT_BROKE", *TOLD],
    ),
    "trailers of a request": (
        [C(chunked(body=b"3\r\nabc\r\n")), C(b"0\r\n"), C(b"X: y\r\n\r\n")],
        chunked(body=b"3\r\nabc\r\n0\r\n"),
        EXPLAINED,
        ["judge /ok", "dial", "host<", "explained", "ended None 3 0 CLIENT_BROKE", *TOLD],
    ),
    "malformed chunks of a request whose answer has begun": (
        [C(chunked(body=b"3\r\nabc\r\n")), H(HELLO[:-1]), C(b"zz\r\n")],
        chunked(body=b"3\r\nabc\r\n"),
        HELLO[:-1],
        [*OK, "ended 200 3 4 CLIENT_BROKE", *CUT],
    ),
    "a client that leaves while idle": (
        [C(request()), H(HELLO), C_END],
        request(),
        HELLO,
        [*OK, "ended 200 0 5", *CLOSED],
    ),
    "a client that leaves within a head": ([C(request()[:-1]), C_END], b"", b"", CLOSED),
    "a client that leaves within its body": (
        [C(request("/ok", "Content-Length: 9", method="PUT") + b"x"), C_END],
        request("/ok", "Content-Length: 9", method="PUT") + b"x",
        b"",
        ["judge /ok", "dial", "host<", "ended None 1 0 CLIENT_LEFT", *CUT],
    ),
    "a client that leaves before its answer": (
        [C(request()), C_END],
        request(),
        b"",
        ["judge /ok", "dial", "host<", "ended None 0 0 CLIENT_LEFT", *CUT],
    ),
    "a client that leaves within its answer": (
        [C(request()), H(HELLO[:-1]), C_END],
        request(),
        HELLO[:-1],
        [*OK, "ended 200 0 4 CLIENT_LEFT", *CUT],
    ),
    "a client that leaves within a denied body": (
        [C(request("/deny", "Content-Length: 9", method="PUT")), C_END],
        b"",
        DENIAL,
        ["judge /deny", "client<", *CUT],
    ),
    "a body that is judged": (
        [C(request("/hold", method="POST", body=b"0123456789") + request()), H(HELLO)],
        request("/hold", method="POST", body=b"0123456789") + request(),
        HELLO,
        [
            *["judge /hold", "judge /hold", "dial", "host<", "answered 200", "client<", "ended 200 10 5"],
            *["judge /ok", "host<"],
        ],
    ),
    "chunks that are judged": (
        [C(chunked("/hold", b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")), H(HELLO)],
        chunked("/hold", b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"),
        HELLO,
        ["judge /hold", "judge /hold", "dial", "host<", "answered 200", "client<", "ended 200 5 5"],
    ),
    "no body to be judged": (
        [C(request("/hold", "Content-Length: 0", method="POST"))],
        request("/hold", "Content-Length: 0", method="POST"),
        b"",
        ["judge /hold", "judge /hold", "dial", "host<"],
    ),
    "a body that is judged and denied": (
        [C(request("/hold", method="POST", body=b"bad") + request()), H(HELLO)],
        request(),
        DENIAL + HELLO,
        ["judge /hold", "judge /hold", "client<", *OK, "ended 200 0 5"],
    ),
    "a body that is too large to be judged": (
        [C(request("/hold", method="POST", body=b"0123456789x") + request()), H(HELLO)],
        request(),
        DENIAL + HELLO,
        ["judge /hold", "judge /hold", "client<", *OK, "ended 200 0 5"],
    ),
    "chunks that are too large to be judged": (
        [C(chunked("/hold", b"6\r\nabcdef\r\n6\r\nghijkl\r\n0\r\n\r\n") + request()), H(HELLO)],
        request(),
        DENIAL + HELLO,
        ["judge /hold", "judge /hold", "client<", *OK, "ended 200 0 5"],
    ),
    "a body that is too large to be judged, and goes on": (
        [C(request("/monitor", method="POST", body=b"0123456789x") + request()), H(HELLO)],
        request("/monitor", method="POST", body=b"0123456789x") + request(),
        HELLO,
        [
            *["judge /monitor", "judge /monitor", "dial", "host<", "answered 200", "client<"],
            *["ended 200 11 5", "judge /ok", "host<"],
        ],
    ),
    "chunks that are too large to be judged, and go on": (
        [C(chunked("/monitor", b"6\r\nabcdef\r\n6\r\nghijkl\r\n0\r\n\r\n") + request()), H(HELLO)],
        chunked("/monitor", b"6\r\nabcdef\r\n6\r\nghijkl\r\n0\r\n\r\n") + request(),
        HELLO,
        [
            *["judge /monitor", "judge /monitor", "dial", "host<", "answered 200", "client<"],
            *["ended 200 12 5", "judge /ok", "host<"],
        ],
    ),
    "malformed chunks that are to be judged": (
        [C(chunked("/hold", b"3\r\nabc\r\nzz\r\n"))],
        b"",
        DENIAL,
        ["judge /hold", "judge /hold", "client<", *CLOSED],
    ),
    "malformed chunks that are to be judged, where all goes on": (
        [C(chunked("/monitor", b"3\r\nabc\r\n0\r\nX: y\r\n\r\n"))],
        b"",
        DENIAL,
        ["judge /monitor", "judge /monitor", "client<", *CLOSED],
    ),
    "a body to be judged that waits for 100": (
        [
            C(request("/hold", "Expect: 100-continue", "Content-Length: 3", method="PUT")),
            C(b"abc"),
            H(GO_ON + HELLO),
        ],
        request("/hold", "Expect: 100-continue", "Content-Length: 3", method="PUT") + b"abc",
        GO_ON + HELLO,
        [
            *["judge /hold", "client<", "judge /hold", "dial", "host<", "answered 200", "client<"],
            "ended 200 3 5",
        ],
    ),
}


WHOLE = {"two answers to one of two requests", "a body after 204", "a body after the answer to HEAD"}
"""Where pieces make another story: what comes after an answer, in a piece of its own, can be the answer to a request
that was sent on meanwhile. It is the host's answer to this client all the same, as connections are not shared."""


def kept(story: list[str]) -> list[str]:
    """What pieces must not change: bytes of both sides may be passed on in another order, and a byte too many that comes by
    itself is no matter of the call that has ended."""
    return [each.removesuffix(" UNASKED") for each in story if "<" not in each]


@pytest.mark.parametrize("name", STORIES)
def test_what_comes_of_it(name: str) -> None:
    steps, to_host, to_client, story = STORIES[name]
    line = play(Line(), steps)
    assert (line.to_host, line.to_client) == (to_host, to_client)
    assert line.story == story


@pytest.mark.parametrize("split", [1, 2, 3, 7])
@pytest.mark.parametrize("name", sorted(STORIES.keys() - WHOLE))
def test_and_byte_by_byte(name: str, split: int) -> None:
    steps, to_host, to_client, story = STORIES[name]
    line = play(Line(), steps, split)
    assert (line.to_host, line.to_client) == (to_host, to_client)
    assert kept(line.story) == kept(story)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("name", sorted(STORIES.keys() - WHOLE))
def test_and_in_any_pieces(name: str, seed: int) -> None:
    steps, to_host, to_client, story = STORIES[name]
    line = play(Line(), steps, seed=seed)
    assert (line.to_host, line.to_client) == (to_host, to_client)
    assert kept(line.story) == kept(story)


@pytest.mark.parametrize("name", STORIES)
def test_after_an_end_nothing_changes_any_more(name: str) -> None:
    line = play(Line(), STORIES[name][0])
    if not line.closed:
        line.do(line.core.break_off(Fault.CUT))
    before = list(line.story)
    play(line, [C(request()), H(HELLO), C_END, H_END])
    line.do(line.core.host_up() + line.core.host_failed("x") + line.core.break_off(Fault.CUT))
    line.do(line.core.close_idle())
    assert line.story == before
    assert line.core.phase is Phase.OVER
    assert line.core.ahead == line.core.held == 0


def test_bytes_wait_for_the_host_to_be_there() -> None:
    line = Line(up=None)
    line.client(request("/ok", "Content-Length: 6", method="PUT") + b"abc")
    line.client(b"def")
    assert (line.story, line.to_host) == (["judge /ok", "dial"], b"")
    assert line.core.ahead == len(request("/ok", "Content-Length: 6", method="PUT") + b"abcdef")
    line.do(line.core.host_up())
    assert line.to_host == request("/ok", "Content-Length: 6", method="PUT") + b"abcdef"
    assert line.core.ahead == 0


def test_a_host_that_cannot_be_reached_is_told_in_words() -> None:
    line = play(Line(up=False), [C(request() + request("/two"))])
    assert line.story == ["judge /ok", "dial", "explained", "ended None 0 0 UNREACHED", *TOLD]
    assert line.to_host == b""


def test_a_client_that_leaves_while_the_host_is_dialled() -> None:
    line = play(Line(up=None), [C(request()), C_END])
    line.do(line.core.host_up())
    assert line.story == ["judge /ok", "dial", "ended None 0 0 CLIENT_LEFT", *CUT]
    assert line.to_host == b""


def test_a_host_that_speaks_before_the_request_is_sent() -> None:
    line = play(Line(up=None), [C(request()), H(HELLO)])
    assert line.story == ["judge /ok", "dial", "explained", "ended None 0 0 UNASKED", *TOLD]
    assert line.to_host == b""


def test_a_request_waits_for_its_ruling_and_what_follows_is_kept() -> None:
    line = play(Line(), [C(request("/wait") + request("/two"))])
    assert (line.story, line.core.phase) == (["judge /wait"], Phase.JUDGED)
    assert line.core.ahead == len(request("/two"))
    (waiting,) = line.waiting
    line.do(line.core.rule(waiting.exchange, clear(waiting.head, Announced())))
    assert line.to_host == request("/wait")


def test_a_ruling_that_comes_too_late_changes_nothing() -> None:
    line = play(Line(), [C(request("/wait")), C_END])
    (waiting,) = line.waiting
    assert line.core.rule(waiting.exchange, clear(waiting.head, Announced())) == []
    assert line.story == ["judge /wait", *CUT]


def test_waiting_for_a_body_can_be_given_up() -> None:
    line = play(Line(), [C(request("/hold", "Content-Length: 5", method="PUT") + b"ab")])
    assert (line.core.phase, line.core.held) == (Phase.HELD, 2)
    line.do(line.core.give_up_holding(REFUSED))
    line.client(b"cde" + request())
    assert line.judged[1][1:] == (None, REFUSED)
    assert line.to_client == DENIAL
    assert line.to_host == request()
    assert line.core.give_up_holding(REFUSED) == []


def test_while_the_proxy_stops_answers_say_that_they_are_the_last() -> None:
    line = Line()
    line.client(request())
    line.core.draining = True
    line.host(HELLO)
    assert line.to_client == answer(b"hello").replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")
    assert line.story[-2:] == CLOSED


def test_an_answer_that_had_begun_before_keeps_its_connection() -> None:
    line = Line()
    line.client(request())
    line.host(HELLO[:-1])
    line.core.draining = True
    line.host(HELLO[-1:])
    assert line.to_client == HELLO
    assert not line.closed


def test_an_idle_connection_can_be_closed_and_a_busy_one_cannot() -> None:
    line = Line()
    line.client(request())
    line.do(line.core.close_idle())
    assert not line.closed
    line.host(HELLO)
    line.client(b"GET")
    line.do(line.core.close_idle())
    assert not line.closed
    line = Line()
    line.do(line.core.close_idle())
    assert line.story == CLOSED


@pytest.mark.parametrize("fault", [Fault.HOST_STUCK, Fault.CLIENT_STUCK, Fault.CUT, Fault.INSIDE])
def test_a_call_can_be_broken_off(fault: Fault) -> None:
    line = play(Line(), [C(request())])
    line.do(line.core.break_off(fault))
    told = fault is Fault.HOST_STUCK
    expected = ["explained"] if told else []
    assert line.story[3:] == [*expected, f"ended None 0 0 {fault.name}", *(TOLD if told else CUT)]


def test_a_state_is_told_in_one_line() -> None:
    line = play(Line(), [C(request("/ok", "Content-Length: 5", method="PUT") + b"ab"), H(HELLO[:-2])])
    assert repr(line.core) == "<Http1 CALL UP <SENDING 2, BODY 3> ahead=0>"
