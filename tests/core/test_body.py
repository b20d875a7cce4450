"""A JSON body in one reading: strict, bounded, each refusal with its reason."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brickscope.core.body import Number, read_body
from brickscope.core.decision import Refused
from brickscope.core.reason import Reason
from brickscope.core.request import ApiRequest, read_request
from core.refusal import refusal, tried
from core.wire import h1, h1_headers
from examples import examples
from reaching import reaching

LARGEST = 16 * 1024 * 1024
"""Most bytes of a body that is read."""
MOST = 100_000
"""Most structural characters in it."""


def request(*more: tuple[bytes, bytes]) -> ApiRequest:
    return read_request(h1(b"POST", b"/api/2.2/jobs/run-now", h1_headers(*more)))


def nested(depth: int) -> bytes:
    return b'{"a":' * (depth - 1) + b"{}" + b"}" * (depth - 1)


WRONG = {
    "no JSON": (b"job_id=1012", Reason.BODY_NOT_JSON),
    "a list": (b'[{"job_id": 1}]', Reason.BODY_NOT_JSON),
    "text": (b'"x"', Reason.BODY_NOT_JSON),
    "two objects": (b'{"job_id": 1}{"job_id": 2}', Reason.BODY_NOT_JSON),
    "an object and a tail": (b'{"job_id": 1} x', Reason.BODY_NOT_JSON),
    "two byte order marks": (b'\xef\xbb\xbf\xef\xbb\xbf{"job_id": 1}', Reason.BODY_NOT_JSON),
    "a byte order mark inside": (b'{\xef\xbb\xbf"job_id": 1}', Reason.BODY_NOT_JSON),
    "a byte order mark at the end": (b'{"job_id": 1}\xef\xbb\xbf', Reason.BODY_NOT_JSON),
    "a byte order mark alone": (b"\xef\xbb\xbf", Reason.BODY_NOT_JSON),
    "another byte order mark": ('\ufeff{"job_id": 1}'.encode("utf-16-le"), Reason.BODY_NOT_JSON),
    "UTF-16": ('{"job_id": 1}'.encode("utf-16"), Reason.BODY_NOT_JSON),
    "UTF-16 without a mark": ('{"job_id": 1}'.encode("utf-16-le"), Reason.BODY_NOT_JSON),
    "not UTF-8": (b'{"a": "\xff"}', Reason.BODY_NOT_JSON),
    "an overlong character": (b'{"a": "\xc0\xaf"}', Reason.BODY_NOT_JSON),
    "a comment": (b'{"job_id": 1 /* x */}', Reason.BODY_NOT_JSON),
    "a comma at the end": (b'{"job_id": 1,}', Reason.BODY_NOT_JSON),
    "single quotes": (b"{'job_id': 1}", Reason.BODY_NOT_JSON),
    "not a number": (b'{"job_id": NaN}', Reason.BODY_NOT_JSON),
    "infinity": (b'{"job_id": -Infinity}', Reason.BODY_NOT_JSON),
    "a leading zero": (b'{"job_id": 01012}', Reason.BODY_NOT_JSON),
    "a plus": (b'{"job_id": +1012}', Reason.BODY_NOT_JSON),
    "hexadecimal": (b'{"job_id": 0x3f4}', Reason.BODY_NOT_JSON),
    "a control character in text": (b'{"a": "x\ny"}', Reason.BODY_NOT_JSON),
    "a key twice": (b'{"job_id": 1012, "job_id": 13}', Reason.BODY_DUPLICATE_KEY),
    "a key twice, once escaped": (b'{"job_id": 1012, "job\\u005fid": 13}', Reason.BODY_DUPLICATE_KEY),
    "a key twice, deep": (b'{"a": [{"b": 1, "b": 2}]}', Reason.BODY_DUPLICATE_KEY),
    "too deep": (nested(33), Reason.BODY_TOO_DEEP),
    "lists too deep": (b'{"a":' + b"[" * 40_000 + b"]" * 40_000 + b"}", Reason.BODY_TOO_DEEP),
    "too many values": (b'{"a": [' + b"1," * MOST + b"1]}", Reason.TOO_COMPLEX),
    "too many objects": (b'{"a": [' + b"{}," * MOST + b"{}]}", Reason.TOO_COMPLEX),
    "too many brackets": (b"[" * (MOST + 1), Reason.TOO_COMPLEX),
    "too many values beside texts": (b'{"a": [' + b'",\\\\",' * MOST + b"1]}", Reason.TOO_COMPLEX),
    "too many values behind an escaped quote": (
        b'{"a": "\\\\\\"", "b": [' + b"1," * MOST + b"1]}",
        Reason.TOO_COMPLEX,
    ),
    "too many values behind an escaped backslash": (
        b'{"a": "\\\\", "b": [' + b"1," * MOST + b"1]}",
        Reason.TOO_COMPLEX,
    ),
    "too many escapes to tell what is text": (b'{"a": "' + b",\\n" * 1_000_001 + b'"}', Reason.TOO_COMPLEX),
    "too large": (b'{"a": "' + b"x" * LARGEST + b'"}', Reason.TOO_LARGE),
}


@pytest.mark.parametrize(("body", "reason"), WRONG.values(), ids=WRONG)
def test_what_has_two_readings_is_refused(body: bytes, reason: Reason) -> None:
    assert refusal(read_body, request(), body)[0] is reason


@pytest.mark.parametrize(
    "coding", [b"deflate", b"br", b"zstd", b"x-gzip", b"identity, gzip", b"gzip, gzip", b"gzip;q=1", b" "]
)
def test_a_body_that_is_compressed_otherwise_is_refused(coding: bytes) -> None:
    assert (
        refusal(read_body, request((b"Content-Encoding", coding)), gzip.compress(b"{}"))[0]
        is Reason.BODY_ENCODED
    )


@pytest.mark.parametrize("coding", [b"gzip", b"GZIP"])
def test_gzip_is_unpacked(coding: bytes) -> None:
    for content in (b'{"job_id": 1012}', b'\xef\xbb\xbf{"job_id": 1012}'):
        assert read_body(request((b"Content-Encoding", coding)), gzip.compress(content)) == {"job_id": 1012}


PACKED = {
    "no gzip": (b'{"job_id": 1012}', Reason.BODY_ENCODED),
    "zlib": (zlib.compress(b'{"job_id": 1012}'), Reason.BODY_ENCODED),
    "cut off": (gzip.compress(b'{"job_id": 1012}')[:-1], Reason.BODY_ENCODED),
    "a tail": (gzip.compress(b'{"job_id": 1012}') + b"x", Reason.BODY_ENCODED),
    "a tail of zeros": (gzip.compress(b'{"job_id": 1012}') + b"\0" * 8, Reason.BODY_ENCODED),
    "two members": (gzip.compress(b'{"job_id":') + gzip.compress(b" 1012}"), Reason.BODY_ENCODED),
    "a wrong checksum": (gzip.compress(b'{"job_id": 1012}')[:-8] + b"\0" * 8, Reason.BODY_ENCODED),
    "packed twice": (gzip.compress(gzip.compress(b'{"job_id": 1012}')), Reason.BODY_NOT_JSON),
    "a bomb": (gzip.compress(b'{"a": "' + b"x" * LARGEST + b'"}'), Reason.TOO_LARGE),
    "a bomb that does not end": (gzip.compress(b" " * (4 * LARGEST))[:-9], Reason.TOO_LARGE),
    "too many values": (gzip.compress(b'{"a": [' + b"1," * MOST + b"1]}"), Reason.TOO_COMPLEX),
    "no JSON": (gzip.compress(b"x"), Reason.BODY_NOT_JSON),
}


@pytest.mark.parametrize(("body", "reason"), PACKED.values(), ids=PACKED)
def test_what_is_packed_in_any_other_way_is_refused(body: bytes, reason: Reason) -> None:
    assert refusal(read_body, request((b"Content-Encoding", b"gzip")), body)[0] is reason


def test_one_byte_order_mark_is_skipped() -> None:
    assert read_body(request(), b'\xef\xbb\xbf{"job_id": 1012}') == {"job_id": 1012}


def test_a_file_in_a_body_of_the_largest_size_is_read() -> None:
    content = "QUJD" * (LARGEST // 4 - 100)
    assert read_body(request(), json.dumps({"path": "/x", "content": content}).encode())["path"] == "/x"


@pytest.mark.parametrize("text", ["INSERT INTO t VALUES (1, 2), ", '{"a": [1, "\\""]} ', "a:\\", "\n, "])
def test_what_stands_in_a_text_is_no_structure(text: str) -> None:
    body = {"statement": text * MOST, "warehouse_id": "7"}
    assert read_body(request(), json.dumps(body).encode()) == body


KINDS = [
    b"application/json",
    b"application/x-www-form-urlencoded",
    b"text/json",
    b"text/plain; charset=UTF-8",
    b"x/y",
]


@pytest.mark.parametrize("kind", KINDS)
def test_the_content_type_is_no_matter(kind: bytes) -> None:
    assert read_body(request((b"Content-Type", kind)), b'{"job_id": 1012}') == {"job_id": 1012}


@pytest.mark.parametrize("charset", [b"utf-16", b"iso-8859-1", b'"utf-7"', b" utf-32"])
def test_another_character_set_is_refused(charset: bytes) -> None:
    kind = (b"Content-Type", b"application/json; charset=" + charset)
    assert refusal(read_body, request(kind), b"{}")[0] is Reason.BODY_NOT_JSON


HUGE = {
    "escaped quotes in a text that is left open": (
        b'{"b":' + b"[" * 40 + b"]" * 40 + b',"a":"' + b'\\"' * 450_000,
        Reason.BODY_NOT_JSON,
    ),
    "the same with a backslash at the end": (
        b'{"b":' + b"[" * 40 + b"]" * 40 + b',"a":"' + b'\\"' * 450_000 + b"\\",
        Reason.BODY_NOT_JSON,
    ),
    "objects side by side": (b'{"a":[' + b"{}," * 49_990 + b"{}]}", None),
    "brackets in a text": (b'{"a":"' + b"[{" * 49_990 + b'"}', None),
    "brackets left open": (b'{"a":' + b"[" * 90_000, Reason.BODY_TOO_DEEP),
}


@pytest.mark.parametrize(("body", "reason"), HUGE.values(), ids=HUGE)
def test_no_body_costs_more_than_its_size(body: bytes, reason: Reason | None) -> None:
    # What grew with the square of the size would run into the time limit of the suite.
    found = tried(read_body, request(), body)
    if reason is None:
        assert isinstance(found, dict)
        assert list(found) == ["a"]
    else:
        assert isinstance(found, Refused)
        assert found.reason is reason


def test_no_body_is_an_empty_object() -> None:
    assert read_body(request(), b"") == {}


def test_the_deepest_that_is_read() -> None:
    assert read_body(request(), nested(32))
    lists = b'{"a":' + b"[" * 31 + b"]" * 31 + b"}"
    assert read_body(request(), lists)
    assert refusal(read_body, request(), lists.replace(b"[]", b"[[]]")) == (
        Reason.BODY_TOO_DEEP,
        "the body is nested deeper than 32 levels",
    )
    side_by_side = b'{"a":[' + b"{}," * 100 + b"{}]}"
    assert len(read_body(request(), side_by_side)["a"]) == 101


def test_the_longest_body() -> None:
    whole = b'{"a": "' + b"x" * (LARGEST - 9) + b'"}'
    assert len(whole) == LARGEST
    assert read_body(request(), whole)
    assert refusal(read_body, request(), whole + b" ") == (
        Reason.TOO_LARGE,
        "the body has more than 16777216 bytes",
    )


@pytest.mark.parametrize("coding", [b"", b"identity", b"Identity"])
def test_a_body_that_is_not_compressed_is_read(coding: bytes) -> None:
    assert read_body(request((b"Content-Encoding", coding)), b'{"a": 1}') == {"a": 1}


@pytest.mark.parametrize(
    "kind",
    [b"text/json; charset=utf8", b"a/b; charset = UTF-8", b'a/b;charset="utf-8"', b"a/b; charset=", b"a/b"],
)
def test_a_character_set_that_is_utf_8(kind: bytes) -> None:
    if kind.endswith(b"="):
        assert refusal(read_body, request((b"Content-Type", kind)), b"{}")[0] is Reason.BODY_NOT_JSON
    else:
        assert read_body(request((b"Content-Type", kind)), b"{}") == {}


@pytest.mark.parametrize(
    "kind", [b"a/b; charset*=utf-8''utf-8", b"a/b; charset=utf-8; charset=utf-16", b"a/b; CHARSET=latin1"]
)
def test_a_character_set_that_is_not(kind: bytes) -> None:
    assert refusal(read_body, request((b"Content-Type", kind)), b"{}") == (
        Reason.BODY_NOT_JSON,
        "the body's character set is not UTF-8",
    )


def test_numbers_of_64_bits_are_integers() -> None:
    for text in ("0", "-1", "9" * 19, "-" + "9" * 19):
        found = read_body(request(), f'{{"a": {text}}}'.encode())["a"]
        assert type(found) is int
        assert found == int(text)
    for text in ("1" + "0" * 19, "-1" + "0" * 19):
        assert isinstance(read_body(request(), f'{{"a": {text}}}'.encode())["a"], Number)
    assert read_body(request(), b'{"a": "' + b"[{" * 500 + b'"}') == {"a": "[{" * 500}


@pytest.mark.parametrize("text", ["1.0", "1e3", "-0", "1012.0", "99999999999999999999", "1E400"])
def test_a_number_that_is_no_plain_integer_keeps_its_text(text: str) -> None:
    found = read_body(request(), f'{{"a": {text}}}'.encode())["a"]
    assert isinstance(found, Number)
    assert found == text


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), JSON, max_size=5))
def test_what_was_written_is_what_is_read(value: dict[str, Any]) -> None:
    for ascii_only in (True, False):
        text = json.dumps(value, ensure_ascii=ascii_only)
        try:
            raw = text.encode()
        except UnicodeEncodeError:
            continue  # half of a surrogate pair
        assert read_body(request(), raw) == value


_PIECES = [
    b"{",
    b"}",
    b"[",
    b"]",
    b'"',
    b",",
    b":",
    b"0",
    b"-",
    b"\\",
    b"\xff",
    b"e",
    b"//",
    b"null",
    b"NaN",
    b" ",
]


def _plain_integer(text: str) -> int | str:
    """What all parsers read as one number; others keep their text."""
    return text if text == "-0" or len(text.lstrip("-")) > 19 else int(text)


@reaching(
    0.05, st.dictionaries(st.text(max_size=3), JSON, max_size=3), st.sampled_from(_PIECES), st.integers(0, 60)
)
@settings(max_examples=examples(300))
def test_nothing_but_refused_is_raised_and_what_is_read_is_what_json_says(
    value: dict[str, Any], piece: bytes, at: int
) -> bool:
    """A body with something put into it: what is read all the same is what any parser reads."""
    good = json.dumps(value).encode()
    body = good[:at] + piece + good[at:]
    found = tried(read_body, request(), body)
    if isinstance(found, Refused):
        assert found.reason in (Reason.BODY_NOT_JSON, Reason.BODY_DUPLICATE_KEY)
        return False
    assert found == json.loads(body, parse_float=str, parse_int=_plain_integer)
    return True


@given(st.binary(min_size=1, max_size=300))
def test_bytes_that_are_no_json_are_refused(body: bytes) -> None:
    with pytest.raises(Refused, match="the body is"):
        read_body(request(), b"\xff" + body)
