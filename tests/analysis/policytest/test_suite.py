"""Policy tests: unlisted means denied, answers are the proxy's, mistakes are said with their line."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.policies import POLICY
from brickscope.analysis.judge import judge, known
from brickscope.analysis.policytest.model import render
from brickscope.analysis.policytest.run import failure_lines, run_cell
from brickscope.analysis.policytest.session import Session, find_suites, run_suites
from brickscope.analysis.policytest.suite import SuiteError, is_suite
from brickscope.core.policy import Subject
from brickscope.policy.load import load_policy, policy_files, signature
from schemas import validator

ROOT = Path(__file__).parents[3]
CALLS = """\
policy_tests: 1
now: 2026-09-21
calls:
  list: jobs.list
  run mine: jobs.run_now job_id=1012
  run other: jobs.run_now job_id=7
  token: oidc.token grant=client_credentials
  refresh: oidc.token grant=refresh
"""
ALL_LISTED = """\
subjects:
  ci: {allow: [list, run mine]}
  etl: {allow: [list, run mine, token]}
  watch: {allow: [list]}
  alice: {allow: [list]}
  people: {allow: [refresh]}
"""


def run(folder: Path, text: str) -> Session:
    (folder / "policy.yaml").write_text(POLICY)
    (folder / "some.test.yaml").write_text(text)
    return run_suites(find_suites([folder]))


def failed(session: Session) -> dict[str, str]:
    return {result.cell.name: "; ".join(result.wrong) for result in session.failed}


def test_a_table_that_lists_all_that_is_allowed_passes(tmp_path: Path) -> None:
    session = run(tmp_path, CALLS + ALL_LISTED)
    assert failed(session) == {}
    names = {result.cell.name for result in session.results}
    # Everybody of the policy, also who is not listed (old); each with the calls that such a one can make.
    assert {"old: list", "etl: token", "people: refresh"} <= names
    assert not {"ci: token", "alice: refresh", "people: list"} & names


@pytest.mark.parametrize(
    ("listed", "wrong"),
    [
        (
            ALL_LISTED.replace("ci: {allow: [list, run mine]}", "ci: {allow: [list]}"),
            {"ci: run mine": "expected deny (it is not listed, so it must be denied), got allow"},
        ),
        (
            ALL_LISTED.replace("  alice: {allow: [list]}\n", ""),
            {"alice: list": "expected deny (it is not listed, so it must be denied), got allow"},
        ),
        (ALL_LISTED.replace("  alice: {allow: [list]}\n", "") + "without: [alice]\n", {}),
        (
            ALL_LISTED.replace("[list, run mine]}", "all}"),
            {"ci: run other": "expected allow, got deny"},
        ),
        (
            ALL_LISTED.replace(
                "ci: {allow: [list, run mine]}", "ci: {allow: [list, run mine], deny: {run other: expired}}"
            ),
            {"ci: run other": "expected the reason expired, got constraint_not_met"},
        ),
        (
            ALL_LISTED.replace(
                "ci: {allow: [list, run mine]}", "ci: {allow: [list, run mine], client: 10.1.1.1}"
            ),
            {"ci: list": "expected allow, got deny", "ci: run mine": "expected allow, got deny"},
        ),
        (
            ALL_LISTED.replace("ci: {allow: [list, run mine]}", "ci: {host: dbc-x.cloud.databricks.com}"),
            {},
        ),
    ],
)
def test_what_is_not_listed_must_be_denied(tmp_path: Path, listed: str, wrong: dict[str, str]) -> None:
    assert failed(run(tmp_path, CALLS + listed)) == wrong


@pytest.mark.parametrize(
    ("case", "wrong"),
    [
        ("{subject: ci, call: run mine, expect: allow}", ""),
        ("{subject: ci, call: jobs.run_now job_id=1013, expect: allow}", ""),
        ("{subject: ci, call: run mine, expect: deny}", "expected deny, got allow"),
        ("{subject: ci, call: run mine, expect: deny, now: 2027-03-01, reason: expired}", ""),
        ("{subject: ci, call: run mine, expect: deny, client: 10.9.9.9, reason: client_not_allowed}", ""),
        (
            "{subject: ci, call: list, expect: deny, host: dbc-x.databricks.com, reason: workspace_not_allowed}",
            "",
        ),
        ("{subject: ci, call: list, expect: allow, rule: jobs.list}", ""),
        (
            "{subject: ci, call: list, expect: allow, rule: jobs.*}",
            "expected the rule 'jobs.*', got 'jobs.list'",
        ),
        ("{subject: watch, call: list, expect: allow, rule: preset read-only}", ""),
        ("{subject: watch, call: run mine, expect: deny, enforced: false, mode: monitor}", ""),
        (
            "{subject: ci, call: run other, expect: deny, enforced: false}",
            "expected it not enforced, and it is enforced",
        ),
        (
            "{subject: ci, call: run other, expect: deny, mode: monitor}",
            "expected the mode monitor, got enforce",
        ),
        ("{subject: ci, call: GET /a/../b, expect: deny, reason: path_not_canonical}", ""),
        ("{subject: people, call: oidc.token grant=browser_login, expect: allow}", ""),
    ],
)
def test_single_expectations(tmp_path: Path, case: str, wrong: str) -> None:
    session = run(tmp_path, f"{CALLS}{ALL_LISTED}cases:\n  - {case}\n")
    assert "; ".join(failed(session).values()) == wrong


def test_a_case_is_a_table_too_and_its_cells_have_names_of_their_own(tmp_path: Path) -> None:
    text = f"{CALLS}cases:\n  - {{subject: [ci, etl], call: [list, run mine], expect: allow}}\n"
    text += "  - {subject: ci, call: list, expect: allow}\nwithout: [ci, etl, old, watch, alice, people]\n"
    session = run(tmp_path, text)
    names = [result.cell.name for result in session.results]
    assert names == [
        "case ci: list",
        "case ci: run mine",
        "case etl: list",
        "case etl: run mine",
        "case ci: list (2)",
    ]


WRONG = {
    "now: 2026-09-21": "1:1: error: the key 'policy_tests' is missing (policy_tests: 1)",
    "policy_tests: 1": "1:1: error: the key 'now' is missing (now: 2026-09-21)",
    "policy_tests: 2\nnow: 2026-09-21": "1:15: error: this Brickscope reads version 1 of the format (policy_tests: 1)",
    "now: 2026-09-21\npolicy_tests:\n  - GET /x": "3:3: error: this Brickscope reads version 1 of the format",
    "policy_tests: 1\nnow: tomorrow": "2:6: error: a time is a date",
    "policy_tests: 1\nnow: 2026-09-21": "the file has no test",
    f"{CALLS}subject: {{}}": "9:1: error: unknown key 'subject' (did you mean 'subjects'?)",
    f"{CALLS}subjects:\n  cii: {{}}": "10:3: error: the policy names nobody 'cii' (did you mean 'ci'?)",
    f"{CALLS}subjects:\n  ci:\n    allow: [lst]": "11:13: error: there is no call 'lst' under calls (did you mean 'list'?)",
    f"{CALLS}subjects:\n  ci: {{allow: [list], deny: {{list: expired}}}}": "'list' is listed as allowed as well",
    f"{CALLS}subjects:\n  ci: {{deny: {{list: because}}}}": "there is no reason 'because'",
    f"{CALLS}subjects:\n  ci: {{allow: 5}}": "10:15: error: this must be a list",
    f"{CALLS}subjects: {{ci: {{}}}}\nwithout: [ci]": "'ci' stands under subjects as well",
    f"{CALLS}  bad: jobs.lst": "9:3: error: there is no operation 'jobs.lst' (did you mean 'jobs.list'?)",
    f"{CALLS}  list: jobs.get": "the key 'list' appears twice",
    f"{CALLS}cases:\n  - {{subject: ci, call: list, expect: maybe}}": "10:39: error: 'maybe' is no expect (one of",
    f"{CALLS}cases:\n  - {{subject: ci, call: list, expect: deny, reson: x}}": "did you mean 'reason'",
    f"{CALLS}cases:\n  - {{subject: ci, call: token, expect: deny}}": "'ci' is a token, which makes no such call",
    f"{CALLS}cases:\n  - {{subject: ci, call: list, expect: deny, client: 10.0.0.0/8}}": "a client is one IP address",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_mistake_is_said_with_its_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY)
    file = tmp_path / "some.test.yaml"
    file.write_text(text)
    with pytest.raises(SuiteError) as error:
        Session().read(file)
    assert WRONG[text] in str(error.value)


def test_coverage_counts_the_rules_that_decided(tmp_path: Path) -> None:
    session = run(tmp_path, CALLS + ALL_LISTED)
    counts = {each.rule.text: each.cells for each in session.coverage}
    assert counts["jobs.list"] == 2
    assert counts['jobs.run_now where {"job_id":[1012,1013]} only ["notebook_params"]'] == 2
    assert counts["preset read-only"] == 2
    assert counts["jobs.delete"] == 0
    assert "GET /internal/health" in [each.rule.text for each in session.uncovered]
    lines = [each.rule.position.line for each in session.coverage]
    assert lines == sorted(lines)


def test_a_failure_says_what_was_expected_what_came_and_the_nearest_rule(tmp_path: Path) -> None:
    session = run(tmp_path, CALLS + ALL_LISTED.replace("[list, run mine]}", "[list, run mine, run other]}"))
    (result,) = session.failed
    said = "\n".join(failure_lines(result))
    assert "expected allow, got deny" in said
    assert "constraint_not_met" in said
    assert "job_id is 7 in the call; the rule holds where job_id is one of 1012, 1013" in said
    assert result.cell.position.line == 10


def test_the_policy_passes_over_tests(tmp_path: Path) -> None:
    run(tmp_path, CALLS + ALL_LISTED)
    before = signature(tmp_path), load_policy(tmp_path, 0).policy.revision
    (tmp_path / "some.test.yaml").write_text("anything")
    (tmp_path / "other.test.yml").write_text("{")
    assert [file.name for file in policy_files(tmp_path)] == ["policy.yaml"]
    assert (signature(tmp_path), load_policy(tmp_path, 0).policy.revision) == before


@pytest.mark.parametrize(
    ("name", "text", "ours"),
    [
        ("a.test.yaml", "policy_tests: 1\n", True),
        ("a.test.yml", "# note\npolicy_tests : 1\n", True),
        ("a.test.yaml", "\ufeffpolicy_tests: 1\n", True),
        ("a.test.yaml", '"policy_tests": 1\n', True),
        ("a.test.yaml", "{policy_tests: 1}\n", True),
        ("a.test.yaml", "policy_test: 1\n", True),  # misspelt or without it, and meant to be ours
        ("a.test.yaml", "now: 2026-09-21\ncalls: {}\n", True),
        ("a.test.yaml", "cases: []\n", False),
        ("a.test.yaml", "stages:\n  policy_tests: 1\n", False),
        ("a.test.yaml", "test_name: of another tool\n", False),
        ("a.yaml", "policy_tests: 1\n", False),
    ],
)
def test_only_files_of_policy_tests_are_taken(tmp_path: Path, name: str, text: str, ours: bool) -> None:
    (tmp_path / name).write_text(text)
    assert is_suite(tmp_path / name) is ours


def test_a_file_can_name_its_policy(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / "rules" / "policy.yaml").write_text(POLICY)
    file = tmp_path / "tests" / "a.test.yaml"
    file.write_text(f"{CALLS}{ALL_LISTED}policy: ../rules\n")
    assert failed(run_suites([file])) == {}


def test_a_rule_is_covered_once_for_a_folder_and_its_file(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "policy.yaml").write_text(POLICY)
    files = []
    for name, policy in (("a", "rules"), ("b", "rules/policy.yaml")):
        files.append(tmp_path / f"{name}.test.yaml")
        files[-1].write_text(f"{CALLS}{ALL_LISTED}policy: {policy}\n")
    alone, both = run_suites(files[:1]), run_suites(files)
    assert len(both.coverage) == len(alone.coverage)
    assert [each.cells for each in both.coverage] == [2 * each.cells for each in alone.coverage]


def test_what_is_wrong_with_several_files_is_said_at_once_and_nothing_is_run(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY)
    for name, text in (("a", f"{CALLS}subject: {{}}"), ("b", CALLS + ALL_LISTED), ("c", "policy_tests: 1")):
        (tmp_path / f"{name}.test.yaml").write_text(text)
    session = run_suites(find_suites([tmp_path]))
    assert session.results == []
    assert [error.partition(": error: ")[2].splitlines()[0] for error in session.errors] == [
        "unknown key 'subject' (did you mean 'subjects'?)",
        "the key 'now' is missing (now: 2026-09-21)",
    ]


HOSTILE = "import pathlib\npathlib.Path('ran').touch()\n"


def test_no_code_and_no_options_that_lie_about_change_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody who may propose rules must not get the reviewer's machine, nor a run that passes for want of tests."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("conftest.py", "test_code.py", "evil.py", "sitecustomize.py"):
        (tmp_path / name).write_text(HOSTILE)
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\naddopts = -p evil --collect-only --deselect some.test.yaml\n"
    )
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\naddopts = '-p evil'\n")
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p evil -k nothing")
    monkeypatch.setenv("PYTEST_PLUGINS", "evil")
    session = run(tmp_path, CALLS + ALL_LISTED)
    assert len(session.results) > 10
    assert session.errors == []
    assert not (tmp_path / "ran").exists()
    assert os.environ["PYTEST_ADDOPTS"] == "-p evil -k nothing"
    assert "PYTEST_DISABLE_PLUGIN_AUTOLOAD" not in os.environ


def test_the_example_passes_and_covers_every_rule() -> None:
    session = run_suites(find_suites([ROOT / "rules"]))
    assert session.results
    assert session.failed == []
    assert session.uncovered == []


def test_the_schema_in_rules_is_that_of_the_models_and_takes_the_example() -> None:
    assert (ROOT / "rules" / "brickscope.test.schema.json").read_text() == render()
    schema = json.loads(render())
    check = validator(schema)
    example = yaml.load((ROOT / "rules" / "example.test.yaml").read_text(), yaml.BaseLoader)
    example["policy_tests"] = 1
    check.validate(example)
    assert not check.is_valid({**example, "subject": {}})


_TEXTS = st.sampled_from(
    [
        "jobs.list",
        "jobs.run_now job_id=1012",
        "jobs.run_now job_id=7",
        "GET /internal/health",
        "GET /a/../b",
        "jobs.delete job_id=1",
    ]
)


@settings(max_examples=60, deadline=None)
@given(st.lists(_TEXTS, min_size=1, max_size=4, unique=True))
def test_it_says_what_the_proxy_decides(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    folder = tmp_path_factory.mktemp("suite")
    calls = {f"call {index}": text for index, text in enumerate(texts)}
    (folder / "policy.yaml").write_text(POLICY)
    file = folder / "some.test.yaml"
    file.write_text(yaml.safe_dump({"policy_tests": 1, "now": "2026-09-21", "calls": calls}))
    loaded, cells = Session().read(file)
    policy, everybody = loaded.policy, known(loaded.policy)
    for result in (run_cell(cell, loaded) for cell in cells):
        cell = result.cell
        assert result.decision == judge(policy, everybody[cell.who.name], cell.call, cell.now)
        assert result.passed is not result.decision.allow  # nothing was listed, so all must be denied
    makers = [who for who in everybody.values() if isinstance(who.subject, Subject)]
    assert len(cells) == len(makers) * len(texts)
