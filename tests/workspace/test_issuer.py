"""The fake issuer: tokens that a real verifier takes, by keys that it publishes, for grants as RFC 6749 has them."""

from __future__ import annotations

import base64
import hashlib
import json

import jwt
import pytest

from lab.workspace.client import call
from lab.workspace.issuer import CLIENT_ID, CLIENT_SECRET, USER, OAuthError, TokenIssuer
from lab.workspace.server import FakeWorkspace

ISSUER = "https://dbc-a1b2c3d4-e5f6.cloud.databricks.com/oidc"
MINT = f"grant_type=client_credentials&client_id={CLIENT_ID}&client_secret={CLIENT_SECRET}".encode()


def verified(issuer: TokenIssuer, token: str) -> dict[str, object]:
    keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(issuer.key_set()).keys}
    key = keys[jwt.get_unverified_header(token)["kid"]]
    claims: dict[str, object] = jwt.decode(
        token, key, ["RS256"], options={"verify_aud": False}, issuer=ISSUER
    )
    return claims


def test_client_credentials_over_the_wire(workspace: FakeWorkspace) -> None:
    answer = json.loads(call(workspace, "POST", "/oidc/v1/token", body=MINT, token=False).body)
    assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 3600)
    assert verified(workspace.issuer, answer["access_token"])["client_id"] == CLIENT_ID
    refused = call(workspace, "POST", "/oidc/v1/token", body=MINT + b"x", token=False)
    assert (refused.status, json.loads(refused.body)["error"]) == (401, "invalid_client")


def test_a_browser_login_and_its_refresh() -> None:
    issuer = TokenIssuer()
    challenge = base64.urlsafe_b64encode(hashlib.sha256(b"verifier").digest()).rstrip(b"=").decode()
    code, _ = issuer.login(challenge=challenge)
    form = {"grant_type": "authorization_code", "code": code, "code_verifier": "verifier", "client_id": "cli"}
    answer = issuer.grant(ISSUER, form, None)
    assert verified(issuer, answer["access_token"])["sub"] == USER
    again = {"grant_type": "refresh_token", "refresh_token": answer["refresh_token"], "client_id": "cli"}
    assert verified(issuer, issuer.grant(ISSUER, again, None)["access_token"])["sub"] == USER
    for used in (form, again):
        with pytest.raises(OAuthError):
            issuer.grant(ISSUER, used, None)


def test_keys_rotate_and_are_withdrawn() -> None:
    issuer = TokenIssuer()
    old = issuer.sign(issuer.claims(ISSUER, "a", "a"))
    issuer.rotate()
    assert len(issuer.key_set()["keys"]) == 2
    assert verified(issuer, old)
    issuer.rotate(withdraw=True)
    with pytest.raises(KeyError):
        verified(issuer, old)


def test_what_it_cannot_grant() -> None:
    with pytest.raises(OAuthError) as refused:
        TokenIssuer().grant(ISSUER, {"grant_type": "password"}, None)
    assert refused.value.code == "unsupported_grant_type"
