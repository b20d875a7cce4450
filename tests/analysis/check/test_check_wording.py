"""The report for people: grouped, counted, and unable to forge a line of the terminal."""

from __future__ import annotations

from pathlib import Path

import click

from analysis.check.policies import NOW, load
from brickscope.analysis.answer import render
from brickscope.analysis.check.checker import check, data


def lines(folder: Path, policy: str) -> list[str]:
    loaded = load(folder, policy)
    return [click.unstyle(line) for line in render("check", data(check(loaded, NOW), loaded.policy.revision))]


def test_findings_are_grouped_by_rule_set_with_those_who_have_it(tmp_path: Path) -> None:
    policy = f"""\
tokens:
  ci: {{fingerprint: sha256:{"a" * 64}, rule_set: runner}}
  old: {{fingerprint: sha256:{"b" * 64}, rule_set: runner, expires: 2026-01-01}}
rule_sets:
  runner:
    allow: [jobs.run_now]
  unused:
    allow: [tokens.create]
"""
    text = lines(tmp_path, policy)
    file = tmp_path / "policy.yaml"
    assert text == [
        "rule set unused",
        f"  error    BS201  {file}:9:13",
        "           makes credentials: tokens.create",
        "           whoever has it may POST https://example.cloud.databricks.com/api/2.0/token/create "
        '{"comment": "for later"}',
        f"  warning  BS111  {file}:8:3",
        "           no subject has the rule set unused",
        "",
        "subject ci",
        f"  warning  BS503  {file}:3:3",
        "           the token ci lacks expires (the other one with the rule set runner has it)",
        "",
        "subject old",
        f"  warning  BS501  {file}:4:122",
        "           the token old has expired, at 2026-01-01T00:00:00Z",
        "",
        "rule set runner (ci, old)",
        f"  warning  BS213  {file}:7:13",
        "           runs what exists with others' rights: jobs.run_now",
        '           ci may POST https://example.cloud.databricks.com/api/2.2/jobs/run-now {"job_id": 1012}',
        "",
        "1 error, 4 warnings",
        "why, how to fix it, how to accept: brickscope check --explain BS201",
    ]


def test_nothing_is_said_in_one_line(tmp_path: Path) -> None:
    assert lines(tmp_path, "rule_sets: {reader: {allow: [jobs.list]}}\n") == ["nothing found"]


def test_text_of_a_policy_forges_no_line_and_no_colour(tmp_path: Path) -> None:
    policy = """\
rule_sets:
  runner: {allow: [jobs.run_now]}
accept:
  - finding: BS213
    rule_set: runner
    reason: "fine\\n  error    BS201  \\e[31mred\\e[0m\\u202e\\u0085"
    until: 2027-01-01
"""
    text = lines(tmp_path, policy)
    assert text == [
        "accepted",
        r"  BS213  rule set runner, until 2027-01-01T00:00:00Z: fine\x0a  error    BS201  "
        r"\x1b[31mred\x1b[0m\u202e\x85",
        "",
        "nothing found; 1 accepted",
    ]
