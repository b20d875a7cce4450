"""Reading a JWT: one reading, or refused; nothing of it is believed yet."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brickscope.core.decision import Refused
from brickscope.core.jwt_token import is_jwt, read_claims
from brickscope.core.reason import Reason
from core.oauth import CLAIMS, CLIENT_ID, ISSUER, KID, NOW, signed, unsigned
from core.refusal import refusal, tried
from reaching import reaching

HEADER = json.dumps({"alg": "RS256", "kid": KID, "typ": "at+jwt"})


def test_the_claims_of_a_databricks_token() -> None:
    claims = read_claims(signed())
    assert (claims.issuer, claims.client_id, claims.key_id, claims.expires) == (
        ISSUER,
        CLIENT_ID,
        KID,
        NOW + 3600,
    )
    assert claims.begins == NOW - 10


@pytest.mark.parametrize(
    ("token", "expected"),
    [(b"eyJx", True), (b"a.b.c", True), (b"dapi0123", False), (b"a.b", False), (b"..", True)],
)
def test_what_is_read_as_a_jwt(token: bytes, expected: bool) -> None:
    assert is_jwt(token) is expected


def payload(**changes: object) -> str:
    return json.dumps({**CLAIMS, **changes})


WRONG = {
    "empty parts": (b"..", Reason.MALFORMED_TOKEN),
    "an encrypted token": (b"eyJhbGciOiJSUzI1NiJ9.a.b.c.d", Reason.MALFORMED_TOKEN),
    "white space in base64": (unsigned(HEADER).replace(b".", b".\n", 1), Reason.MALFORMED_TOKEN),
    "a header that is null": (unsigned("null"), Reason.MALFORMED_TOKEN),
    "a number that is none": (unsigned(HEADER, '{"exp": NaN}'), Reason.MALFORMED_TOKEN),
    "not UTF-8": (unsigned(HEADER).split(b".")[0] + b"._w.c2ln", Reason.MALFORMED_TOKEN),
    "an encrypted content": (unsigned('{"alg":"RS256","kid":"k","enc":"A128GCM"}'), Reason.MALFORMED_TOKEN),
    "an unencoded payload": (unsigned('{"alg":"RS256","kid":"k","b64":false}'), Reason.MALFORMED_TOKEN),
    "another type": (unsigned('{"alg":"RS256","kid":"k","typ":"logout+jwt"}'), Reason.MALFORMED_TOKEN),
    "a type that is a number": (unsigned('{"alg":"RS256","kid":"k","typ":1}'), Reason.MALFORMED_TOKEN),
    "certificates": (unsigned('{"alg":"RS256","kid":"k","x5c":[]}'), Reason.ALGORITHM_REFUSED),
    "a larger hash": (unsigned('{"alg":"RS512","kid":"k"}'), Reason.ALGORITHM_REFUSED),
    "an algorithm in small letters": (unsigned('{"alg":"rs256","kid":"k"}'), Reason.ALGORITHM_REFUSED),
    "an algorithm that is a list": (unsigned('{"alg":["RS256"],"kid":"k"}'), Reason.ALGORITHM_REFUSED),
    "a key id that is a number": (unsigned('{"alg":"RS256","kid":1}'), Reason.MALFORMED_TOKEN),
    "an empty client id": (unsigned(HEADER, payload(client_id="")), Reason.MALFORMED_TOKEN),
    "a client id that is null": (unsigned(HEADER, payload(client_id=None)), Reason.MALFORMED_TOKEN),
    "a subject with a line break": (unsigned(HEADER, payload(sub="a\nb")), Reason.MALFORMED_TOKEN),
    "a subject beyond all length": (unsigned(HEADER, payload(sub="a" * 600)), Reason.MALFORMED_TOKEN),
    "a negative time": (unsigned(HEADER, payload(exp=-1)), Reason.MALFORMED_TOKEN),
    "a time beyond all calendars": (unsigned(HEADER, payload(exp=1e12)), Reason.MALFORMED_TOKEN),
    "a beginning as text": (unsigned(HEADER, payload(nbf="0")), Reason.MALFORMED_TOKEN),
    "no issuer": (unsigned(HEADER, json.dumps({"sub": "x", "exp": 1})), Reason.MALFORMED_TOKEN),
}


@pytest.mark.parametrize(("token", "reason"), WRONG.values(), ids=WRONG)
def test_what_has_two_readings_is_refused(token: bytes, reason: Reason) -> None:
    found, detail = refusal(read_claims, token)
    assert found is reason
    assert not [part for part in token.decode().split(".") if len(part) > 12 and part in detail]


@given(st.binary(max_size=200) | st.text(alphabet="eyJ.abcAB_-=09", max_size=100).map(str.encode))
def test_nothing_but_refused_is_raised(token: bytes) -> None:
    assert refusal(read_claims, token)[0] in (Reason.MALFORMED_TOKEN, Reason.ALGORITHM_REFUSED)


_ODD = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists, max_leaves=5
)


_CLAIM = st.tuples(
    st.sampled_from(["exp", "nbf", "iat"]), _ODD | st.floats(0, 2e9) | st.integers(0, 10**13)
) | st.tuples(st.sampled_from(["iss", "sub", "client_id"]), _ODD | st.text("abc@-", min_size=1) | st.text())


@reaching(0.1, _CLAIM)
@settings(max_examples=300)
def test_no_odd_value_of_a_claim_is_read(claim: tuple[str, object]) -> bool:
    key, value = claim
    claims = tried(read_claims, unsigned(HEADER, payload(**{key: value})))
    if isinstance(claims, Refused):
        assert claims.reason is Reason.MALFORMED_TOKEN
        return False
    if key in ("exp", "nbf", "iat"):
        assert isinstance(value, float | int)
        assert not isinstance(value, bool)
        assert 0 <= value < 1e12
        assert (claims.expires if key == "exp" else claims.begins) >= value
    else:
        assert isinstance(value, str)
        assert value in (claims.issuer, claims.sub, claims.client_id)
        assert value.isprintable()
    return True
