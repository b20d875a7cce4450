"""The table of docs/compatibility.md is what the tests run, at the versions that are installed."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from brickscope.cli.main import main
from clients.compatibility import PAGE, render, written, written_version
from clients.installed import PROGRAMS, installed, need_clients, need_program, pinned, program_version
from clients.roster import CLIENTS
from clients.stage import RULES


def test_the_table_is_made_from_the_roster() -> None:
    assert written()[1] == render(written_version), "run scripts/compatibility"


def test_what_is_installed_is_what_the_table_names() -> None:
    need_clients()
    assert {package: installed(package) for package in pinned()} == pinned()


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_are_of_the_release_that_the_table_names(program: str) -> None:
    need_program(program)
    if os.environ.get("CI") != "true":
        pytest.skip("anybody may have another release; the table speaks of the one that CI has")
    now, said = program_version(program), written_version(program)
    assert now is not None
    assert said is not None
    assert now.partition(".")[0] == said.partition(".")[0], "run scripts/compatibility"


def test_each_rule_set_is_on_the_page_and_tested() -> None:
    names = {path.stem for path in RULES.glob("*.yaml") if not path.name.endswith(".test.yaml")}
    assert {client.rule_set for client in CLIENTS} <= names
    linked = {Path(target).stem for target in re.findall(r"\]\((clients/[\w-]+\.yaml)\)", PAGE.read_text())}
    assert linked == names


def test_the_policy_tests_beside_the_rule_sets_pass_and_decide_every_rule() -> None:
    result = CliRunner().invoke(main, ["test", str(RULES)])
    assert result.exit_code == 0, result.output
    covered, rules = re.findall(r"(\d+) of (\d+) rules covered", result.output)[0]
    assert covered == rules
