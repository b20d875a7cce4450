"""``brickscope test`` as a shell sees it."""

from __future__ import annotations

import json
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from click.testing import CliRunner

from analysis.policies import POLICY
from analysis.policytest.test_plugin import TESTS
from brickscope.cli.main import main
from brickscope.prerequisites import install_command


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "policy.yaml").write_text(POLICY)
    (folder / "a.test.yaml").write_text(TESTS)
    return folder


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["test", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def test_failures_and_coverage_are_printed(rules: Path) -> None:
    status, output = run("--rules", str(rules))
    assert status == 1
    assert f"FAILED  {rules}/a.test.yaml:8:3  etl: run mine" in output
    assert "  none  " in output
    assert "5 passed, 1 failed, in 1 file" in output


def test_all_passed_and_uncovered_rules_fail_only_if_asked(rules: Path) -> None:
    (rules / "a.test.yaml").write_text(TESTS.replace("etl: {allow: [list]}", "etl: {allow: all}"))
    assert run(str(rules / "a.test.yaml"))[0] == 0
    status, output = run("--rules", str(rules), "--fail-uncovered")
    assert status == 1
    assert re.search(r"^\d+ of \d+ rules decided no test", output, re.M)


def test_junit_and_json(rules: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    status, output = run("--rules", str(rules), "--json", "--junit", str(report))
    said = json.loads(output)
    assert (status, said["passed"], said["failed"]) == (1, 5, 1)
    assert [each["name"] for each in said["tests"] if each["wrong"]] == ["etl: run mine"]
    assert {each["part"] for each in said["coverage"]} == {"allow", "deny"}
    root = ET.parse(report).getroot()
    (failed,) = (case for case in root.iter("testcase") if case.find("failure") is not None)
    assert (failed.get("name"), failed.get("line")) == (
        "etl: run mine",
        "7",
    )  # counted from 0, as pytest does
    assert "a.test.yaml" in (failed.get("file") or "")
    assert "reason   allowed_by_rule" in (failed.findtext("failure") or "")


def test_names_that_could_forge_a_line_or_break_the_report(rules: Path, tmp_path: Path) -> None:
    odd = '"\\e[2Jnew\\nline\\x01<&>\\u202e"'
    (rules / "a.test.yaml").write_text(TESTS.replace("  list:", f"  {odd}:").replace("[list", f"[{odd}"))
    report = tmp_path / "report.xml"
    _, output = run("--rules", str(rules), "--junit", str(report))
    assert "\x1b" not in output
    assert "\\x1b[2Jnew\\x0aline\\x01<&>\\u202e" in ET.parse(report).getroot()[0][0].get("name", "")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("{rules}/policy.yaml",), "this is no file of policy tests"),
        (("--rules", "{rules}/empty"), "there is no *.test.yaml with policy tests"),
        (("{rules}/broken.test.yaml",), "the key 'now' is missing"),
        (("{rules}/a.test.yaml", "--junit", "{rules}/no/such.xml"), "can't be written"),
    ],
)
def test_what_can_not_be_carried_out(rules: Path, arguments: tuple[str, ...], text: str) -> None:
    (rules / "empty").mkdir()
    (rules / "broken.test.yaml").write_text("policy_tests: 1\n")
    status, output = run(*(each.replace("{rules}", str(rules)) for each in arguments))
    assert status == 2
    assert text in output


def test_without_pytest_it_says_what_to_install(rules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pytest", None)
    status, output = run("--rules", str(rules))
    assert status == 2
    assert (
        f"tests run on pytest, which is not installed; to install it: {install_command('policytest')}"
        in output
    )


def test_files_are_named_as_from_here(rules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(rules.parent)
    _, output = run()
    assert "FAILED  rules/a.test.yaml:8:3  etl: run mine" in output
    assert re.search(r"^     \d  rules/policy.yaml:\d+:9  allow ", output, re.M)


def test_a_broken_policy_is_said_with_its_line(rules: Path) -> None:
    (rules / "policy.yaml").write_text(POLICY.replace("- jobs.list", "- jobs.lst"))
    status, output = run("--rules", str(rules))
    assert status == 2
    assert "there is no operation 'jobs.lst'" in output
