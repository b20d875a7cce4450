"""The raw head of an HTTP/1.1 request: regular, or refused before any parser smooths it over."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brickscope.core.decision import Refused
from brickscope.core.head import check_head, split_fields
from brickscope.core.reason import Reason
from core.refusal import refusal, tried
from examples import examples
from reaching import reaching

GOOD = b"GET /api HTTP/1.1\r\nHost: h\r\nAccept: */*\r\n\r\n"

MALFORMED = {
    "a bare line feed after the request line": b"GET /api HTTP/1.1\nHost: h\r\n\r\n",
    "a bare line feed after a header": b"GET /api HTTP/1.1\r\nHost: h\n\r\n",
    "bare line feeds at the end": b"GET /api HTTP/1.1\r\nHost: h\n\n",
    "a bare carriage return": b"GET /api HTTP/1.1\r\nHost: h\rX: y\r\n\r\n",
    "a bare carriage return at the end": b"GET /api HTTP/1.1\r\nHost: h\r\r\n\r\n",
    "a bare carriage return after the request line": b"GET /api HTTP/1.1\r\r\n\r\n",
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
    "an HTTP/2 preface": b"PRI  * HTTP/2.0\r\n\r\n",
}


def test_a_regular_head_is_complete() -> None:
    assert check_head(GOOD)
    assert check_head(GOOD + b"body\n\x00")
    assert check_head(GOOD + GOOD), "what was sent ahead"
    assert check_head(GOOD + b"\x00\n\r\n\r\n"), "a body that looks like the end of a head"


@pytest.mark.parametrize("end", range(len(GOOD) - 1))
def test_every_part_of_a_regular_head_waits_for_more(end: int) -> None:
    assert not check_head(GOOD[:end])


@pytest.mark.parametrize("raw", MALFORMED.values(), ids=MALFORMED)
def test_an_irregular_head_is_refused(raw: bytes) -> None:
    assert refusal(check_head, raw)[0] is Reason.MALFORMED_HEAD


LONGEST = 80 * 1024
"""Most bytes of a head, without the blank line that ends it: 64 KiB of headers and 16 KiB of target."""


def test_the_longest_head() -> None:
    start = b"GET / HTTP/1.1\r\nX:"
    assert check_head(start + b"y" * (LONGEST - len(start)) + b"\r\n\r\n")
    assert not check_head(start + b"y" * (LONGEST - len(start)))
    for raw in (
        start + b"y" * (LONGEST - len(start) + 1),
        start + b"y" * (LONGEST - len(start) + 1) + b"\r\n\r\n",
    ):
        assert refusal(check_head, raw) == (
            Reason.TOO_LARGE,
            "the request's head has more than 81920 bytes",
        )
    body = start + b"y\r\n\r\n" + b"z" * 2 * LONGEST
    assert check_head(body), "what comes after a head is no part of it"


@pytest.mark.parametrize("raw", [b"G" * (LONGEST + 1), b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * LONGEST])
def test_a_head_without_end_is_refused(raw: bytes) -> None:
    assert refusal(check_head, raw)[0] is Reason.TOO_LARGE


_LINES = [
    b"Host: h",
    b"Accept:*/*",
    b"X:",
    b"X: \xe9",
    b" X: y",
    b"X : y",
    b"X",
    b": y",
    b"",
    b"X: a\tb",
    b"X: \x00",
]
_ENDS = st.sampled_from([b"\r\n"] * 12 + [b"\n", b"\r", b"\r\r\n"])
_HEADS = st.builds(
    lambda first, lines, end: b"".join(line + after for line, after in [first, *lines]) + end,
    st.tuples(
        st.sampled_from([b"GET / HTTP/1.1"] * 6 + [b"GET  / HTTP/1.1", b"GET /", b"G\tT / HTTP/1.1"]), _ENDS
    ),
    st.lists(st.tuples(st.sampled_from(_LINES[:4]) | st.sampled_from(_LINES), _ENDS), max_size=3),
    st.sampled_from([b"\r\n", b"\r\n", b"\n", b"", b"\r\nbody"]),
)


@reaching(0.05, _HEADS | st.binary(max_size=60))
@settings(max_examples=examples(300))
def test_a_head_that_passes_has_one_reading(raw: bytes) -> bool:
    found = tried(check_head, raw)
    if isinstance(found, Refused):
        assert found.reason is Reason.MALFORMED_HEAD
    if found is not True:
        return False
    first, *lines = raw.partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert len(first.split(b" ")) == 3
    for line in lines:
        name, colon, value = line.partition(b":")
        assert colon
        assert name
        assert all(0x20 < byte < 0x7F for byte in name)
        assert not set(value) & set(b"\r\n\x00")
    return True


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
    try:
        complete = check_head(whole[:first])
    except Refused:
        return
    assert complete or judged(min(first, len(whole))) == judged(0)


# No ids with a backslash: pytest spells them otherwise the second time in a process, and mutmut runs it many times.
@pytest.mark.parametrize("after", [b"", b" ", b"\t", b" \t ", b"\t\t"], ids=bytes.hex)
@pytest.mark.parametrize("before", [b"", b" ", b"\t", b" \t"], ids=bytes.hex)
@pytest.mark.parametrize("place", range(3))
def test_fields_are_split_without_the_blanks_round_their_values(
    before: bytes, after: bytes, place: int
) -> None:
    """RFC 9112 section 5.1; a blank that stays would keep a value from being what a rule or a table says."""
    fields = [(b"Host", b"h"), (b"X-Empty", b""), (b"X-Two", b"a \tb")]
    lines = [name + b":" + value for name, value in fields]
    lines[place] = fields[place][0] + b":" + before + fields[place][1] + after
    head = b"GET / HTTP/1.1\r\n" + b"\r\n".join(lines)
    assert split_fields(head + b"\r\n\r\nX: y ", 0, len(head)) == fields
