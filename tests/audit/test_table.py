"""Results as files: no spreadsheet runs them, no terminal obeys them, and nobody else may read them."""

from __future__ import annotations

import csv
import io
import json
import stat
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.made_log import made_records, write_log
from brickscope.audit.plain import to_json
from brickscope.audit.reader import AuditLog
from brickscope.audit.table import (
    Table,
    keep_answer,
    keep_table,
    new_file,
    part_of,
    write_answer,
    write_csv,
)

DAY = datetime.fromisoformat("2026-01-02")
FORMULAS = [
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "  =1",
    "\uff1d1",
    '=HYPERLINK("x")',
]


def cells(*rows: tuple[Any, ...]) -> list[list[str]]:
    sink = io.StringIO(newline="")
    write_csv(Table(dict.fromkeys(map(str, range(len(rows[0]))), "VARCHAR"), rows), sink)
    return list(csv.reader(io.StringIO(sink.getvalue(), newline="")))[1:]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_becomes_text(text: str) -> None:
    assert cells((text, [text], {"a": text})) == [["'" + text, json.dumps([text]), json.dumps({"a": text})]]


def test_other_values_are_themselves() -> None:
    moment = datetime.fromisoformat("2026-11-24T19:30:00.000005")
    assert cells((-5, 1.5, None, True, 'a,b\n"c"', moment)) == [
        ["-5", "1.5", "", "true", 'a,b\n"c"', "2026-11-24T19:30:00.000005Z"]
    ]


@given(
    st.lists(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=2, max_size=2), min_size=1)
)
def test_no_text_leaves_its_cell_or_is_run(rows: list[list[str]]) -> None:
    read = cells(*map(tuple, rows))
    assert [
        [cell.removeprefix("'") if cell != text else cell for cell, text in zip(got, row, strict=True)]
        for got, row in zip(read, rows, strict=True)
    ] == rows
    assert not any(
        cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "\n")) for row in read for cell in row
    )


@given(st.dictionaries(st.text(), st.text()))
def test_json_is_printable_ascii(value: dict[str, str]) -> None:
    text = to_json(value)
    assert text.isascii()
    assert text.isprintable()
    assert json.loads(text) == value


@pytest.fixture
def log(tmp_path: Path) -> Any:
    write_log(tmp_path / "log", made_records(300))
    with AuditLog([tmp_path / "log"], writes=part_of(tmp_path / "it's.parquet")) as opened:
        yield opened


def test_parquet_has_types_and_is_for_its_owner_alone(log: AuditLog, tmp_path: Path) -> None:
    path = tmp_path / "it's.parquet"
    keep_table(
        log,
        Table(
            {"name": "VARCHAR", "calls": "BIGINT", "seen": "TIMESTAMP"},
            [("=x\x1b", 2**60, DAY), (None, None, None)],
        ),
    )
    write_answer(log, path)
    rows = duckdb.from_parquet(str(path)).fetchall()
    assert rows == [("=x\x1b", 2**60, DAY), (None, None, None)]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(each.name for each in tmp_path.iterdir()) == ["it's.parquet", "log"]


def test_an_answer_keeps_its_order(log: AuditLog, tmp_path: Path) -> None:
    assert keep_answer(log, "SELECT seq FROM records ORDER BY hash -- by chance", {}) == 300
    path = tmp_path / "it's.parquet"
    write_answer(log, path)
    expected = log.ask("SELECT seq FROM records ORDER BY hash").fetchall()
    assert duckdb.from_parquet(str(path)).fetchall() == expected


def test_only_the_file_that_was_asked_for_can_be_written(log: AuditLog, tmp_path: Path) -> None:
    keep_answer(log, "SELECT 1", {})
    with pytest.raises(duckdb.Error, match="disabled by configuration"):
        write_answer(log, tmp_path / "other.parquet")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["log"]


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("before")

    def break_off() -> None:
        with new_file(path) as part:
            part.write_text("half")
            raise ValueError

    with pytest.raises(ValueError):
        break_off()
    assert path.read_text() == "before"
    assert [each.name for each in tmp_path.iterdir()] == ["x.csv"]
