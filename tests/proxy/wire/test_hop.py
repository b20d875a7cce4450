"""What a head says to the next hop alone."""

from __future__ import annotations

import pytest

from brickscope.proxy.wire.hop import HopError, end_to_end

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
    with pytest.raises(HopError):
        end_to_end(f"first\r\nConnection: close, {name}".encode())
