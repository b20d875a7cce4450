"""The examples of the documents on explain, policy tests and diff are what the commands print."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from brickscope.cli.main import main

DOCS = Path(__file__).parent.parent / "docs"
_FILES = re.compile(r"`([\w./-]+\.yaml)`[^`\n]*:\n\n```yaml\n(.*?)```", re.S)
_SHOWN = re.compile(r"```console\n\$ brickscope ([^\n]+)\n(.*?)```", re.S)


def _still(text: str) -> str:
    """Without what differs from run to run: the time of day, and how long it took."""
    return re.sub(r" at 20\d\d-\d\d-\d\dT[\d:]+Z|\d+ ms|[\d.]+ s(?=;)", "", text)


@pytest.mark.parametrize(("page", "examples"), [("explain", 4), ("policy-tests", 1), ("diff", 1)])
def test_what_is_shown_is_what_is_printed(
    page: str, examples: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (DOCS / f"{page}.md").read_text()
    for name, content in _FILES.findall(text):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    monkeypatch.chdir(tmp_path)
    shown = _SHOWN.findall(text)
    assert len(shown) == examples
    for command, output in shown:
        assert _still(CliRunner().invoke(main, shlex.split(command)).output) == _still(output)
