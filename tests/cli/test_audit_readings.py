"""``brickscope audit`` of calls that could be read in several ways, or that spell an object in another way than rules do."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from audit.example_records import CALLS, decision
from audit.made_log import write_log
from brickscope.cli.main import main

SPELLING, READINGS = "an object in another spelling", "several readings"
FLAWED = {
    "decision": "deny",
    "enforced": False,
    "mode": "monitor",
    "reason": "path_not_canonical",
    "detail": "the path has a dot segment",
    "operation": None,
    "rule": None,
    "path": "/api/2.1/../x",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("log")
    calls = [decision(), CALLS[SPELLING][0], CALLS[READINGS][0], decision(**FLAWED)]
    # Each a call of its own, one after the other.
    records = [
        {**call, "seq": number, "hash": f"{number:064x}", "decision_id": f"397d7b97-{number}"}
        for number, call in enumerate(calls, 1)
    ]
    write_log(made, records)
    return made


def run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(main, ["audit", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.stdout


def rows(folder: Path, *more: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run("search", folder, "--json", *more).splitlines()]


def test_search_shows_them_where_there_are_any(folder: Path) -> None:
    head, *calls = run("search", folder).splitlines()
    assert "params sent" in head
    assert "readings" in head
    assert '{"path":"/Users/me/nb"}' in calls[1]
    assert "split at '/'" in calls[2]
    plain = run("search", folder, "--operation", "jobs.run_now")
    assert "readings" not in plain
    assert "params sent" not in plain


def test_search_has_them_as_data(folder: Path) -> None:
    _, spelling, readings, _ = rows(folder)
    assert spelling["params_sent"] == {"path": "/Users/me/nb"}
    assert readings["readings"] == ["as it stands", "split at '/'"]
    table = list(csv.DictReader(io.StringIO(run("search", folder, "--csv", "-"))))
    assert [each["params_sent"] != "" for each in table] == [False, True, False, False]


def test_they_can_be_asked_for(folder: Path) -> None:
    sql = "SELECT decision_id FROM decisions WHERE readings IS NOT NULL OR params_sent->>'$.path' LIKE '/Users/%'"
    found = [
        json.loads(line)["decision_id"] for line in run("search", folder, "--sql", sql, "--json").splitlines()
    ]
    assert found == ["397d7b97-2", "397d7b97-3"]


def test_show_tells_which_reading_decided_and_what_was_sent(folder: Path) -> None:
    assert "readings        as it stands (which decided); split at '/'" in run("show", "397d7b97-3", folder)
    text = run("show", "397d7b97-2", folder)
    assert 'params sent     {"path": "/Users/me/nb"}' in text
    story = json.loads(run("show", "397d7b97-3", folder, "--json"))
    assert story["decision"]["readings"] == ["as it stands", "split at '/'"]


def test_show_says_what_a_client_can_change(folder: Path) -> None:
    text = run("show", "397d7b97-4", folder)
    assert "would be denied: path_not_canonical" in text
    assert (
        "no rule can allow it; what the client can change: write the path without empty or dot segments"
        in text
    )


def test_summary_counts_them(folder: Path) -> None:
    text = run("summary", folder)
    assert (
        "of them 1 with several readings, 1 that name an object in another spelling than rules compare\n"
        in text
    )
    said = json.loads(run("summary", folder, "--json"))
    assert (said["several_readings"], said["respelled"]) == (1, 1)
    allowed = next(row for row in said["reasons"] if row["reason"] == "allowed_by_rule")
    assert (allowed["several_readings"], allowed["respelled"]) == (1, 1)


def test_summary_says_nothing_where_there_are_none(tmp_path: Path) -> None:
    write_log(tmp_path, [decision()])
    assert "several readings" not in run("summary", tmp_path)
