"""``brickscope audit`` on a hostile log: no text in it acts on a terminal, a spreadsheet, or whoever reads JSON."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from audit.made_log import POLICY, Record, line, made_records
from brickscope.cli.main import main

RECORDS = list(made_records(2400, runs=2))
DENIED = [record for record in RECORDS if record.get("decision") == "deny"]


def run(*arguments: str | Path, **more: Any) -> Result:
    result = CliRunner().invoke(main, ["audit", *map(str, arguments)], **more)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


HOSTILE = (
    "\x1b]0;owned\x07\x1b[31m",
    "a\r\nallowed by nobody\n",
    "\u202egnp.exe\u2066",
    '=HYPERLINK("http://evil.example")',
    "'; DROP VIEW records; --",
    "[red]markup[/red] :smile:",
    "\x00\x7f\x9b31m",
    "x" * 100_000,
    "\U000e0041\ufeff\u2028",
)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log with each of these texts in each text field of each kind of record, and lines that are no records."""
    folder = tmp_path_factory.mktemp("hostile")
    kinds: dict[str, Record] = {}
    for record in [*DENIED, *RECORDS]:
        kinds.setdefault(f"{record['event']} {record.get('reason')}", record)
    lines, seq = [], 0
    for text in HOSTILE:
        for record in kinds.values():
            seq += 1
            made = {
                name: text if isinstance(value, str) and name not in ("time", "event", "decision") else value
                for name, value in record.items()
            }
            for name in ("params", "principal", "previous"):
                if name in made:
                    made[name] = {text: text}
            for name in ("problems", "scope_hosts", "key_ids", "param_names"):
                if name in made:
                    made[name] = [text]
            reason = {"reason": record["reason"]} if "reason" in record else {}
            lines.append(
                line(made | reason | {"seq": seq, "status": 2**60, "decision_id": f"id-{seq}{text[:50]}"})
            )
    lines = [each.replace(str(2**60).encode(), b"1" + b"0" * 30) for each in lines]
    lines[10:10] = [b'{"torn', b"\n", b"\xff\xfe\n", b"[" * 10_000 + b"\n"]
    (folder / "audit.jsonl").write_bytes(b"".join(lines))
    return folder


def harmless(text: str) -> bool:
    return not [
        char
        for char in text
        if char != "\n" and unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
    ]


COMMANDS: tuple[tuple[str, ...], ...] = (
    ("summary", "--top", "0"),
    ("denials", "--top", "0"),
    ("search", "--limit", "0"),
    ("search", "--event", "*"),
    ("search", "--sql", 'SELECT path AS "\x1b[1m", * FROM records'),
    ("show", f"id-1{HOSTILE[0]}"),
    ("show", f"nowhere{HOSTILE[0]}"),
    ("unused", "--rules", "{policy}"),
)


@pytest.mark.parametrize("colours", [False, True])
@pytest.mark.parametrize(
    "command", COMMANDS, ids=lambda command: " ".join(command)[:20].encode("unicode_escape").decode()
)
def test_no_text_of_the_log_acts_on_the_terminal(
    hostile: Path, tmp_path: Path, command: tuple[str, ...], colours: bool
) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY)
    environment = {"FORCE_COLOR": "1", "TERM": "xterm-256color"} if colours else {}
    arguments = [each.format(policy=tmp_path) if "{policy}" in each else each for each in command]
    result = run(*arguments, hostile, env=environment)
    assert result.exit_code in (0, 1)
    output = re.sub(r"\x1b\[[0-9;]*m", "", result.output) if colours else result.output
    assert harmless(output)
    if command[0] in ("denials", "summary"):
        assert f"{hostile}/audit.jsonl:11: no JSON" in result.stderr
    if "nowhere" not in command[-1] and command[0] != "unused":
        assert "\\x1b]0;owned" in output


@pytest.fixture(scope="module")
def altered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log in which each field of each kind of record was altered once to each of these."""
    kinds = {f"{record['event']} {record.get('reason')}": record for record in [*DENIED, *RECORDS]}
    log = tmp_path_factory.mktemp("altered") / "audit.jsonl"
    log.write_bytes(
        b"".join(
            json.dumps(record | {name: value}).encode() + b"\n"
            for record in kinds.values()
            for name in record
            for value in (None, 7, -1, 10**30, "", "bogus", ["a"], {"a": 1})
        )
    )
    return log


@pytest.mark.parametrize(
    "command",
    [
        *(("denials",), ("summary",), ("search",), ("unused", "--rules", "{policy}"), ("tail", "--once")),
        *(("export", "--format", "ocsf"), ("export", "--format", "ecs"), ("verify", "--schema")),
        ("report", "--out", "{policy}/report.html", "--rules", "{policy}"),
    ],
    ids=" ".join,
)
def test_one_field_of_a_record_that_is_another_ends_no_command(
    altered: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY)
    assert run(*(each.format(policy=tmp_path) for each in command), altered).exit_code in (0, 1)


@pytest.mark.parametrize(
    "command",
    [each for each in COMMANDS if "nowhere" not in each[-1]],
    ids=lambda command: " ".join(command)[:20].encode("unicode_escape").decode(),
)
def test_no_text_of_the_log_leaves_its_place_in_json(
    hostile: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY)
    arguments = [each.format(policy=tmp_path) if "{policy}" in each else each for each in command]
    result = run(*arguments, hostile, "--json")
    assert result.stdout.isascii()
    for each in result.stdout.splitlines():
        json.loads(each)
        assert each.isprintable()


@pytest.mark.parametrize(
    "command", COMMANDS[:5], ids=lambda command: " ".join(command)[:20].encode("unicode_escape").decode()
)
def test_no_text_of_the_log_is_run_by_a_spreadsheet(hostile: Path, command: tuple[str, ...]) -> None:
    csv.field_size_limit(2**24)
    rows = list(csv.reader(io.StringIO(run(*command, hostile, "--csv", "-").stdout, newline="")))
    assert len({len(row) for row in rows}) == 1
    assert not [
        cell
        for row in rows
        for cell in row
        if re.match(r" *[=+\-@\t\r\n]", cell) and not re.fullmatch(r"-?[\d.]+", cell)
    ]


def test_tail_of_a_hostile_log(hostile: Path) -> None:
    result = run("tail", hostile / "audit.jsonl", "--once", "-n", "10000")
    assert result.exit_code == 0
    assert harmless(result.output)
    assert len(result.stdout.splitlines()) > 100
    assert run("tail", hostile / "audit.jsonl", "--once", "-n", "10000", "--json").stdout.isascii()
