"""A JSON body in one reading: strict, bounded, each refusal with its reason."""

from __future__ import annotations

import gzip
import json
import zlib
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickscope.core.body import MAX_BODY, MAX_DEPTH, MAX_STRUCTURE, Number, read_body
from brickscope.core.decision import Refused
from brickscope.core.reason import Reason
from brickscope.core.request import ApiRequest, read_request
from core.wire import h1, h1_headers


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
    "too deep": (nested(MAX_DEPTH + 1), Reason.BODY_TOO_DEEP),
    "lists too deep": (b'{"a":' + b"[" * 40_000 + b"]" * 40_000 + b"}", Reason.BODY_TOO_DEEP),
    "too many values": (b'{"a": [' + b"1," * MAX_STRUCTURE + b"1]}", Reason.TOO_COMPLEX),
    "too many objects": (b'{"a": [' + b"{}," * MAX_STRUCTURE + b"{}]}", Reason.TOO_COMPLEX),
    "too many brackets": (b"[" * (MAX_STRUCTURE + 1), Reason.TOO_COMPLEX),
    "too large": (b'{"a": "' + b"x" * MAX_BODY + b'"}', Reason.TOO_LARGE),
}


@pytest.mark.parametrize(("body", "reason"), WRONG.values(), ids=WRONG)
def test_what_has_two_readings_is_refused(body: bytes, reason: Reason) -> None:
    with pytest.raises(Refused) as refused:
        read_body(request(), body)
    assert refused.value.reason is reason


@pytest.mark.parametrize(
    "coding", [b"deflate", b"br", b"zstd", b"x-gzip", b"identity, gzip", b"gzip, gzip", b"gzip;q=1", b" "]
)
def test_a_body_that_is_compressed_otherwise_is_refused(coding: bytes) -> None:
    with pytest.raises(Refused) as refused:
        read_body(request((b"Content-Encoding", coding)), gzip.compress(b"{}"))
    assert refused.value.reason is Reason.BODY_ENCODED


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
    "a bomb": (gzip.compress(b'{"a": "' + b"x" * MAX_BODY + b'"}'), Reason.TOO_LARGE),
    "a bomb that does not end": (gzip.compress(b" " * (4 * MAX_BODY))[:-9], Reason.TOO_LARGE),
    "too many values": (gzip.compress(b'{"a": [' + b"1," * MAX_STRUCTURE + b"1]}"), Reason.TOO_COMPLEX),
    "no JSON": (gzip.compress(b"x"), Reason.BODY_NOT_JSON),
}


@pytest.mark.parametrize(("body", "reason"), PACKED.values(), ids=PACKED)
def test_what_is_packed_in_any_other_way_is_refused(body: bytes, reason: Reason) -> None:
    with pytest.raises(Refused) as refused:
        read_body(request((b"Content-Encoding", b"gzip")), body)
    assert refused.value.reason is reason


def test_one_byte_order_mark_is_skipped() -> None:
    assert read_body(request(), b'\xef\xbb\xbf{"job_id": 1012}') == {"job_id": 1012}


def test_a_file_in_a_body_of_the_largest_size_is_read() -> None:
    content = "QUJD" * (MAX_BODY // 4 - 100)
    assert read_body(request(), json.dumps({"path": "/x", "content": content}).encode())["path"] == "/x"


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
    with pytest.raises(Refused) as refused:
        read_body(request((b"Content-Type", b"application/json; charset=" + charset)), b"{}")
    assert refused.value.reason is Reason.BODY_NOT_JSON


HUGE = {
    "escaped quotes in a text that is left open": b'{"b":'
    + b"[" * 40
    + b"]" * 40
    + b',"a":"'
    + b'\\"' * 450_000,
    "the same with a backslash at the end": b'{"b":'
    + b"[" * 40
    + b"]" * 40
    + b',"a":"'
    + b'\\"' * 450_000
    + b"\\",
    "objects side by side": b'{"a":[' + b"{}," * 300_000 + b"{}]}",
    "brackets in a text": b'{"a":"' + b"[{" * 450_000 + b'"}',
    "brackets left open": b'{"a":' + b"[" * 900_000,
}


@pytest.mark.parametrize("body", HUGE.values(), ids=HUGE)
def test_no_body_costs_more_than_its_size(body: bytes) -> None:
    with suppress(
        Refused
    ):  # what grew with the square of the size would run into the time limit of the suite
        read_body(request(), body)


def test_no_body_is_an_empty_object() -> None:
    assert read_body(request(), b"") == {}


def test_the_deepest_that_is_read() -> None:
    assert read_body(request(), nested(MAX_DEPTH))
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


@given(st.binary(max_size=300))
def test_nothing_but_refused_is_raised(body: bytes) -> None:
    try:
        assert isinstance(read_body(request(), body), dict)
    except Refused as refused:
        assert refused.reason.value.startswith("body_")  # noqa: PT017


def form(*parts: bytes, end: bytes = b"--xyz--\r\n") -> bytes:
    return b"".join(b"--xyz\r\n" + part + b"\r\n" for part in parts) + end


def field(name: bytes, value: bytes, *more: bytes, filename: bytes | None = None) -> bytes:
    named = b"" if filename is None else b'; filename="' + filename + b'"'
    lines = [b'Content-Disposition: form-data; name="' + name + b'"' + named, *more]
    return b"\r\n".join([*lines, b"", value])


FORM = b"multipart/form-data; boundary=xyz"
PATH = field(b"path", b"/Workspace/team/r.py")
FILE = field(b"content", b"print(1)\n\r\n\0", b"Content-Type: application/octet-stream", filename=b"r.py")
GOOD_FORMS: dict[str, tuple[bytes, bytes, dict[str, Any]]] = {
    "a field and a file": (FORM, form(PATH, FILE), {"path": "/Workspace/team/r.py", "content": [[]]}),
    "without a line end at the end": (FORM, form(PATH, end=b"--xyz--"), {"path": "/Workspace/team/r.py"}),
    "a quoted boundary": (
        b'multipart/form-data; boundary="xyz"',
        form(PATH),
        {"path": "/Workspace/team/r.py"},
    ),
    "capitals": (
        b"Multipart/Form-Data;boundary=xyz",
        form(PATH.replace(b"Content-D", b"content-d")),
        {"path": "/Workspace/team/r.py"},
    ),
    "text beyond ASCII": (FORM, form(field(b"path", "/Ordner/\u00fc".encode())), {"path": "/Ordner/\u00fc"}),
    "an empty field": (FORM, form(field(b"overwrite", b"")), {"overwrite": ""}),
    "line ends in a field": (FORM, form(field(b"a", b"1\r\n\r\n2\r\n")), {"a": "1\r\n\r\n2\r\n"}),
    "a type with a character set": (
        FORM,
        form(field(b"a", b"1", b"Content-Type: text/plain; charset=utf-8")),
        {"a": "1"},
    ),
}


@pytest.mark.parametrize(("kind", "body", "expected"), GOOD_FORMS.values(), ids=GOOD_FORMS)
def test_a_plain_form_is_read(kind: bytes, body: bytes, expected: dict[str, Any]) -> None:
    assert read_body(request((b"Content-Type", kind)), body) == expected
    packed = request((b"Content-Type", kind), (b"Content-Encoding", b"gzip"))
    assert read_body(packed, gzip.compress(body)) == expected


def test_forms_are_read_as_clients_write_them() -> None:
    import httpx

    sent = httpx.Request(
        "POST", "https://h/", data={"path": "/x", "overwrite": "true"}, files={"content": b"abc"}
    )
    found = read_body(request((b"Content-Type", sent.headers["content-type"].encode())), sent.read())
    assert found == {"path": "/x", "overwrite": "true", "content": [[]]}


BAD_FORMS: dict[str, tuple[bytes, bytes]] = {
    "no boundary": (b"multipart/form-data", form(PATH)),
    "two boundaries": (b"multipart/form-data; boundary=xyz; boundary=abc", form(PATH)),
    "an empty boundary": (b"multipart/form-data; boundary=", form(PATH)),
    "a boundary with a blank": (b'multipart/form-data; boundary="xyz "', form(PATH)),
    "another parameter": (b"multipart/form-data; charset=utf-16; boundary=xyz", form(PATH)),
    "another kind of multipart": (b"multipart/mixed; boundary=xyz", form(PATH)),
    "a list of types": (b"application/json, multipart/form-data; boundary=xyz", form(PATH)),
    "JSON": (FORM, b'{"path": "/x"}'),
    "nothing but a boundary": (FORM, b"--xyz--\r\n"),
    "another boundary": (b"multipart/form-data; boundary=abc", form(PATH)),
    "something before": (FORM, b"\r\n" + form(PATH)),
    "something after": (FORM, form(PATH) + b"x"),
    "a line end too many": (FORM, form(PATH) + b"\r\n"),
    "no end": (FORM, form(PATH, end=b"")),
    "no end but a boundary": (FORM, form(PATH, end=b"--xyz")),
    "no end but a boundary and a line end": (FORM, form(PATH, end=b"--xyz\r\n")),
    "an end of one dash": (FORM, form(PATH, end=b"--xyz-")),
    "two ends": (FORM, form(PATH, end=b"--xyz--\r\n--xyz--\r\n")),
    "bare line feeds": (FORM, form(PATH).replace(b"\r\n", b"\n")),
    "a bare line feed before a boundary": (
        FORM,
        form(PATH, FILE).replace(b"r.py\r\n--xyz", b"r.py\n--xyz", 1),
    ),
    "a bare line feed after a boundary": (FORM, form(PATH, FILE).replace(b"--xyz\r\n", b"--xyz\n", 1)),
    "blanks after a boundary": (FORM, form(PATH, FILE).replace(b"--xyz\r\n", b"--xyz \r\n", 1)),
    "blanks after a later boundary": (FORM, form(PATH, FILE).replace(b"\r\n--xyz\r\n", b"\r\n--xyz \r\n", 1)),
    "the boundary within a field": (FORM, form(field(b"a", b"1--xyz2"))),
    "the boundary within a name": (FORM, form(field(b"a--xyz", b"1"))),
    "a longer boundary": (FORM, form(field(b"a", b"1\r\n--xyzz\r\n2"))),
    "no blank line": (FORM, form(b'Content-Disposition: form-data; name="path"')),
    "no head": (FORM, form(b"\r\nvalue")),
    "no name": (FORM, form(b"Content-Disposition: form-data\r\n\r\nx")),
    "a name without quotes": (FORM, form(b"Content-Disposition: form-data; name=path\r\n\r\nx")),
    "two names": (FORM, form(b'Content-Disposition: form-data; name="a"; name="b"\r\n\r\nx')),
    "a name with a quote": (FORM, form(field(b'a\\"b', b"x"))),
    "a name with brackets": (FORM, form(field(b"a[]", b"x"))),
    "a name beyond ASCII": (FORM, form(field("\u00e4".encode(), b"x"))),
    "an encoded name": (FORM, form(b"Content-Disposition: form-data; name*=utf-8''path\r\n\r\nx")),
    "an encoded file name": (
        FORM,
        form(b"Content-Disposition: form-data; name=\"path\"; filename*=utf-8''x\r\n\r\nx"),
    ),
    "a disposition of another kind": (FORM, form(b'Content-Disposition: attachment; name="path"\r\n\r\nx')),
    "two dispositions": (
        FORM,
        form(PATH.replace(b"\r\n\r\n", b'\r\nContent-Disposition: form-data; name="b"\r\n\r\n')),
    ),
    "a folded disposition": (FORM, form(b'Content-Disposition: form-data;\r\n name="path"\r\n\r\nx')),
    "another header": (FORM, form(field(b"a", b"1", b"X: y"))),
    "an encoding of its own": (FORM, form(field(b"a", b"1", b"Content-Transfer-Encoding: base64"))),
    "a blank before the colon": (FORM, form(b'Content-Disposition : form-data; name="a"\r\n\r\n1')),
    "a form within": (FORM, form(field(b"a", b"1", b"Content-Type: multipart/mixed; boundary=b"))),
    "another character set": (FORM, form(field(b"a", b"1", b"Content-Type: text/plain; charset=utf-16"))),
    "two types": (FORM, form(field(b"a", b"1", b"Content-Type: a/b", b"Content-Type: a/c"))),
    "no UTF-8": (FORM, form(field(b"a", b"\xff"))),
    "a file name with a line feed": (FORM, form(field(b"a", b"1", filename=b"a\nb"))),
}


@pytest.mark.parametrize(("kind", "body"), BAD_FORMS.values(), ids=BAD_FORMS)
def test_a_form_that_could_be_cut_in_two_ways_is_refused(kind: bytes, body: bytes) -> None:
    with pytest.raises(Refused) as refused:
        read_body(request((b"Content-Type", kind)), body)
    assert refused.value.reason is Reason.BODY_NOT_JSON


def test_a_field_twice_is_refused() -> None:
    for second in (field(b"path", b"/x"), field(b"path", b"x", filename=b"x")):
        with pytest.raises(Refused) as refused:
            read_body(request((b"Content-Type", FORM)), form(PATH, second))
        assert refused.value.reason is Reason.BODY_DUPLICATE_KEY


def test_too_many_parts_are_refused() -> None:
    parts = [field(b"f%d" % number, b"1") for number in range(101)]
    assert len(read_body(request((b"Content-Type", FORM)), form(*parts[:100]))) == 100
    with pytest.raises(Refused) as refused:
        read_body(request((b"Content-Type", FORM)), form(*parts))
    assert refused.value.reason is Reason.TOO_COMPLEX


@given(st.binary(max_size=200), st.integers(0, 200))
def test_whatever_is_put_into_a_form_gives_no_other_fields(odd: bytes, at: int) -> None:
    """A second, lenient reader (Python's email package) finds no field that we do not."""
    import email.parser
    import email.policy

    whole = form(PATH, FILE)
    body = whole[:at] + odd + whole[at:]
    try:
        found = read_body(request((b"Content-Type", FORM)), body)
    except Refused:
        return
    message = email.parser.BytesParser(policy=email.policy.compat32).parsebytes(
        b"Content-Type: " + FORM + b"\r\n\r\n" + body
    )
    parts = message.get_payload()
    assert isinstance(parts, list)
    names = [part.get_param("name", header="content-disposition") for part in parts]
    assert sorted(names) == sorted(found)
