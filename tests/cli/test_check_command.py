"""``brickscope check`` as a shell and CI see it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from brickscope.cli.main import main

POLICY = f"""\
version: 1
tokens:
  ci: {{fingerprint: sha256:{"a" * 64}, rule_set: runner}}
rule_sets:
  runner:
    allow: [jobs.run_now]
"""
AT = ("--time", "2026-11-01")


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(main, ["check", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY)
    return file


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ((), 0),
        (("--fail-on", "error"), 0),
        (("--fail-on", "warning"), 1),
        (("--fail-on", "note"), 1),
        (("--fail-on", "never"), 0),
        (("--fail-on", "warning", "--ignore", "BS213"), 0),
        (("--fail-on", "warning", "--ignore", "BS2"), 0),
        (("--fail-on", "warning", "--select", "BS2"), 1),
        (("--fail-on", "warning", "--select", "BS1", "--select", "BS3"), 0),
        (("--fail-on", "warning", "--select", "BS213", "--ignore", "BS2"), 0),
    ],
)
def test_the_exit_status_follows_what_counts(options: tuple[str, ...], status: int, policy: Path) -> None:
    assert run("--rules", str(policy), *options).exit_code == status


def test_what_is_accepted_does_not_count(policy: Path) -> None:
    accept = "accept:\n  - {finding: BS213, rule_set: runner, reason: reviewed, until: 2027-01-01}\n"
    policy.write_text(POLICY + accept)
    assert run("--rules", str(policy), *AT, "--fail-on", "note").exit_code == 0
    assert run("--rules", str(policy), "--time", "2027-01-01", "--fail-on", "warning").exit_code == 1
    assert run("--rules", str(policy), "--time", "2026-12-15", "--fail-on", "note").exit_code == 1
    assert (
        run("--rules", str(policy), "--time", "2026-12-15", "--soon", "7", "--fail-on", "note").exit_code == 0
    )


def test_json_has_all_of_a_finding(policy: Path) -> None:
    said = json.loads(run("--rules", str(policy), "--json", *AT).output)
    assert said["schema"] == 1
    assert len(said["policy_revision"]) == 16
    assert said["counts"] == {"error": 0, "warning": 1, "note": 0, "accepted": 0}
    (finding,) = said["findings"]
    assert finding == {
        "code": "BS213",
        "severity": "warning",
        "title": "runs what exists with others' rights",
        "message": "runs what exists with others' rights: jobs.run_now",
        "file": str(policy),
        "line": 6,
        "column": 13,
        "rule_set": "runner",
        "subject": None,
        "subjects": ["ci"],
        "operations": ["jobs.run_now"],
        "proofs": [
            {
                "subject": "ci",
                "operation": "jobs.run_now",
                "text": 'POST https://example.cloud.databricks.com/api/2.2/jobs/run-now {"job_id": 1012}',
                "method": "POST",
                "url": "https://example.cloud.databricks.com/api/2.2/jobs/run-now",
                "body": '{"job_id": 1012}',
                "rule": "jobs.run_now",
            }
        ],
        "related": [],
        "accepted": None,
    }


def test_a_policy_that_does_not_load_is_reported_as_the_proxy_does(policy: Path, tmp_path: Path) -> None:
    policy.write_text(POLICY.replace("jobs.run_now", "jobs.run_nwo"))
    result = run("--rules", str(policy))
    assert result.exit_code == 2
    assert f"{policy}:6:13: error: there is no operation 'jobs.run_nwo'" in result.stderr
    assert "Traceback" not in result.output
    sarif = tmp_path / "out.sarif"
    result = run("--rules", str(policy), "--json", "--sarif", str(sarif), "--select", "BS2")
    assert result.exit_code == 2
    assert [finding["code"] for finding in json.loads(result.stdout)["findings"]] == ["BS001"]
    assert json.loads(sarif.read_text())["runs"][0]["results"][0]["ruleId"] == "BS001"


def test_sarif_is_written_beside_the_text(policy: Path, tmp_path: Path) -> None:
    sarif = tmp_path / "out.sarif"
    result = run("--rules", str(policy), *AT, "--sarif", str(sarif))
    assert "BS213" in result.output
    assert json.loads(sarif.read_text())["version"] == "2.1.0"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--sarif", "/no/such/folder/x.sarif"), "can't be written"),
        (("--select", "BS999"), "there is no finding 'BS999'"),
        (("--ignore", "escalation"), "there is no finding 'escalation'"),
        (("--explain", "BS2133"), "did you mean 'BS213'?"),
        (("--time", "tomorrow"), "--time: a time is a date"),
        (("--soon", "-1"), "-1"),
    ],
)
def test_what_can_not_be_carried_out(arguments: tuple[str, ...], message: str, policy: Path) -> None:
    result = run("--rules", str(policy), *arguments)
    assert result.exit_code == 2
    assert message in result.output


def test_a_code_is_explained(tmp_path: Path) -> None:
    said = run("--explain", "BS301").output
    assert said.startswith("BS301  replaces a notebook and runs it  (error)\n")
    assert "and runs existing jobs or runs existing pipelines" in said
    assert "- {finding: BS301, rule_set: ci," in said
    assert run("--explain", "BS90").output.count("BS90") == 3


def test_there_are_no_colours_where_there_is_no_terminal(policy: Path) -> None:
    assert "\x1b" not in run("--rules", str(policy)).output
