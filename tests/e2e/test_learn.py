"""From watching to enforcing: a session of the official SDK through the proxy in monitor mode is learned, the proxy then
enforces what was learned, and the same session passes while another one is refused."""

from __future__ import annotations

import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from click.testing import CliRunner
from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config
from databricks.sdk.errors import PermissionDenied

from brickscope.cli.main import main
from e2e.conftest import StartProxy
from e2e.gate import HOST, TOKEN
from e2e.proxy_process import ProxyProcess
from lab.workspace.server import FakeWorkspace

POLICY = f"""\
version: 1
tokens:
  nightly:
    fingerprint: sha256:{sha256(TOKEN.encode()).hexdigest()}
    rule_set: nightly
    mode: monitor   # until it is learned
rule_sets:
  nightly:   # of team data
    allow:
      - current_user.me   # who am I
      - operation: jobs.cancel_run   # watched, to see which
        where: {{run_id: {{pattern: "{{any...}}", optional: true}}}}
"""
UNKNOWN = POLICY.partition("tokens:")[0] + "mode: monitor\n"

Session = Callable[[WorkspaceClient], object]


def nightly(sdk: WorkspaceClient) -> None:
    """What the job does every night."""
    sdk.current_user.me()
    list(sdk.catalogs.list())
    list(sdk.jobs.list())
    for table in ("orders", "returns"):
        sdk.tables.get(f"main.sales.{table}")
    for _ in range(2):
        sdk.api_client.do("POST", "/api/2.2/jobs/runs/cancel", body={"run_id": 2077})


OTHER: dict[str, Session] = {
    "another operation of the same service": lambda sdk: sdk.catalogs.delete("main"),
    "what runs code": lambda sdk: sdk.api_client.do("POST", "/api/2.2/jobs/run-now", body={"job_id": 1}),
    "another object": lambda sdk: sdk.api_client.do("POST", "/api/2.2/jobs/runs/cancel", body={"run_id": 1}),
    "a table of another schema": lambda sdk: sdk.tables.get("main.hr.salaries"),
    "the warehouses": lambda sdk: list(sdk.warehouses.list()),
}


def sdk_through(proxy: ProxyProcess, monkeypatch: pytest.MonkeyPatch) -> WorkspaceClient:
    for name in [*os.environ]:
        if name.lower().endswith("_proxy") or name.startswith("DATABRICKS"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HTTPS_PROXY", proxy.proxy_url)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(proxy.ca_file))
    return WorkspaceClient(config=Config(host=f"https://{HOST}", token=TOKEN, auth_type="pat"))


def learn(*arguments: str | Path) -> str:
    result = CliRunner().invoke(main, ["learn", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_session_is_learned_and_then_enforced(
    rules: Path, start_proxy: StartProxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    policy = rules / "policy.yaml"
    policy.write_text(POLICY)
    watching = start_proxy()
    sdk = sdk_through(watching, monkeypatch)
    nightly(sdk)
    sdk.api_client.do("POST", "/api/2.2/jobs/run-now", body={"job_id": 1012})
    watching.stop()

    said = learn("--subject", "nightly", watching.audit_file, "--rules", rules, "--write", policy)
    assert "jobs.run_now" in said
    assert "to propose it: --include jobs.run_now" in said
    learned = policy.read_text()
    assert "- current_user.me   # who am I\n" in learned
    assert "- catalogs.list  # seen once" in learned
    assert "where: {run_id: [2077]}" in learned
    assert "where: {full_name: {pattern: 'main.sales.{table}'}}" in learned
    assert "run_now" not in learned
    assert "{any...}" not in learned
    policy.write_text(learned.replace("mode: monitor   # until it is learned", "mode: enforce"))

    enforcing = start_proxy()
    sdk = sdk_through(enforcing, monkeypatch)
    nightly(sdk)
    decisions = [each for each in enforcing.audit("decision") if each["subject"] is not None]
    assert {each["decision"] for each in decisions} == {"allow"}
    for session in OTHER.values():
        with pytest.raises(PermissionDenied, match="Brickscope denied"):
            session(sdk)
    denied = [each["reason"] for each in enforcing.audit("decision") if each["decision"] == "deny"]
    assert denied == [
        "no_rule_matches",
        "no_rule_matches",
        "constraint_not_met",
        "constraint_not_met",
        "no_rule_matches",
    ]


def test_a_token_that_nobody_knew_is_learned_from_its_first_day(
    rules: Path, start_proxy: StartProxy, workspace: FakeWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    (rules / "mode.yaml").write_text(UNKNOWN)
    watching = start_proxy()
    nightly(sdk_through(watching, monkeypatch))
    watching.stop()
    fingerprint = f"sha256:{sha256(TOKEN.encode()).hexdigest()}"
    new = rules / "nightly.yaml"
    said = learn(
        "--fingerprint",
        fingerprint,
        watching.audit_file,
        "--rules",
        rules,
        "--name",
        "nightly",
        "--write",
        new,
    )
    # The body of a call was looked at by no rule, so the log has not which run it was.
    assert "- operation: jobs.cancel_run" in said
    assert "      - jobs.cancel_run  # 2 calls" in new.read_text()
    (rules / "mode.yaml").write_text("version: 1\nmode: enforce\n")

    enforcing = start_proxy()
    sdk = sdk_through(enforcing, monkeypatch)
    nightly(sdk)
    for name in ("another operation of the same service", "what runs code", "a table of another schema"):
        with pytest.raises(PermissionDenied, match="Brickscope denied"):
            OTHER[name](sdk)
