"""dbt-databricks through a real proxy: its check of a connection, a model made, and a warehouse refused."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from clients.installed import DBT
from clients.roster import DBT_SETTINGS, OTHER_WAREHOUSE, WAREHOUSE, token_of
from clients.stage import Stage
from e2e.gate import HOST

pytestmark = pytest.mark.timeout(300)
PROFILE = f"""\
demo:
  target: dev
  outputs:
    dev:
      type: databricks
      host: {HOST}
      http_path: "{{{{ env_var('HTTP_PATH') }}}}"
      token: "{{{{ env_var('DATABRICKS_TOKEN') }}}}"
      schema: demo
      threads: 1
"""
PROJECT = """\
name: demo
version: "1.0"
profile: demo
model-paths: [models]
models: {demo: {+materialized: view}}
"""


def dbt(
    stage: Stage, folder: Path, verb: str, warehouse: str, token: str = token_of("dbt"), **more: str
) -> subprocess.CompletedProcess[str]:
    """Run dbt on a project of one model. ``more``: variables besides."""
    (folder / "models").mkdir(exist_ok=True)
    (folder / "models" / "answer.sql").write_text("select 42 as answer\n")
    (folder / "dbt_project.yml").write_text(PROJECT)
    (folder / "profiles.yml").write_text(PROFILE)
    return stage.run(
        (str(DBT), "--no-use-colors", verb, "--project-dir", str(folder), "--profiles-dir", str(folder)),
        DBT_SETTINGS,
        {
            "DATABRICKS_TOKEN": token,
            "HTTP_PATH": f"/sql/1.0/warehouses/{warehouse}",
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            **more,
        },
    )


@pytest.mark.parametrize(("verb", "shown"), [("debug", "All checks passed!"), ("run", "PASS=1")])
def test_dbt_works_by_its_rule_set(verb: str, shown: str, stage: Stage, tmp_path: Path) -> None:
    before = len(stage.decisions())
    done = dbt(stage, tmp_path, verb, WAREHOUSE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert shown in done.stdout
    decided = stage.decisions(before)
    assert {record["decision"] for record in decided} == {"allow"}, decided
    assert "sql.thrift" in {record["operation"] for record in decided}


def test_dbt_shows_the_refusal_at_once(stage: Stage, tmp_path: Path) -> None:
    before = len(stage.decisions())
    done = dbt(stage, tmp_path, "run", OTHER_WAREHOUSE)
    assert done.returncode != 0
    path = f"/sql/1.0/warehouses/{OTHER_WAREHOUSE}"
    denied = [record for record in stage.decisions(before) if record["decision"] == "deny"]
    assert {record["path"] for record in denied} == {path}
    said = " ".join(done.stdout.split())
    assert f"Brickscope denied POST {path}" in said, done.stdout
    assert f"(reason constraint_not_met, decision {denied[-1]['decision_id']})" in said, done.stdout
    assert not [request for request in stage.workspace.requests() if request["path"] == path]
