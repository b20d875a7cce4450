"""Reading a JWT: one reading, or refused; nothing of it is believed yet."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brickscope.core.decision import Refused
from brickscope.core.jwt_token import Claims, is_jwt, is_oauth, read_claims
from brickscope.core.reason import Reason
from core import entra_tokens
from core.oauth import CLAIMS, CLIENT_ID, EC_KEY, ISSUER, KID, NOW, signed, unsigned
from core.refusal import refusal, tried
from examples import examples
from lab.workspace import entra
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
    [
        (b"eyJx", True),
        (b"a.b.c", True),
        (b"dapi0123", False),
        (b"a.b", False),
        (b"..", True),
        (b"a.b.c.d", False),
        (b"eyJ.b.c.d", True),
        (b"xeyJ", False),
    ],
)
def test_what_is_read_as_a_jwt(token: bytes, expected: bool) -> None:
    assert is_jwt(token) is expected


@pytest.mark.parametrize(
    ("token", "expected"),
    [(b"eyJx", True), (b"ya29.a0x", True), (b"ya29.", True), (b"ya2.x", False), (b"xya29.x", False)],
)
def test_what_is_an_oauth_token(token: bytes, expected: bool) -> None:
    assert is_oauth(token) is expected


def test_the_claims_of_a_token_of_entra() -> None:
    for version in ("1.0", "2.0"):
        found = read_claims(entra_tokens.token(entra_tokens.app_claims(version)))
        assert (found.tenant, found.object_id, found.client_id, found.sub) == (
            entra.TENANT,
            entra.OBJECT,
            entra.APPLICATION,
            entra.OBJECT,
        )


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
    "no JSON Web Token at all": (b"dapi", Reason.MALFORMED_TOKEN),
    "an unsigned token": (unsigned('{"alg":"none","kid":"k"}'), Reason.ALGORITHM_REFUSED),
    "a shared secret's algorithm": (unsigned('{"alg":"HS256","kid":"k"}'), Reason.ALGORITHM_REFUSED),
    "no algorithm": (unsigned('{"kid":"k"}'), Reason.ALGORITHM_REFUSED),
    "its own key": (unsigned('{"alg":"RS256","kid":"k","jwk":{}}'), Reason.ALGORITHM_REFUSED),
    "a place to find its key": (unsigned('{"alg":"RS256","kid":"k","jku":"x"}'), Reason.ALGORITHM_REFUSED),
    "a place to find its certificates": (
        unsigned('{"alg":"RS256","kid":"k","x5u":"x"}'),
        Reason.ALGORITHM_REFUSED,
    ),
    "what must be understood": (unsigned('{"alg":"RS256","kid":"k","crit":[]}'), Reason.MALFORMED_TOKEN),
    "a compressed content": (unsigned('{"alg":"RS256","kid":"k","zip":"DEF"}'), Reason.MALFORMED_TOKEN),
    "a token in a token": (unsigned('{"alg":"RS256","kid":"k","cty":"JWT"}'), Reason.MALFORMED_TOKEN),
    "a member of the header twice": (unsigned('{"alg":"RS256","kid":"k","kid":"l"}'), Reason.MALFORMED_TOKEN),
    "a claim twice": (unsigned(HEADER, payload()[:-1] + ',"sub":"admin"}'), Reason.MALFORMED_TOKEN),
    "a member twice, deep": (
        unsigned(HEADER, payload()[:-1] + ',"x":{"a":1,"a":2}}'),
        Reason.MALFORMED_TOKEN,
    ),
    "claims that are a list": (unsigned(HEADER, "[]"), Reason.MALFORMED_TOKEN),
    "a comment": (unsigned(HEADER, payload() + "//"), Reason.MALFORMED_TOKEN),
    "nested without end": (unsigned(HEADER, "[" * 100_000), Reason.MALFORMED_TOKEN),
    "infinity": (unsigned(HEADER, payload()[:-1] + ',"x":Infinity}'), Reason.MALFORMED_TOKEN),
    "padding": (unsigned(HEADER).replace(b".", b"=.", 1), Reason.MALFORMED_TOKEN),
    "the other alphabet": (unsigned(HEADER, signature=b"ab+/"), Reason.MALFORMED_TOKEN),
    "spare bits in the signature": (unsigned(HEADER, signature=b"YR"), Reason.MALFORMED_TOKEN),
    "one character of a signature": (unsigned(HEADER, signature=b"Y"), Reason.MALFORMED_TOKEN),
    "no signature": (unsigned(HEADER, signature=b""), Reason.MALFORMED_TOKEN),
    "an 8-bit character": (unsigned(HEADER, signature=b"\xe9\xe9\xe9\xe9"), Reason.MALFORMED_TOKEN),
    "no key id": (unsigned('{"alg":"RS256"}'), Reason.UNKNOWN_KEY),
    "an empty key id": (unsigned('{"alg":"RS256","kid":""}'), Reason.MALFORMED_TOKEN),
    "neither client nor subject": (
        unsigned(HEADER, json.dumps({"iss": ISSUER, "exp": 1})),
        Reason.MALFORMED_TOKEN,
    ),
    "no expiry": (unsigned(HEADER, json.dumps({"iss": ISSUER, "sub": "x"})), Reason.MALFORMED_TOKEN),
    "an expiry that is true": (unsigned(HEADER, payload(exp=True)), Reason.MALFORMED_TOKEN),
    "an expiry as text": (unsigned(HEADER, payload(exp="1800000000")), Reason.MALFORMED_TOKEN),
    "an expiry that is null": (unsigned(HEADER, payload(exp=None)), Reason.MALFORMED_TOKEN),
    "an expiry beyond all numbers": (
        unsigned(HEADER, '{"iss":"i","sub":"s","exp":1e999}'),
        Reason.MALFORMED_TOKEN,
    ),
    "an issuer that is null": (unsigned(HEADER, payload(iss=None)), Reason.MALFORMED_TOKEN),
    "an issuer that is a list": (unsigned(HEADER, payload(iss=[ISSUER])), Reason.MALFORMED_TOKEN),
    "an issue time as text": (unsigned(HEADER, payload(iat="0")), Reason.MALFORMED_TOKEN),
}
WHY = {
    "no JSON Web Token at all": "it does not have three parts",
    "a header that is null": "its header is not a JSON object",
    "claims that are a list": "its payload is not a JSON object",
    "a comment": "its payload is not strict JSON",
    "a member of the header twice": "its header is not strict JSON",
    "padding": "its header is not canonical base64url",
    "no signature": "its signature is not canonical base64url",
    "what must be understood": "its header has fields that change how it is read",
    "an issuer that is null": "its 'iss' is not plain text",
    "an expiry that is true": "its 'exp' is not a time",
    "no issuer": "it names no issuer",
    "neither client nor subject": "it names neither a client nor a subject",
    "no expiry": "it has no expiry time",
}


@pytest.mark.parametrize(("name", "why"), WHY.items(), ids=WHY)
def test_what_is_wrong_is_told(name: str, why: str) -> None:
    assert (
        refusal(read_claims, WRONG[name][0])[1] == f"the bearer token is not a regular JSON Web Token: {why}"
    )


def test_all_claims_are_read() -> None:
    assert read_claims(unsigned(HEADER)) == Claims(
        ISSUER, KID, "RS256", CLIENT_ID, CLIENT_ID, NOW + 3600, NOW - 10
    )
    assert read_claims(signed(kid="k2", key=EC_KEY)).algorithm == "ES256"
    bare = {"iss": "i", "sub": "s", "exp": 5}
    assert read_claims(unsigned(HEADER, json.dumps(bare))) == Claims("i", KID, "RS256", None, "s", 5.0, 0.0)
    bare = {"iss": "i", "client_id": "c", "exp": 0.5, "nbf": 7}
    assert read_claims(unsigned(HEADER, json.dumps(bare))) == Claims("i", KID, "RS256", "c", None, 0.5, 7.0)
    assert read_claims(unsigned(HEADER, json.dumps(bare | {"exp": 0}))).expires == 0.0
    assert read_claims(unsigned(HEADER, json.dumps(bare | {"iat": 9}))).begins == 9.0
    assert read_claims(unsigned(HEADER, json.dumps(bare | {"iat": 3}))).begins == 7.0
    assert (
        read_claims(unsigned(HEADER, json.dumps(bare | {"exp": 999_999_999_999}))).expires
        == 999_999_999_999.0
    )
    for audience, read in (("a", "a"), ("", ""), (["a"], None), (5, None), (None, None)):
        assert read_claims(unsigned(HEADER, json.dumps(bare | {"aud": audience}))).audience == read


@pytest.mark.parametrize(
    "kind", [None, "JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt", "application/jwt"]
)
def test_the_types_of_a_token(kind: str | None) -> None:
    header = {"alg": "RS256", "kid": KID} | ({} if kind is None else {"typ": kind})
    assert read_claims(unsigned(json.dumps(header))).key_id == KID


def test_the_longest_names() -> None:
    for name in ("iss", "sub", "client_id"):
        assert read_claims(unsigned(HEADER, payload(**{name: "n" * 512})))
        reason, detail = refusal(read_claims, unsigned(HEADER, payload(**{name: "n" * 513})))
        assert (reason, f"its {name!r} is not plain text" in detail) == (Reason.MALFORMED_TOKEN, True)


@pytest.mark.parametrize(("token", "reason"), WRONG.values(), ids=WRONG)
def test_what_has_two_readings_is_refused(token: bytes, reason: Reason) -> None:
    found, detail = refusal(read_claims, token)
    assert found is reason
    assert not [part for part in token.decode("latin-1").split(".") if len(part) > 12 and part in detail]


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
@settings(max_examples=examples(300))
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
