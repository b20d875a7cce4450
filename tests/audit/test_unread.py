"""Closed files that were named without: by each way of naming a log, and by each command that reads one."""

from __future__ import annotations

import errno
import os
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from audit.made_log import POLICY, made_records, write_log
from brickscope.audit.period import Period
from brickscope.audit.source import SourceError, find_sources, find_unread, unread_text
from brickscope.cli.main import main

RECORDS = list(made_records(400))
FIRST = str(RECORDS[0]["time"])
BEGIN = datetime.fromisoformat(FIRST).replace(tzinfo=None)
LATER = datetime(2099, 1, 1)  # noqa: DTZ001 - as Period has it
TWO = "2 closed files of audit.jsonl beside it were not read; name the folder . to read all"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A log with two closed files, compressed, and a worker's beside it with one."""
    each = len(RECORDS) // 2 - 1
    write_log(tmp_path, RECORDS, each=each, compression=".zst")
    write_log(tmp_path / "fleet", RECORDS, each=each, compression=".gz", name="audit-1")
    for name in ("audit-2", "audit-3", "audit-4", "audit-5"):
        write_log(tmp_path / "fleet", RECORDS[: each + 1], each=each, compression=".zst", name=name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


# What is named, and what is said of what was not.
NAMED: dict[str, tuple[list[str], list[str]]] = {
    "the file": (["audit.jsonl"], [TWO]),
    "a pattern that leaves out what is compressed": (["audit*.jsonl"], [TWO]),
    "one that doesn't": (["audit*.jsonl*"], []),
    "the folder": (["."], []),
    "the file and all of the closed": (["audit.jsonl", "audit-*.zst"], []),
    "closed files alone, which somebody chose": (["audit-*.zst"], []),
    "one worker's": (
        ["fleet/audit-1.jsonl"],
        ["2 closed files of audit-1.jsonl beside it were not read; name the folder fleet to read all"],
    ),
    "two workers'": (
        ["fleet/audit-4.jsonl", "fleet/audit-2.jsonl"],
        [
            "2 closed files of audit-4.jsonl, audit-2.jsonl beside them were not read; "
            "name the folder fleet to read all"
        ],
    ),
    "one closed file": (
        ["fleet/audit-2.jsonl"],
        ["1 closed file of audit-2.jsonl beside it was not read; name the folder fleet to read all"],
    ),
    "all workers'": (
        ["audit.jsonl", "fleet/audit-*.jsonl"],
        [
            TWO,
            "6 closed files of audit-1.jsonl, audit-2.jsonl, audit-3.jsonl and 2 more logs beside them "
            "were not read; name the folder fleet to read all",
        ],
    ),
    "by two ways": (["fleet/../audit.jsonl", "audit-*.zst"], []),
}


@pytest.mark.parametrize("case", NAMED)
def test_what_was_left_out_is_said(case: str, folder: Path) -> None:
    named, said = NAMED[case]
    assert unread_text(find_unread(find_sources(named), Period())) == said


@pytest.mark.parametrize(("period", "missed"), [(Period(), 2), (Period(BEGIN), 2), (Period(LATER), 0)])
def test_what_the_period_leaves_out_is_not_missed(period: Period, missed: int, folder: Path) -> None:
    assert len(find_unread(find_sources(["audit.jsonl"]), period)) == missed


def test_a_file_that_is_compressed_meanwhile_was_named(folder: Path) -> None:
    first, second = sorted(folder.glob("audit-*.zst"))
    plain = first.with_suffix("")
    plain.write_bytes(b"")
    sources = find_sources(["audit.jsonl", plain, second])
    plain.unlink()
    assert find_unread(sources, Period()) == []


COMMANDS = {
    "summary": ["audit", "summary"],
    "denials": ["audit", "denials"],
    "search": ["audit", "search"],
    "verify": ["audit", "verify", "--keys", "keys"],
    "show": ["audit", "show", "00000000-1"],
    "unused": ["audit", "unused", "--rules", "rules.yaml"],
    "export": ["audit", "export", "--format", "ecs"],
    "report": ["audit", "report", "--keys", "keys", "--since", FIRST, "--out", "report.html", "--force"],
    "replay": ["replay", "--rules", "rules.yaml"],
    "learn": ["learn", "--rules", "rules.yaml", "--subject", "etl"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_says_it_once_on_standard_error(name: str, folder: Path) -> None:
    (folder / "rules.yaml").write_text(POLICY)
    result = CliRunner().invoke(main, [*COMMANDS[name], "audit.jsonl"])
    assert (result.stderr.count(TWO), result.stdout.count(TWO)) == (1, 0), result.stderr
    assert "closed file" not in CliRunner().invoke(main, COMMANDS[name]).stderr


def test_explain_says_it_where_it_did_not_find_the_call(folder: Path) -> None:
    (folder / "rules.yaml").write_text(POLICY)
    given = ["explain", "--rules", "rules.yaml", "00000000-1", "--log"]
    assert TWO in CliRunner().invoke(main, [*given, "audit.jsonl"]).stderr
    assert "closed file" not in CliRunner().invoke(main, [*given, os.curdir]).stderr


def test_a_folder_below_that_may_not_be_listed_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the log of another proxy would be left out of what is verified, and nobody told."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "audit.jsonl").touch()
    listed = os.scandir

    def scandir(path: Any) -> Any:
        if Path(path).name == "two":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return listed(path)

    assert len(find_sources([tmp_path])) == 2
    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(SourceError, match="two can't be read: Permission denied"):
        find_sources([tmp_path])
