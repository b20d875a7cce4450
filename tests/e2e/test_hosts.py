"""Hosts of every cloud, accounts, and hosts of several workspaces, where the call chooses one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from e2e.gate import CATALOGS, HOST, TOKEN, Gate, running_gate
from e2e.oauth_policy import ACCOUNT, OAUTH_POLICY, ask, get, reason, token_request
from lab.workspace.issuer import CLIENT_ID, CLIENT_SECRET

AZURE = "adb-1234567890123456.7.azuredatabricks.net"
GOOGLE = "1234567890123456.7.gcp.databricks.com"
GOVERNMENT = "dbc-a1b2c3d4-e5f6.cloud.databricks.us"
CHINA = "adb-1234567890123456.7.databricks.azure.cn"
ACCOUNTS = "accounts.cloud.databricks.com"
UNIFIED = "acme.databricks.com"
PATTERNS = (
    "*.azuredatabricks.net",
    "*.7.azuredatabricks.net",
    "*.gcp.databricks.com",
    "*.7.gcp.databricks.com",
    "*.cloud.databricks.us",
    "*.databricks.azure.cn",
    "*.7.databricks.azure.cn",
    UNIFIED,
)
POLICY = (
    OAUTH_POLICY.replace(
        f"workspaces: [{HOST}]",
        f"workspaces: [{HOST}, {AZURE}, {GOOGLE}, {GOVERNMENT}, {CHINA}, {ACCOUNTS}, '{UNIFIED}?o=111']",
        1,
    )
    + f"""\
issuers:
  company:
    issuer: https://{ACCOUNTS}/oidc/accounts/{ACCOUNT}
    hosts: [{HOST}, {UNIFIED}, {ACCOUNTS}]
"""
)


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory, proxy_authority: object) -> Iterator[Gate]:
    folder = tmp_path_factory.mktemp("hosts")
    with running_gate(folder, proxy_authority, policy=POLICY, hosts=PATTERNS) as gate:  # type: ignore[arg-type]
        yield gate


def minted(gate: Gate, issuer: str) -> str:
    maker = gate.workspace.issuer
    return maker.sign(maker.claims(issuer, CLIENT_ID, CLIENT_ID))


@pytest.mark.parametrize("host", [AZURE, GOOGLE, GOVERNMENT, CHINA, ACCOUNTS, HOST])
def test_a_workspace_of_any_cloud(gate: Gate, host: str) -> None:
    assert reason(get(gate, TOKEN, host=host)) == "forwarded"
    assert reason(get(gate, minted(gate, f"https://{host}/oidc"), host=host)) == "forwarded"
    form = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    assert reason(ask(gate, token_request(form, host=host), host)) == "forwarded"


def test_an_account_token_counts_where_the_policy_says_and_nowhere_else(gate: Gate) -> None:
    token = minted(gate, f"https://{ACCOUNTS}/oidc/accounts/{ACCOUNT}")
    assert reason(get(gate, token, host=ACCOUNTS)) == "forwarded"
    assert reason(get(gate, token, host=HOST)) == "forwarded"
    assert reason(get(gate, token, host=AZURE)) == "wrong_issuer"


CHOICES = {
    "its workspace, by header": ("?", "X-Databricks-Workspace-Id: 111", "forwarded"),
    "its workspace, by the older header": ("?", "X-Databricks-Org-Id: 111", "forwarded"),
    "its workspace, by query": ("?o=111", "X-A: b", "forwarded"),
    "its workspace, in every way": ("?o=111", "X-Databricks-Workspace-Id: 111", "forwarded"),
    "another workspace, by header": ("?", "X-Databricks-Workspace-Id: 112", "workspace_not_allowed"),
    "another workspace, by query": ("?o=112", "X-A: b", "workspace_not_allowed"),
    "another workspace, by an encoded name": ("?%6f=112", "X-A: b", "workspace_not_allowed"),
    "an encoded number": ("?o=%31%31%31", "X-A: b", "query_not_canonical"),
    "none": ("?", "X-A: b", "workspace_not_allowed"),
    "two": ("?o=112", "X-Databricks-Workspace-Id: 111", "header_duplicate"),
    "two in the query": ("?o=111&o=112", "X-A: b", "header_duplicate"),
    "two by semicolon": ("?o=111;o=112", "X-A: b", "header_duplicate"),
    "a word": ("?", "X-Databricks-Workspace-Id: 111,112", "header_malformed"),
    "nothing": ("?", "X-Databricks-Workspace-Id: ", "header_malformed"),
    "by a header with an underscore": ("?o=111", "X_Databricks_Org_Id: 112", "header_forbidden"),
}


@pytest.mark.parametrize(("query", "line", "expected"), CHOICES.values(), ids=CHOICES)
def test_on_a_host_of_several_workspaces_the_choice_is_bound(
    gate: Gate, query: str, line: str, expected: str
) -> None:
    gate.workspace.issuer.workspace_id = None
    gate.clear()
    token = minted(gate, f"https://{ACCOUNTS}/oidc/accounts/{ACCOUNT}")
    target = CATALOGS + (query if len(query) > 1 else "")
    assert reason(get(gate, token, target, line, host=UNIFIED)) == expected
    calls = [request for request in gate.workspace.requests if request.path.startswith(b"/api/")]
    assert bool(calls) is (expected == "forwarded")
