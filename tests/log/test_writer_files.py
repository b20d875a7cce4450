"""How the writer looks after its file: one that is gone, full, or of yesterday."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from brickscope.audit.verify import Verifier
from brickscope.log.closed import series
from brickscope.log.error import AuditError
from brickscope.log.file import LogFile
from brickscope.log.writer import Keeping
from log.watched import FULL, Clock, events, failing, said
from log.written import call, open_writer, records, start, stop, verify


def test_a_file_that_was_replaced_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    writer = open_writer(tmp_path)
    start(writer)
    before = len(list(Path("/proc/self/fd").iterdir()))
    writer.path.unlink()
    call(writer)
    assert said(caplog) == [
        (
            logging.ERROR,
            "audit_moved",
            f"Brickscope: {writer.path} was deleted or moved away; a new one was begun",
        )
    ]
    gap = records(writer.path)[0]
    assert gap["detail"] == "the file was deleted, or moved away by another program"
    assert writer.statistics.gaps["file_replaced"] == 1
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_it_looks_after_its_file_once_a_second(tmp_path: Path, clock: Clock) -> None:
    writer = open_writer(tmp_path)
    start(writer)
    clock.now += 1
    call(writer)
    writer.path.rename(tmp_path / "moved")
    clock.now += 0.5
    call(writer)
    assert not writer.path.exists()
    clock.now += 0.5
    call(writer)
    assert events(writer) == ["gap", "decision", "outcome"]


def test_a_full_file_is_closed_and_synced(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = open_writer(tmp_path, Keeping(rotate_bytes=1500))
    start(writer)
    size = writer.path.stat().st_size
    assert size < 1500
    synced: list[int] = []
    monkeypatch.setattr("brickscope.log.file.sync", synced.append)
    while writer.path.stat().st_size < 1500:
        assert series(writer.path) == []
        call(writer)
    clock.now += 1
    call(writer)
    (closed,) = series(writer.path)
    assert writer.closed == [closed]
    assert closed.name == f"audit-20270115T080001Z-{writer.instance}-{records(closed)[-1]['seq']}.jsonl"
    assert [records(closed)[-1]["event"], records(closed)[-1]["cause"]] == ["checkpoint", "rotation"]
    assert records(writer.path)[0]["prev_hash"] == records(closed)[-1]["hash"]
    assert len(synced) == 1
    assert verify([closed, writer.path], Verifier()).findings == []


def test_a_file_of_exactly_that_size_is_full(tmp_path: Path, clock: Clock) -> None:
    first = open_writer(tmp_path / "first")
    start(first)
    size = first.path.stat().st_size
    for limit, closes in ((size, True), (size + 1, False)):
        writer = open_writer(tmp_path / str(limit), Keeping(rotate_bytes=limit))
        start(writer)
        assert writer.path.stat().st_size == size
        clock.now += 1
        call(writer)
        assert bool(series(writer.path)) is closes


def test_a_file_that_is_never_synced_is_not_synced_when_it_is_closed(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = open_writer(tmp_path, Keeping("never", rotate_bytes=1))
    start(writer)
    monkeypatch.setattr("brickscope.log.file.sync", failing(OSError(5, "x")))
    clock.now += 1
    call(writer)
    assert len(series(writer.path)) == 1
    stop(writer)


def test_an_empty_file_is_not_closed(tmp_path: Path, clock: Clock) -> None:
    writer = open_writer(tmp_path, Keeping(daily=True))
    clock.now += 86_400
    call(writer)
    assert series(writer.path) == []
    clock.now += 86_400
    call(writer)
    assert len(series(writer.path)) == 1
    clock.now += 3600
    call(writer)
    assert len(series(writer.path)) == 1


def test_without_rotation_a_file_is_not_closed(tmp_path: Path, clock: Clock) -> None:
    writer = open_writer(tmp_path)
    start(writer)
    clock.now += 10 * 86_400
    call(writer)
    assert series(writer.path) == []


def test_a_rotation_that_failed_is_tried_again_a_minute_later(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    writer = open_writer(tmp_path, Keeping(rotate_bytes=1))
    start(writer)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", failing(PermissionError(13, "Permission denied")))
        clock.now += 1
        call(writer)
    assert said(caplog) == [
        (
            logging.ERROR,
            "audit_upkeep",
            "Brickscope: the audit log can't be rotated, and continues in the same file: [Errno 13] Permission denied",
        )
    ]
    clock.now += 59
    call(writer)
    assert series(writer.path) == []
    clock.now += 1
    call(writer)
    assert len(series(writer.path)) == 1


def test_a_rotation_without_a_new_file_is_taken_back(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = open_writer(tmp_path, Keeping(rotate_bytes=1))
    start(writer)
    real = LogFile.__init__

    def fails(file: LogFile, path: Path, *, new: bool = False) -> None:
        if new:
            raise AuditError("no inode left")
        real(file, path, new=new)

    with monkeypatch.context() as patch:
        patch.setattr(LogFile, "__init__", fails)
        clock.now += 1
        call(writer)
    assert series(writer.path) == []
    assert events(writer) == ["start", "checkpoint", "decision", "outcome"]


def test_while_the_log_fails_nothing_is_rotated(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = open_writer(tmp_path, Keeping(rotate_bytes=1))
    start(writer)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", failing(FULL))
        for _ in range(3):
            clock.now += 1
            with pytest.raises(AuditError):
                call(writer)
    assert series(writer.path) == []


def test_a_day_on_whose_first_call_the_log_failed_gets_a_file_all_the_same(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = open_writer(tmp_path, Keeping(daily=True))
    start(writer)
    clock.now += 86_400
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", failing(FULL))
        with pytest.raises(AuditError):
            call(writer)
    assert series(writer.path) == []
    for _ in range(2):  # the first finds out that it is written again
        clock.now += 1
        call(writer)
    assert len(series(writer.path)) == 1


@pytest.mark.parametrize(("fsync", "times"), [("always", 2), ("interval", 1), ("never", 0)])
def test_the_last_records_are_brought_to_disk_as_the_others_are(
    fsync: str, times: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = open_writer(tmp_path, Keeping(fsync))
    start(writer)
    synced: list[int] = []
    monkeypatch.setattr("brickscope.log.file.sync", synced.append)
    writer.close()
    assert len(synced) == times


def test_an_old_file_that_cannot_be_synced_is_told(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    writer = open_writer(tmp_path, Keeping(rotate_bytes=1))
    start(writer)
    monkeypatch.setattr("brickscope.log.file.sync", failing(OSError(5, "Input/output error")))
    clock.now += 1
    call(writer)
    assert said(caplog) == [
        (
            logging.ERROR,
            "audit_upkeep",
            f"Brickscope: the audit log {writer.path} can't be synced to disk: Input/output error",
        )
    ]
    assert writer.statistics.failures == 1
    assert len(series(writer.path)) == 1


def test_a_closed_log_is_signed_synced_and_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = open_writer(tmp_path)
    start(writer)
    synced: list[int] = []
    monkeypatch.setattr("brickscope.log.file.sync", synced.append)
    writer.close()
    assert len(synced) == 1
    end = records(writer.path)[-1]
    assert (end["event"], end["cause"]) == ("checkpoint", "stop")
    with pytest.raises(AuditError) as error:
        call(writer)
    assert str(error.value) == f"the audit log {writer.path} is closed"
    open_writer(tmp_path).close()


def test_checkpoints_come_after_so_many_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("brickscope.log.writer.CHECKPOINT_RECORDS", 5)
    writer = open_writer(tmp_path)
    start(writer)
    for _ in range(4):
        call(writer, outcome=False)
    assert events(writer) == ["start", *["decision"] * 4, "checkpoint"]
    for _ in range(5):
        call(writer, outcome=False)
    assert events(writer)[6:] == [*["decision"] * 5, "checkpoint"]
    assert [each["records"] for each in records(writer.path) if each["event"] == "checkpoint"] == [5, 5]


def test_the_limits_of_a_log() -> None:
    from brickscope.log import writer

    assert (writer.CHECKPOINT_RECORDS, writer.CHECKPOINT_SECONDS, writer.ROTATION_PAUSE_S) == (10_000, 60, 60)
