"""OAuth with the official SDK through a real proxy: tokens that change, keys that rotate, grants by name."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config
from databricks.sdk.errors import PermissionDenied
from databricks.sdk.oauth import Refreshable, SessionCredentials, Token

from e2e.gate import HOST, WAREHOUSES, Gate, running_gate
from e2e.oauth_policy import FEDERATED_ID, ISSUER, OAUTH_POLICY
from lab.workspace.issuer import CLIENT_ID, CLIENT_SECRET, PUBLIC_CLIENT, USER

NAMES = ["main", "samples"]


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory, proxy_authority: object) -> Iterator[Gate]:
    folder = tmp_path_factory.mktemp("oauth")
    with running_gate(folder, proxy_authority, policy=OAUTH_POLICY) as gate:  # type: ignore[arg-type]
        yield gate


@pytest.fixture(autouse=True)
def through_the_proxy(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*os.environ]:
        if name.lower().endswith("_proxy") or name.startswith("DATABRICKS"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HTTPS_PROXY", gate.proxy.proxy_url)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(gate.ca))
    gate.clear()
    gate.workspace.issuer.requests.clear()


def machine() -> WorkspaceClient:
    """A client that mints its own tokens."""
    return WorkspaceClient(
        config=Config(host=f"https://{HOST}", client_id=CLIENT_ID, client_secret=CLIENT_SECRET)
    )


def local_time() -> datetime:
    """The time as the SDK takes it, without a zone."""
    return datetime.now()  # noqa: DTZ005


def bearers(gate: Gate) -> set[bytes]:
    """The tokens that reached the workspace in API calls."""
    return {
        value
        for request in gate.workspace.requests
        if request.path.startswith(b"/api/")
        for value in request.values(b"authorization")
    }


def test_a_service_principal_mints_calls_and_meets_its_limits(gate: Gate) -> None:
    before = len(gate.proxy.audit("decision"))
    client = machine()
    assert [catalog.name for catalog in client.catalogs.list()] == NAMES
    with pytest.raises(PermissionDenied, match=r"Brickscope denied GET /api/2\.0/sql/warehouses"):
        list(client.warehouses.list())
    assert not [request for request in gate.workspace.requests if request.path == WAREHOUSES.encode()]
    records = gate.proxy.audit("decision")[before:]
    said = {(record["path"], record["reason"], record["subject"]) for record in records}
    assert {
        ("/.well-known/databricks-config", "allowed_without_credential", None),
        ("/oidc/.well-known/oauth-authorization-server", "allowed_without_credential", None),
        ("/oidc/v1/token", "allowed_by_grant", "etl"),
        ("/api/2.1/unity-catalog/catalogs", "allowed_by_rule", "etl"),
        (WAREHOUSES, "no_rule_matches", "etl"),
    } <= said
    log = gate.proxy.audit_file.read_text() + gate.proxy.output
    assert CLIENT_SECRET not in log
    assert base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode() not in log
    assert "eyJ" not in log


def test_a_service_principal_refreshes_early_and_survives_rotated_keys(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        client = machine()
        assert [catalog.name for catalog in client.catalogs.list()] == NAMES
        gate.workspace.issuer.rotate(withdraw=True)
        minted = len(gate.workspace.issuer.requests)
        # 50 minutes later: the SDK makes a new token in the background and goes on with the old one meanwhile.
        with monkeypatch.context() as later:
            later.setattr(Refreshable, "_now", lambda self: local_time() + timedelta(minutes=50))
            client.config.authenticate()
            gate.proxy.wait_for(lambda minted=minted: len(gate.workspace.issuer.requests) > minted)
        gate.clear()
        assert [catalog.name for catalog in client.catalogs.list()] == NAMES
    assert gate.proxy.wait_for(lambda: len(gate.proxy.audit("key_set")) >= 4)


def test_the_token_before_a_rotation_lives_on_while_its_key_is_published(gate: Gate) -> None:
    client = machine()
    list(client.catalogs.list())
    gate.workspace.issuer.rotate()
    old = next(iter(bearers(gate)))
    other = machine()
    assert [catalog.name for catalog in other.catalogs.list()] == NAMES
    assert [catalog.name for catalog in client.catalogs.list()] == NAMES
    assert old in bearers(gate)
    assert len(bearers(gate)) == 2


def test_a_browser_login_refreshes(gate: Gate) -> None:
    _, refresh = gate.workspace.issuer.login()
    session = SessionCredentials(
        Token("", "Bearer", refresh, local_time() - timedelta(hours=1)),
        token_endpoint=f"{ISSUER}/v1/token",
        client_id=PUBLIC_CLIENT,
    )
    client = WorkspaceClient(
        config=Config(host=f"https://{HOST}", credentials_strategy=session)  # type: ignore[arg-type]
    )
    assert [catalog.name for catalog in client.catalogs.list()] == NAMES
    with pytest.raises(PermissionDenied):
        list(client.warehouses.list())
    said = {(record["reason"], record["subject"]) for record in gate.proxy.audit("decision")}
    assert {
        ("allowed_by_grant", "people"),
        ("allowed_by_rule", "alice"),
        ("no_rule_matches", "alice"),
    } <= said
    assert refresh not in gate.proxy.audit_file.read_text()


def test_a_browser_login_trades_its_code(gate: Gate) -> None:
    from databricks.sdk.oauth import retrieve_token

    verifier = "v" * 64
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    code, _ = gate.workspace.issuer.login(challenge=challenge)
    token = retrieve_token(
        PUBLIC_CLIENT,
        None,
        f"{ISSUER}/v1/token",
        {
            "grant_type": "authorization_code",
            "code": code,
            "code_verifier": verifier,
            "redirect_uri": "http://localhost:8020",
        },
        use_params=True,
    )
    assert token.access_token.startswith("eyJ")


def identity_token() -> str:
    """What a CI system hands its jobs."""
    payload = base64.urlsafe_b64encode(json.dumps({"sub": USER, "iss": "https://ci.example.com"}).encode())
    return f"eyJhbGciOiJSUzI1NiJ9.{payload.rstrip(b'=').decode()}.c2lnbmF0dXJl"


def federated(client_id: str | None, monkeypatch: pytest.MonkeyPatch) -> WorkspaceClient:
    monkeypatch.setenv("DATABRICKS_OIDC_TOKEN", identity_token())
    return WorkspaceClient(config=Config(host=f"https://{HOST}", client_id=client_id, auth_type="env-oidc"))


def test_federation_is_let_through_where_the_policy_names_it(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = federated(FEDERATED_ID, monkeypatch)
    assert [catalog.name for catalog in client.catalogs.list()] == NAMES
    assert gate.workspace.issuer.requests[-1]["client_id"] == FEDERATED_ID


@pytest.mark.parametrize(
    ("client_id", "why"),
    [(CLIENT_ID, "grant_not_allowed"), (None, "unknown_client")],
    ids=["named", "account"],
)
def test_federation_is_refused_by_default(
    gate: Gate, monkeypatch: pytest.MonkeyPatch, client_id: str | None, why: str
) -> None:
    with pytest.raises(ValueError, match=rf"access_denied: Brickscope denied POST /oidc/v1/token.*{why}"):
        list(federated(client_id, monkeypatch).catalogs.list())
    assert gate.workspace.issuer.requests == []
