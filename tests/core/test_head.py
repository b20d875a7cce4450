"""The raw head of an HTTP/1.1 request: regular, or refused before any parser smooths it over."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickscope.core.decision import Refused
from brickscope.core.head import MAX_HEAD, check_head
from brickscope.core.reason import Reason

GOOD = b"GET /api HTTP/1.1\r\nHost: h\r\nAccept: */*\r\n\r\n"

MALFORMED = {
    "a bare line feed after the request line": b"GET /api HTTP/1.1\nHost: h\r\n\r\n",
    "a bare line feed after a header": b"GET /api HTTP/1.1\r\nHost: h\n\r\n",
    "bare line feeds at the end": b"GET /api HTTP/1.1\r\nHost: h\n\n",
    "a bare carriage return": b"GET /api HTTP/1.1\r\nHost: h\rX: y\r\n\r\n",
    "a folded header": b"GET /api HTTP/1.1\r\nHost: h\r\n X: y\r\n\r\n",
    "a folded header with a tab": b"GET /api HTTP/1.1\r\nHost: h\r\n\tX: y\r\n\r\n",
    "a fold in the first header": b"GET /api HTTP/1.1\r\n Host: h\r\n\r\n",
    "a NUL": b"GET /api HTTP/1.1\r\nHost: h\x00\r\n\r\n",
    "a vertical tab": b"GET /api HTTP/1.1\r\nHost: h\x0b\r\n\r\n",
    "a form feed": b"GET /api HTTP/1.1\r\nHost:\x0ch\r\n\r\n",
    "two spaces in the request line": b"GET  /api HTTP/1.1\r\nHost: h\r\n\r\n",
    "a tab in the request line": b"GET\t/api HTTP/1.1\r\nHost: h\r\n\r\n",
    "a leading space": b" GET /api HTTP/1.1\r\nHost: h\r\n\r\n",
    "a trailing space": b"GET /api HTTP/1.1 \r\nHost: h\r\n\r\n",
    "no version": b"GET /api\r\nHost: h\r\n\r\n",
    "a version in lower case": b"GET /api http/1.1\r\nHost: h\r\n\r\n",
    "a leading empty line": b"\r\nGET /api HTTP/1.1\r\nHost: h\r\n\r\n",
    "a space before the colon": b"GET /api HTTP/1.1\r\nHost : h\r\n\r\n",
    "no colon": b"GET /api HTTP/1.1\r\nHost\r\n\r\n",
    "an empty header name": b"GET /api HTTP/1.1\r\n: h\r\n\r\n",
    "an 8-bit header name": b"GET /api HTTP/1.1\r\nH\xf6st: h\r\n\r\n",
    "a carriage return before the last line end": b"GET /api HTTP/1.1\r\nHost: h\r\r\n\r\n",
    "an HTTP/2 preface": b"PRI  * HTTP/2.0\r\n\r\n",
}


def test_a_regular_head_is_complete() -> None:
    assert check_head(GOOD)
    assert check_head(GOOD + b"body\n\x00")


@pytest.mark.parametrize("end", range(len(GOOD) - 1))
def test_every_part_of_a_regular_head_waits_for_more(end: int) -> None:
    assert not check_head(GOOD[:end])


@pytest.mark.parametrize("raw", MALFORMED.values(), ids=MALFORMED)
def test_an_irregular_head_is_refused(raw: bytes) -> None:
    with pytest.raises(Refused) as refused:
        check_head(raw)
    assert refused.value.reason is Reason.MALFORMED_HEAD


@pytest.mark.parametrize("raw", [b"G" * (MAX_HEAD + 1), b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * MAX_HEAD])
def test_a_head_without_end_is_refused(raw: bytes) -> None:
    with pytest.raises(Refused) as refused:
        check_head(raw)
    assert refused.value.reason is Reason.TOO_LARGE


@given(st.binary(max_size=100))
def test_any_bytes_are_judged(raw: bytes) -> None:
    for data in (raw, b"GET / HTTP/1.1\r\n" + raw):
        with contextlib.suppress(Refused):
            check_head(data)


@pytest.mark.parametrize("name", MALFORMED)
def test_an_irregular_head_is_refused_however_it_is_split(name: str) -> None:
    raw = MALFORMED[name]

    def feed(first: int) -> None:
        assert not check_head(raw[:first])
        check_head(raw, first)

    for first in range(len(raw)):
        with pytest.raises(Refused):
            feed(first)


@given(st.binary(max_size=60), st.integers(0, 100))
def test_what_was_seen_before_changes_nothing(raw: bytes, first: int) -> None:
    def judged(seen: int) -> object:
        try:
            return check_head(whole, seen)
        except Refused as refused:
            return refused.reason

    whole = b"GET / HTTP/1.1\r\n" + raw
    with contextlib.suppress(Refused):
        if not check_head(whole[:first]):
            assert judged(min(first, len(whole))) == judged(0)
