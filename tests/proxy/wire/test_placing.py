"""The one edit of a request changes one value, in whatever way it is written."""

from __future__ import annotations

from base64 import b64encode

import pytest

from brickscope.core.placeholder import make_placeholder
from brickscope.proxy.wire.credential import place
from brickscope.proxy.wire.head import Door, Head, HeadScanner, head_of

DOOR = Door("h.cloud.databricks.com", 443, "h.cloud.databricks.com", b"http/1.1")
HELD = make_placeholder(bytes(32)).encode()
REAL = b"dapi" + b"0" * 32


def read(raw: bytes) -> Head:
    head = HeadScanner(DOOR).read(raw, 0)
    assert head is not None
    return head


BASIC = b"Basic " + b64encode(b"token:" + HELD)


@pytest.mark.parametrize("name", [b"Authorization", b"authorization", b"AUTHORIZATION"])
@pytest.mark.parametrize("value", [b"Bearer " + HELD, BASIC])
@pytest.mark.parametrize("blank", [b"", b" ", b" \t "])
def test_one_line_of_http1(name: bytes, value: bytes, blank: bytes) -> None:
    raw = b"GET /a?authorization:x HTTP/1.1\r\nHost: h\r\n%b:%b%b\r\nX-Authorization-Not: 1\r\n\r\n"
    sent, fields = place(read(raw % (name, blank, value)), REAL)
    assert sent == raw % (name, blank, b"Bearer " + REAL)
    assert fields == ()


def test_one_field_of_http2() -> None:
    before = ((b":method", b"GET"), (b"x-note", HELD), (b"authorization", BASIC), (b"x-last", b"1"))
    head = head_of(read(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n").wire, before)
    sent, fields = place(head, REAL)
    assert sent == b""
    assert fields == (*before[:2], (b"authorization", b"Bearer " + REAL), before[3])
    assert type(fields[2]).__name__ == "NeverIndexedHeaderTuple"


@pytest.mark.parametrize("count", [0, 2])
def test_a_head_without_one_is_not_sent(count: int) -> None:
    with pytest.raises(ValueError):
        place(read(b"GET /a HTTP/1.1\r\nHost: h\r\n" + b"Authorization: x\r\n" * count + b"\r\n"), REAL)
