"""docs/audit.md shows what the commands print: each example is run on the log that it speaks of."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from audit.made_log import POLICY, made_records, write_log
from brickscope.audit.event import COLUMNS
from brickscope.audit.queries import query
from brickscope.cli.audit import audit_command
from brickscope.cli.main import main

PAGE = (Path(__file__).parent.parent / "docs" / "audit.md").read_text()
EXAMPLES = re.findall(r"```console\n\$ brickscope (audit [^\n]+)\n(.*?)```", PAGE, re.S)
OURS = ("summary", "denials", "show", "tail", "search", "unused")


def make_example(folder: Path) -> None:
    """The log and the policy that the page speaks of."""
    write_log(folder / "log", made_records(6000, seed=7, runs=2), each=2500, compression=".zst")
    (folder / "rules").mkdir()
    (folder / "rules" / "policy.yaml").write_text(POLICY)


def say(command: str) -> str:
    """What a command prints, without spaces at line ends and without what changes with the catalogue."""
    result = CliRunner().invoke(main, shlex.split(command))
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return tidy(result.output)


def tidy(text: str) -> str:
    text = re.sub(
        r"\b[0-9a-f]{16}\b", "2a5d7c12139a4cfd", text
    )  # revisions: they tell the catalogue's version too
    return "\n".join(line.rstrip() for line in text.splitlines()).strip()


@pytest.mark.parametrize(("command", "shown"), EXAMPLES, ids=[command[:40] for command, _ in EXAMPLES])
def test_an_example_is_what_is_printed(
    command: str, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_example(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert say(command) == tidy(shown)


def test_every_command_has_an_example() -> None:
    assert {command.split()[1] for command, _ in EXAMPLES} == set(OURS)
    assert set(OURS) <= set(audit_command.list_commands(click.Context(audit_command)))


def test_every_view_and_column_of_the_page_is_there() -> None:
    views = set(re.findall(r"^\| `(\w+)` \|", PAGE.partition("## SQL")[2], re.M))
    assert views == {"records", *re.findall(r"^CREATE TEMP VIEW (\w+)", query("duckdb/views"), re.M)}
    named = re.search(r"Columns are the fields of the log \(([^)]+)\)", PAGE)
    assert named is not None
    assert set(re.findall(r"`(\w+)`", named[1])) <= set(COLUMNS)
