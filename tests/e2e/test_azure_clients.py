"""Azure's strategies of the official SDK through a real proxy: each allowed by its rule set, refused in words its user sees.

The SDK asks ``login.microsoftonline.com``, a name that it has written in: ``scope_connect_to`` leads it, and the proxy's own
look for keys, to the fake Entra ID on loopback. Its Python edition has no strategy for managed identities; their tokens are
those of applications (identity/test_entra.py), and ``az`` hands them on as it does here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config
from databricks.sdk.errors import PermissionDenied

from brickscope.core.entra import RESOURCE
from core.entra_tokens import OTHER_APPLICATION, OTHER_OBJECT, PERSON, POLICY
from e2e.gate import CATALOGS, WAREHOUSES
from e2e.proxy_process import ProxyProcess
from lab.workspace.entra import (
    APPLICATION,
    HOST,
    HOSTS,
    LOGIN,
    OBJECT,
    RESOURCE_ID,
    SECRET,
    TENANT,
    Entra,
    az,
)
from lab.workspace.server import DNS_NAMES, FakeWorkspace

STRANGER, STRANGER_OBJECT = "bbbbbbbb-0000-4000-8000-000000000009", "aaaaaaaa-0000-4000-8000-000000000009"
NAMES = ["main", "samples"]
MANAGEMENT = "https://management.core.windows.net/"
HEADER = b"x-databricks-azure-sp-management-token"
WITH_RESOURCE = POLICY.replace(
    f"object_id: {OBJECT}\n", f"object_id: {OBJECT}\n    azure_resource: {RESOURCE_ID}\n", 1
)


class Azure(NamedTuple):
    """A running proxy, the workspace behind it and the tenant beside it."""

    proxy: ProxyProcess
    workspace: FakeWorkspace
    entra: Entra


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory, proxy_authority: Path) -> Iterator[Azure]:
    folder = tmp_path_factory.mktemp("azure")
    rules = folder / "rules"
    rules.mkdir()
    (rules / "policy.yaml").write_text(WITH_RESOURCE)
    applications = {
        APPLICATION: OBJECT,
        OTHER_APPLICATION: OTHER_OBJECT,
        STRANGER: STRANGER_OBJECT,
    }
    entra = Entra(applications)
    names = (*DNS_NAMES, *HOSTS)
    with FakeWorkspace.start(names=names, routes=entra.routes) as workspace:
        options = ["scope_hosts=*.azuredatabricks.net", "scope_allow_addresses=127.0.0.0/8"]
        options += [
            f"scope_connect_to={host}=127.0.0.1:{workspace.port}" for host in ("*.azuredatabricks.net", LOGIN)
        ]
        with ProxyProcess.start(
            folder / "proxy",
            rules,
            upstream_ca=workspace.ca_file,
            authority=proxy_authority,
            arguments=[part for option in options for part in ("--set", option)],
        ) as proxy:
            yield Azure(proxy, workspace, entra)


@pytest.fixture(autouse=True)
def through_the_proxy(azure: Azure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*os.environ]:
        if name.lower().endswith("_proxy") or name.startswith(("DATABRICKS", "ARM_", "ACTIONS_")):
            monkeypatch.delenv(name)
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(azure.proxy.ca_file.read_bytes() + azure.workspace.ca_file.read_bytes())
    monkeypatch.setenv("HTTPS_PROXY", azure.proxy.proxy_url)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    azure.workspace.clear()
    azure.entra.forms.clear()


def client(strategy: str, **more: str) -> WorkspaceClient:
    return WorkspaceClient(config=Config(host=f"https://{HOST}", auth_type=strategy, **more))


def by_secret(application_id: str, **more: str) -> WorkspaceClient:
    return client("azure-client-secret", azure_client_id=application_id, azure_client_secret=SECRET, **more)


def arrived(azure: Azure, path: str) -> list[bytes]:
    """The second tokens of calls that arrived, empty for one without."""
    return [
        next(iter(request.values(HEADER)), b"")
        for request in azure.workspace.requests
        if request.path == path.encode()
    ]


def check(azure: Azure, who: WorkspaceClient, subject: str, *, second: bool) -> None:
    """Its rule set and nothing else; what is refused says so to the user, and no secret is in log or output."""
    before = len(azure.proxy.audit("decision"))
    assert [catalog.name for catalog in who.catalogs.list()] == NAMES
    with pytest.raises(PermissionDenied, match=r"Brickscope denied GET /api/2\.0/sql/warehouses: rule set"):
        list(who.warehouses.list())
    sent = arrived(azure, CATALOGS)
    assert len(sent) == 1
    assert bool(sent[0]) is second
    assert arrived(azure, WAREHOUSES) == []
    records = azure.proxy.audit("decision")[before:]
    said = {record["path"]: record for record in records if record["path"].startswith("/api/")}
    assert {path: (record["reason"], record["subject"]) for path, record in said.items()} == {
        CATALOGS: ("allowed_by_rule", subject),
        WAREHOUSES: ("no_rule_matches", subject),
    }
    principal = said[CATALOGS]["principal"]
    assert (principal["tenant"], "azure_resource" in principal) == (TENANT, second)
    log = azure.proxy.audit_file.read_text() + azure.proxy.output
    assert "eyJ" not in log
    assert SECRET not in log


def test_a_client_secret(azure: Azure) -> None:
    check(azure, by_secret(APPLICATION, azure_tenant_id=TENANT), "etl", second=True)
    assert {form["resource"] for form in azure.entra.forms} == {RESOURCE, MANAGEMENT}


def test_a_client_secret_with_the_id_of_the_workspace(azure: Azure) -> None:
    who = by_secret(APPLICATION, azure_tenant_id=TENANT, azure_workspace_resource_id=RESOURCE_ID)
    check(azure, who, "etl", second=True)


def test_a_client_secret_that_looks_for_its_tenant(azure: Azure) -> None:
    who = by_secret(APPLICATION)
    assert who.config.azure_tenant_id == TENANT
    check(azure, who, "etl", second=True)
    found = [each for each in azure.proxy.audit("decision") if each["path"] == "/aad/auth"]
    assert {each["reason"] for each in found} == {"allowed_without_credential"}


def test_the_second_token_of_whom_the_policy_gives_none(azure: Azure) -> None:
    who = by_secret(OTHER_APPLICATION, azure_tenant_id=TENANT)
    with pytest.raises(PermissionDenied) as refused:
        list(who.catalogs.list())
    said = str(refused.value)
    assert "the policy gives 'deploy' no azure_resource" in said
    assert "reason multiple_credentials" in said
    assert arrived(azure, CATALOGS) == []


def test_another_workspace_than_that_of_the_policy(azure: Azure) -> None:
    other = RESOURCE_ID.replace("prod", "dev")
    who = by_secret(APPLICATION, azure_tenant_id=TENANT, azure_workspace_resource_id=other)
    with pytest.raises(PermissionDenied, match="is not the azure_resource of the policy"):
        list(who.catalogs.list())
    assert arrived(azure, CATALOGS) == []


def use_az(folder: Path, monkeypatch: pytest.MonkeyPatch, tokens: dict[str, str]) -> None:
    program = folder / "bin" / "az"
    program.parent.mkdir()
    program.write_text(az(tokens))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")


def test_the_azure_cli_of_a_person(azure: Azure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    person = azure.entra.sign(
        STRANGER, RESOURCE, oid=PERSON, sub="l3_roI", scp="user_impersonation", upn="ada@example.com"
    )
    use_az(tmp_path, monkeypatch, {RESOURCE: person})
    check(azure, client("azure-cli"), "ada", second=False)


def test_the_azure_cli_of_an_application(
    azure: Azure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_az(
        tmp_path, monkeypatch, {each: azure.entra.sign(APPLICATION, each) for each in (RESOURCE, MANAGEMENT)}
    )
    check(azure, client("azure-cli"), "etl", second=True)


def test_the_azure_cli_of_somebody_nobody_named(
    azure: Azure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = azure.entra.sign(STRANGER, RESOURCE, scp="user_impersonation", sub="x", upn="x@example.com")
    use_az(tmp_path, monkeypatch, {RESOURCE: stranger})
    with pytest.raises(PermissionDenied) as refused:
        list(client("azure-cli").catalogs.list())
    said = str(refused.value)
    assert f"the policy names no user with tenant {TENANT} object {STRANGER_OBJECT}" in said
    assert "fingerprint" not in said.partition("Config:")[0]


def test_the_azure_cli_of_another_tenant(
    azure: Azure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = TENANT.replace("0d26", "1d26")
    issuer = f"https://sts.windows.net/{other}/"
    token = azure.entra.sign(STRANGER, RESOURCE, tid=other, iss=issuer, upn="x", scp="s", sub="y")
    use_az(tmp_path, monkeypatch, {RESOURCE: token})
    with pytest.raises(PermissionDenied, match="reason wrong_tenant"):
        list(client("azure-cli").catalogs.list())
    assert arrived(azure, CATALOGS) == []


def test_workload_identity_of_github(azure: Azure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "github-own-token")
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", f"https://{LOGIN}/github?x=1")
    who = client("github-oidc-azure", azure_client_id=OTHER_APPLICATION, azure_tenant_id=TENANT)
    check(azure, who, "deploy", second=False)
    assert {form["resource"] for form in azure.entra.forms} == {RESOURCE}
    assert all("client_assertion" in form for form in azure.entra.forms)
