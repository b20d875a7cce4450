"""``brickscope explain`` as a shell sees it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from analysis.policies import HOME, POLICY, TOKEN
from brickscope.cli.main import main
from brickscope.core.fingerprint import fingerprint
from core.oauth import signed


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "policy.yaml").write_text(POLICY)
    return folder


def run(rules: Path, *arguments: str, stdin: str | None = None) -> tuple[int, str]:
    words = ["explain", "--rules", str(rules), "--time", "2026-09-21", *arguments]
    result = CliRunner().invoke(main, words, input=stdin)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert TOKEN.decode() not in result.output
    return result.exit_code, result.output


@pytest.mark.parametrize(
    ("arguments", "status", "shown"),
    [
        (("--subject", "ci", "GET", "/api/2.2/jobs/list"), 0, "allow  allowed_by_rule"),
        (("jobs.run_now", "job_id=7", "--subject", "ci"), 1, "deny  constraint_not_met"),
        (("--subject", "ci", "curl", "-X", "DELETE", f"https://{HOME}/x"), 1, "deny  unknown_operation"),
        (
            ("curl", "-H", f"Authorization: Bearer {TOKEN.decode()}", f"https://{HOME}/api/2.2/jobs/list"),
            0,
            "subject:     ci (token)",
        ),
        (("--subject", "watch", "jobs.run_now", "job_id=7"), 1, "monitor mode: it is sent anyway"),
        (("--subject", "etl", "oidc.token", "grant=client_credentials"), 0, "allowed_by_grant"),
        (("--subject", "ci", "--client", "10.1.1.1", "jobs.list"), 1, "clients: [10.0.8.0/24, 10.1.1.1]"),
        (("--subject", "ci", "--client", "gate.local", "jobs.list"), 2, "an address is one of IP"),
        (("--subject", "old", "--time", "2025-01-01", "jobs.list"), 0, "at 2025-01-01T00:00:00Z"),
        (
            ("--subject", "ci"),
            0,
            "run_now, only where job_id is one of 1012, 1013, with no other parameters than",
        ),
        (("--subject", "people"), 0, "gets tokens by browser_login, refresh"),
        (("--subject", "old"), 0, "It has expired: it may do nothing."),
        (("--operation", "permissions.update"), 0, "allowed where request_object_type is notebooks"),
        (("--operation", "jobs.delete"), 0, "Nobody can."),
        (("--subject", "ci", "jobs.run_now", f"job_id={TOKEN.decode()}"), 1, "[redacted]"),
        (("--subject", "ci", "GET", f"/{TOKEN.decode()}"), 1, "[redacted]"),
        (("--subject", TOKEN.decode(), "jobs.list"), 2, "names nobody '[redacted]'"),
        ((TOKEN.decode(),), 2, "'[redacted]' is no call"),
        ((), 2, "name a CALL, --subject or --operation"),
        (("jobs.list",), 2, "name who calls with --subject"),
        (("--subject", "cii", "jobs.list"), 2, "did you mean 'ci'?"),
        (("--subject", "ci", "jobs.lst"), 2, "did you mean 'jobs.list'?"),
        (("--operation", "jobs.lst"), 2, "did you mean 'jobs.list'?"),
        (("--subject", "ci", "--time", "tomorrow", "jobs.list"), 2, "--time: a time is a date"),
        (("--subject", "people", "jobs.list"), 2, "is a login, which makes no calls"),
        (("397d7b97-3",), 2, "say in which log, with --log"),
        (
            ("curl", "-H", "Authorization: Bearer dapi99999999999999999999999999999999", "https://h/x"),
            2,
            "names no token",
        ),
    ],
)
def test_what_is_asked_is_answered(rules: Path, arguments: tuple[str, ...], status: int, shown: str) -> None:
    assert run(rules, *arguments)[0] == status, run(rules, *arguments)[1]
    assert shown in " ".join(run(rules, *arguments)[1].split()) or shown in run(rules, *arguments)[1]


def test_a_call_from_standard_input_and_another_ones_token(rules: Path) -> None:
    pasted = f"curl -H 'Authorization: Bearer {TOKEN.decode()}' \\\n  https://{HOME}/api/2.2/jobs/list\n"
    assert run(rules, "-", stdin=pasted)[0] == 0
    said = json.loads(run(rules, "--subject", "alice", "--json", "-", stdin=pasted)[1])
    assert said["subject"] == "alice"
    assert "the token in the call is not that of 'alice'; it was ignored" in said["notes"]


def test_json_for_programs(rules: Path) -> None:
    status, output = run(rules, "--json", "--subject", "ci", "jobs.run_now", "job_id=1012")
    said = json.loads(output)
    assert (status, said["decision"], said["reason"]) == (0, "allow", "allowed_by_rule")
    assert said["place"].endswith("policy.yaml:34:9")
    whole = json.loads(run(rules, "--json", "--subject", "ci")[1])
    assert "clusters.list" in [each["operation"] for each in whole["operations"]]
    access = json.loads(run(rules, "--json", "--operation", "jobs.list")[1])
    assert {each["subject"]: each["able"] for each in access["subjects"]} == {
        "alice": True,
        "ci": True,
        "etl": True,
        "old": False,
        "watch": True,
    }


def test_a_decision_of_the_log_is_explained_under_the_policy_of_today(rules: Path, tmp_path: Path) -> None:
    record = {
        "event": "decision",
        "time": "2026-09-21T14:13:20.000000Z",
        "decision_id": "397d7b97-3",
        "decision": "allow",
        "enforced": True,
        "reason": "allowed_by_rule",
        "detail": "a rule\x1b[2J",
        "rule": "POST /api/{x...}",
        "subject": "ci",
        "fingerprint": fingerprint(TOKEN),
        "policy_revision": "49daed835d6830e6",
        "operation": "jobs.run_now",
        "client_address": "10.0.8.9",
        "server_address": HOME,
        "method": "POST",
        "path": "/api/2.2/jobs/run-now",
        "params": {"job_id": 7},
    }
    log = tmp_path / "audit.jsonl"
    log.write_text(json.dumps(record) + "\n")
    status, output = run(rules, "397d7b97-3", "--log", str(log))
    assert status == 1
    for text in (
        "deny  constraint_not_met",
        "from 10.0.8.9",
        "allow  allowed_by_rule",
        "the answer has changed since",
    ):
        assert text in output
    assert "query and body are in the log only as far as" in output
    assert "\x1b" not in output
    said = json.loads(run(rules, "397d7b97-3", "--log", str(log), "--json")[1])
    assert said["logged"]["reason"] == "allowed_by_rule"


def test_a_record_of_nobody_says_why(rules: Path, tmp_path: Path) -> None:
    record = {
        "event": "decision",
        "time": "2026-09-21T14:13:20.000000Z",
        "decision_id": "397d7b97-3",
        "reason": "unknown_token",
        "subject": None,
        "server_address": HOME,
        "method": "GET",
        "path": "/api/2.2/jobs/list",
    }
    log = tmp_path / "audit.jsonl"
    log.write_text(json.dumps(record) + "\n")
    status, output = run(rules, "397d7b97-3", "--log", str(log))
    assert status == 2
    assert "unknown_token. The policy names no token with this fingerprint" in " ".join(output.split())
    assert run(rules, "397d7b97-3", "--log", str(log), "--subject", "alice")[0] == 0


def test_a_broken_policy_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("version: 2\n")
    status, output = run(tmp_path, "--subject", "ci", "jobs.list")
    assert status == 2
    assert "reads version 1 of the format" in output


def test_an_oauth_token_is_never_named_by_its_fingerprint(rules: Path) -> None:
    status, output = run(
        rules, "curl", f"https://{HOME}/x", "-H", f"Authorization: Bearer {signed().decode()}"
    )
    assert status == 2
    assert "identified by its claims, not by its fingerprint" in " ".join(output.split())
    assert "sha256:" not in output
