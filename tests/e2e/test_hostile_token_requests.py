"""Attacks by token requests, and by calls without a credential. Each has its reason, and none is forwarded."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import pytest

from e2e.gate import CATALOGS, HOST, TOKEN, Gate, head, running_gate
from e2e.oauth_policy import (
    ACCOUNT,
    FEDERATED_ID,
    OAUTH_POLICY,
    answer,
    ask,
    b64,
    get,
    reason,
    token_request,
)
from e2e.raw_client import H2Client, h2_headers, open_tls
from lab.workspace.issuer import CLIENT_ID, CLIENT_SECRET, PUBLIC_CLIENT, USER, TokenIssuer


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory, proxy_authority: object) -> Iterator[Gate]:
    folder = tmp_path_factory.mktemp("hostile")
    with running_gate(folder, proxy_authority, policy=OAUTH_POLICY) as gate:  # type: ignore[arg-type]
        yield gate


@pytest.fixture
def issuer(gate: Gate) -> TokenIssuer:
    gate.clear()
    return gate.workspace.issuer


# -- the token endpoint ------------------------------------------------------------------------------------------

MINT = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
TYPE = "urn:ietf:params:oauth:token-type:"
IDENTITY = f"{b64('{"alg":"RS256"}')}.{b64('{"sub":"x"}')}.{b64('signature')}"
BASIC = "Authorization: Basic " + base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
FEDERATE = {
    "grant_type": EXCHANGE,
    "client_id": FEDERATED_ID,
    "subject_token": IDENTITY,
    "subject_token_type": f"{TYPE}jwt",
}

GRANTS: dict[str, tuple[bytes, str]] = {
    "its own token, by form": (token_request(MINT), "forwarded"),
    "its own token, by Basic": (token_request({"grant_type": "client_credentials"}, BASIC), "forwarded"),
    "at the account": (token_request(MINT, target=f"/oidc/accounts/{ACCOUNT}/v1/token"), "forwarded"),
    "federation by name": (token_request(FEDERATE), "forwarded"),
    "a client nobody named": (token_request(MINT | {"client_id": "someone"}), "unknown_client"),
    "no secret": (
        token_request({"grant_type": "client_credentials", "client_id": CLIENT_ID}),
        "malformed_form",
    ),
    "Basic and form": (token_request(MINT, BASIC), "multiple_credentials"),
    "Basic and another client": (
        token_request({"grant_type": "client_credentials", "client_id": FEDERATED_ID}, BASIC),
        "multiple_credentials",
    ),
    "a bearer and a form": (token_request(MINT, f"Authorization: Bearer {TOKEN}"), "multiple_credentials"),
    "federation nobody named": (token_request(FEDERATE | {"client_id": CLIENT_ID}), "grant_not_allowed"),
    "federation without a client": (
        token_request({k: v for k, v in FEDERATE.items() if k != "client_id"}),
        "unknown_client",
    ),
    "client credentials of a federated principal": (
        token_request(MINT | {"client_id": FEDERATED_ID}),
        "grant_not_allowed",
    ),
    "a refresh by a service principal": (
        token_request({"grant_type": "refresh_token", "refresh_token": "x", "client_id": CLIENT_ID}),
        "grant_not_allowed",
    ),
    "a login without PKCE": (
        token_request({"grant_type": "authorization_code", "code": "x", "client_id": PUBLIC_CLIENT}),
        "grant_refused",
    ),
    "a login with a short verifier": (
        token_request(
            {
                "grant_type": "authorization_code",
                "code": "x",
                "client_id": PUBLIC_CLIENT,
                "code_verifier": "x",
            }
        ),
        "grant_refused",
    ),
    "a PAT for a token": (
        token_request(
            FEDERATE
            | {
                "subject_token": TOKEN,
                "subject_token_type": "urn:databricks:params:oauth:token-type:personal-access-token",
            }
        ),
        "grant_refused",
    ),
    "a PAT called a JWT": (token_request(FEDERATE | {"subject_token": TOKEN}), "grant_refused"),
    "a PAT type with a JWT": (
        token_request(
            FEDERATE | {"subject_token_type": "urn:databricks:params:oauth:token-type:personal-access-token"}
        ),
        "grant_refused",
    ),
    "jwt-bearer": (
        token_request({"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": IDENTITY}),
        "grant_refused",
    ),
    "a password": (
        token_request({"grant_type": "password", "username": USER, "password": "x"}),
        "grant_refused",
    ),
    "a device code": (
        token_request({"grant_type": "urn:ietf:params:oauth:grant-type:device_code"}),
        "grant_refused",
    ),
    "a secret with an ampersand in it": (
        token_request(
            b"grant_type=client_credentials&client_id=%s&client_secret=Abc&hunter2secretpart=x"
            % CLIENT_ID.encode()
        ),
        "grant_refused",
    ),
    "an actor token": (token_request(FEDERATE | {"actor_token": IDENTITY}), "grant_refused"),
    "a client assertion": (token_request(MINT | {"client_assertion": IDENTITY}), "grant_refused"),
    "another requested type": (
        token_request(FEDERATE | {"requested_token_type": f"{TYPE}refresh_token"}),
        "grant_refused",
    ),
    "a grant type twice": (
        token_request(
            b"grant_type=client_credentials&client_id=%s&client_secret=x&grant_type=password"
            % CLIENT_ID.encode()
        ),
        "malformed_form",
    ),
    "an encoded name twice": (
        token_request(
            b"grant_type=client_credentials&client_id=%s&client_secret=x&grant%%5Ftype=password"
            % CLIENT_ID.encode()
        ),
        "malformed_form",
    ),
    "a semicolon": (
        token_request(
            b"grant_type=client_credentials;grant_type=password&client_id=%s&client_secret=x"
            % CLIENT_ID.encode()
        ),
        "malformed_form",
    ),
    "a name in capitals": (
        token_request(b"Grant_Type=client_credentials&client_id=%s&client_secret=x" % CLIENT_ID.encode()),
        "malformed_form",
    ),
    "JSON": (token_request(json.dumps(MINT).encode(), kind="application/json"), "malformed_form"),
    "a form called JSON": (token_request(MINT, kind="application/json"), "malformed_form"),
    "no content type": (token_request(MINT, kind=None), "malformed_form"),
    "another charset": (
        token_request(MINT, kind="application/x-www-form-urlencoded; charset=utf-16"),
        "malformed_form",
    ),
    "compressed": (token_request(MINT, "Content-Encoding: gzip"), "malformed_form"),
    "a query beside the form": (
        token_request(MINT, target="/oidc/v1/token?grant_type=password"),
        "malformed_form",
    ),
    "an empty body": (token_request(b""), "malformed_form"),
    "too much": (token_request(MINT | {"scope": "x" * 70_000}), "too_large"),
    "a slash more": (token_request(MINT, target="/oidc/v1/token/"), "grant_refused"),
    "in capitals": (token_request(MINT, target="/OIDC/v1/token"), "grant_refused"),
    "another version": (token_request(MINT, target="/oidc/v2/token"), "grant_refused"),
    "an account that is none": (token_request(MINT, target="/oidc/accounts/x/v1/token"), "grant_refused"),
    "by GET": (head("GET", "/oidc/v1/token", token=None), "grant_refused"),
    "by PUT": (head("PUT", "/oidc/v1/token", "Content-Length: 0", token=TOKEN), "grant_refused"),
    "authorize": (head("GET", "/oidc/v1/authorize?client_id=databricks-cli", token=None), "grant_refused"),
    "authorize with a token": (head("GET", "/oidc/v1/authorize", token=TOKEN), "grant_refused"),
    "client credentials elsewhere": (
        head("GET", CATALOGS, BASIC, token=None),
        "unsupported_credential",
    ),
    "a user and a password": (
        head("GET", CATALOGS, "Authorization: Basic " + base64.b64encode(b"alice:pw").decode(), token=None),
        "unsupported_credential",
    ),
}


@pytest.mark.parametrize(("raw", "expected"), GRANTS.values(), ids=GRANTS)
def test_a_token_request_is_decided_by_its_grant(
    gate: Gate, issuer: TokenIssuer, raw: bytes, expected: str
) -> None:
    before = len(gate.proxy.audit("decision"))
    response = ask(gate, raw)
    assert reason(response) == expected
    assert bool(gate.workspace.requests) is (expected == "forwarded")
    if expected != "forwarded":
        assert response.status == 403
        if b"/oidc/v1/token" in raw.partition(b"\r\n")[0] and b"POST" in raw[:4] and expected != "too_large":
            assert answer(response)["error"] == "access_denied"
    (record,) = gate.proxy.audit("decision")[before:]
    assert record["reason"] == (expected if expected != "forwarded" else "allowed_by_grant")
    text = (
        gate.proxy.audit_file.read_text()
        + gate.proxy.output
        + (response.body.decode() if expected != "forwarded" else "")
    )
    assert not [secret for secret in (CLIENT_SECRET, IDENTITY, TOKEN, "hunter2") if secret in text]


def test_what_was_judged_is_what_is_sent(gate: Gate, issuer: TokenIssuer) -> None:
    raw = token_request(MINT)
    assert ask(gate, raw).status == 200
    (request,) = gate.workspace.requests
    assert request.body == raw.partition(b"\r\n\r\n")[2]


def test_a_body_without_a_length_is_held_only_so_far(gate: Gate, issuer: TokenIssuer) -> None:
    chunk = b"%x\r\n%s\r\n" % (30_000, b"x" * 30_000)
    lines = ["Transfer-Encoding: chunked", "Content-Type: application/x-www-form-urlencoded"]
    raw = head("POST", "/oidc/v1/token", *lines, token=None)
    response = ask(gate, raw + chunk * 3 + b"0\r\n\r\n")
    assert (response.status, reason(response)) == (403, "too_large")
    small = b"grant_type=client_credentials&client_id=%s&client_secret=%s" % (
        CLIENT_ID.encode(),
        CLIENT_SECRET.encode(),
    )
    assert ask(gate, raw + b"%x\r\n%s\r\n0\r\n\r\n" % (len(small), small)).status == 200


def test_a_token_request_over_http2(gate: Gate, issuer: TokenIssuer) -> None:
    fields = h2_headers("POST", "/oidc/v1/token", HOST, None, [])
    fields.append((b"content-type", b"application/x-www-form-urlencoded"))
    with open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca, alpn=["h2"]) as sock:
        client = H2Client(sock)
        body = b"grant_type=client_credentials&client_id=%s&client_secret=%s"
        good = client.collect(client.request(fields, body % (CLIENT_ID.encode(), CLIENT_SECRET.encode())))
        assert good.status == 200
        bad = client.collect(client.request(fields, body % (b"someone", b"x")))
        assert bad.status == 403
        large = client.collect(client.request(fields, b"x" * 70_000))
        assert large.status == 403


# -- calls without a credential ----------------------------------------------------------------------------------

OPEN = {
    "host configuration": ("/.well-known/databricks-config", "allowed_without_credential"),
    "metadata": ("/oidc/.well-known/oauth-authorization-server", "allowed_without_credential"),
    "metadata of an account": (
        f"/oidc/accounts/{ACCOUNT}/.well-known/openid-configuration",
        "allowed_without_credential",
    ),
    "keys": ("/oidc/jwks.json", "allowed_without_credential"),
    "keys of a workspace among several": ("/oidc/jwks.json?o=123", "allowed_without_credential"),
    "with something to carry": ("/.well-known/databricks-config?x=stolen", "missing_credential"),
    "another well-known": ("/.well-known/security.txt", "missing_credential"),
    "an account that is none": ("/oidc/accounts/x/.well-known/openid-configuration", "grant_refused"),
    "an API": (CATALOGS, "missing_credential"),
}


@pytest.mark.parametrize(("target", "expected"), OPEN.values(), ids=OPEN)
def test_calls_without_a_credential(gate: Gate, issuer: TokenIssuer, target: str, expected: str) -> None:
    response = ask(gate, head("GET", target, token=None))
    assert (response.status == 403) is (expected != "allowed_without_credential")
    assert gate.proxy.audit("decision")[-1]["reason"] == expected


def test_without_a_credential_nothing_is_carried_over_http2_either(gate: Gate, issuer: TokenIssuer) -> None:
    with open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca, alpn=["h2"]) as sock:
        client = H2Client(sock)
        fields = h2_headers("GET", "/oidc/jwks.json", HOST, None, [])
        assert client.collect(client.request(fields)).status == 200
        gate.clear()
        assert client.collect(client.request(fields, b"stolen")).status == 403
    assert gate.workspace.requests == []


def test_with_a_credential_they_are_judged_as_usual(gate: Gate, issuer: TokenIssuer) -> None:
    assert reason(get(gate, TOKEN, "/oidc/jwks.json")) == "no_rule_matches"
    assert reason(get(gate, "unknown", "/.well-known/databricks-config")) == "unknown_token"
    assert gate.workspace.requests == []
