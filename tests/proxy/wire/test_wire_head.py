"""Heads: one object that is judged and sent, whatever pieces it comes in."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from http1_line import DOOR, HOST

import brickscope.proxy
from brickscope.core.decision import Refused
from brickscope.core.head import MAX_HEAD
from brickscope.core.reason import Reason
from brickscope.proxy.wire.framing import Broken
from brickscope.proxy.wire.head import HeadScanner, end_to_end

RAW = (
    b"POST /api?x=1 HTTP/1.1\r\nHost: "
    + HOST.encode()
    + b"\r\nX-MiXed:  a b \t\r\nEmpty:\r\nX-Mixed: c:d\r\n\r\n"
)
FIELDS = [
    (b"Host", HOST.encode()),
    (b"X-MiXed", b"a b"),
    (b"Empty", b""),
    (b"X-Mixed", b"c:d"),
]


def test_a_head_is_the_bytes_as_they_came_and_their_reading() -> None:
    head = HeadScanner(DOOR).read(RAW, 0)
    assert head is not None
    assert head.raw is RAW, "not even a copy"
    wire = head.wire
    assert (wire.method, wire.target, wire.authority, wire.http_version) == (
        b"POST",
        b"/api?x=1",
        b"",
        b"HTTP/1.1",
    )
    assert (list(wire.headers), wire.tunnel_host, wire.server_name) == (FIELDS, HOST, HOST)


@pytest.mark.parametrize("first", range(1, len(RAW)))
def test_a_head_may_come_in_pieces(first: int) -> None:
    scanner = HeadScanner(DOOR)
    assert scanner.read(RAW[:first], 0) is None
    head = scanner.read(RAW, 0)
    assert head is not None
    assert head.raw == RAW


def test_a_head_ends_where_the_body_begins() -> None:
    data = b"before" + RAW + b"body"
    head = HeadScanner(DOOR).read(data, 6)
    assert head is not None
    assert head.raw == RAW


def test_a_head_byte_by_byte_is_not_gone_through_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = []
    monkeypatch.setattr(
        "brickscope.proxy.wire.head.check_head", lambda received, seen: looked.append(len(received) - seen)
    )
    scanner = HeadScanner(DOOR)
    for end in range(1, len(RAW)):
        scanner.read(RAW[:end], 0)
    assert set(looked) == {1}


SIGNS = {
    "nothing": ([], False, False),
    "close": (["Connection: close"], True, False),
    "close in capitals": (["CONNECTION:CLOSE"], True, False),
    "close among others": (["Connection: x, close"], True, False),
    "keep-alive": (["Connection: keep-alive"], False, False),
    "the word elsewhere": (["X: close", "X-Connection: close"], False, False),
    "a body that waits": (["Expect: 100-continue"], False, True),
}


@pytest.mark.parametrize(("lines", "closes", "expects"), SIGNS.values(), ids=SIGNS)
def test_what_a_head_says_of_its_connection(lines: list[str], closes: bool, expects: bool) -> None:
    raw = "\r\n".join(["GET / HTTP/1.1", *lines, "", ""]).encode()
    head = HeadScanner(DOOR).read(raw, 0)
    assert head is not None
    assert (head.closes, head.expects) == (closes, expects)


FORMS = {
    "a path": (b"/a//b", b""),
    "a path with a URL in it": (b"/a?b=https://c", b""),
    "a whole URL": (b"https://other/a", b"https://other/a"),
    "an asterisk": (b"*", b""),
    "no slash": (b"api", b""),
}


@pytest.mark.parametrize(("target", "authority"), FORMS.values(), ids=FORMS)
def test_a_whole_url_has_an_authority(target: bytes, authority: bytes) -> None:
    head = HeadScanner(DOOR).read(b"GET " + target + b" HTTP/1.1\r\nHost: h\r\n\r\n", 0)
    assert head is not None
    assert (head.wire.target, head.wire.authority) == (target, authority)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"GET / HTTP/1.1\nHost: h\r\n\r\n", Reason.MALFORMED_HEAD),
        (b"GET / HTTP/1.1\nHost: h", Reason.MALFORMED_HEAD),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * MAX_HEAD + b"\r\n\r\n", Reason.TOO_LARGE),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * MAX_HEAD, Reason.TOO_LARGE),
    ],
    ids=["a bare line feed", "a bare line feed before the end", "too long", "too long before the end"],
)
def test_an_irregular_head_is_refused(raw: bytes, reason: Reason) -> None:
    with pytest.raises(Refused) as refused:
        HeadScanner(DOOR).read(b"before" + raw, 6)
    assert refused.value.reason is reason


def test_one_place_makes_heads_and_one_makes_leave_to_send_them() -> None:
    makers: dict[str, set[str]] = {"Head": set(), "Cleared": set()}
    for file in Path(brickscope.proxy.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            called = node.func if isinstance(node, ast.Call) else None
            if isinstance(called, ast.Attribute) and called.attr in ("_make", "_replace"):
                called = called.value
            if isinstance(called, ast.Name | ast.Attribute):
                name = called.id if isinstance(called, ast.Name) else called.attr
                if name in makers:
                    makers[name].add(file.name)
    assert makers == {"Head": {"head.py"}, "Cleared": {"ruling.py"}}


TAKEN = {
    "nothing": (["A: b"], ["A: b"]),
    "Connection and what it names": (["Connection: X-A , x-b", "X-A: 1", "x-B: 2", "X-C: 3"], ["X-C: 3"]),
    "two of them": (["Connection: X-A", "connection: X-B", "X-A: 1", "X-B: 2"], []),
    "what is always for one hop": (
        ["Keep-Alive: a", "TE: trailers", "Upgrade: x", "Proxy-Connection: a", "Proxy-Authorization: b"],
        [],
    ),
    "how a body is cut into pieces stays": (["Transfer-Encoding: chunked"], ["Transfer-Encoding: chunked"]),
    "blanks stay": (["A:  b "], ["A:  b "]),
    "an empty name": (["Connection: , close,", "A: b"], ["A: b"]),
}


@pytest.mark.parametrize(("lines", "expected"), TAKEN.values(), ids=TAKEN)
def test_what_is_not_passed_on(lines: list[str], expected: list[str]) -> None:
    head = "\r\n".join(["first", *lines]).encode()
    assert end_to_end(head).decode().split("\r\n")[1:] == expected


@pytest.mark.parametrize("name", ["content-length", "Transfer-Encoding", "HOST"])
def test_what_a_message_can_not_do_without_is_not_named(name: str) -> None:
    with pytest.raises(Broken):
        end_to_end(f"first\r\nConnection: close, {name}".encode())
