"""``brickscope learn`` as a shell sees it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import brickscope.analysis.learn.learning
from analysis.learn.sessions import FINGERPRINT, POLICY, Did, data, get, run, session
from audit.made_log import write_log
from brickscope.core.decision import Decision
from brickscope.core.reason import Reason

CALLS = [
    *(get("/api/2.1/unity-catalog/catalogs", hours=hours) for hours in (0, 30, 100)),
    get("/api/2.0/preview/scim/v2/Me", hours=240),
    *(get(f"/api/2.1/unity-catalog/tables/main.sales.t{number}") for number in range(7)),
    get("/api/2.2/jobs/get", hours=50),
    Did("POST", "/api/2.2/jobs/run-now", {"job_id": 7}),
    get("/api/2.0/lakebase/v9/7"),
    get("/api/2.0/sql/warehouses", status=403),
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_log(tmp_path / "log", session(CALLS))
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "policy.yaml").write_text(POLICY)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_it_prints(folder: Path) -> None:
    result = run("log", "--subject", "ci", "--rules", "rules")
    assert result.exit_code == 0
    for said in (
        "ci: 15 calls, 14 of them evidence, from 1 address\n",
        "  no evidence: 1 answered with an error (4xx, 5xx) or no final answer\n",
        "  catalogs.list    3 calls, 2026-11-01 to 2026-11-05, from 10.0.8.14; proposed\n",
        "  current_user.me  seen once, 2026-11-11, from 10.0.8.14; allowed already\n",
        "  jobs.run_now  seen once, 2026-11-01, from 10.0.8.14; class execute: Runs code",
        "    to propose it: --include jobs.run_now\n",
        "  GET /api/2.0/lakebase/v9/7  seen once, 2026-11-01",
        "    where: {job_id: {pattern: '{any...}', optional: true}}\n",
        "observed for 10 days (2026-11-01 00:00 to 2026-11-11 00:00); no new operation for 0 days; 4 seen once\n",
        "--- a/rules/policy.yaml\n+++ b/rules/policy.yaml\n",
        "+      - jobs.get  # seen once, 2026-11-03; job_id is not in the log: not limited\n",
        "+        where: {full_name: {pattern: 'main.sales.{table}'}}\n",
        "proof: the policy loads with it, and 12 of 12 calls that it must cover are allowed\n",
    ):
        assert said in result.stdout, said


def test_json_says_the_same(folder: Path) -> None:
    said = data("log", "--subject", "ci", "--rules", "rules")
    assert (said["calls"], said["evidence"], said["left_out"]) == (15, 14, {"failed": 1})
    assert [each["rule"] for each in said["proposed"]] == [
        "catalogs.list",
        "jobs.get",
        {"operation": "tables.get", "where": {"full_name": {"pattern": "main.sales.{table}"}}},
    ]
    assert said["not_proposed"][0]["option"] == "--include jobs.run_now"
    assert said["stability"]["observed_days"] == 10
    assert said["proof"] == {"calls": 12, "allowed": 12, "failed": [], "holds": True}
    assert said["patch"].startswith("--- a/rules/policy.yaml\n")


def test_write_and_patch(folder: Path) -> None:
    before = (folder / "rules" / "policy.yaml").read_text()
    run("log", "--subject", "ci", "--rules", "rules", "--patch", "x.patch")
    assert (folder / "rules" / "policy.yaml").read_text() == before, "learning changes nothing by itself"
    run("log", "--subject", "ci", "--rules", "rules", "--write", "rules/policy.yaml")
    after = (folder / "rules" / "policy.yaml").read_text()
    for comment in (
        "# Who may do what.",
        "# see below",
        "# The nightly runs.",
        "# asked for in OPS-7",
        "# always",
    ):
        assert comment in after
    again = run("log", "--subject", "ci", "--rules", "rules", "--write", "no.yaml")
    assert "nothing to propose beyond that" in again.stdout
    assert not (folder / "no.yaml").exists()
    new = run("log", "--fingerprint", FINGERPRINT, "--name", "n", "--patch", "y.patch")
    assert new.exit_code == 2
    assert "Use --write for a new file" in new.stderr


def test_unused_rules_go_only_if_asked_and_nobody_else_has_them(folder: Path) -> None:
    policy = folder / "rules" / "policy.yaml"
    policy.write_text(POLICY.replace("    # nothing", "      - clusters.list   # for Bob\n    # nothing"))
    said = run("log", "--subject", "ci", "--rules", "rules")
    assert "rules that no observed call needed (--drop-unused removes them):\n" in said.stdout
    assert "-      - clusters.list" not in said.stdout
    said = run("log", "--subject", "ci", "--rules", "rules", "--drop-unused")
    assert "-      - clusters.list   # for Bob\n" in said.stdout
    shared = f"  bob: {{fingerprint: 'sha256:{'c' * 64}', rule_set: runner}}\nrule_sets:"
    policy.write_text(policy.read_text().replace("rule_sets:", shared))
    assert "also that of bob" in run("log", "--subject", "ci", "--rules", "rules").stdout
    refused = run("log", "--subject", "ci", "--rules", "rules", "--drop-unused")
    assert refused.exit_code == 2
    assert "--drop-unused could take what they need" in refused.stderr


def test_a_proposal_that_does_not_cover_its_calls_is_never_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = brickscope.analysis.learn.learning.ask

    def broken(*call: Any) -> Decision:
        decision = judge(*call)
        if decision.operation == "current_user.me":  # which the present policy allows
            return decision._replace(allow=False, reason=Reason.NO_RULE_MATCHES)
        return decision

    monkeypatch.setattr(brickscope.analysis.learn.learning, "ask", broken)
    result = run("log", "--subject", "ci", "--rules", "rules", "--write", "out.yaml")
    assert result.exit_code == 1
    assert "11 of 12 calls that it must cover are allowed" in result.stdout
    assert "not allowed: GET /api/2.0/preview/scim/v2/Me: no_rule_matches" in result.stdout
    assert "so nothing is written" in result.stderr
    assert not (folder / "out.yaml").exists()


# The endpoint `a/metrics`, or the metrics of the endpoint `a`: two operations, so it needs two rules.
TWO_READINGS = "/api/2.0/serving-endpoints/a%2Fmetrics"


def test_a_call_that_its_rule_does_not_allow_is_left_out_named_and_told_to_ci(folder: Path) -> None:
    write_log(folder / "log", session([*CALLS, get(TWO_READINGS), get(TWO_READINGS)]))
    arguments = ("log", "--subject", "ci", "--rules", "rules", "--write", "out.yaml")
    result = run(*arguments)
    assert result.exit_code == 1
    said = f"""
  no evidence: 2 that the rule proposed for them does not allow:
    GET {TWO_READINGS}: no_rule_matches, rule set 'runner' has no rule that allows it, the operation """
    assert said in result.stdout
    assert "12 of 12 calls that it must cover are allowed" in result.stdout
    written = (folder / "out.yaml").read_text()
    assert "catalogs.list" in written
    assert "serving_endpoints" not in written
    again = run(*arguments, "--json")
    assert again.exit_code == 1
    found = json.loads(again.stdout)
    assert found["left_out"] == {"failed": 1, "unmet": 2}
    assert [each.partition(":")[0] for each in found["unmet"]] == [f"GET {TWO_READINGS}"]
    assert found["written"] == ["out.yaml"]


def test_a_rule_that_a_call_which_is_left_out_may_need_is_not_unused(folder: Path) -> None:
    policy = folder / "rules" / "policy.yaml"
    policy.write_text(
        policy.read_text().replace("      - current", "      - serving_endpoints.get\n      - current")
    )
    write_log(folder / "log", session([*CALLS, get(TWO_READINGS)]))
    result = run("log", "--subject", "ci", "--rules", "rules", "--drop-unused", "--write", "out.yaml")
    assert result.exit_code == 1
    assert "serving_endpoints.get" in (folder / "out.yaml").read_text()


WRONG = {
    "nobody is named": ([], "say whose calls"),
    "two are named": (["--subject", "ci", "--sub", "a"], "say whose calls"),
    "an operation that there is not": (["--subject", "ci", "--include", "jobs.rnu"], "there is no operation"),
    "somebody unknown": (["--subject", "x\x1b[2J", "--rules", "rules"], "the policy names nobody"),
    "a name that is taken": (
        ["--fingerprint", FINGERPRINT.replace("aa", "bb"), "--rules", "broken"],
        "errors; nothing of it is in force",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_is_said(case: str, folder: Path) -> None:
    arguments, said = WRONG[case]
    (folder / "broken").mkdir()
    (folder / "broken" / "p.yaml").write_text("version: 2\nrule_sets: {a: {}}\n")
    result = run("log", *arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert "\x1b" not in result.output


def test_no_evidence_is_a_finding(folder: Path) -> None:
    result = run("log", "--fingerprint", "sha256:" + "0" * 64)
    assert result.exit_code == 1
    assert "0 calls, 0 of them evidence" in result.stdout
    assert result.stdout.endswith("nothing to propose\n")


def test_what_a_client_wrote_does_not_act_on_the_terminal(folder: Path) -> None:
    odd = ["[", "\x1b]0;gone\x07", "\u202e", "\n- jobs.delete", "dapi" + "0" * 32]
    calls = [
        Did(
            "GET",
            "/api/2.2/jobs/get",
            {"job_id": text},
            fields={"client_address": text, "server_address": text},
        )
        for text in odd
    ]
    write_log(folder / "odd", session([*calls, *calls, get("/api/2.0/x/\x1b[2J")]))
    for more in ((), ("--rules", "rules"), ("--json",)):
        result = run("odd", "--subject", "ci", "--paths", *more)
        assert result.exit_code in (0, 1), result.output
        assert result.output.replace("\n", "").isprintable()
        assert "- jobs.delete" not in result.output.splitlines()
    json.loads(run("odd", "--subject", "ci", "--json").stdout)
