"""Reading a request for a token: which grant, by which client, and no field that could change whose token comes back."""

from __future__ import annotations

from base64 import b64encode
from typing import Any
from urllib.parse import urlencode

import pytest

from brickscope.core.decision import Refused
from brickscope.core.grant import (
    TokenRequest,
    check_endpoint,
    find_clients,
    is_token_request,
    read_token_request,
)
from brickscope.core.policy import Grant, Login, Principals, RuleSet, Subject
from brickscope.core.reason import Reason
from brickscope.core.request import ApiRequest, read_request
from brickscope.core.rule import RuleTable
from core.header_names import TOKENS
from core.oauth import b64
from core.refusal import refusal, tried
from core.wire import HOST, TOKEN, Fields, h1

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
TYPE = "urn:ietf:params:oauth:token-type:"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0xyz.c2lnbmF0dXJl"
VERIFIER = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNO._~-"[:43]
FORMS: dict[Grant, dict[str, str]] = {
    Grant.CLIENT_CREDENTIALS: {"grant_type": "client_credentials", "client_id": "c", "client_secret": "s"},
    Grant.REFRESH: {"grant_type": "refresh_token", "client_id": "c", "refresh_token": "r"},
    Grant.BROWSER_LOGIN: {
        "grant_type": "authorization_code",
        "client_id": "c",
        "code": "x",
        "code_verifier": VERIFIER,
    },
    Grant.FEDERATION: {
        "grant_type": EXCHANGE,
        "client_id": "c",
        "subject_token": JWT,
        "subject_token_type": f"{TYPE}jwt",
    },
    Grant.TOKEN_EXCHANGE: {
        "grant_type": EXCHANGE,
        "client_id": "c",
        "subject_token": JWT,
        "subject_token_type": f"{TYPE}access_token",
    },
}
MAY_HAVE = {
    Grant.CLIENT_CREDENTIALS: {"scope", "authorization_details", "assume_group"},
    Grant.REFRESH: {"scope", "client_secret", "redirect_uri"},
    Grant.BROWSER_LOGIN: {"scope", "client_secret", "redirect_uri", "state"},
    Grant.FEDERATION: {
        "scope",
        "client_secret",
        "requested_token_type",
        "authorization_details",
        "assume_group",
    },
}
MAY_HAVE[Grant.TOKEN_EXCHANGE] = MAY_HAVE[Grant.FEDERATION]
NEEDS = {
    Grant.CLIENT_CREDENTIALS: {"client_secret"},
    Grant.REFRESH: {"refresh_token"},
    Grant.BROWSER_LOGIN: {"code"},
    Grant.FEDERATION: {"subject_token"},
    Grant.TOKEN_EXCHANGE: {"subject_token"},
}
NAMES = set().union(*MAY_HAVE.values(), *FORMS.values()) | {
    "actor_token",
    "actor_token_type",
    "assertion",
    "client_assertion",
    "client_assertion_type",
    "username",
    "password",
    "claims",
    "login_hint",
    "nonce",
    "prompt",
}
"""Fields that are known: their names may be told. Another one may be a piece of a secret with an ``&`` in it."""


def request(
    target: str = "/oidc/v1/token", method: str = "POST", authorization: bytes | None = None
) -> ApiRequest:
    fields: Fields = [(b"Host", HOST.encode()), (b"Content-Type", b"application/x-www-form-urlencoded")]
    if authorization is not None:
        fields.append((b"Authorization", authorization))
    return read_request(h1(method.encode(), target.encode(), fields))


def read(form: dict[str, str], authorization: bytes | None = None) -> TokenRequest | Refused:
    return tried(read_token_request, request(authorization=authorization), urlencode(form).encode())


def refused(form: dict[str, str], authorization: bytes | None = None) -> tuple[Reason, str]:
    return refusal(read_token_request, request(authorization=authorization), urlencode(form).encode())


@pytest.mark.parametrize("grant", Grant)
def test_each_grant_is_read(grant: Grant) -> None:
    assert read(FORMS[grant]) == TokenRequest(grant, "c")
    everything = FORMS[grant] | dict.fromkeys(MAY_HAVE[grant], "x")
    if "requested_token_type" in everything:
        everything["requested_token_type"] = f"{TYPE}access_token"
    assert read(everything) == TokenRequest(grant, "c")
    for name in MAY_HAVE[grant] - {"requested_token_type"}:
        assert read(FORMS[grant] | {name: "x"}) == TokenRequest(grant, "c")


RESOURCES = [
    ("api://databricks/workspaces/1234567890123456/zerobusDirectWriteApi", True),
    ("", True),
    ("api://databricks/workspaces/1234567890123456/zerobusDirectWriteApi/", False),
    ("api://databricks/workspaces/x/zerobusDirectWriteApi", False),
    ("api://databricks/workspaces/1234567890123456/other", False),
    ("https://elsewhere.example/api", False),
]
RESOURCE_GRANTS = (Grant.CLIENT_CREDENTIALS, Grant.FEDERATION, Grant.TOKEN_EXCHANGE)


@pytest.mark.parametrize("grant", RESOURCE_GRANTS)
@pytest.mark.parametrize(("resource", "known"), RESOURCES)
def test_a_token_may_be_for_zerobus_and_else_for_what_the_policy_names(
    grant: Grant, resource: str, known: bool
) -> None:
    form = FORMS[grant] | {"resource": resource}
    assert read(form) == TokenRequest(grant, "c", () if known else (("resource", resource),))


@pytest.mark.parametrize("grant", [Grant.REFRESH, Grant.BROWSER_LOGIN])
def test_of_other_grants_the_policy_has_to_name_the_resource(grant: Grant) -> None:
    for resource, _ in RESOURCES:
        found = read(FORMS[grant] | {"resource": resource})
        assert found == TokenRequest(grant, "c", (("resource", resource),))


@pytest.mark.parametrize("grant", Grant)
def test_the_policy_has_to_name_the_audience(grant: Grant) -> None:
    for audience in ("https://example", ""):
        found = read(FORMS[grant] | {"audience": audience})
        assert found == TokenRequest(grant, "c", (("audience", audience),))


def test_a_token_of_another_provider_may_be_an_id_token() -> None:
    form = FORMS[Grant.FEDERATION] | {"subject_token_type": f"{TYPE}id_token"}
    assert read(form) == TokenRequest(Grant.FEDERATION, "c")


FOREIGN = [
    (grant, name)
    for grant in Grant
    for name in sorted((NAMES | {"hunter2", "scopes", "subject"}) - FORMS[grant].keys() - MAY_HAVE[grant])
]


@pytest.mark.parametrize(("grant", "name"), FOREIGN)
def test_a_field_of_another_grant_is_refused(grant: Grant, name: str) -> None:
    reason, detail = refused(FORMS[grant] | {name: "secret-value"})
    shown = name if name in NAMES else "unknown"
    assert (reason, detail) == (
        Reason.GRANT_REFUSED,
        f"the token request has a field that {grant} does not know ({shown})",
    )


@pytest.mark.parametrize("grant", Grant)
def test_what_a_grant_needs(grant: Grant) -> None:
    for name in NEEDS[grant]:
        without = {key: value for key, value in FORMS[grant].items() if key != name}
        for form in (without, without | {name: ""}):
            reason, detail = refused(form)
            assert (reason, detail) == (Reason.MALFORMED_FORM, f"the token request lacks the field {name}")


VERIFIERS: dict[str | None, bool] = {
    None: False,
    "x" * 42: False,
    "x" * 43: True,
    "x" * 128: True,
    "x" * 129: False,
    "x" * 42 + "+": False,
    "x" * 43 + "\n": False,
}


@pytest.mark.parametrize(("verifier", "passes"), VERIFIERS.items(), ids=range(len(VERIFIERS)))
def test_a_browser_login_needs_its_verifier(verifier: str | None, passes: bool) -> None:
    form = FORMS[Grant.BROWSER_LOGIN] | {"code_verifier": verifier or ""}
    if verifier is None:
        del form["code_verifier"]
    found = read(form)
    assert isinstance(found, TokenRequest) is passes
    if isinstance(found, Refused) and verifier != "x" * 43 + "\n":
        assert (found.reason, found.detail) == (
            Reason.GRANT_REFUSED,
            "a browser login without a PKCE verifier can be stolen",
        )


KINDS = {
    "": "the token request's grant_type is not one that a policy can name",
    "password": "the token request's grant_type is not one that a policy can name",
    "Client_Credentials": "the token request's grant_type is not one that a policy can name",
    "urn:ietf:params:oauth:grant-type:device_code": "the token request's grant_type is not one that a policy can name",
    "urn:ietf:params:oauth:grant-type:jwt-bearer": "jwt-bearer issues a token that no rule of this policy covers",
}


@pytest.mark.parametrize(("kind", "why"), KINDS.items(), ids=KINDS)
def test_other_grants_are_refused(kind: str, why: str) -> None:
    for grant in Grant:
        assert refused(FORMS[grant] | {"grant_type": kind}) == (Reason.GRANT_REFUSED, why)
    without = {name: value for name, value in FORMS[Grant.REFRESH].items() if name != "grant_type"}
    assert refused(without)[0] is Reason.GRANT_REFUSED


PAT = "exchanging a personal access token would bypass the policy"
EXCHANGES: dict[str, tuple[dict[str, str], str]] = {
    "a personal access token, by its type": (
        {"subject_token_type": "urn:databricks:params:oauth:token-type:personal-access-token"},
        PAT,
    ),
    "another type": (
        {"subject_token_type": f"{TYPE}saml2"},
        "the subject_token_type is not one that a policy can name",
    ),
    "a type in capitals": (
        {"subject_token_type": f"{TYPE}JWT"},
        "the subject_token_type is not one that a policy can name",
    ),
    "no type": ({"subject_token_type": ""}, "the subject_token_type is not one that a policy can name"),
    "no token of the web": ({"subject_token": "opaque"}, "the subject_token is not a JSON Web Token"),
    "two parts": ({"subject_token": "eyJhbGci.eyJz"}, "the subject_token is not a JSON Web Token"),
    "four parts": ({"subject_token": "eyJhbGci.eyJz.c2ln.x"}, "the subject_token is not a JSON Web Token"),
    "a token that is not ASCII": (
        {"subject_token": JWT + "\u00e9"},
        "the subject_token is not a JSON Web Token",
    ),
    "a refresh token in return": (
        {"requested_token_type": f"{TYPE}refresh_token"},
        "the requested_token_type is not an access token",
    ),
    "anything in return": ({"requested_token_type": ""}, "the requested_token_type is not an access token"),
}
EXCHANGES |= {
    f"a personal access token under another type ({token[:4]})": ({"subject_token": token}, PAT)
    for token in TOKENS
    if not token.startswith("eyJ")
}


@pytest.mark.parametrize(("change", "why"), EXCHANGES.values(), ids=EXCHANGES)
@pytest.mark.parametrize("grant", [Grant.FEDERATION, Grant.TOKEN_EXCHANGE])
def test_exchanges_that_are_refused(grant: Grant, change: dict[str, str], why: str) -> None:
    assert refused(FORMS[grant] | change) == (Reason.GRANT_REFUSED, why)


def test_an_exchange_without_a_type_is_none() -> None:
    form = {name: value for name, value in FORMS[Grant.FEDERATION].items() if name != "subject_token_type"}
    assert refused(form) == (Reason.GRANT_REFUSED, "the subject_token_type is not one that a policy can name")


# -- by which client --------------------------------------------------------------------------------------------


def basic(user: bytes, secret: bytes, scheme: bytes = b"Basic") -> bytes:
    return scheme + b" " + b64encode(user + b":" + secret)


SECRETLESS = {"grant_type": "client_credentials"}
TWICE = (Reason.MULTIPLE_CREDENTIALS, "the token request gives its client twice")


def test_a_client_in_the_header() -> None:
    assert read(SECRETLESS, basic(b"c", b"s")) == TokenRequest(Grant.CLIENT_CREDENTIALS, "c")
    assert read(SECRETLESS | {"client_id": "c"}, basic(b"c", b"s")) == TokenRequest(
        Grant.CLIENT_CREDENTIALS, "c"
    )
    assert read(SECRETLESS | {"client_id": ""}, basic(b"c", b"s")) == TokenRequest(
        Grant.CLIENT_CREDENTIALS, "c"
    )


def test_a_client_in_the_header_without_a_secret() -> None:
    assert refused(SECRETLESS, basic(b"c", b"")) == (
        Reason.MALFORMED_FORM,
        "the token request lacks the field client_secret",
    )


def test_a_client_named_twice_is_refused() -> None:
    assert refused(SECRETLESS | {"client_id": "other"}, basic(b"c", b"s")) == TWICE
    assert refused(SECRETLESS | {"client_secret": "s"}, basic(b"c", b"s")) == TWICE
    assert refused(SECRETLESS | {"client_id": "c", "client_secret": "s"}, basic(b"c", b"s")) == TWICE


@pytest.mark.parametrize("authorization", [b"Bearer " + TOKEN, b"Digest x", b"Negotiate x", b"Basi c"])
def test_no_other_credential_asks_for_a_token(authorization: bytes) -> None:
    assert refused(FORMS[Grant.CLIENT_CREDENTIALS], authorization) == (
        Reason.MULTIPLE_CREDENTIALS,
        "a token request carries a client's id and secret, not a bearer token",
    )


@pytest.mark.parametrize("user", [b"", b"caf\xe9", b"a\x00b", b"a\nb"])
def test_a_client_whose_name_is_none(user: bytes) -> None:
    assert refused(SECRETLESS, basic(user, b"s")) == (
        Reason.MALFORMED_CREDENTIAL,
        "the client in the Authorization header is not a plain name",
    )


def test_basic_in_another_spelling_is_refused() -> None:
    for scheme in (b"basic", b"BASIC", b"Basic "):
        reason, _ = refused(SECRETLESS, basic(b"c", b"s", scheme))
        assert reason is Reason.MALFORMED_CREDENTIAL


def test_a_request_may_name_no_client() -> None:
    for grant in Grant:
        form = {name: value for name, value in FORMS[grant].items() if name != "client_id"}
        assert read(form) == TokenRequest(grant, None)
        assert read(form | {"client_id": ""}) == TokenRequest(grant, None)


RULES = RuleSet("r", RuleTable([]), RuleTable([]))
ETL = Subject("etl", RULES)
ALL = frozenset(Grant)
CLI, OTHER_CLI, ANY, BOTH = (
    Login("cli", "databricks-cli", ALL),
    Login("other", "other-cli", ALL),
    Login("anonymous", None, ALL),
    Login("second", "databricks-cli", ALL),
)
KNOWN = Principals({"sp-1": ETL, "databricks-app": ETL}, {}, (CLI, OTHER_CLI, ANY, BOTH))
CLIENTS: dict[str | None, list[Any]] = {
    "sp-1": [ETL],
    "databricks-cli": [CLI, BOTH],
    "other-cli": [OTHER_CLI],
    None: [ANY],
    "stranger": [],
    "SP-1": [],
    "": [],
}


@pytest.mark.parametrize(("client", "found"), CLIENTS.items(), ids=map(str, CLIENTS))
def test_who_is_this_client(client: str | None, found: list[Any]) -> None:
    for grant in Grant:
        assert find_clients(KNOWN, TokenRequest(grant, client)) == found


# -- where ------------------------------------------------------------------------------------------------------

ENDPOINTS = [
    "/oidc/v1/token",
    "/oidc/oauth2/v2.0/token",
    "/oidc/accounts/0d26daa6-5e44-4c97-a497-ef015f91254a/v1/token",
]
ELSEWHERE = [
    "/oidc",
    "/oidc/",
    "/oidc/v1/token/",
    "/oidc/v1/tokens",
    "/oidc/v2/token",
    "/oidc/v1/revoke",
    "/oidc/accounts/x/v1/token",
    "/oidc/oauth2/v2_0/token",
    "/oidc/accounts/0d26daa6-5e44-4c97-a497-ef015f91254a/oauth2/v2.0/token",
    "/OIDC/v1/token",
]
WHERE = (Reason.GRANT_REFUSED, "below /oidc only POST to the token endpoint is allowed")


@pytest.mark.parametrize("path", ENDPOINTS)
def test_the_endpoints(path: str) -> None:
    assert is_token_request(request(path))
    assert tried(check_endpoint, request(path)) is None
    for method in ("GET", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS"):
        assert is_token_request(request(path, method))
        assert refusal(check_endpoint, request(path, method)) == WHERE


@pytest.mark.parametrize("path", ELSEWHERE)
def test_what_only_looks_like_one(path: str) -> None:
    assert is_token_request(request(path))
    assert refusal(check_endpoint, request(path)) == WHERE


@pytest.mark.parametrize("path", ["/", "/api/2.0/oidc/v1/token", "/oidcx/v1/token", "/xoidc/v1/token"])
def test_what_is_none(path: str) -> None:
    assert not is_token_request(request(path))


def test_a_look_at_metadata_is_no_request_for_a_token() -> None:
    assert not is_token_request(request("/oidc/jwks.json", "GET"))
    assert is_token_request(request("/oidc/jwks.json", "POST"))


def test_no_detail_tells_a_secret() -> None:
    """Neither a value nor a name that may be one is in any refusal."""
    secret = b64("a secret of a client").decode()
    for grant in Grant:
        for form in (
            FORMS[grant] | {secret.lower(): "x"},
            FORMS[grant] | {"client_secret": secret, "grant_type": secret},
            FORMS[grant] | {"subject_token": secret, "grant_type": EXCHANGE},
        ):
            found = read(form)
            if isinstance(found, Refused):
                assert secret not in found.detail
                assert secret.lower() not in found.detail
