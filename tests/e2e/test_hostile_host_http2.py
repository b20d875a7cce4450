"""Hosts that break HTTP/2, or use it up: what the client gets of it, and what the next calls get.

Each case is a call, another on the same connection and one on another: nothing of a hostile answer may be taken for the
answer to the next call, and a call that broke has one outcome that says so.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hyperframe.frame import ContinuationFrame, DataFrame, HeadersFrame, PushPromiseFrame

from e2e.gate import CATALOGS, HOST, QUERIES, TOKEN
from e2e.proxy_process import ProxyProcess
from e2e.raw_client import H2Client, H2Response, h2_headers, open_tls
from e2e.raw_upstream import End, RawUpstream, running_raw
from http2_by_hand import (
    Listener,
    Pairs,
    Speaker,
    data,
    goaway,
    ping,
    pseudo,
    reset,
    settings,
    window,
)

OK: Pairs = [(b":status", b"200")]
SMUGGLED = b"SMUGGLED"
Answer = Callable[[Speaker, int], bytes]


class Http2Upstream(RawUpstream):
    """Answers each request as its path's ``says`` does (speaker, stream), honestly by default."""

    alpn = "h2"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.says: dict[bytes, tuple[Answer, End]] = {}

    def _talk(self, sock: ssl.SSLSocket, received: bytearray) -> None:
        speaker, listener = Speaker(is_client=False), Listener(is_host=True)
        sock.sendall(speaker.hello)
        served: set[int] = set()
        while received_now := sock.recv(65536):
            received += received_now
            for _ in listener.hear(received_now):
                pass
            for stream in sorted(listener.ended - served):
                served.add(stream)
                path = dict(listener.heads[stream][0])[b":path"]
                says, end = self.says.get(path, (lambda who, at: who.answer(at, b"honest"), End.STAYS))
                sock.sendall(says(speaker, stream))
                if end is not End.STAYS:
                    end.of(sock)
                    return


class Case(NamedTuple):
    """``status``: what the client is told, complete; None: its stream is reset, or ends without an end. ``whole``: it gets
    all of the answer. ``error``: what the outcome says, empty for a call that went well."""

    says: Answer
    error: str
    status: int | None = 502
    whole: bool = False
    end: End = End.STAYS


def raw_frame(kind: int, stream: int, payload: bytes, flags: int = 0) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def push(who: Speaker, at: int) -> bytes:
    block = who.encoder.encode(pseudo(QUERIES))
    frame = PushPromiseFrame(at, 2, block, flags=["END_HEADERS"])
    return frame.serialize() + who.answer(2, SMUGGLED) + who.answer(at, b"honest")


def flood(who: Speaker, at: int) -> bytes:
    """Header frames that never end."""
    first = HeadersFrame(at, who.encoder.encode(OK)).serialize()
    return first + ContinuationFrame(at, b"\0\1a\1b" * 2000).serialize() * 70


BROKE, LEFT = "the answer is malformed", "the host left"
CASES: dict[str, Case] = {
    # heads
    "no status": Case(lambda who, at: who.headers(at, [(b"x", b"y")], end=True), BROKE),
    "two statuses": Case(lambda who, at: who.headers(at, [*OK, *OK], end=True), BROKE),
    "a status of two digits": Case(lambda who, at: who.headers(at, [(b":status", b"20")], end=True), BROKE),
    "another protocol": Case(lambda who, at: who.answer(at, SMUGGLED, status=101), BROKE),
    "a name in capitals": Case(lambda who, at: who.answer(at, SMUGGLED, (b"X-A", b"b")), BROKE),
    "a line end in a value": Case(lambda who, at: who.answer(at, SMUGGLED, (b"x", b"a\r\nb: c")), BROKE),
    "a header of connections": Case(lambda who, at: who.answer(at, SMUGGLED, (b"connection", b"x")), BROKE),
    "a transfer coding": Case(
        lambda who, at: who.answer(at, SMUGGLED, (b"transfer-encoding", b"chunked")), BROKE
    ),
    "two lengths": Case(
        lambda who, at: who.answer(at, SMUGGLED, (b"content-length", b"8"), (b"content-length", b"0")), BROKE
    ),
    "a length that does not come": Case(
        lambda who, at: who.headers(at, [*OK, (b"content-length", b"8")], end=True), BROKE
    ),
    "a path": Case(lambda who, at: who.headers(at, [*OK, (b":path", b"/x")], end=True), BROKE),
    "too many interim heads": Case(
        lambda who, at: who.headers(at, [(b":status", b"103")]) * 17 + who.answer(at, b"honest"), BROKE
    ),
    "headers that do not end": Case(flood, BROKE),
    "headers that can't be read": Case(lambda who, at: raw_frame(1, at, b"\xff\xff\xff\xff\xff", 5), BROKE),
    "a table that nobody allowed": Case(lambda who, at: raw_frame(1, at, b"\x3f\xe1\xff\x03\x88", 5), BROKE),
    # bodies
    "a body before its head": Case(lambda who, at: data(at, SMUGGLED, end=True), BROKE),
    "more than its length": Case(
        lambda who, at: who.answer(at, b"honest" + SMUGGLED, (b"content-length", b"6")), BROKE, None
    ),
    "less than its length": Case(
        lambda who, at: who.answer(at, b"half", (b"content-length", b"8")), BROKE, None
    ),
    "a frame that is too large": Case(
        lambda who, at: who.headers(at, OK) + data(at, bytes(16385)), BROKE, None
    ),
    "padding that is longer than its frame": Case(
        lambda who, at: who.headers(at, OK) + raw_frame(0, at, b"\xffabc", 8), BROKE, None
    ),
    "trailers that do not end": Case(
        lambda who, at: who.headers(at, OK) + who.headers(at, [(b"x", b"y")]), BROKE, None
    ),
    "a status among its trailers": Case(
        lambda who, at: who.headers(at, OK) + who.headers(at, OK, end=True), BROKE, None
    ),
    "half, and the end": Case(
        lambda who, at: who.headers(at, OK) + data(at, b"half"), LEFT, None, end=End.SAYS
    ),
    "half, and a reset of TCP": Case(
        lambda who, at: who.headers(at, OK) + data(at, b"half"), LEFT, None, end=End.RESETS
    ),
    "half, and a reset": Case(
        lambda who, at: who.headers(at, OK) + data(at, b"half") + reset(at, 2), LEFT, None
    ),
    "no answer at all": Case(lambda who, at: b"", LEFT, end=End.SAYS),
    "a reset": Case(lambda who, at: reset(at, 2), LEFT, None),
    "GOAWAY before the call": Case(lambda who, at: goaway(0), LEFT, None),
    # other streams
    "an answer to another": Case(lambda who, at: who.answer(at + 2, SMUGGLED), BROKE),
    "an answer to an even one": Case(lambda who, at: who.answer(2, SMUGGLED), BROKE),
    "a push": Case(push, BROKE),
    "a body on another": Case(lambda who, at: data(at + 2, SMUGGLED), BROKE),
    "a body on none": Case(lambda who, at: raw_frame(0, 0, SMUGGLED), BROKE),
    "an answer twice": Case(
        lambda who, at: who.answer(at, b"honest") + who.answer(at, SMUGGLED), "", 200, whole=True
    ),
    "more after the end": Case(
        lambda who, at: who.answer(at, b"honest") + data(at, SMUGGLED, end=True), "", 200, whole=True
    ),
    # what is no answer
    "no HTTP/2": Case(lambda who, at: b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nSMUGGLED", BROKE),
    "settings that can't be": Case(lambda who, at: settings(MAX_FRAME_SIZE=1), BROKE),
    "a window beyond all": Case(lambda who, at: window(0, 2**31 - 1), BROKE),
    "a window of nothing": Case(lambda who, at: raw_frame(8, 0, bytes(4)), BROKE),
    "settings without end": Case(lambda who, at: settings(ENABLE_PUSH=0) * 5000, BROKE),
    "pings without end": Case(lambda who, at: ping() * 20_000, BROKE),
    "frames with nothing in them": Case(
        lambda who, at: who.headers(at, OK) + DataFrame(at).serialize() * 30_000, BROKE, None
    ),
    # odd, and fine
    "frames that nobody knows": Case(
        lambda who, at: raw_frame(0xBE, at, b"x") + who.answer(at, b"honest"), "", 200, whole=True
    ),
    "sixteen interim heads": Case(
        lambda who, at: who.headers(at, [(b":status", b"103")]) * 16 + who.answer(at, b"honest"),
        "",
        200,
        whole=True,
    ),
    "padding": Case(
        lambda who, at: who.headers(at, OK) + data(at, b"honest", end=True, pad=200), "", 200, whole=True
    ),
    "GOAWAY after the call": Case(
        lambda who, at: goaway(at) + who.answer(at, b"honest"), "", 200, whole=True
    ),
    "the end, once it is complete": Case(
        lambda who, at: who.answer(at, b"honest"), "", 200, whole=True, end=End.HANGS_UP
    ),
}


@pytest.fixture(scope="module")
def upstream(
    tmp_path_factory: pytest.TempPathFactory, proxy_authority: Path
) -> Iterator[tuple[ProxyProcess, Http2Upstream]]:
    folder = tmp_path_factory.mktemp("hostile-http2")
    with running_raw(folder, proxy_authority, host=Http2Upstream) as both:
        yield both


def call(client: H2Client, path: str) -> H2Response | None:
    """None where the connection takes no more calls."""
    if client.goaway is not None or client.closed:
        return None
    return client.collect(client.request(h2_headers("GET", path, HOST, TOKEN)), 20)


def is_honest(response: H2Response | None) -> bool:
    return response is not None and response.complete and (response.status, response.body) == (200, b"honest")


@pytest.mark.parametrize("name", CASES)
def test_what_a_client_of_http2_gets_of_it(upstream: tuple[ProxyProcess, Http2Upstream], name: str) -> None:
    proxy, host = upstream
    case = CASES[name]
    host.says = {CATALOGS.encode(): (case.says, case.end)}
    before = len(proxy.audit("decision"))
    with open_tls(proxy.proxy_url, HOST, ca=proxy.ca_file, alpn=["h2"]) as sock:
        client = H2Client(sock)
        first = call(client, CATALOGS)
        second = call(client, QUERIES)
    assert first is not None
    if case.whole:
        assert is_honest(first)
    elif case.status is None:
        assert not first.complete or (case.end is End.RESETS and first.status == 502)
    else:
        assert (first.status, first.complete) == (case.status, True)
    # A host that hangs up without a word may do so after the next call was sent, which is never sent again.
    is_lost = case.end is End.HANGS_UP and second is not None and LEFT.encode() in second.body
    assert second is None or is_honest(second) or not second.complete or is_lost
    assert SMUGGLED not in first.body
    assert second is None or SMUGGLED not in second.body
    with open_tls(proxy.proxy_url, HOST, ca=proxy.ca_file, alpn=["h2"]) as sock:
        assert is_honest(call(H2Client(sock), QUERIES))
    decision_id = proxy.audit("decision")[before]["decision_id"]

    def outcomes() -> list[dict[str, Any]]:
        return [each for each in proxy.audit("outcome") if each["decision_id"] == decision_id]

    proxy.wait_for(lambda: len(outcomes()) > 0)
    (outcome,) = outcomes()
    assert case.error in outcome.get("error", "")
    assert bool(case.error) is ("error" in outcome)
