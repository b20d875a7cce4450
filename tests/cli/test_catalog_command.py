"""``brickscope catalog`` as a shell sees it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from brickscope.cli.main import main

POLICY = f"""\
version: 1
tokens:
  one-job: {{fingerprint: sha256:{"a" * 64}, rule_set: one}}
  by-path: {{fingerprint: sha256:{"b" * 64}, rule_set: path}}
  reader: {{fingerprint: sha256:{"c" * 64}, rule_set: read}}
  refused: {{fingerprint: sha256:{"d" * 64}, rule_set: denied}}
users:
  alice: {{sub: alice@example.com, rule_set: all, workspaces: [dbc-x.cloud.databricks.com]}}
rule_sets:
  one: {{allow: [{{operation: jobs.run_now, where: {{job_id: [1, 2]}}}}]}}
  path: {{allow: ["POST /api/2.1/{{path...}}"]}}
  read: {{allow: [{{preset: read-only}}]}}
  denied: {{allow: ["jobs.*"], deny: [jobs.run_now]}}
  all: {{allow: ["jobs.*"]}}
"""


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["catalog", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("run", "now"), "jobs.run_now"),
        (("POST", "https://dbc-x.cloud.databricks.com/api/2.1/jobs/run-now?x=1"), "jobs.run_now"),
        (("POST https://dbc-x.cloud.databricks.com/api/2.0/jobs/run-now",), "jobs.run_now"),
        (("GET", "/api/2.0/sql/endpoints/abc"), "warehouses.get"),
        (("/ajax-api/2.0/secrets/get",), "secrets.get_secret"),
        (("GET", "/api/2.1/unity-catalog/tables/main.a.in%2Fout"), "tables.get"),
        (
            ("vends", "temporary", "table", "credentials"),
            "temporary_table_credentials.generate_temporary_table_credentials",
        ),
    ],
)
def test_search_by_words_or_by_a_call(words: tuple[str, ...], expected: str) -> None:
    status, output = run("search", *words)
    assert status == 0
    assert output.split()[0] == expected
    assert expected in [entry["name"] for entry in json.loads(run("search", "--json", *words)[1])]


@pytest.mark.parametrize(
    ("words", "status"),
    [(("GET", "/api/2.0/no/such/call"), 1), (("xyzzy",), 1), (("GET", "/a/../b"), 2), (("https://[",), 1)],
)
def test_search_that_finds_nothing(words: tuple[str, ...], status: int) -> None:
    assert run("search", *words)[0] == status


def test_search_by_a_call_of_several_readings_finds_all_of_them() -> None:
    found = json.loads(run("search", "--json", "GET", "/api/2.1/unity-catalog/tables/main.a.t%2Fmonitor")[1])
    assert [entry["name"] for entry in found] == ["tables.get", "quality_monitors.get"]


def test_show_says_of_which_kind_parameters_are() -> None:
    said = json.loads(run("show", "tables.get", "--json")[1])
    assert said["kinds"]["uc name"] == ["full_name"]
    assert said["encoded"] == ["full_name"]
    plain = run("show", "workspace.export")[1]
    assert (
        "kinds:      boolean: direct_download\n            enum: format\n            workspace path: path\n"
        in plain
    )
    assert "encoded" not in plain
    assert "object: libraries" in run("show", "libraries.install")[1]


def test_show_says_what_it_is_and_who_may_call_it(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(POLICY)
    status, output = run("show", "jobs.run_now", "--rules", str(file), "--json")
    said = json.loads(output)
    assert status == 0
    assert (said["class"], said["scope"], said["object"]) == ("execute", "jobs", {"job_id": "body"})
    assert "POST /api/2.0/jobs/run-now" in said["calls"]
    assert {each["subject"]: each["rule"] for each in said["subjects"]} == {
        "one-job": 'jobs.run_now where {"job_id":[1,2]}',
        "by-path": "POST /api/2.1/{path...}",
        "alice": "jobs.*",
    }
    plain = run("show", "jobs.run_now", "--rules", str(file))[1]
    assert 'one-job (token), by jobs.run_now where {"job_id":[1,2]}' in plain
    assert "nobody" in run("show", "tokens.create", "--rules", str(file))[1]


def test_show_knows_other_names_and_corrects_wrong_ones() -> None:
    assert run("show", "groups_v2.list")[1].startswith("name:       groups.list")
    status, output = run("show", "jobs.run_nwo")
    assert status == 2
    assert "did you mean 'jobs.run_now'?" in output
