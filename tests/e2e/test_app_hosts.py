"""Databricks Apps through a real proxy: a token reaches only the app that the policy names."""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from e2e.gate import TOKEN, Gate, head, running_gate
from e2e.oauth_policy import ask, reason

APP, OTHER = "orders-1234567890123456.aws.databricksapps.com", "evil-6543210987654321.aws.databricksapps.com"
POLICY = f"""\
version: 1
tokens:
  agent:
    fingerprint: sha256:{sha256(TOKEN.encode()).hexdigest()}
    rule_set: agent
rule_sets:
  agent:
    allow:
      - GET /{{path...}}
      - mcp.list_tools
      - operation: apps.request
        where: {{app: {APP}, path: {{prefix: /api/}}}}
      - operation: mcp.call_tool
        where: {{app: {APP}, tool: find}}
"""


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory, proxy_authority: Path) -> Iterator[Gate]:
    folder = tmp_path_factory.mktemp("apps")
    with running_gate(folder, proxy_authority, policy=POLICY, hosts=("*.aws.databricksapps.com",)) as gate:
        yield gate


def tool(name: str, host: str = APP) -> bytes:
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name}}
    raw = json.dumps(body).encode()
    lines = (f"Content-Length: {len(raw)}", "Content-Type: application/json")
    return head("POST", "/mcp", *lines, host=host) + raw


CASES = {
    "the app that is named": (head("GET", "/api/orders", host=APP), APP, "forwarded"),
    "another path of it": (head("GET", "/admin", host=APP), APP, "constraint_not_met"),
    "another app": (head("GET", "/api/orders", host=OTHER), OTHER, "constraint_not_met"),
    "a call of the workspace's API at another app": (
        head("GET", "/api/2.0/sql/warehouses", host=OTHER),
        OTHER,
        "constraint_not_met",
    ),
    "its tool": (tool("find"), APP, "forwarded"),
    "metadata, without a credential": (
        head("GET", "/.well-known/oauth-protected-resource/x", host=OTHER, token=None),
        OTHER,
        "missing_credential",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_token_reaches_only_the_app_that_is_named(case: str, gate: Gate) -> None:
    raw, host, expected = CASES[case]
    gate.clear()
    assert reason(ask(gate, raw, host)) == expected
    assert bool(gate.workspace.requests) is (expected == "forwarded")


def test_a_refused_tool_of_an_app_gets_the_protocols_error(gate: Gate) -> None:
    response = ask(gate, tool("drop"), APP)
    assert (response.status, json.loads(response.body)["error"]["code"]) == (200, -32010)
    record = gate.proxy.audit("decision")[-1]
    assert (record["server_address"], record["params"]) == (APP, {"app": APP, "tool": "drop"})
