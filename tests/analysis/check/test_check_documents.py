"""What docs/check.md and the example for CI show is what the program prints."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner

from brickscope.cli.main import main

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs" / "check.md").read_text()
EXAMPLE = ROOT / "docs" / "ci-example"
NOW = "2026-11-01"


def test_the_guide_shows_real_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = re.search(r"```yaml\n(version: 1\n.*?)```", GUIDE, re.S)
    shown = re.search(r"```console\n\$ brickscope (check .*?)\n(.*?)```", GUIDE, re.S)
    assert policy is not None
    assert shown is not None
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "deploy.yaml").write_text(policy[1])
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, shlex.split(shown[1]))
    assert result.output == shown[2]
    assert result.exit_code == 1


def test_the_guide_tells_of_every_preset_what_is_found(tmp_path: Path) -> None:
    told: dict[str, set[str]] = {}
    for names, codes in re.findall(r"^\| (`[a-z`, -]+`) \| (.*) \|$", GUIDE, re.M):
        for name in re.findall(r"`([a-z-]+)`", names):
            told[name] = set(re.findall(r"BS[0-9]{3}", codes))
    from brickscope.policy.operations import presets

    assert set(told) == set(presets())


def test_the_example_passes_its_own_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(EXAMPLE)
    checked = CliRunner().invoke(main, ["check", "--rules", "rules", "--time", NOW, "--fail-on", "warning"])
    assert checked.exit_code == 0, checked.output
    tested = CliRunner().invoke(main, ["test", "--rules", "rules", "--fail-uncovered"])
    assert tested.exit_code == 0, tested.output


def test_the_example_does_not_pass_without_what_it_accepts(tmp_path: Path) -> None:
    text = (EXAMPLE / "rules" / "deploy.yaml").read_text()
    file = tmp_path / "deploy.yaml"
    file.write_text(text.partition("accept:")[0])
    result = CliRunner().invoke(main, ["check", "--rules", str(file), "--time", NOW, "--fail-on", "warning"])
    assert result.exit_code == 1
    assert "BS301" in result.output


def commands() -> list[str]:
    """The commands of the workflow and of the hooks."""
    workflow = yaml.safe_load((EXAMPLE / ".github" / "workflows" / "policy.yaml").read_text())
    runs = [step["run"] for step in workflow["jobs"]["policy"]["steps"] if "run" in step]
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    lines = [line.strip() for run in runs for line in run.splitlines()]
    return [line for line in [*lines, *(hook["entry"] for hook in hooks)] if line.startswith("brickscope ")]


def test_the_workflow_and_the_hooks_name_commands_and_options_that_there_are() -> None:
    found = {line.split()[1] for line in commands()}
    assert found == {"check", "diff", "test"}
    for line in commands():
        _, name, *words = line.split()
        command = main.get_command(click.Context(main), name)
        assert command is not None
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known


def test_actions_are_pinned() -> None:
    text = (EXAMPLE / ".github" / "workflows" / "policy.yaml").read_text()
    used = re.findall(r"uses: (\S+)", text)
    assert used
    assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", each) for each in used)


def test_hooks_look_at_policies_only() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert [hook["id"] for hook in hooks] == ["brickscope-check", "brickscope-test"]
    for hook in hooks:
        assert hook["pass_filenames"] is False
        files = ("rules/a.yaml", "rules/a.test.yml", "rules/x.jwks.json", "docs/rules/a.yaml", "rules/a.md")
        assert [bool(re.search(hook["files"], file)) for file in files] == [True, True, True, False, False]
