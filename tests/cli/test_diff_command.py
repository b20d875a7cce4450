"""``brickscope diff`` as a shell sees it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from analysis.policies import POLICY
from brickscope.cli.main import main

MORE = POLICY.replace("- jobs.list\n", "- jobs.list\n      - jobs.create\n")


def run(folder: Path, old: str, new: str, *options: str) -> tuple[int, str]:
    (folder / "old.yaml").write_text(old)
    (folder / "new.yaml").write_text(new)
    arguments = ["diff", str(folder / "old.yaml"), str(folder / "new.yaml"), "--time", "2026-09-21", *options]
    result = CliRunner().invoke(main, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


@pytest.mark.parametrize(
    ("old", "new", "options", "status"),
    [
        (POLICY, POLICY, (), 0),
        (POLICY, POLICY, ("--fail-on", "any"), 0),
        (POLICY, MORE, (), 1),
        (POLICY, MORE, ("--fail-on", "denied"), 0),
        (POLICY, MORE, ("--fail-on", "any"), 1),
        (MORE, POLICY, (), 0),
        (MORE, POLICY, ("--fail-on", "denied"), 1),
        (POLICY, "version: 2\n", (), 2),
        (POLICY, POLICY, ("--time", "soon"), 2),
    ],
)
def test_the_exit_status(tmp_path: Path, old: str, new: str, options: tuple[str, ...], status: int) -> None:
    assert run(tmp_path, old, new, *options)[0] == status


def test_what_is_newly_allowed_is_printed_with_its_proof(tmp_path: Path) -> None:
    _, output = run(tmp_path, POLICY, MORE)
    assert "  + jobs.create  newly allowed (class write: " in output
    assert "proof: ci, from 10.0.8.1 at 2026-09-21T00:00:00Z: POST https://dbc-a1b2c3d4-e5f6" in output
    assert "newly allowed: 1, newly denied: 0" in output
    assert run(tmp_path, POLICY, POLICY)[1] == "no change in meaning\n"


def test_json(tmp_path: Path) -> None:
    said = json.loads(run(tmp_path, POLICY, MORE, "--json")[1])
    (group,) = said["groups"]
    (change,) = group["operations"]
    assert (said["newly_allowed"], said["newly_denied"]) == (True, False)
    assert (change["operation"], change["effect"], change["class"]) == ("jobs.create", "allowed", "write")
    assert change["proof"]["subject"] == "ci"
    assert group["subjects"] == ["ci", "etl", "old"]


def test_names_of_a_version_are_in_its_errors(tmp_path: Path) -> None:
    _, output = run(tmp_path, POLICY, MORE.replace("jobs.create", "jobs.crate"))
    assert "new.yaml:34:9: error: there is no operation 'jobs.crate'" in output
