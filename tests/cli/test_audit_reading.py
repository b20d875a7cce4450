"""``brickscope audit`` as a shell sees it: what each command says, on sound logs and on hostile ones."""

from __future__ import annotations

import builtins
import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from click.testing import CliRunner, Result

from audit.made_log import POLICY, line, made_records, placeholder_lines, write_log
from brickscope.cli.main import main
from brickscope.prerequisites import install_command

RECORDS = list(made_records(2400, runs=2))
CALLS = [record for record in RECORDS if record["event"] == "decision"]
DENIED = [record for record in RECORDS if record.get("decision") == "deny"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("log")
    write_log(made, RECORDS, each=700, compression=".zst")
    return made


def run(*arguments: str | Path, **more: Any) -> Result:
    result = CliRunner().invoke(main, ["audit", *map(str, arguments)], **more)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def data(*arguments: str | Path) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code in (0, 1), result.output
    return json.loads(result.stdout)


def count(**wanted: Any) -> int:
    return sum(all(call[name] == value for name, value in wanted.items()) for call in CALLS)


# -- summary ------------------------------------------------------------------------------------------------------


def test_summary_counts_what_the_log_holds(folder: Path) -> None:
    said = data("summary", folder)
    assert (said["records"], said["bad_lines"], said["calls"]) == (len(RECORDS), 0, len(CALLS))
    assert said["allowed"] == count(decision="allow")
    assert said["denied"] == count(decision="deny", enforced=True)
    assert said["denied_sent"] == count(decision="deny", enforced=False) > 0
    for section, name in (
        ("subjects", "subject"),
        ("operations", "operation"),
        ("reasons", "reason"),
        ("clients", "client_address"),
    ):
        assert {row[name]: row["calls"] for row in said[section]} == {
            value: count(**{name: value}) for value in {call[name] for call in CALLS}
        }
    etl = next(row for row in said["subjects"] if row["subject"] == "etl")
    times = [call["time"] for call in CALLS if call["subject"] == "etl"]
    assert (etl["first_seen"], etl["last_seen"]) == (min(times), max(times))


def test_summary_for_people(folder: Path) -> None:
    text = run("summary", folder, "--top", "3").stdout
    assert f"{len(RECORDS):,} records in 4 files, 2026-11-01 00:00 to " in text
    assert "would be denied (monitor)" in text
    assert re.search(r"\nand \d+ more", text)
    for heading in ("who", "what", "why", "from where", "answers", "other records"):
        assert re.search(rf"^{heading} ", text, re.M)


def test_summary_says_who_used_which_credential(folder: Path, tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    log.write_bytes(b"".join(placeholder_lines()))
    wanted = [
        ("vault", "etl", 3, 2, 1),
        ("file", "etl", 1, 1, 0),
        ("vault", None, 1, 0, 1),
        ("vault", "agent", 1, 1, 0),
    ]
    names = ("credential", "subject", "calls", "allowed", "denied")
    assert [tuple(row[name] for name in names) for row in data("summary", log)["credentials"]] == wanted
    shown = run("summary", log).stdout.partition("\nwith which credential ")[2].splitlines()[1:5]
    assert [row.split()[:2] for row in shown] == [[each[0], str(each[2])] for each in wanted]
    flat = csv.DictReader(io.StringIO(run("summary", log, "--csv", "-").stdout))
    assert [(row["name"], row["subject"] or None) for row in flat if row["by"] == "credential"] == [
        each[:2] for each in wanted
    ]
    assert "with which credential" not in run("summary", folder).stdout


@pytest.mark.parametrize("command", ["summary", "denials"])
def test_the_part_of_time_that_is_asked_for(folder: Path, command: str) -> None:
    until = RECORDS[800]["time"]
    said = data(command, folder, "--until", until)
    if command == "summary":
        assert said["records"] == 800
        assert data(command, folder, "--since", until)["records"] == len(RECORDS) - 800
    else:
        early = [record for record in DENIED if record["time"] < until]
        assert sum(group["calls"] for group in said) == len(early)


def test_the_log_of_the_current_folder_is_the_default(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert data("summary")["records"] == len(RECORDS)


# -- denials ------------------------------------------------------------------------------------------------------


def test_denials_are_all_there_each_with_a_remedy_or_a_reason_why_not(folder: Path) -> None:
    groups = data("denials", folder)
    assert sum(group["calls"] for group in groups) == len(DENIED)
    assert sum(group["sent"] for group in groups) == count(enforced=False)
    for group in groups:
        assert group["remedy"]["yaml"] or group["remedy"]["note"]
    runs = [group for group in groups if group["reason"] == "constraint_not_met"]
    assert len(runs) == 1
    where = yaml.safe_load(runs[0]["remedy"]["yaml"])[0]["where"]
    assert sorted(where["job_id"]) == [2099, 2100]


def test_denials_can_be_pasted(folder: Path) -> None:
    text = run("denials", folder, "--subject", "etl").stdout
    block = "    would allow it, under rule_sets: job-runner: allow:\n"
    assert block in text
    lines = text.partition(block)[2].splitlines()
    pasted = "\n".join(each.rstrip() for each in lines[:3])
    assert yaml.safe_load(pasted) == [{"operation": "jobs.run_now", "where": {"job_id": [2099, 2100]}}]
    assert "alice" not in text


def test_an_empty_log_has_no_denials(tmp_path: Path) -> None:
    (tmp_path / "audit.jsonl").write_text("")
    assert run("denials", tmp_path).stdout == "nothing was denied\n"
    assert run("summary", tmp_path).stdout == "no records\n"
    assert run("search", tmp_path).exit_code == 1


# -- show ---------------------------------------------------------------------------------------------------------


def test_show_tells_the_story(folder: Path) -> None:
    call = next(each for each in DENIED if each["reason"] == "no_rule_matches" and each["subject"] == "alice")
    text = run("show", call["decision_id"], folder).stdout
    assert text.startswith(f"{call['decision_id']}  denied: no_rule_matches\n{call['detail']}\n")
    for part in (
        "Outcome\n",
        "it was not sent",
        "Policy\n",
        "  before  ",
        "The same subject\n",
        "- secrets.list_secrets",
    ):
        assert part in text
    story = data("show", call["decision_id"], folder)
    assert story["decision"]["seq"] == call["seq"]
    assert story["outcome"] is None
    assert story["remedy"]["yaml"] == "- secrets.list_secrets"
    allowed = next(each for each in CALLS if each["decision"] == "allow")
    assert data("show", allowed["decision_id"], folder)["remedy"] is None


def test_show_what_the_log_does_not_have(folder: Path) -> None:
    result = run("show", "nobody-1", folder)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no decision nobody-1" in result.stderr


# -- search -------------------------------------------------------------------------------------------------------


def test_search_by_filters(folder: Path) -> None:
    result = run(
        "search", folder, "--subject", "etl", "--operation", "jobs.*", "--decision", "deny", "--json"
    )
    rows = [json.loads(each) for each in result.stdout.splitlines()]
    expected = [each for each in CALLS if each["subject"] == "etl" and each["decision"] == "deny"]
    assert [row["decision_id"] for row in rows] == [each["decision_id"] for each in expected]


def test_search_for_people_shows_the_last(folder: Path) -> None:
    lines = run("search", folder, "--client", "10.0.8.*", "--limit", "5").stdout.splitlines()
    assert len(lines) == 6
    assert lines[0].split()[:2] == ["time", "decision"]


def test_search_finds_nothing(folder: Path) -> None:
    result = run("search", folder, "--subject", "nobody")
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", "nothing found\n")


def test_a_question_of_ones_own(folder: Path) -> None:
    sql = "SELECT subject, count_if(sent) AS sent FROM decisions GROUP BY ALL ORDER BY ALL"
    rows = [json.loads(each) for each in run("search", folder, "--sql", sql, "--json").stdout.splitlines()]
    assert [row["subject"] for row in rows if row["subject"]] == [
        "alice",
        "dashboard",
        "etl",
        "nightly-export",
        "old-script",
    ]
    text = run("search", folder, "--sql", sql, "--limit", "2").stdout.splitlines()
    assert text[0].split() == ["subject", "sent"]
    assert text[-1].strip() == "and 4 more"


@pytest.mark.parametrize(
    "sql",
    [
        "DROP VIEW records",
        "SELECT 1; DROP VIEW records",
        "COPY records TO '{file}'",
        "WITH x AS (COPY records TO '{file}') SELECT 1",
        "EXPLAIN ANALYZE SELECT 1",
        "ATTACH '{file}'",
        "SET memory_limit='1TB'",
        "PRAGMA version",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT 1) ; DROP VIEW records; --",
        "SELECT",
        "",
        "SELECT no_such_column FROM records",
    ],
)
def test_a_question_that_is_none(folder: Path, tmp_path: Path, sql: str) -> None:
    file = tmp_path / "made"
    result = run("search", folder, "--sql", sql.format(file=file))
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    assert not file.exists()


# -- unused -------------------------------------------------------------------------------------------------------


def test_unused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY)
    last = RECORDS[-1]["time"]
    arguments = ("unused", folder, "--rules", tmp_path, "--days", "3", "--until", last)
    result = run(*arguments)
    assert result.exit_code == 1
    assert "retired" in result.stdout
    assert "clusters.list" in result.stdout
    assert result.stderr == ""
    assert {row["name"] for row in data(*arguments)} >= {"retired", "clusters.list"}
    assert (
        "can't show that something was unused for 90 days"
        in run("unused", folder, "--rules", tmp_path).stderr
    )


def test_unused_with_a_policy_that_does_not_load(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text("version: 1\ntokns: {}\n")
    result = run("unused", folder, "--rules", tmp_path)
    assert result.exit_code == 2
    assert "unknown key 'tokns'" in result.output


# -- tail ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    return write_log(tmp_path, RECORDS)[-1]


def test_tail_shows_one_line_a_record(plain: Path) -> None:
    lines = run("tail", plain, "--once", "-n", "400").stdout.splitlines()
    assert len(lines) == 400
    assert lines[-1].split()[1] == "checkpoint"
    calls = [record for record in RECORDS[-400:] if record["event"] == "decision"]
    shown = [each for each in lines if each.split()[1] in ("allowed", "denied", "would")]
    assert len(shown) == len(calls) + sum(record["event"] == "tunnel" for record in RECORDS[-400:])
    for call in calls:
        assert any(
            each.endswith(f"  {call['decision_id']}") and f"{call['method']} " in each for each in shown
        )


def test_tail_with_filters_shows_the_outcomes_of_what_it_shows(plain: Path) -> None:
    result = run("tail", plain, "--once", "-n", "1000", "--subject", "dashboard", "--json")
    rows = [json.loads(each) for each in result.stdout.splitlines()]
    ids = {row["decision_id"] for row in rows if row["event"] == "decision"}
    assert ids
    assert {row["subject"] for row in rows if row["event"] == "decision"} == {"dashboard"}
    assert {row["decision_id"] for row in rows if row["event"] == "outcome"} <= ids
    broken = run("tail", plain, "--once", "-n", "1000", "--status", "5xx", "--json").stdout.splitlines()
    assert {json.loads(each)["status"] // 100 for each in broken} == {5}


def test_tail_says_what_it_did_not_see(plain: Path) -> None:
    content = plain.read_bytes().splitlines(keepends=True)
    plain.write_bytes(b"".join([*content[:-10], b"no json\n", *content[-5:]]))
    result = run("tail", plain, "--once", "-n", "20")
    assert "5 records of" in result.stderr
    assert "a line that is no record" in result.stderr


def test_tail_live_through_a_rotation_until_ctrl_c(plain: Path) -> None:
    command = [sys.executable, "-m", "brickscope.cli", "audit", "tail", str(plain), "-n", "1"]
    command[1:3] = ["-c", "from brickscope.cli.main import main; main()"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert "checkpoint" in process.stdout.readline()
        plain.rename(plain.with_name("audit-old.jsonl"))
        plain.write_bytes(line(CALLS[0] | {"seq": 7}))
        assert CALLS[0]["decision_id"] in process.stdout.readline()
        with plain.open("ab") as file:
            file.write(line(CALLS[1] | {"seq": 8}))
        assert CALLS[1]["decision_id"] in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
    finally:
        process.kill()
        process.communicate()


# -- files --------------------------------------------------------------------------------------------------------

TABLES = (("summary",), ("denials",), ("search", "--limit", "0"), ("unused", "--rules", "{policy}"))


@pytest.mark.parametrize("command", TABLES, ids=lambda command: command[0])
def test_the_same_table_as_csv_and_parquet(folder: Path, tmp_path: Path, command: tuple[str, ...]) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    arguments = [each.format(policy=policy) for each in command]
    as_csv, as_parquet = tmp_path / "out.csv", tmp_path / "out.parquet"
    assert run(*arguments, folder, "--csv", as_csv).exit_code in (0, 1)
    assert run(*arguments, folder, "--parquet", as_parquet).exit_code in (0, 1)
    header, *rows = csv.reader(io.StringIO(as_csv.read_text(), newline=""))
    result = duckdb.from_parquet(str(as_parquet))
    assert header == result.columns
    assert len(rows) == len(result.fetchall()) > 0
    assert run(*arguments, folder, "--csv", "-").stdout_bytes == as_csv.read_bytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--json", "--csv", "x"), "one of them"),
        (("--parquet", "-"), "needs a file"),
        (("--csv", "{log}"), "is a file of the log itself"),
        (("--parquet", "{log}"), "is a file of the log itself"),
        (("--csv", "/no/such/folder/x.csv"), "No such file or directory"),
        (("--since", "yesterday"), "is no time"),
        (("--since", "1d", "--until", "2d"), "nothing is between"),
    ],
)
def test_what_can_not_be_carried_out(folder: Path, options: tuple[str, ...], message: str) -> None:
    log = sorted(folder.iterdir())[0]
    before = log.read_bytes()
    result = run("summary", folder, *(each.format(log=log) for each in options))
    assert result.exit_code == 2
    assert message in result.output
    assert log.read_bytes() == before


@pytest.mark.parametrize(
    "command", [("summary",), ("denials",), ("show", "x-1"), ("search",), ("tail", "--once")]
)
def test_a_log_that_is_not_there(
    tmp_path: Path, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for path in ((), ("\x1b[31mno.jsonl",)):
        result = run(*command[:1], *command[1:], *path)
        assert result.exit_code == 2
        assert "there is no audit" in result.output
        assert "\x1b" not in result.output


def test_without_duckdb_it_is_said_how_to_get_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = builtins.__import__

    def without(name: str, *more: Any) -> Any:
        if name == "duckdb":
            raise ImportError(name)
        return whole(name, *more)

    monkeypatch.setattr(builtins, "__import__", without)
    result = run("summary", folder)
    assert result.exit_code == 2
    assert "DuckDB, which is not installed; to install it: " in result.output
    assert install_command("audit") in result.output


# -- pipes and terminals --------------------------------------------------------------------------------------------


def test_a_pipe_that_closes_early_is_no_error(folder: Path) -> None:
    code = "from brickscope.cli.main import main; main()"
    command = [sys.executable, "-c", code, "audit", "search", str(folder), "--limit", "0", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    process.wait(60)
    assert b"Traceback" not in process.stderr.read()
    process.stderr.close()


def test_no_progress_bar_where_nobody_looks(folder: Path) -> None:
    assert run("summary", folder).stderr == ""


def test_a_progress_bar_on_a_terminal_keeps_out_of_the_result(folder: Path) -> None:
    master, terminal = os.openpty()
    code = "from brickscope.cli.main import main; main()"
    command = [sys.executable, "-c", code, "audit", "summary", str(folder), "--json"]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=terminal, check=True)
        assert json.loads(done.stdout)["records"] == len(RECORDS)
        assert b"reading the log" in os.read(master, 10_000)
    finally:
        os.close(terminal)
        os.close(master)
