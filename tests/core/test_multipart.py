"""Multipart forms: one reading, or a refusal with its reason."""

from __future__ import annotations

import email.parser
import email.policy
import gzip
from typing import Any

import httpx
import pytest
from hypothesis import settings
from hypothesis import strategies as st

from brickscope.core.body import read_body
from brickscope.core.decision import Refused
from brickscope.core.reason import Reason
from brickscope.core.request import ApiRequest, read_request
from core.refusal import refusal, tried
from core.wire import h1, h1_headers
from examples import examples
from reaching import reaching

FORM = b"multipart/form-data; boundary=xyz"


def request(kind: bytes = FORM, *more: tuple[bytes, bytes]) -> ApiRequest:
    headers = h1_headers((b"Content-Type", kind), *more)
    return read_request(h1(b"POST", b"/api/2.0/workspace/import", headers))


def form(*parts: bytes, end: bytes = b"--xyz--\r\n") -> bytes:
    return b"".join(b"--xyz\r\n" + part + b"\r\n" for part in parts) + end


def field(name: bytes, value: bytes, *more: bytes, filename: bytes | None = None) -> bytes:
    named = b"" if filename is None else b'; filename="' + filename + b'"'
    lines = [b'Content-Disposition: form-data; name="' + name + b'"' + named, *more]
    return b"\r\n".join([*lines, b"", value])


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
    "a semicolon in a file name": (FORM, form(field(b"a", b"1", filename=b"x=1; y.csv")), {"a": [[]]}),
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
    assert read_body(request(kind), body) == expected
    packed = request(kind, (b"Content-Encoding", b"gzip"))
    assert read_body(packed, gzip.compress(body)) == expected


def test_forms_are_read_as_clients_write_them() -> None:
    sent = httpx.Request(
        "POST", "https://h/", data={"path": "/x", "overwrite": "true"}, files={"content": b"abc"}
    )
    found = read_body(request(sent.headers["content-type"].encode()), sent.read())
    assert found == {"path": "/x", "overwrite": "true", "content": [[]]}


BAD_FORMS: dict[str, tuple[bytes, bytes]] = {
    "a field that names the character set of the others": (FORM, form(field(b"_charset_", b"utf-7"), PATH)),
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
    "a file name with another name in it": (FORM, form(field(b"a", b"1", filename=b"x; name=path"))),
    "a file name with a line feed": (FORM, form(field(b"a", b"1", filename=b"a\nb"))),
}


@pytest.mark.parametrize(("kind", "body"), BAD_FORMS.values(), ids=BAD_FORMS)
def test_a_form_that_could_be_cut_in_two_ways_is_refused(kind: bytes, body: bytes) -> None:
    assert refusal(read_body, request(kind), body)[0] is Reason.BODY_NOT_JSON


def test_a_field_twice_is_refused() -> None:
    for second in (field(b"path", b"/x"), field(b"path", b"x", filename=b"x")):
        assert refusal(read_body, request(), form(PATH, second))[0] is Reason.BODY_DUPLICATE_KEY


def test_too_many_parts_are_refused() -> None:
    parts = [field(b"f%d" % number, b"1") for number in range(101)]
    assert len(read_body(request(), form(*parts[:100]))) == 100
    assert refusal(read_body, request(), form(*parts))[0] is Reason.TOO_COMPLEX


@reaching(
    0.02,
    st.sampled_from([b"\r\n", b"--xyz", b"--", b"; ", b'"', b"X: y\r\n"]) | st.binary(max_size=9),
    st.integers(0, 200),
)
@settings(max_examples=examples(300))
def test_whatever_is_put_into_a_form_gives_no_other_fields(odd: bytes, at: int) -> bool:
    """A second, lenient reader (Python's email package) finds no field that we do not."""
    whole = form(PATH, FILE)
    body = whole[:at] + odd + whole[at:]
    found = tried(read_body, request(), body)
    if isinstance(found, Refused):
        return False
    message = email.parser.BytesParser(policy=email.policy.compat32).parsebytes(
        b"Content-Type: " + FORM + b"\r\n\r\n" + body
    )
    parts = message.get_payload()
    assert isinstance(parts, list)
    names = [part.get_param("name", header="content-disposition") for part in parts]
    assert sorted(names) == sorted(found)
    return True
