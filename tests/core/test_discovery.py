"""Calls that carry no credential by nature: exactly these, and nothing more with them."""

from __future__ import annotations

from typing import Any

import pytest

from brickscope.core.decide import decide
from brickscope.core.discovery import is_discovery, is_open
from brickscope.core.policy import Mode, Policy
from brickscope.core.reason import Reason
from brickscope.core.request import read_request
from core.wire import HOST, TOKEN, Fields, h1, h2

ACCOUNT = "/oidc/accounts/0d26daa6-5e44-4c97-a497-ef015f91254a"
OPEN = [
    "/.well-known/databricks-config",
    "/.well-known/oauth-authorization-server",
    "/.well-known/openid-configuration",
    "/.well-known/oauth-protected-resource",
    "/.well-known/oauth-protected-resource/api/2.0/mcp/sql",
    "/oidc/.well-known/oauth-authorization-server",
    "/oidc/.well-known/openid-configuration",
    "/oidc/jwks.json",
    f"{ACCOUNT}/.well-known/oauth-authorization-server",
    f"{ACCOUNT}/.well-known/openid-configuration",
    f"{ACCOUNT}/jwks.json",
]
CLOSED = [
    "/.well-known",
    "/.well-known/databricks-configx",
    "/.well-known/databricks-config/x",
    "/x/.well-known/databricks-config",
    "/.well-known/oauth-protected-resource/" + "a" * 257,
    "/.well-known/oauth-protected-resource/%20",
    "/.well-known/oauth-protected-resourcex",
    "/oidc/jwks.jsonx",
    "/oidc/jwks_json",
    "/oidc/v1/token",
    "/oidc/v1/authorize",
    "/oidc/accounts/x/jwks.json",
    ACCOUNT.upper().replace("OIDC/ACCOUNTS", "oidc/accounts") + "/jwks.json",
    f"{ACCOUNT}x/jwks.json",
    f"{ACCOUNT}/v1/token",
    "/Oidc/jwks.json",
    "/api/2.1/unity-catalog/catalogs",
]
HOST_ONLY: Fields = [(b"Host", HOST.encode())]
POLICY = Policy({}, {}, Mode.ENFORCE, "rev")


@pytest.mark.parametrize("path", OPEN)
@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
@pytest.mark.parametrize("query", ["", "?o=1", "?workspace_id=12345678901234567890"])
def test_what_is_open(path: str, method: bytes, query: str) -> None:
    request = read_request(h1(method, f"{path}{query}".encode(), HOST_ONLY))
    assert is_discovery(request)
    assert is_open(request)
    decision = decide(POLICY, request, "10.0.0.1", 0)
    assert (decision.allow, decision.reason) == (True, Reason.ALLOWED_WITHOUT_CREDENTIAL)
    assert (decision.forwards, decision.mode, decision.policy_revision) == (True, "enforce", "rev")
    assert decision.detail == "the call needs no credential"
    assert decision.subject is decision.operation is None


@pytest.mark.parametrize("path", CLOSED)
def test_what_is_not(path: str) -> None:
    request = read_request(h1(b"GET", path.encode(), HOST_ONLY))
    assert not is_discovery(request)
    assert not is_open(request)
    assert not decide(POLICY, request, "10.0.0.1", 0, None, b"").allow


ODD = [
    (b"Cookie", b"DBAUTH=x"),
    (b"X-Original-URL", b"/api/2.0/secrets/get"),
    (b"X-HTTP-Method-Override", b"DELETE"),
]


@pytest.mark.parametrize("field", ODD)
@pytest.mark.parametrize("path", ["/.well-known/databricks-config", "/oidc/jwks.json", "/aad/auth"])
def test_a_header_that_could_make_it_another_call_closes_it(path: str, field: tuple[bytes, bytes]) -> None:
    request = read_request(h1(b"GET", path.encode(), [*HOST_ONLY, field]))
    assert not is_open(request)
    assert not decide(POLICY, request, "10.0.0.1", 0).forwards


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"DELETE", b"PATCH", b"OPTIONS"])
def test_other_methods_are_closed(method: bytes) -> None:
    assert not is_discovery(read_request(h1(method, b"/oidc/jwks.json", HOST_ONLY)))


@pytest.mark.parametrize(
    "query", ["?", "?o=", "?o=x", "?o=123456789012345678901", "?o=1&a=b", "?a=1", "?page=x"]
)
def test_a_query_could_carry_data_out(query: str) -> None:
    request = read_request(h1(b"GET", f"/oidc/jwks.json{query}".encode(), HOST_ONLY))
    assert is_discovery(request)
    assert not is_open(request)


def test_a_body_could_carry_data_out() -> None:
    for field in ((b"Content-Length", b"3"), (b"Transfer-Encoding", b"chunked")):
        assert not is_open(read_request(h1(b"GET", b"/oidc/jwks.json", [*HOST_ONLY, field])))
    assert is_open(read_request(h1(b"GET", b"/oidc/jwks.json", [*HOST_ONLY, (b"Content-Length", b"0")])))
    unannounced = h2(b"GET", b"/oidc/jwks.json", headers=[(b"user-agent", b"x")])
    assert not is_open(read_request(unannounced))
    assert is_open(read_request(unannounced._replace(ended=True)))


def test_with_a_credential_it_is_a_call_like_others() -> None:
    request = read_request(
        h1(b"GET", b"/oidc/jwks.json", [*HOST_ONLY, (b"Authorization", b"Bearer " + TOKEN)])
    )
    assert is_discovery(request)
    assert not is_open(request)
    assert decide(POLICY, request, "10.0.0.1", 0).reason is Reason.UNKNOWN_TOKEN


AZURE = "adb-1234567890123456.7.azuredatabricks.net"


def lookup(
    target: bytes = b"/aad/auth", method: bytes = b"GET", *more: tuple[bytes, bytes], host: str = AZURE
) -> tuple[bool, Reason]:
    """An Azure client looks for the tenant of a workspace."""
    fields: Fields = [(b"Host", host.encode()), *more]
    request = read_request(h1(method, target, fields, tunnel_host=host, server_name=host))
    decision = decide(POLICY, request, "10.0.0.1", 0)
    return decision.allow, decision.reason


def test_the_tenant_of_a_workspace_is_looked_up_without_a_credential() -> None:
    assert lookup() == (True, Reason.ALLOWED_WITHOUT_CREDENTIAL)
    assert lookup(host=HOST)[0], "who asks there gets no answer"


LOOKUPS: dict[str, tuple[tuple[Any, ...], str]] = {
    "HEAD": ((b"/aad/auth", b"HEAD"), AZURE),
    "POST": ((b"/aad/auth", b"POST"), AZURE),
    "a query": ((b"/aad/auth?state=x",), AZURE),
    "an empty query": ((b"/aad/auth?",), AZURE),
    "the number of a workspace": ((b"/aad/auth?o=1",), AZURE),
    "a slash at its end": ((b"/aad/auth/",), AZURE),
    "something below it": ((b"/aad/auth/x",), AZURE),
    "other letters": ((b"/AAD/auth",), AZURE),
    "an encoded letter": ((b"/aad/%61uth",), AZURE),
    "a body": ((b"/aad/auth", b"GET", (b"Content-Length", b"3")), AZURE),
    "chunks": ((b"/aad/auth", b"GET", (b"Transfer-Encoding", b"chunked")), AZURE),
    "a cookie": ((b"/aad/auth", b"GET", (b"Cookie", b"s=1")), AZURE),
    "a key": ((b"/aad/auth", b"GET", (b"X-Api-Key", b"1")), AZURE),
    "a credential": ((b"/aad/auth", b"GET", (b"Authorization", b"Bearer " + TOKEN)), AZURE),
    "an empty credential": ((b"/aad/auth", b"GET", (b"Authorization", b"")), AZURE),
    "accounts": ((), "accounts.azuredatabricks.net"),
    "an app": ((), "mine-1234567890123456.7.azure.databricksapps.com"),
}


@pytest.mark.parametrize(("call", "host"), LOOKUPS.values(), ids=LOOKUPS)
def test_so_and_in_no_other_way(call: tuple[Any, ...], host: str) -> None:
    assert not lookup(*call, host=host)[0]
