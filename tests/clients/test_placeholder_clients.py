"""Every client that signs in with a token works with a placeholder in its place, and what arrives is the real token. Without
the proxy a placeholder is an unknown token to the workspace, whoever shows it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from brickscope.core.fingerprint import fingerprint
from brickscope.core.placeholder import make_placeholder
from clients.installed import PYTHON, need_clients
from clients.roster import CLIENTS, DRIVERS, REQUESTS, Client, token_of
from clients.stage import RULES, Stage, open_stage, outcome
from clients.test_big_results import hash_of
from clients.test_dbt import WAREHOUSE, dbt
from clients.test_real_clients import command_of
from e2e.gate import HOST
from e2e.proxy_process import make_authority
from e2e.small_parent import SmallParent

pytestmark = pytest.mark.timeout(300)
UNKNOWN = re.compile(r"\b401\b|Credential was not sent|[Uu]nauthori[sz]ed|UNAUTHENTICATED|Unauthenticated")
"""What clients make of the workspace's 401, and drivers of the status that a client keeps."""

WITH_TOKENS = [client for client in CLIENTS if not client.oauth and not client.azure]
FILES = "databricks-sdk-files"
NAMES = sorted({client.rule_set for client in WITH_TOKENS} | {"dbt", FILES})
NAMED = (
    "databricks-sdk",
    "databricks-sql-connector",
    "databricks-connect",
    "mlflow-skinny",
    "curl, HTTP/1.1",
    "curl, HTTP/2",
)
STRAIGHT = [client for client in WITH_TOKENS if client.name in (*NAMED, "@databricks/sql", "Go, net/http")]
"""One of each kind; a variable leads them elsewhere."""
MIB = 1024 * 1024


def placeholder_of(rule_set: str) -> str:
    """What the clients of a rule set of docs/clients hold here."""
    return make_placeholder(sha256(f"placeholder {rule_set}".encode()).digest())


def command_with(client: Client, stage: Stage) -> tuple[str, ...]:
    """What is run, with the placeholder where a client is told its token by an argument."""
    held = placeholder_of(client.rule_set)
    return tuple(part.replace(token_of(client.rule_set), held) for part in command_of(client.allowed, stage))


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
        stage.workspace.know([token_of(name) for name in NAMES])
        yield stage


@pytest.fixture(scope="module")
def straight(holding: Stage) -> Iterator[dict[str, str]]:
    """The variables of a way to the workspace that passes no proxy of ours: a tunnel in which nobody reads."""
    port = holding.workspace.port
    way = SmallParent({HOST: port, "localhost": port})
    yield dict.fromkeys(("HTTPS_PROXY", "https_proxy"), f"http://127.0.0.1:{way.port}")
    way.close()


def assert_exchanged(stage: Stage, before: int, rule_set: str) -> None:
    real = token_of(rule_set)
    decided = [record for record in stage.decisions(before) if record["subject"] is not None]
    assert decided
    assert {record["subject"] for record in decided} == {f"{rule_set}-held"}
    assert {record["credential_fingerprint"] for record in decided} == {fingerprint(real.encode())}
    sent = [request["headers"].get("authorization") for request in stage.workspace.requests()]
    assert {value for value in sent if value is not None} == {f"Bearer {real}"}


def assert_unknown(stage: Stage, decisions: int, rule_set: str) -> None:
    """Whoever was called straight, was shown the placeholder, and nothing but."""
    assert len(stage.decisions()) == decisions, "it passed the proxy"
    shown = {request["headers"].get("authorization") for request in stage.workspace.requests()} - {None}
    basic = b64encode(f"token:{placeholder_of(rule_set)}".encode()).decode()
    assert shown
    assert shown <= {f"Bearer {placeholder_of(rule_set)}", f"Basic {basic}"}


@pytest.mark.parametrize("client", WITH_TOKENS, ids=lambda client: client.name)
def test_a_client_works_with_a_placeholder(client: Client, holding: Stage) -> None:
    command = command_with(client, holding)
    holding.workspace.clear()
    before = len(holding.decisions())
    signed_in = client.credentials(allowed=True) | {"DATABRICKS_TOKEN": placeholder_of(client.rule_set)}
    done = holding.run(command, client.settings, signed_in)
    assert outcome(done) == {"value": client.value}, done.stderr
    assert_exchanged(holding, before, client.rule_set)


@pytest.mark.parametrize("client", STRAIGHT, ids=lambda client: client.name)
def test_straight_to_the_workspace_it_is_a_401(
    client: Client, holding: Stage, straight: dict[str, str]
) -> None:
    command = command_with(client, holding)
    holding.workspace.clear()
    before = len(holding.decisions())
    signed_in = client.credentials(allowed=True) | {"DATABRICKS_TOKEN": placeholder_of(client.rule_set)}
    done = holding.run(command, client.settings, signed_in | straight)
    assert "value" not in outcome(done), done.stdout
    assert UNKNOWN.search(done.stdout + done.stderr), done.stdout + done.stderr
    assert_unknown(holding, before, client.rule_set)


def move(stage: Stage, **more: str) -> subprocess.CompletedProcess[str]:
    """A file down, and up again."""
    command = (str(PYTHON), str(DRIVERS / "sdk_files.py"), "allowed", str(MIB), str(stage.folder))
    signed_in = {"DATABRICKS_HOST": f"https://{HOST}", "DATABRICKS_TOKEN": placeholder_of(FILES)}
    return stage.run(command, REQUESTS, signed_in | more)


def test_the_sdk_moves_files_with_a_placeholder(holding: Stage, straight: dict[str, str]) -> None:
    holding.workspace.clear()
    before = len(holding.decisions())
    assert outcome(move(holding)) == {"value": {"size": MIB, "sha256": hash_of(MIB)}}
    assert_exchanged(holding, before, FILES)
    holding.workspace.clear()
    before = len(holding.decisions())
    done = move(holding, **straight)
    assert "error" in outcome(done)
    assert UNKNOWN.search(done.stdout), done.stdout
    assert_unknown(holding, before, FILES)


def test_dbt_straight_to_the_workspace_is_a_401(
    holding: Stage, straight: dict[str, str], tmp_path: Path
) -> None:
    holding.workspace.clear()
    before = len(holding.decisions())
    done = dbt(holding, tmp_path, "run", WAREHOUSE, placeholder_of("dbt"), **straight)
    assert done.returncode != 0
    assert UNKNOWN.search(done.stdout), done.stdout
    assert_unknown(holding, before, "dbt")


def test_dbt_works_with_a_placeholder(holding: Stage, tmp_path: Path) -> None:
    holding.workspace.clear()
    before = len(holding.decisions())
    done = dbt(holding, tmp_path, "run", WAREHOUSE, placeholder_of("dbt"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert_exchanged(holding, before, "dbt")
