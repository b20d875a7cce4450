"""Attacks by tokens: forged, odd and misused ones. Each has its reason, and none is forwarded."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from e2e.gate import CATALOGS, HOST, Gate, running_gate
from e2e.oauth_policy import (
    ACCOUNT,
    FEDERATED_ID,
    ISSUER,
    OAUTH_POLICY,
    b64,
    get,
    reason,
)
from e2e.raw_client import H2Client, h2_headers, open_tls
from lab.workspace.issuer import CLIENT_ID, PUBLIC_CLIENT, USER, TokenIssuer

OTHER = "dbc-00000000-0000.cloud.databricks.com"


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory, proxy_authority: object) -> Iterator[Gate]:
    folder = tmp_path_factory.mktemp("hostile")
    with running_gate(folder, proxy_authority, policy=OAUTH_POLICY) as gate:  # type: ignore[arg-type]
        yield gate


@pytest.fixture
def issuer(gate: Gate) -> TokenIssuer:
    gate.clear()
    return gate.workspace.issuer


def own(issuer: TokenIssuer, **more: Any) -> dict[str, Any]:
    """The claims of a good token."""
    return issuer.claims(ISSUER, CLIENT_ID, CLIENT_ID, **more)


def raw_token(issuer: TokenIssuer, header: str | None = None, payload: str | None = None) -> str:
    """A token whose header and payload are exactly these texts, signed all the same."""
    kid, key = issuer.key
    first = b64(header or json.dumps({"kid": kid, "typ": "at+jwt", "alg": "RS256"}))
    second = b64(payload or json.dumps(own(issuer)))
    signature = jwt.algorithms.RSAAlgorithm(jwt.algorithms.RSAAlgorithm.SHA256).sign(
        f"{first}.{second}".encode(), key
    )
    return f"{first}.{second}.{b64(signature)}"


def public_pem(issuer: TokenIssuer) -> bytes:
    return (
        issuer.key[1]
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


def hmac_with_public_key(issuer: TokenIssuer) -> str:
    """The classic key confusion: the public key as the secret of an HMAC (PyJWT refuses to make it)."""
    import hashlib
    import hmac

    first = b64(json.dumps({"kid": issuer.key[0], "typ": "at+jwt", "alg": "HS256"}))
    signed = f"{first}.{b64(json.dumps(own(issuer)))}"
    return f"{signed}.{b64(hmac.new(public_pem(issuer), signed.encode(), hashlib.sha256).digest())}"


def swapped(issuer: TokenIssuer) -> str:
    """A good signature under other claims."""
    first, _, last = issuer.sign(issuer.claims(ISSUER, "11111111-0000-4000-8000-000000000000", "x")).split(
        "."
    )
    return f"{first}.{b64(json.dumps(own(issuer)))}.{last}"


def good_text(issuer: TokenIssuer, before: str, after: str) -> str:
    return raw_token(issuer, payload=json.dumps(own(issuer)).replace(before, after, 1))


STRANGER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
Make = Callable[[TokenIssuer], str]
TOKENS: dict[str, tuple[Make, str]] = {
    "forged claims under a good signature": (swapped, "bad_signature"),
    "a key of one's own under the issuer's key id": (
        lambda issuer: issuer.sign(own(issuer), key=STRANGER),
        "bad_signature",
    ),
    "a key nobody publishes": (
        lambda issuer: issuer.sign(own(issuer), {"kid": "mine"}, STRANGER),
        "unknown_key",
    ),
    "no key id": (
        lambda issuer: raw_token(issuer, header='{"alg":"RS256","typ":"at+jwt"}'),
        "unknown_key",
    ),
    "algorithm none": (
        lambda issuer: raw_token(issuer, header='{"alg":"none","kid":"x"}'),
        "algorithm_refused",
    ),
    "algorithm None": (
        lambda issuer: raw_token(issuer, header='{"alg":"None","kid":"x"}'),
        "algorithm_refused",
    ),
    "no algorithm": (lambda issuer: raw_token(issuer, header='{"kid":"x"}'), "algorithm_refused"),
    "algorithm none and no signature": (
        lambda issuer: f"{b64('{"alg":"none"}')}.{b64(json.dumps(own(issuer)))}.",
        "malformed_token",
    ),
    "HMAC with the public key": (hmac_with_public_key, "algorithm_refused"),
    "an elliptic algorithm with an RSA key": (
        lambda issuer: raw_token(issuer, header=json.dumps({"alg": "ES256", "kid": issuer.key[0]})),
        "bad_signature",
    ),
    "a key in the header": (
        lambda issuer: raw_token(
            issuer,
            header=json.dumps(
                {
                    "alg": "RS256",
                    "kid": issuer.key[0],
                    "jwk": jwt.algorithms.RSAAlgorithm.to_jwk(STRANGER.public_key(), as_dict=True),
                }
            ),
        ),
        "algorithm_refused",
    ),
    "a link to a key": (
        lambda issuer: issuer.sign(own(issuer), {"jku": "https://evil.example.com/jwks.json"}),
        "algorithm_refused",
    ),
    "critical extensions": (
        lambda issuer: raw_token(
            issuer, header=json.dumps({"alg": "RS256", "kid": issuer.key[0], "crit": ["exp"]})
        ),
        "malformed_token",
    ),
    "another workspace's issuer": (
        lambda issuer: issuer.sign(own(issuer, iss=f"https://{OTHER}/oidc")),
        "wrong_issuer",
    ),
    "an issuer of one's own": (
        lambda issuer: issuer.sign(own(issuer, iss="https://evil.example.com/oidc")),
        "wrong_issuer",
    ),
    "an account of another host": (
        lambda issuer: issuer.sign(
            own(issuer, iss=f"https://accounts.cloud.databricks.com/oidc/accounts/{ACCOUNT}")
        ),
        "wrong_issuer",
    ),
    "an issuer with a tail": (
        lambda issuer: issuer.sign(own(issuer, iss=f"{ISSUER}/../x")),
        "wrong_issuer",
    ),
    "an issuer with a user part": (
        lambda issuer: issuer.sign(own(issuer, iss=f"https://{HOST}@evil.example.com/oidc")),
        "wrong_issuer",
    ),
    "expired": (lambda issuer: issuer.sign(own(issuer, exp=int(time.time()) - 1)), "token_expired"),
    "not yet valid": (
        lambda issuer: issuer.sign(own(issuer, nbf=int(time.time()) + 600)),
        "token_not_yet_valid",
    ),
    "issued tomorrow": (
        lambda issuer: issuer.sign(own(issuer, iat=int(time.time()) + 86400)),
        "token_not_yet_valid",
    ),
    "no expiry": (
        lambda issuer: raw_token(
            issuer, payload=json.dumps({k: v for k, v in own(issuer).items() if k != "exp"})
        ),
        "malformed_token",
    ),
    "an infinite expiry": (
        lambda issuer: raw_token(issuer, payload=json.dumps(own(issuer) | {"exp": float("inf")})),
        "malformed_token",
    ),
    "an expiry beyond numbers": (
        lambda issuer: good_text(issuer, '"exp": ', '"exp": 1e999, "was": '),
        "malformed_token",
    ),
    "expiry true": (
        lambda issuer: raw_token(issuer, payload=json.dumps(own(issuer) | {"exp": True})),
        "malformed_token",
    ),
    "expiry as text": (
        lambda issuer: raw_token(issuer, payload=json.dumps(own(issuer) | {"exp": "9999999999"})),
        "malformed_token",
    ),
    "a client id twice": (
        lambda issuer: good_text(issuer, '"client_id"', '"client_id": "x", "client_id"'),
        "malformed_token",
    ),
    "an issuer twice": (
        lambda issuer: good_text(issuer, '"iss"', '"iss": "https://evil.example.com", "iss"'),
        "malformed_token",
    ),
    "an algorithm twice": (
        lambda issuer: raw_token(issuer, header=f'{{"alg":"none","alg":"RS256","kid":"{issuer.key[0]}"}}'),
        "malformed_token",
    ),
    "a client id that is a list": (
        lambda issuer: raw_token(issuer, payload=json.dumps(own(issuer) | {"client_id": [CLIENT_ID]})),
        "malformed_token",
    ),
    "nobody": (
        lambda issuer: raw_token(
            issuer,
            payload=json.dumps({k: v for k, v in own(issuer).items() if k not in ("client_id", "sub")}),
        ),
        "malformed_token",
    ),
    "a service principal nobody named": (
        lambda issuer: issuer.sign(issuer.claims(ISSUER, "11111111-0000-4000-8000-000000000000", "x")),
        "unknown_principal",
    ),
    "a user nobody named": (
        lambda issuer: issuer.sign(issuer.claims(ISSUER, PUBLIC_CLIENT, "mallory@example.com")),
        "unknown_principal",
    ),
    "a user in other letters": (
        lambda issuer: issuer.sign(issuer.claims(ISSUER, PUBLIC_CLIENT, "Alice@example.com")),
        "unknown_principal",
    ),
    "a user under a service principal's client id": (
        lambda issuer: issuer.sign(issuer.claims(ISSUER, CLIENT_ID, USER)),
        "ambiguous_principal",
    ),
    "two service principals": (
        lambda issuer: issuer.sign(issuer.claims(ISSUER, CLIENT_ID, FEDERATED_ID)),
        "ambiguous_principal",
    ),
    "base64 with padding": (lambda issuer: issuer.sign(own(issuer)) + "==", "malformed_token"),
    "base64 with spare bits": (
        lambda issuer: _spare_bits(issuer.sign(own(issuer))),
        "malformed_token",
    ),
    "ordinary base64": (
        lambda issuer: issuer.sign(own(issuer)).replace("-", "+").replace("_", "/") + "+/",
        "malformed_token",
    ),
    "four parts": (lambda issuer: issuer.sign(own(issuer)) + ".x", "malformed_token"),
    "two parts": (lambda issuer: issuer.sign(own(issuer)).rpartition(".")[0], "malformed_token"),
    "a header that is a list": (lambda issuer: raw_token(issuer, header='["RS256"]'), "malformed_token"),
    "a payload that is no JSON": (lambda issuer: raw_token(issuer, payload="{"), "malformed_token"),
    "a payload nested a thousand times": (
        lambda issuer: raw_token(issuer, payload='{"a":' * 1400 + "1" + "}" * 1400),
        "malformed_token",
    ),
    "a payload with a byte order mark": (
        lambda issuer: raw_token(issuer, payload="\ufeff" + json.dumps(own(issuer))),
        "malformed_token",
    ),
    "huge": (lambda issuer: issuer.sign(own(issuer, padding="x" * 20_000)), "too_large"),
    "a string that is no token": (lambda issuer: "some-opaque-token", "unknown_token"),
}


def _spare_bits(token: str) -> str:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return (
        token[:-1] + alphabet[alphabet.index(token[-1]) + 1]
    )  # 256 bytes leave four spare bits in the last one


@pytest.mark.parametrize(("make", "expected"), TOKENS.values(), ids=TOKENS)
def test_a_hostile_token_is_refused_with_its_reason(
    gate: Gate, issuer: TokenIssuer, make: Make, expected: str
) -> None:
    token = make(issuer)
    before = len(gate.proxy.audit("decision"))
    response = get(gate, token)
    assert (response.status, reason(response)) == (403, expected)
    assert not [request for request in gate.workspace.requests if request.path.startswith(b"/api/")]
    (record,) = gate.proxy.audit("decision")[before:]
    assert record["reason"] == expected
    text = json.dumps(record) + response.body.decode()
    assert not [part for part in token.split(".") if len(part) > 12 and part in text]


def test_the_good_token_passes_over_both_versions_of_http(gate: Gate, issuer: TokenIssuer) -> None:
    token = issuer.sign(own(issuer))
    assert get(gate, token).status == 200
    with open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca, alpn=["h2"]) as sock:
        client = H2Client(sock)
        assert client.collect(client.request(h2_headers("GET", CATALOGS, HOST, token, []))).status == 200


def test_a_token_is_worth_nothing_on_another_host(gate: Gate, issuer: TokenIssuer) -> None:
    token = issuer.sign(own(issuer))
    assert reason(get(gate, token)) == "forwarded"
    assert reason(get(gate, token, host=OTHER)) == "wrong_issuer"


def test_a_bound_principal_is_worth_nothing_on_another_workspace(gate: Gate, issuer: TokenIssuer) -> None:
    there = issuer.sign(issuer.claims(f"https://{OTHER}/oidc", CLIENT_ID, CLIENT_ID))
    assert reason(get(gate, there, host=OTHER)) == "workspace_not_allowed"
    here = issuer.sign(own(issuer))
    assert (
        reason(get(gate, here, CATALOGS, f"X-Databricks-Workspace-Id: {issuer.workspace_id}")) == "forwarded"
    )
    for more in ("X-Databricks-Workspace-Id: 99", "X-Databricks-Org-Id: 99"):
        assert reason(get(gate, here, CATALOGS, more)) == "workspace_not_allowed"
    for query in ("?o=99", "?%6F=99", "?O=99", "?x=1&workspace_id=99"):
        assert reason(get(gate, here, CATALOGS + query)) == "workspace_not_allowed"


def test_two_tokens_are_refused(gate: Gate, issuer: TokenIssuer) -> None:
    token = issuer.sign(own(issuer))
    for more in (
        f"Authorization: Bearer {token}",
        f"X-Databricks-Azure-SP-Management-Token: {token}",
        f"X-Databricks-GCP-SA-Access-Token: {token}",
        f"Cookie: DBAUTH={token}",
    ):
        assert reason(get(gate, token, CATALOGS, more)) == "multiple_credentials"
    assert gate.workspace.requests == []


def test_a_key_set_that_cannot_be_had_denies(gate: Gate, issuer: TokenIssuer) -> None:
    host = "dbc-11111111-1111.cloud.databricks.com"
    token = issuer.sign(issuer.claims(f"https://{host}/oidc", FEDERATED_ID, FEDERATED_ID))
    issuer.available = False
    try:
        assert reason(get(gate, token, host=host)) == "key_set_unavailable"
    finally:
        issuer.available = True
    assert reason(get(gate, token, host=host)) == "forwarded"
