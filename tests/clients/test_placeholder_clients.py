"""Every client that signs in with a token works with a placeholder in its place, and what arrives is the real token."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from brickscope.core.fingerprint import fingerprint
from brickscope.core.placeholder import make_placeholder
from clients.installed import need_clients
from clients.roster import CLIENTS, Client, token_of
from clients.stage import RULES, Stage, open_stage, outcome
from clients.test_dbt import WAREHOUSE, dbt
from clients.test_real_clients import command_of
from e2e.gate import HOST
from e2e.proxy_process import make_authority

pytestmark = pytest.mark.timeout(300)

WITH_TOKENS = [
    client
    for client in CLIENTS
    if not client.oauth and not client.azure and token_of(client.rule_set) not in str(client.allowed)
]
"""Those whose token comes by the environment."""
NAMES = sorted({client.rule_set for client in WITH_TOKENS} | {"dbt"})


def placeholder_of(rule_set: str) -> str:
    """What the clients of a rule set of docs/clients hold here."""
    return make_placeholder(sha256(f"placeholder {rule_set}".encode()).digest())


@pytest.fixture(scope="module")
def holding(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The stage of the clients, with a placeholder beside each token."""
    need_clients()
    folder = tmp_path_factory.mktemp("placeholders")
    shutil.copytree(RULES, folder / "rules")
    tokens, credentials = {}, {}
    for name in NAMES:
        (folder / f"{name}.token").write_text(token_of(name))
        credentials[name] = {"file": str(folder / f"{name}.token"), "workspaces": [HOST]}
        mark = fingerprint(placeholder_of(name).encode())
        tokens[f"{name}-held"] = {"placeholder": mark, "credential": name, "rule_set": name}
    (folder / "rules" / "held.yaml").write_text(json.dumps({"version": 1, "tokens": tokens}))
    file = folder / "credentials.yaml"
    file.write_text(json.dumps({"version": 1, "credentials": credentials}))
    authority = make_authority(folder / "authority")
    with open_stage(folder, authority, folder / "rules", ["--set", f"scope_credentials={file}"]) as stage:
        yield stage


def assert_exchanged(stage: Stage, before: int, rule_set: str) -> None:
    real = token_of(rule_set)
    decided = [record for record in stage.decisions(before) if record["subject"] is not None]
    assert decided
    assert {record["subject"] for record in decided} == {f"{rule_set}-held"}
    assert {record["credential_fingerprint"] for record in decided} == {fingerprint(real.encode())}
    sent = [request["headers"].get("authorization") for request in stage.workspace.requests()]
    assert {value for value in sent if value is not None} == {f"Bearer {real}"}


@pytest.mark.parametrize("client", WITH_TOKENS, ids=lambda client: client.name)
def test_a_client_works_with_a_placeholder(client: Client, holding: Stage) -> None:
    command = command_of(client.allowed, holding)
    holding.workspace.clear()
    before = len(holding.decisions())
    signed_in = client.credentials(allowed=True) | {"DATABRICKS_TOKEN": placeholder_of(client.rule_set)}
    done = holding.run(command, client.settings, signed_in)
    assert outcome(done) == {"value": client.value}, done.stderr
    assert_exchanged(holding, before, client.rule_set)


def test_dbt_works_with_a_placeholder(holding: Stage, tmp_path: Path) -> None:
    holding.workspace.clear()
    before = len(holding.decisions())
    done = dbt(holding, tmp_path, "run", WAREHOUSE, placeholder_of("dbt"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert_exchanged(holding, before, "dbt")
