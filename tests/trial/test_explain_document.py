"""docs/explain.md shows what ``brickscope explain`` prints: each example is run on the policy of the page."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from brickscope.cli.main import main

PAGE = (Path(__file__).parents[2] / "docs" / "explain.md").read_text()
POLICY = re.findall(r"```yaml\n(version: 1\n.*?)```", PAGE, re.S)
EXAMPLES = re.findall(r"```console\n\$ brickscope (explain [^\n]+)\n(.*?)```", PAGE, re.S)


def test_there_is_one_policy_and_examples() -> None:
    assert len(POLICY) == 1
    assert len(EXAMPLES) >= 5


@pytest.mark.parametrize(("command", "shown"), EXAMPLES, ids=[command[8:50] for command, _ in EXAMPLES])
def test_an_example_is_what_is_printed(
    command: str, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "jobs.yaml").write_text(POLICY[0])
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, shlex.split(command))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert tidy(result.output) == tidy(shown)


def tidy(text: str) -> str:
    """Without the time at which it was asked."""
    return re.sub(r"\bat \d{4}-[-0-9:T]+Z", "at TIME", text).strip()
