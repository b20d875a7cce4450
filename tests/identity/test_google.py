"""Issuers with a pinned audience: Google's ID tokens, and issuers that are compared as they are written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from brickscope.core.reason import Reason
from core.entra_tokens import load, token
from core.oauth import NOW, key_set
from identity.judged_token import decided

GOOGLE, KEYS = "https://accounts.google.com", "https://www.googleapis.com/oauth2/v3/certs"
HOST, OTHER = "1234567890123456.7.gcp.databricks.com", "9876543210987654.7.gcp.databricks.com"
SUB = "112233445566778899000"
POLICY = f"""\
version: 1
service_principals:
  gcp-etl:
    client_id: "{SUB}"
    rule_set: reader
issuers:
  google:
    issuer: {GOOGLE}
    keys_url: {KEYS}
    hosts: ["*.gcp.databricks.com"]
    audience: host
rule_sets:
  reader:
    allow: [GET /api/2.1/unity-catalog/catalogs]
"""


def claims(**changes: Any) -> dict[str, Any]:
    """Those of an ID token of a service account (cloud.google.com/docs/authentication/get-id-token)."""
    given = {
        "iss": GOOGLE,
        "aud": f"https://{HOST}",
        "azp": SUB,
        "sub": SUB,
        "email": "etl@project.iam.gserviceaccount.com",
        "email_verified": True,
        "iat": NOW - 5,
        "exp": NOW + 3600,
    }
    return {name: value for name, value in {**given, **changes}.items() if value is not None}


CALLS: dict[str, tuple[dict[str, Any], str, Reason]] = {
    "made for the host": (claims(), HOST, Reason.ALLOWED_BY_RULE),
    "made for another workspace": (claims(), OTHER, Reason.WRONG_AUDIENCE),
    "made for the host with a slash": (claims(aud=f"https://{HOST}/"), HOST, Reason.WRONG_AUDIENCE),
    "made for the host's name": (claims(aud=HOST), HOST, Reason.WRONG_AUDIENCE),
    "made for an application": (
        claims(aud="1-x.apps.googleusercontent.com"),
        HOST,
        Reason.WRONG_AUDIENCE,
    ),
    "made for two": (claims(aud=[f"https://{HOST}", "x"]), HOST, Reason.WRONG_AUDIENCE),
    "made for nobody": (claims(aud=None), HOST, Reason.WRONG_AUDIENCE),
    "the word of the policy": (claims(aud="host"), HOST, Reason.WRONG_AUDIENCE),
    "somebody else": (claims(sub="1", azp="1"), HOST, Reason.UNKNOWN_PRINCIPAL),
    "the issuer without its scheme": (claims(iss="accounts.google.com"), HOST, Reason.WRONG_ISSUER),
    "the issuer with a slash": (claims(iss=f"{GOOGLE}/"), HOST, Reason.WRONG_ISSUER),
    "on a host of another cloud": (
        claims(aud="https://adb-1.7.azuredatabricks.net"),
        "adb-1.7.azuredatabricks.net",
        Reason.WRONG_ISSUER,
    ),
}


@pytest.mark.parametrize(("given", "host", "reason"), CALLS.values(), ids=CALLS)
def test_an_id_token_counts_for_the_host_it_is_made_for(
    given: dict[str, Any], host: str, reason: Reason, tmp_path: Path
) -> None:
    decision = decided(load(tmp_path, POLICY), token(given), {KEYS: key_set()}, host)
    assert (decision.reason, decision.forwards) == (reason, reason is Reason.ALLOWED_BY_RULE)


def test_an_audience_may_be_one_value(tmp_path: Path) -> None:
    known = load(tmp_path, POLICY.replace("audience: host", "audience: https://example.org/databricks"))
    for aud, allowed in (("https://example.org/databricks", True), (f"https://{HOST}", False)):
        assert decided(known, token(claims(aud=aud)), {KEYS: key_set()}, HOST).allow is allowed


@pytest.mark.parametrize("bearer", [b"ya29.a0AfB_byC-abcdefghijklmnop", b"ya29.c.b0AUFJQsGabcdef.x"])
def test_an_opaque_token_is_refused_with_words(bearer: bytes, tmp_path: Path) -> None:
    decision = decided(load(tmp_path, POLICY), bearer, {}, HOST)
    assert decision.reason is Reason.UNKNOWN_PRINCIPAL
    assert "use an ID token" in decision.detail
    assert "sha256" not in decision.detail


def test_an_issuer_is_its_tokens_own_to_the_letter(tmp_path: Path) -> None:
    slashed = "https://idp.example.org/realm/"
    text = POLICY.replace(f"    keys_url: {KEYS}\n", "")
    for written in (slashed, slashed.rstrip("/")):
        known = load(tmp_path, text.replace(GOOGLE, written))
        documents = {"https://idp.example.org/realm/jwks.json": key_set()}
        for iss in (slashed, slashed.rstrip("/")):
            decision = decided(known, token(claims(iss=iss)), documents, HOST)
            assert decision.allow is (iss == written), (written, iss)
