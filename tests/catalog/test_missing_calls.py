"""``scripts/missing-calls``: what recorded traffic calls and the catalogue lacks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from catalogue.missing import main, recorded

LINES = {
    "an entry of the audit log": (
        json.dumps({"event": "request", "method": "GET", "path": "/api/2.2/jobs/list", "status": 200}),
        [("GET", "/api/2.2/jobs/list")],
    ),
    "an entry of no request": (json.dumps({"event": "policy_loaded"}), []),
    "an entry whose method is none": (json.dumps({"method": 7, "path": "/x"}), []),
    "a torn entry": ('{"method": "GET", "pa', []),
    "a method and a path": ("GET /api/2.2/jobs/list", [("GET", "/api/2.2/jobs/list")]),
    "a method and a URL": ("POST https://h/x?y=1  200", [("POST", "https://h/x?y=1")]),
    "a comment": ("# GET /x", []),
    "nothing": ("", []),
}


@pytest.mark.parametrize(("line", "expected"), LINES.values(), ids=LINES)
def test_a_line_is(line: str, expected: list[tuple[str, str]]) -> None:
    assert list(recorded([line])) == expected


RECORDS: dict[str, tuple[list[str], list[str], int]] = {
    "all known": (["GET /api/2.2/jobs/list?limit=1", "HEAD https://h/api/2.1/unity-catalog/catalogs"], [], 0),
    "some unknown, counted": (
        ["GET /api/2.2/jobs/list", "GET /api/2.0/new/things", "GET /api/2.0/new/things"],
        ["     2  GET /api/2.0/new/things"],
        1,
    ),
    "a known path by another method": (["PUT /api/2.2/jobs/list"], ["     1  PUT /api/2.2/jobs/list"], 1),
    "a path that is refused": (
        ["GET /api/2.0/../secrets/get"],
        ["     1  GET /api/2.0/../secrets/get  (not read: "],
        1,
    ),
    "nothing recorded": (["no call"], [], 0),
}


@pytest.mark.parametrize(("lines", "expected", "status"), RECORDS.values(), ids=RECORDS)
def test_a_record_lacks(lines: list[str], expected: list[str], status: int, tmp_path: Path) -> None:
    file = tmp_path / "calls.txt"
    file.write_text("\n".join(lines))
    done = CliRunner().invoke(main, [str(file)])
    assert done.exit_code == status, done.output
    found = done.stdout.splitlines()
    assert len(found) == len(expected)
    assert all(line.startswith(start) for line, start in zip(found, expected, strict=True))


def test_it_reads_standard_input_and_asks_for_a_file() -> None:
    assert CliRunner().invoke(main, ["-"], input="GET /api/2.0/new/things\n").exit_code == 1
    assert CliRunner().invoke(main, []).exit_code == 2
