"""Rulings: leave to go only where it is known where the body ends, by the reading that was judged."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from brickscope.core.decision import Refused
from brickscope.core.request import read_request
from brickscope.proxy.ruling import announced_by
from brickscope.proxy.wire.head import read_announced
from core.wire import h1, h1_headers

NAMES = [
    b"Content-Length",
    b"content-length",
    b"Content_Length",
    b"Content.Length",
    b"Content-Length-",
    b"Transfer-Encoding",
    b"Transfer_Encoding",
    b"_Transfer-Encoding",
    b"Content-Type",
    b"X-Odd",
    b"X-Forwarded-Host",
]
VALUES = [b"0", b"5", b"05", b"+5", b"5, 5", b"chunked", b"Chunked", b"gzip, chunked", b"identity", b""]


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES)), max_size=3))
def test_the_end_that_was_judged_is_the_end_that_is_announced(more: list[tuple[bytes, bytes]]) -> None:
    """Of all that any mode can let go on, core and data path read the same end, and read one."""
    fields = h1_headers(*more)
    try:
        request = read_request(h1(b"POST", headers=fields))
    except Refused:
        return
    assert read_announced(fields) == announced_by(request)
