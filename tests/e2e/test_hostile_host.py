"""Hosts that answer what can be counted in two ways, too much, too little, or nothing: what the client gets of it, and what
the next calls get.

Each case is two calls on one connection of a client and one on another: nothing of a hostile answer may be taken for the
answer to the next call, and a call that broke has one outcome that says so.
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from e2e.gate import CATALOGS, HOST, POLICY, QUERIES, head
from e2e.proxy_process import ProxyProcess
from e2e.raw_client import HUNG_UP, H1Reader, H1Response, open_tls, send_h1
from e2e.raw_upstream import End, RawUpstream, running_raw

SMUGGLED = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nSMUGGLED"
HONEST = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhonest"


class Case(NamedTuple):
    """``told``: the client is told in words that the host broke; None where it may be. ``whole``: it gets all of the answer,
    and nothing after it; without either it gets a part that can't be taken for the whole, or nothing. ``error``: what the
    outcome says, empty for a call that went well."""

    answer: bytes
    error: str
    end: End = End.STAYS
    told: bool | None = False
    whole: bool = False
    method: str = "GET"


def of(*lines: bytes, first: bytes = b"HTTP/1.1 200 OK", body: bytes = b"") -> bytes:
    return b"\r\n".join([first, *lines, b"", b""]) + body


CHUNKED = b"Transfer-Encoding: chunked"
BROKE, LEFT, UNASKED = "the answer is malformed", "the host left", "the host sent more"
CASES: dict[str, Case] = {
    # lengths that can be read in two ways
    "a length and chunks": Case(
        of(b"Content-Length: 5", CHUNKED, body=b"0\r\n\r\n" + SMUGGLED), BROKE, told=True
    ),
    "two lengths": Case(of(b"Content-Length: 0", b"Content-Length: 5", body=SMUGGLED), BROKE, told=True),
    "the same length twice": Case(
        of(b"Content-Length: 0", b"content-length: 0", body=SMUGGLED), BROKE, told=True
    ),
    "a list of lengths": Case(of(b"Content-Length: 0, 0", body=SMUGGLED), BROKE, told=True),
    "a signed length": Case(of(b"Content-Length: +0", body=SMUGGLED), BROKE, told=True),
    "a length with a zero before": Case(of(b"Content-Length: 00", body=SMUGGLED), BROKE, told=True),
    "a length of 19 digits": Case(of(b"Content-Length: " + b"9" * 19), BROKE, told=True),
    "two codings": Case(of(b"Transfer-Encoding: gzip, chunked", body=SMUGGLED), BROKE, told=True),
    "a coding that is no chunked": Case(of(b"Transfer-Encoding: xchunked", body=SMUGGLED), BROKE, told=True),
    "chunks twice": Case(of(CHUNKED, CHUNKED, body=b"0\r\n\r\n"), BROKE, told=True),
    "chunks in HTTP/1.0": Case(
        of(CHUNKED, first=b"HTTP/1.0 200 OK", body=b"0\r\n\r\n" + SMUGGLED), BROKE, told=True
    ),
    # heads that some would mend
    "bare line feeds": Case(b"HTTP/1.1 200 OK\nContent-Length: 0\n\n" + SMUGGLED, BROKE, told=True),
    "a bare carriage return": Case(of(b"X: a\rContent-Length: 0", body=SMUGGLED), BROKE, told=True),
    "a folded line": Case(of(b"X: a", b" b", b"Content-Length: 0", body=SMUGGLED), BROKE, told=True),
    "a blank before the colon": Case(of(b"Content-Length : 0", body=SMUGGLED), BROKE, told=True),
    "a NUL": Case(of(b"X: a\0b", b"Content-Length: 0"), BROKE, told=True),
    "a line without a colon": Case(of(b"Content-Length", body=SMUGGLED), BROKE, told=True),
    "an empty line first": Case(b"\r\n" + HONEST, BROKE, told=True),
    "another version": Case(of(b"Content-Length: 0", first=b"HTTP/2.0 200 OK"), BROKE, told=True),
    "no HTTP": Case(b"SSH-2.0-OpenSSH_9.6\r\n\r\n", BROKE, told=True),
    "a status of two digits": Case(of(b"Content-Length: 0", first=b"HTTP/1.1 20 OK"), BROKE, told=True),
    "a status beyond all": Case(of(b"Content-Length: 0", first=b"HTTP/1.1 999 OK"), BROKE, told=True),
    "a head that is too large": Case(of(b"X: " + b"a" * 70_000, b"Content-Length: 0"), BROKE, told=True),
    "a head that does not end": Case(b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 12_000, BROKE, told=True),
    "another protocol": Case(
        of(b"Upgrade: x", first=b"HTTP/1.1 101 Switching", body=SMUGGLED), BROKE, told=True
    ),
    "too many interim heads": Case(of(first=b"HTTP/1.1 102 Processing") * 17 + HONEST, BROKE, told=True),
    # bodies
    "a chunk with an extension": Case(of(CHUNKED, body=b"5;a=b\r\nhello\r\n0\r\n\r\n"), BROKE, told=True),
    "a chunk without a number": Case(of(CHUNKED, body=b"zz\r\n"), BROKE, told=True),
    "a chunk with a blank": Case(of(CHUNKED, body=b"5 \r\nhello\r\n0\r\n\r\n"), BROKE, told=True),
    "a chunk with a bare line feed": Case(of(CHUNKED, body=b"5\nhello\n0\n\n"), BROKE, told=True),
    "a chunk of sixteen digits": Case(of(CHUNKED, body=b"0000000000000005\r\nhello\r\n"), BROKE, told=True),
    "a chunk that is longer than it says": Case(
        of(CHUNKED, body=b"3\r\nhello\r\n0\r\n\r\n"), BROKE, told=True
    ),
    "a trailer that says where it ends": Case(
        of(CHUNKED, body=b"0\r\nContent-Length: 8\r\n\r\n" + SMUGGLED), BROKE, told=True
    ),
    "half a length": Case(of(b"Content-Length: 50", body=b"half"), LEFT, End.SAYS),
    "half a length, cut": Case(of(b"Content-Length: 50", body=b"half"), LEFT, End.HANGS_UP),
    "half a length, reset": Case(of(b"Content-Length: 50", body=b"half"), LEFT, End.RESETS, told=None),
    "half of all chunks": Case(of(CHUNKED, body=b"4\r\nhalf\r\n"), LEFT, End.SAYS),
    "half of all that comes until the end": Case(of(body=b"half"), LEFT, End.HANGS_UP),
    "half a head": Case(b"HTTP/1.1 200 OK\r\nContent-Le", LEFT, End.SAYS, told=True),
    "no answer at all": Case(b"", LEFT, End.SAYS, told=True),
    # more than was asked for
    "a second answer": Case(HONEST + SMUGGLED, UNASKED, whole=True),
    "a body with 204": Case(of(first=b"HTTP/1.1 204 None", body=SMUGGLED), UNASKED, whole=True),
    "a body with 304": Case(
        of(b"Content-Length: 8", first=b"HTTP/1.1 304 None", body=b"SMUGGLED"), UNASKED, whole=True
    ),
    "a body with the answer to HEAD": Case(SMUGGLED, UNASKED, whole=True, method="HEAD"),
    "bytes after the last chunk": Case(of(CHUNKED, body=b"0\r\n\r\n" + SMUGGLED), UNASKED, whole=True),
    # odd, and fine
    "until the end, as TLS says": Case(of(body=b"honest"), "", End.SAYS, whole=True),
    "HTTP/1.0 until the end": Case(of(first=b"HTTP/1.0 200 OK", body=b"honest"), "", End.SAYS, whole=True),
    "sixteen interim heads": Case(of(first=b"HTTP/1.1 102 Processing") * 16 + HONEST, "", whole=True),
    "a trailer that is one": Case(of(CHUNKED, body=b"0\r\nX-Sum: 1\r\n\r\n"), "", whole=True),
    "closed once it is complete": Case(HONEST, "", End.HANGS_UP, whole=True),
}


@pytest.fixture(scope="module")
def raw(
    tmp_path_factory: pytest.TempPathFactory, proxy_authority: Path
) -> Iterator[tuple[ProxyProcess, RawUpstream]]:
    policy = f"{POLICY}      - HEAD {CATALOGS}\n"
    with running_raw(tmp_path_factory.mktemp("hostile"), proxy_authority, policy=policy) as both:
        yield both


class Everything:
    """A socket that remembers all that came by it, and tells a reset from an end, as Python's TLS does not (3.12)."""

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self._sock = sock
        self.seen = b""

    def settimeout(self, seconds: float) -> None:
        self._sock.settimeout(seconds)

    def recv(self, size: int) -> bytes:
        if not self._sock.pending():
            with socket.socket(fileno=os.dup(self._sock.fileno())) as twin:
                twin.settimeout(self._sock.gettimeout())
                twin.recv(1, socket.MSG_PEEK)
        data = self._sock.recv(size)
        self.seen += data
        return data


def read(reader: H1Reader, method: str) -> H1Response | None:
    with contextlib.suppress(*HUNG_UP):
        return reader.read(method, 20)
    return None


@pytest.mark.parametrize("name", CASES)
def test_what_a_client_gets_of_it(raw: tuple[ProxyProcess, RawUpstream], name: str) -> None:
    proxy, upstream = raw
    case = CASES[name]
    upstream.answers = {CATALOGS.encode(): (case.answer, case.end), QUERIES.encode(): (HONEST, End.STAYS)}
    before = len(proxy.audit("outcome"))
    with open_tls(proxy.proxy_url, HOST, ca=proxy.ca_file) as sock:
        everything = Everything(sock)
        reader = H1Reader(everything)  # type: ignore[arg-type]
        send_h1(sock, head(case.method))
        first = read(reader, case.method)
        send_h1(sock, head("GET", QUERIES))
        second = read(reader, "GET")
    if case.told or (case.told is None and first is not None and first.status == 502):
        assert first is not None
        assert (first.status, first.complete) == (502, True)
    elif case.whole:
        assert first is not None
        assert first.complete
    else:
        assert first is None or not first.complete
    assert second is None or (second.status, second.body) == (200, b"honest")
    if case.error:
        assert second is None, "the connection goes on after what broke it"
    assert b"SMUGGLED" not in everything.seen
    with open_tls(proxy.proxy_url, HOST, ca=proxy.ca_file) as sock:
        send_h1(sock, head("GET", QUERIES))
        third = H1Reader(sock).read("GET", 20)
    assert third is not None
    assert third.body == b"honest"
    calls = 2 + (second is not None)
    proxy.wait_for(lambda: len(proxy.audit("outcome")) >= before + calls)
    outcomes = proxy.audit("outcome")[before:]
    assert len(outcomes) == calls, "one outcome a call"
    assert case.error in outcomes[0].get("error", "")
    assert bool(case.error) is ("error" in outcomes[0])
