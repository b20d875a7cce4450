"""The log as tables: each record once, whatever the files are like; nothing else can be opened."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from backports import zstd

from audit.made_log import Record, line, made_records, write_log
from brickscope.audit import event
from brickscope.audit.event import COLUMNS
from brickscope.audit.period import Period
from brickscope.audit.reader import AuditLog, Faults
from brickscope.audit.source import SourceError

MANY = 3000


def one(log: AuditLog, sql: str) -> Any:
    row = log.ask(sql).fetchone()
    assert row is not None
    return row[0] if len(row) == 1 else row


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return list(made_records(MANY, runs=3))


def test_the_columns_are_the_fields_of_the_published_schema() -> None:
    records = json.loads(event.render())["$defs"].values()
    assert set(COLUMNS) == {name for record in records for name in record["properties"]}


def test_every_value_comes_back_as_it_was_written(tmp_path: Path, records: list[Record]) -> None:
    write_log(tmp_path, records)
    with AuditLog([tmp_path]) as log:
        result = log.ask("SELECT * FROM records")
        names = [column[0] for column in result.description or ()]
        found = {
            (row["instance"], row["seq"]): row
            for row in (dict(zip(names, each, strict=True)) for each in result.fetchall())
        }
    assert len(found) == len(records)
    for record in records:
        row = found[record["instance"], record["seq"]]
        for name, value in record.items():
            read = row[name]
            if COLUMNS[name] == "JSON" and read is not None:
                read = json.loads(read)
            if COLUMNS[name] == "TIMESTAMP":
                read = f"{read:%Y-%m-%dT%H:%M:%S.%f}Z"
            assert read == value, (name, record)
        assert all(row[name] is None for name in COLUMNS if name not in record)


@pytest.mark.parametrize("compression", ["", ".zst", ".gz"])
def test_a_rotated_series_is_one_log(tmp_path: Path, records: list[Record], compression: str) -> None:
    files = write_log(tmp_path, records, each=500, compression=compression)
    assert len(files) > 5
    with AuditLog([tmp_path]) as log:
        assert not log.repeated
        assert one(log, "SELECT count(*), count(DISTINCT hash), min(seq) FROM records") == (
            len(records),
            len(records),
            1,
        )
        assert log.find_faults() == Faults(0, [], {})


def test_many_instances_in_many_folders(tmp_path: Path) -> None:
    total = 0
    for seed, compression in ((1, ""), (2, ".gz"), (3, ".zst")):
        made = list(made_records(600, seed=seed))
        total += len(made)
        write_log(tmp_path / f"proxy-{seed}", made, each=150, compression=compression)
    with AuditLog([f"{tmp_path}/proxy-[12]/*", tmp_path / "proxy-3"]) as log:
        assert not log.repeated
        assert one(log, "SELECT count(*), count(DISTINCT instance) FROM records") == (total, 6)


def test_what_was_sent_counts_what_monitor_let_go_on(tmp_path: Path, records: list[Record]) -> None:
    write_log(tmp_path, records)
    calls = [each for each in records if each["event"] == "decision"]
    sent = [each for each in calls if each["decision"] == "allow" or not each["enforced"]]
    with AuditLog([tmp_path]) as log:
        assert one(log, "SELECT count(*), count_if(sent) FROM decisions") == (len(calls), len(sent))
        outcomes = one(log, "SELECT count(*) FROM outcomes")
        assert outcomes == len(sent)
        rest = one(log, "SELECT (SELECT count(*) FROM tunnels) + (SELECT count(*) FROM events)")
        assert rest + len(calls) + outcomes == len(records)


# -- the same record in several files ---------------------------------------------------------------------------


def _the_same_path_twice(folder: Path, files: list[Path]) -> list[Any]:
    return [files[0], folder, str(folder / "*.jsonl*")]


def _a_link(folder: Path, files: list[Path]) -> list[Any]:
    (folder / "link.jsonl").symlink_to(files[-1])
    return [folder]


def _a_compressed_copy(folder: Path, files: list[Path]) -> list[Any]:
    for file in files[:2]:
        copy = file.with_name(file.name + ".zst")
        copy.write_bytes(zstd.compress(file.read_bytes()))
    return [folder]


def _an_older_copy_of_the_active_file(folder: Path, files: list[Path]) -> list[Any]:
    lines = files[-1].read_bytes().splitlines(keepends=True)
    (folder / "backup.jsonl.gz").write_bytes(gzip.compress(b"".join(lines[:40])))
    return [folder]


def _its_end_as_a_piece(folder: Path, files: list[Path]) -> list[Any]:
    (folder / "piece.jsonl").write_bytes(b"".join(files[1].read_bytes().splitlines(keepends=True)[-30:]))
    return [folder]


def _a_piece_of_the_middle_with_an_odd_name(folder: Path, files: list[Path]) -> list[Any]:
    lines = files[0].read_bytes().splitlines(keepends=True)[50:60]
    (folder / "for support.jsonl.zst").write_bytes(zstd.compress(b"".join(lines)))
    return [folder]


def _all_in_one_file_too(folder: Path, files: list[Path]) -> list[Any]:
    (folder / "all.jsonl.gz").write_bytes(gzip.compress(b"".join(file.read_bytes() for file in files)))
    return [folder]


def _a_piece_of_a_run_that_neither_begins_nor_ends_the_file(folder: Path, files: list[Path]) -> list[Any]:
    lines = [each for file in files for each in file.read_bytes().splitlines(keepends=True)]
    for file in files:
        file.unlink()
    (folder / "audit.jsonl").write_bytes(b"".join(lines))
    (folder / "piece.jsonl").write_bytes(b"".join(lines[1400:1500]))
    return [folder]


@pytest.mark.parametrize(
    "again",
    [
        _the_same_path_twice,
        _a_link,
        _a_compressed_copy,
        _an_older_copy_of_the_active_file,
        _its_end_as_a_piece,
        _a_piece_of_the_middle_with_an_odd_name,
        _all_in_one_file_too,
        _a_piece_of_a_run_that_neither_begins_nor_ends_the_file,
    ],
)
def test_a_record_in_two_files_counts_once(
    tmp_path: Path, records: list[Record], again: Callable[[Path, list[Path]], list[Any]]
) -> None:
    paths = again(tmp_path, write_log(tmp_path, records, each=700))
    with AuditLog(paths) as log:
        assert one(log, "SELECT count(*), count(DISTINCT hash) FROM records") == (len(records), len(records))


def test_records_that_claim_one_number_and_differ_are_both_there(
    tmp_path: Path, records: list[Record]
) -> None:
    write_log(tmp_path, records[:100])
    (tmp_path / "forged.jsonl").write_bytes(line(records[50] | {"subject": "mallory", "hash": "f" * 64}))
    with AuditLog([tmp_path]) as log:
        assert one(log, "SELECT count(*) FROM records") == 101


# -- periods ----------------------------------------------------------------------------------------------------


def test_a_period_holds_its_first_moment_and_not_its_last(tmp_path: Path, records: list[Record]) -> None:
    write_log(tmp_path, records, each=300, compression=".gz")
    since, until = (datetime.fromisoformat(records[at]["time"][:-1]) for at in (1000, 2000))
    expected = [each for each in records if records[1000]["time"] <= each["time"] < records[2000]["time"]]
    with AuditLog([tmp_path], Period(since, until)) as log:
        assert one(log, "SELECT count(*) FROM records") == len(expected)
        assert len(log.sources) < 12  # days apart by its first and last record, a file is not opened


# -- bad lines and broken files -----------------------------------------------------------------------------------

BAD: dict[str, tuple[bytes, str]] = {
    "the beginning of a record": (b'{"schema":1,"time":"2026-11', "no JSON"),
    "a list": (b"[1, 2]", "no object: list"),
    "a number": (b"42", "no object: int"),
    "an empty object": (b"{}", "has no time"),
    "bytes that are no UTF-8": (b'{"event":"\xff\xfe"}', "no JSON"),
    "zeros, as a crash leaves them": (b"\0" * 5000, "no JSON"),
    "two records in a line": (b"{TWICE}", "no JSON"),
    "a time that is none": (b'{"time":"20x6","seq":1,"instance":"a","event":"stop"}', "time is not"),
    "a number beyond all": (
        b'{"time":"2026-11-01T00:00:00Z","seq":1%b,"instance":"a","event":"stop"}' % (b"0" * 40),
        "seq is not",
    ),
    "nested a thousand deep": (b"[" * 5000, "no JSON"),
    "half a surrogate": (b'{"event":"\\ud800"}', "no JSON"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("compression", ["", ".gz"])
def test_a_bad_line_costs_itself_and_is_named(
    tmp_path: Path, records: list[Record], name: str, compression: str
) -> None:
    bad, why = BAD[name]
    good = [line(each) for each in records[:60]]
    content = b"".join([*good[:30], b"\n", bad.replace(b"{TWICE}", good[0].strip() * 2), b"\n", *good[30:]])
    file = tmp_path / f"audit.jsonl{compression}"
    file.write_bytes(gzip.compress(content) if compression else content)
    with AuditLog([file]) as log:
        assert one(log, "SELECT count(*) FROM records") == 60
        assert log.make_facts() == 1
        faults = log.find_faults()
    assert faults.lines == 1
    assert [(each.file, each.number) for each in faults.named] == [(str(file), 32)]
    assert why in faults.named[0].why
    assert faults.named[0].why.isascii()


@pytest.mark.parametrize("time", ["infinity", "-infinity", "10000-01-01T00:00:00Z", "0000-01-01T00:00:00Z"])
def test_a_time_that_no_record_can_have_is_a_bad_line(
    tmp_path: Path, records: list[Record], time: str
) -> None:
    """DuckDB has such times, and whoever reads its answers stumbles over them."""
    file = tmp_path / "audit.jsonl"
    file.write_bytes(line(records[0]) + line({**records[1], "time": time}))
    with AuditLog([file]) as log:
        assert one(log, "SELECT count(*) FROM records") == 1
        assert one(log, "SELECT count(*) FROM audit_records WHERE event IS NULL AND time IS NULL") == 1
        faults = log.find_faults()
    assert faults.lines == 1
    assert [bad.number for bad in faults.named] == [2]


def test_a_torn_end_is_named_as_such(tmp_path: Path, records: list[Record]) -> None:
    file = tmp_path / "audit.jsonl"
    file.write_bytes(b"".join(map(line, records[:10])) + line(records[10])[:200])
    with AuditLog([file]) as log:
        faults = log.find_faults()
    assert [(each.number, each.why) for each in faults.named] == [(11, "torn: the file ends within the line")]


def _cut(content: bytes) -> bytes:
    return content[: len(content) * 2 // 3]


def _flipped(content: bytes) -> bytes:
    half = len(content) // 2
    return content[:half] + bytes(byte ^ 0xA5 for byte in content[half : half + 8]) + content[half + 8 :]


@pytest.mark.parametrize("damage", [_cut, _flipped])
@pytest.mark.parametrize("compression", [".zst", ".gz"])
def test_a_damaged_file_is_read_as_far_as_it_is_whole(
    tmp_path: Path, compression: str, damage: Callable[[bytes], bytes]
) -> None:
    made = list(made_records(6000, runs=1))
    files = write_log(tmp_path, made, each=4000, compression=compression)
    files[0].write_bytes(damage(files[0].read_bytes()))
    with AuditLog([tmp_path]) as log:
        count = one(log, "SELECT count(*) FROM records")
        assert one(log, "SELECT count(DISTINCT log_file) FROM records") == 2
        assert one(log, f"SELECT count(*) FROM records WHERE log_file = '{files[0]}'") == count - (
            len(made) - 4000
        )
        faults = log.find_faults()
    assert len(made) - 4000 < count < len(made)
    assert faults
    assert faults.damaged.keys() <= {str(files[0])}


def test_a_file_that_is_not_what_its_name_says(tmp_path: Path, records: list[Record]) -> None:
    write_log(tmp_path, records[:100])
    (tmp_path / "other.jsonl.zst").write_bytes(b"plain text\n")
    (tmp_path / "empty.jsonl.gz").write_bytes(b"")
    (tmp_path / "empty.jsonl").write_bytes(b"")
    with AuditLog([tmp_path]) as log:
        assert one(log, "SELECT count(*) FROM records") == 100
        assert list(log.find_faults().damaged) == [str(tmp_path / "other.jsonl.zst")]


def test_a_line_without_end_is_left_out(tmp_path: Path, records: list[Record]) -> None:
    file = tmp_path / "audit.jsonl"
    with file.open("wb") as sink:
        sink.write(line(records[0]))
        for _ in range(40):
            sink.write(b"x" * 1024 * 1024)
        sink.write(b"\n" + line(records[1]))
    with AuditLog([file]) as log:
        assert one(log, "SELECT count(*) FROM records") == 2
        assert "line 2 is longer" in log.find_faults().damaged[str(file)]


def test_a_long_line_is_a_record(tmp_path: Path, records: list[Record]) -> None:
    (tmp_path / "audit.jsonl").write_bytes(line(records[0] | {"version": "y" * 100_000}))
    with AuditLog([tmp_path]) as log:
        assert one(log, "SELECT length(version) FROM records") == 100_000


# -- hostile names, and what SQL may do ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["a*.jsonl", "it's.jsonl", "[a].jsonl", "s3:", "back\\slash.jsonl", "';DROP.jsonl", "ü\n.jsonl"]
)
def test_odd_names_are_names(tmp_path: Path, records: list[Record], name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    write_log(folder, records[:10], name=name.replace("/", "_").removesuffix(".jsonl"))
    (folder / "ab.jsonl").write_bytes(line(records[11]))
    for file in folder.iterdir():
        with AuditLog([file]) as log:
            expected = 1 if file.name == "ab.jsonl" else 10
            assert log.ask("SELECT log_file, count(*) FROM records GROUP BY log_file").fetchall() == [
                (str(file), expected)
            ]


def test_a_name_that_is_no_text(tmp_path: Path, records: list[Record]) -> None:
    file = os.fsencode(tmp_path) + b"/\xff.jsonl"
    Path(os.fsdecode(file)).write_bytes(line(records[0]))
    with AuditLog([tmp_path]) as log:
        assert one(log, "SELECT log_file FROM records") == f"{tmp_path}/\\xff.jsonl"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM glob('/*')",
        "COPY (SELECT 1) TO '{folder}/new.csv'",
        "ATTACH '{folder}/new.db'",
        "EXPORT DATABASE '{folder}/new'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SELECT * FROM read_json('https://example.com/x.jsonl')",
        "SELECT * FROM records_of_python",
        "SET enable_external_access = true",
        "RESET enable_external_access",
        "SET memory_limit = '100GB'",
        "SET allowed_directories = ['/']",
    ],
)
def test_sql_opens_nothing_else_and_changes_no_setting(
    tmp_path: Path, records: list[Record], sql: str
) -> None:
    write_log(tmp_path, records[:10])
    records_of_python = [1]
    with AuditLog([tmp_path]) as log:
        with pytest.raises(duckdb.Error):
            log.ask(sql.format(folder=tmp_path))
        assert one(log, "SELECT count(*) FROM records") == 10
    assert [each.name for each in tmp_path.iterdir()] == ["audit.jsonl"]
    assert records_of_python


@pytest.mark.parametrize(
    ("path", "message"),
    [("no.jsonl", "there is no audit log"), ("*.jsonl", "there is no audit log"), (".", "holds no")],
)
def test_a_path_that_leads_to_nothing(tmp_path: Path, path: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        AuditLog([tmp_path / path])


def test_temporary_files_go_with_the_log(
    tmp_path: Path, records: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    spare = tmp_path / "spare"
    spare.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(spare))
    write_log(tmp_path / "log", records[:10], name="odd*")
    with AuditLog([tmp_path / "log"]) as log:
        assert one(log, "SELECT count(*) FROM records") == 10
        assert list(spare.iterdir())
    assert not list(spare.iterdir())


def test_progress_is_told_of(tmp_path: Path, records: list[Record]) -> None:
    write_log(tmp_path, records)
    told: list[float] = []
    with AuditLog([tmp_path]) as log:
        log.make_facts(told.append)
        slow = "SELECT count(*) FROM range(30000) a, range(30000) b WHERE hash(a.range + b.range) % 7 = 1"
        log.ask(slow, (), told.append)
    assert told
    assert all(0 <= share <= 1 for share in told)


def test_a_machine_of_many_processors_needs_no_more_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = list(made_records(60_000))
    write_log(tmp_path, made)
    monkeypatch.setattr("os.cpu_count", lambda: 128)
    with AuditLog([tmp_path]) as log:
        assert one(log, "SELECT current_setting('threads')") <= 16
        assert log.make_facts() == 0
        assert one(log, "SELECT sum(records) FROM audit_facts") == len(made)
