"""The form of a token request in one reading: what is read, and what is refused and why."""

from __future__ import annotations

import pytest

from brickscope.core.form import read_form
from brickscope.core.reason import Reason
from brickscope.core.request import ApiRequest, read_request
from core.refusal import refusal
from core.wire import HOST, h1

PLAIN = b"application/x-www-form-urlencoded"


def request(kind: bytes = PLAIN, target: bytes = b"/oidc/v1/token", *more: tuple[bytes, bytes]) -> ApiRequest:
    return read_request(h1(b"POST", target, [(b"Host", HOST.encode()), (b"Content-Type", kind), *more]))


READ = {
    "one field": (b"a=1", {"a": "1"}),
    "two fields": (b"a=1&b=2", {"a": "1", "b": "2"}),
    "an empty value": (b"a=&b=2", {"a": "", "b": "2"}),
    "base64 with its padding": (b"a=Zm9v=&b=Zm8==", {"a": "Zm9v=", "b": "Zm8=="}),
    "an encoded equals sign inside": (b"a=x%3Dy", {"a": "x=y"}),
    "an encoded ampersand": (b"a=x%26b%3D2", {"a": "x&b=2"}),
    "a plus is a space": (b"scope=all-apis+offline_access", {"scope": "all-apis offline_access"}),
    "an encoded plus": (b"a=%2B", {"a": "+"}),
    "an encoded space": (b"a=%20", {"a": " "}),
    "UTF-8": (b"a=caf%C3%A9", {"a": "caf\u00e9"}),
    "a name with an underscore": (b"grant_type=x", {"grant_type": "x"}),
    "what needs no encoding": (b"a=A-._~!$'()*,:@/", {"a": "A-._~!$'()*,:@/"}),
}


@pytest.mark.parametrize(("body", "fields"), READ.values(), ids=READ)
def test_a_plain_form_is_read(body: bytes, fields: dict[str, str]) -> None:
    assert read_form(request(), body) == fields


NAMED = "a field is not written NAME=VALUE"
TWICE = "a field appears twice, or has an invalid name"
BYTES = "it has bytes that a form never carries unencoded"
CONTROL = "a field has control characters"
REFUSED = {
    "nothing": (b"", NAMED),
    "no equals sign": (b"a", NAMED),
    "an empty field between": (b"a=1&&b=2", NAMED),
    "an empty field at the end": (b"a=1&", NAMED),
    "a value with an equals sign inside": (b"a=b=c", NAMED),
    "a value that begins with an equals sign": (b"a==c", NAMED),
    "a field twice": (b"a=1&a=2", TWICE),
    "a field twice with the same value": (b"a=1&b=2&a=1", TWICE),
    "a field twice, once encoded": (b"client_id=1&client%5Fid=2", TWICE),
    "a name in capitals": (b"Client_id=1", TWICE),
    "a name with a space": (b"a+b=1", TWICE),
    "a name with a dash": (b"a-b=1", TWICE),
    "a name with a bracket": (b"a%5B%5D=1", TWICE),
    "a name that begins with a digit": (b"1a=1", TWICE),
    "no name": (b"=1", TWICE),
    "a semicolon": (b"a=1;b=2", BYTES),
    "a space": (b"a=1 2", BYTES),
    "a line end": (b"a=1\n", BYTES),
    "a NUL": (b"a=\x00", BYTES),
    "raw UTF-8": ("a=caf\u00e9".encode(), BYTES),
    "a quotation mark": (b'a="x"', BYTES),
    "broken percent-encoding": (b"a=%zz", BYTES),
    "cut percent-encoding": (b"a=%4", BYTES),
    "an encoded NUL": (b"a=%00", CONTROL),
    "an encoded line feed": (b"a=%0A", CONTROL),
    "the last control character": (b"a=%1F", CONTROL),
    "an encoded DEL": (b"a=x%7Fy", CONTROL),
    "a control character in a name": (b"a%00=1", CONTROL),
    "latin-1": (b"a=caf%E9", "a field is not UTF-8"),
    "an overlong character": (b"a=%C0%AF", "a field is not UTF-8"),
}


@pytest.mark.parametrize(("body", "why"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_plain_form_is_refused_with_words(body: bytes, why: str) -> None:
    reason, detail = refusal(read_form, request(), body)
    assert reason is Reason.MALFORMED_FORM
    assert detail == f"the token request is not a plain form: {why}"


TYPES = [
    PLAIN,
    PLAIN.upper(),
    PLAIN + b"; charset=utf-8",
    PLAIN + b';charset="UTF-8"',
    PLAIN + b" ;  charset=UTF-8",
]


@pytest.mark.parametrize("kind", TYPES)
def test_the_content_types_of_a_form(kind: bytes) -> None:
    assert read_form(request(kind), b"a=1") == {"a": "1"}


WRONG_TYPES = [
    b"",
    b"text/plain",
    b"application/json",
    b"multipart/form-data",
    PLAIN + b"; charset=latin-1",
    PLAIN + b"x",
]


@pytest.mark.parametrize("kind", WRONG_TYPES)
def test_another_content_type_is_refused(kind: bytes) -> None:
    reason, detail = refusal(read_form, request(kind), b"a=1")
    assert reason is Reason.MALFORMED_FORM
    assert "its content type is not application/x-www-form-urlencoded" in detail


def test_a_compressed_form_is_refused() -> None:
    for coding in (b"gzip", b"identity"):
        reason, detail = refusal(
            read_form, request(PLAIN, b"/oidc/v1/token", (b"Content-Encoding", coding)), b"a=1"
        )
        assert (reason, "it is compressed" in detail) == (Reason.MALFORMED_FORM, True)


def test_a_query_is_refused() -> None:
    for target in (b"/oidc/v1/token?a=1", b"/oidc/v1/token?"):
        reason, detail = refusal(read_form, request(PLAIN, target), b"a=1")
        assert (reason, "takes no query" in detail) == (Reason.MALFORMED_FORM, True)


def test_the_longest_form() -> None:
    assert read_form(request(), b"a=" + b"x" * 65_534)["a"] == "x" * 65_534
    reason, detail = refusal(read_form, request(), b"a=" + b"x" * 65_535)
    assert (reason, detail) == (Reason.TOO_LARGE, "the token request has more than 65536 bytes")
