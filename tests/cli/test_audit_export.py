"""``brickscope audit export`` as it is used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from audit.conformance import ecs_problems, ocsf_problems
from audit.example_records import OTHERS, decision, outcome
from audit.made_log import line, made_records, write_log
from brickscope.cli.main import main


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(main, ["audit", "export", *map(str, words)])


def events(text: str) -> list[dict[str, Any]]:
    return [json.loads(each) for each in text.splitlines()]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    file = tmp_path / "audit.jsonl"
    file.write_bytes(line(decision()) + line(outcome()))
    return file


def test_events_go_to_standard_output_one_a_line(log: Path) -> None:
    for form, problems in (("ecs", ecs_problems), ("ocsf", ocsf_problems)):
        result = run("--format", form, log)
        assert result.exit_code == 0
        assert result.stderr == ""
        (event,) = events(result.stdout)
        assert problems(event) == []


def test_or_into_a_file_for_its_owner_alone(log: Path, tmp_path: Path) -> None:
    target = tmp_path / "events.ndjson"
    result = run("--format", "ecs", "--out", target, log)
    assert (result.exit_code, result.output) == (0, "")
    assert len(events(target.read_text())) == 1
    assert target.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.glob(".*.part")) == []


def test_compressed_and_rotated_files_are_read(tmp_path: Path) -> None:
    records = list(made_records(1200))
    write_log(tmp_path / "log", records, each=300, compression=".zst")
    result = run("--format", "ecs", tmp_path / "log")
    assert len(events(result.stdout)) == sum(record["event"] != "outcome" for record in records)


def test_a_file_of_the_log_is_not_overwritten(log: Path) -> None:
    before = log.read_bytes()
    result = run("--format", "ecs", "--out", log, log)
    assert result.exit_code == 2
    assert "is a file of the log itself" in result.stderr
    assert log.read_bytes() == before


def test_since_and_until_narrow_it(log: Path) -> None:
    assert events(run("--format", "ecs", "--until", "2026-11-23", log).stdout) == []
    assert len(events(run("--format", "ecs", "--since", "2026-11-23", log).stdout)) == 1


def test_bad_lines_are_counted_and_named_and_cost_themselves_only(log: Path) -> None:
    log.write_bytes(b"no json\n" + log.read_bytes() + b'{"torn')
    result = run("--format", "ecs", log)
    assert result.exit_code == 0
    assert len(events(result.stdout)) == 1
    assert "2 lines are not records, and left out" in result.stderr
    assert "audit.jsonl:1" in result.stderr


def test_what_ocsf_has_nothing_for_is_counted(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    file.write_bytes(b"".join(line(record | {"seq": n}) for n, record in enumerate(OTHERS.values(), 1)))
    result = run("--format", "ocsf", file)
    assert "ocsf has nothing for these records, which are left out: checkpoint 1, key_set 2" in result.stderr


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    """The log is somebody else's when it is reviewed: text that acts on a terminal must not leave through an export."""
    file = tmp_path / "audit.jsonl"
    agent = "\x1b[31m\u202e\x9b2J\n{}"
    file.write_bytes(line(decision() | {"user_agent": agent}))
    output = run("--format", "ecs", file).stdout
    assert output.isascii()
    assert output.count("\n") == 1
    assert "\x1b" not in output
    assert events(output)[0]["user_agent"]["original"] == agent


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--format", "cef", "x"], "is not one of 'ecs', 'ocsf'"),
        (["x"], "Missing option '--format'"),
        (["--format", "ecs", "/nowhere/at/all"], "/nowhere/at/all"),
        (["--format", "ecs", "--since", "soon", "x"], "is no time"),
    ],
)
def test_a_mistake_is_said_and_shows_no_traceback(words: list[str], message: str) -> None:
    result = run(*words)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.output


def test_a_folder_that_does_not_exist_is_a_mistake_too(log: Path, tmp_path: Path) -> None:
    result = run("--format", "ecs", "--out", tmp_path / "no" / "file", log)
    assert result.exit_code == 2
    assert "No such file or directory" in result.stderr


def test_who_stops_reading_ends_it_quietly(tmp_path: Path) -> None:
    write_log(tmp_path / "log", made_records(3000))
    program = [sys.executable, "-c", "from brickscope.cli.main import main; main()"]
    process = subprocess.Popen(
        [*program, "audit", "export", "--format", "ecs", str(tmp_path / "log")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "addon")},
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    assert process.wait(60) == 141
