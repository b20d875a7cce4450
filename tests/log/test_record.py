"""What untrusted text may become in a record: printable, clipped, and never a secret."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickscope.core.credential import find_query_flaw
from brickscope.core.decision import Decision, Refused
from brickscope.core.query import read_query
from brickscope.core.reason import Reason
from brickscope.log.key import DigestKey
from brickscope.log.record import MAX_TEXT, REDACTED, _be_plain, decision_record, is_clean, printable

TOKEN = b"dapi0123456789abcdef0123456789abcdef"
ODD = b"my~own.Token_Value"

SECRET = {
    "the token itself": f"/x/{ODD.decode()}",
    "the token in the middle": f"/x/a{ODD.decode()}b",
    "a percent-encoded token": "/x/" + "".join(f"%{byte:02x}" for byte in ODD),
    "a token encoded twice": "/x/" + "".join(f"%25{byte:02x}" for byte in ODD),
    "half of it encoded": "/x/my~own%2EToken_Value",
    "somebody else's Databricks token": "/x/dapiffffffffffffffffffffffffffffffff",
    "an access token of Google": "/x/ya29.a0AfB_byC-abcdefghijklmnop",
    "somebody else's JSON Web Token": "/x/eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJtZSJ9.c2lnbmF0dXJl",
}


@pytest.mark.parametrize("text", SECRET.values(), ids=SECRET)
def test_a_secret_is_redacted_however_it_is_spelt(text: str) -> None:
    assert printable(text, (ODD,)) == REDACTED


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/api/2.0/jobs", "/api/2.0/jobs"),
        ("a\nb", "a\\x0ab"),
        ("\u202egnp", "\\u202egnp"),
        (b"\xff", "\\xff"),
        ("", ""),
    ],
)
def test_text_is_printable_ascii(text: str | bytes, expected: str) -> None:
    assert printable(text) == expected


def test_long_text_is_clipped() -> None:
    assert len(printable("a" * 100_000)) == MAX_TEXT


@given(st.text() | st.binary())
def test_any_text_becomes_printable(text: str | bytes) -> None:
    shown = printable(text)
    assert shown.isascii()
    assert shown.isprintable() or shown == ""
    assert len(shown) <= MAX_TEXT


@given(st.text(max_size=20), st.text(max_size=20), st.binary(min_size=8, max_size=40))
def test_no_secret_survives(before: str, after: str, secret: bytes) -> None:
    text = before + secret.decode("latin-1") + after
    assert secret.decode("latin-1") not in printable(text, (secret,))


HUGE = {
    "beginnings of tokens": "eyJ" * 300_000,
    "beginnings of tokens and a short end": "eyJ" * 300_000 + ".x",
    "beginnings of Databricks' tokens": "dapi" * 250_000,
    "token characters": "a" * 1_000_000,
    "dots": "." * 1_000_000,
    "encoded many times": "eyJ" * 20_500 + "%252525252541",
    "controls": "\0" * 12_000_000,
    "letters beyond ASCII": "\u00e9" * 12_000_000,
    "percent signs": "%" * 12_000_000,
    "percent signs, encoded": "%25" * 12_000_000,
}


@pytest.mark.parametrize("text", HUGE.values(), ids=HUGE)
def test_no_text_costs_more_than_its_size(text: str) -> None:
    assert len(printable(text)) <= MAX_TEXT  # the square of it would run into the time limit of the suite
    [told] = record_of({"p": [text] * 20})["params"].values()
    assert len(told) == 20
    assert len(told[0].get("text", "")) <= 256
    assert len(told[0]["hmac_sha256"]) > 0


def record_of(
    params: dict[str, object], names: frozenset[str] | None = None, secrets: tuple[bytes, ...] = ()
) -> dict[str, Any]:
    return decision_record(
        Decision(False, Reason.CONSTRAINT_NOT_MET, "", params=params, names=names),
        "",
        "",
        host="",
        method="",
        path="",
        workspace=None,
        has_body=None,
        user_agent="",
        secrets=secrets,
        key=DigestKey(b"k"),
    )


@pytest.mark.parametrize("before", ["", "x", "token=", "-", "eyJ", "a_b-"])
def test_a_token_is_found_whatever_stands_before_it(before: str) -> None:
    token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0xyz.c2lnbmF0dXJl"
    assert token not in printable(f"{before}{token}")
    assert printable(f"{before}{token}") == REDACTED


def test_a_record_stays_small_whatever_a_body_holds() -> None:
    nested: object = "\u00e9"
    for _ in range(4):
        nested = [nested] * 20
    params = {"a": nested, "b": {f"key{index}": 1 for index in range(5000)}, "c": ["x"] * 1000}
    fields = record_of(params, frozenset(f"n{index}" for index in range(5000)))
    assert len(orjson.dumps(fields)) < 4096
    assert fields["params"]["a"] == [[]] * 20


def test_a_name_that_is_a_token_is_not_told() -> None:
    token = "dapi" + "0123456789abcdef" * 2
    with pytest.raises(Refused) as refused:
        find_query_flaw(read_query(f"{token}={token}"))
    assert "0123456789" not in refused.value.detail


def test_what_is_encoded_too_often_is_redacted() -> None:
    text = "dapi" + "0123456789abcdef" * 2
    for _ in range(9):
        text = text.replace("%", "%25").replace("d", "%64", 1)
    assert printable(f"/x/{text}") == REDACTED


@pytest.mark.parametrize("secret", [ODD + b"0123456789", TOKEN], ids=["own", "somebody else's"])
@pytest.mark.parametrize(
    "alphabet", [base64.b64encode, base64.urlsafe_b64encode], ids=["standard", "for URLs"]
)
@pytest.mark.parametrize("after", [b"", b"x", b"xy", b"xyz"], ids=len)
@pytest.mark.parametrize("before", [b"", b"u", b"us", b"user:", b"\xff\xfe\xfd\xff\xff\xff"], ids=len)
@pytest.mark.parametrize("around", ["{}", "/x/{}/y", "tool/1.0 (Basic {})", "a%2F{}", "/{}%3D%3D"])
def test_a_secret_in_base64_is_redacted(
    around: str, before: bytes, after: bytes, alphabet: Callable[[bytes], bytes], secret: bytes
) -> None:
    own = (secret,) if secret != TOKEN else ()
    text = alphabet(before + secret + after).decode()
    for written in (text, text.rstrip("="), "".join(f"%{ord(each):02X}" for each in text)):
        shown = around.format(written)
        assert printable(shown, own) == REDACTED
        assert not is_clean(shown, own)


@given(st.binary(max_size=20), st.from_regex(rb"[!-~]{24,200}", fullmatch=True), st.binary(max_size=20))
def test_any_secret_is_found_in_base64(before: bytes, secret: bytes, after: bytes) -> None:
    assert printable(base64.b64encode(before + secret + after).decode(), (secret,)) == REDACTED


@pytest.mark.parametrize(
    "text",
    [
        "/api/2.0/fs/files/Volumes/main/default/raw/exports/customers/part-00000-of-00064.snappy.parquet",
        "/api/2.1/jobs/runs/get/" + "0123456789abcdef" * 4,
        "databricks-sdk-py/0.162.0 python/3.12.1 os/linux auth/pat runtime/client-cluster-very-long-name-of-it",
    ],
)
def test_other_long_text_stays(text: str) -> None:
    assert printable(text, (ODD, TOKEN)) == text
    assert is_clean(text, (ODD, TOKEN))


def test_base64_of_something_else_stays_after_a_closer_look() -> None:
    text = base64.b64encode(bytes(range(200))).decode()
    assert printable(text, (ODD, TOKEN)) == text
    assert not is_clean(text)


@pytest.mark.parametrize("written", [TOKEN, base64.b64encode(b"token:" + TOKEN)], ids=["plain", "in base64"])
def test_texts_are_remembered_but_never_with_a_secret(written: bytes) -> None:
    _be_plain.cache_clear()
    assert is_clean("/api/2.0/clusters/list")
    assert not is_clean(f"/api/2.0/{written.decode()}")
    assert _be_plain.cache_info().currsize == 1


@pytest.mark.parametrize("spell", [bytes.decode, lambda secret: "".join(f"%{byte:02x}" for byte in secret)])
def test_a_long_secret_in_a_long_parameter_is_not_told_in_part(spell: Callable[[bytes], str]) -> None:
    secret = b"x.y~" * 900
    fields = record_of({"p": "a" * 200 + spell(secret) + "b" * 9000}, secrets=(secret,))
    assert fields["params"]["p"].keys() == {"hmac_sha256"}
