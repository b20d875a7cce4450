"""What the writer says of itself, and of times in which it could not write."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from brickscope.log.error import AuditError
from brickscope.log.writer import Keeping
from log.watched import FULL, Clock, events, failing, said
from log.written import call, open_writer, records, run, start

# -- what it says of itself ------------------------------------------------------------------------------------------


def test_a_new_writer_says_what_it_is(tmp_path: Path) -> None:
    writer = open_writer(tmp_path)
    assert (writer.path, writer.revision, writer.closed, writer.previous) == (
        tmp_path / "audit.jsonl",
        None,
        [],
        None,
    )
    assert writer.keeping == Keeping("interval", 0, False)
    assert len(writer.instance) == 8
    assert (writer.is_failing, writer.trouble, writer.is_in_place) == (False, "", True)
    assert (writer.written, writer.unsigned_s, writer.unsynced_s) == (None, 0.0, 0.0)
    assert writer.new_decision_id() == f"{writer.instance}-1"
    assert writer.new_decision_id() == f"{writer.instance}-2"
    found = os.statvfs(tmp_path)
    assert writer.free_bytes is not None
    assert abs(writer.free_bytes - found.f_bavail * found.f_frsize) < 1 << 30
    writer.close()
    assert writer.free_bytes is None
    assert writer.unsynced_s is None
    assert writer.is_in_place
    assert writer.tick() == -1
    assert writer.path.read_bytes() == b"", "nothing was written, so nothing is signed"


def test_when_the_file_was_written_before(tmp_path: Path) -> None:
    run(tmp_path)
    os.utime(tmp_path / "audit.jsonl", (1_700_000_000, 1_700_000_000))
    assert open_writer(tmp_path).written == 1_700_000_000


def test_how_long_records_stand_unsigned_and_unsynced(tmp_path: Path, clock: Clock) -> None:
    writer = open_writer(tmp_path)
    start(writer)
    clock.now += 5
    call(writer)
    clock.now += 7
    assert (writer.unsigned_s, writer.unsynced_s) == (12.0, 12.0)
    writer.checkpoint("interval")
    assert writer.unsigned_s == 0.0
    clock.now += 3
    call(writer)
    clock.now += 2
    assert writer.unsigned_s == 2.0
    assert writer.tick() == writer._file.fd
    writer.statistics.sync_ends(success=True)
    assert writer.unsynced_s == 0.0
    never = open_writer(tmp_path / "never", Keeping("never"))
    start(never)
    assert never.unsynced_s is None
    assert never.tick() == -1


def test_what_stands_in_each_record(tmp_path: Path, clock: Clock) -> None:
    writer = open_writer(tmp_path)
    writer.revision = "rev"
    clock.now += 0.25
    start(writer)
    clock.now += 60.5
    call(writer)
    first, second, _ = records(writer.path)
    assert (first["schema"], first["time"], first["seq"]) == (1, "2027-01-15T08:00:00.250000Z", 1)
    assert (second["time"], second["seq"], second["policy_revision"]) == (
        "2027-01-15T08:01:00.750000Z",
        2,
        "rev",
    )


def test_the_numbers_of_a_writer(tmp_path: Path) -> None:
    writer = open_writer(tmp_path)
    start(writer)
    call(writer)
    statistics = writer.statistics
    assert (statistics.records, statistics.bytes) == (3, writer.path.stat().st_size)
    writer.note_deleted("x")
    writer.note_deleted("y")
    call(writer, outcome=False)
    assert (statistics.records, statistics.bytes) == (6, writer.path.stat().st_size)
    assert statistics.gaps["retention"] == 2
    assert [record.get("detail") for record in records(writer.path)[3:5]] == ["older than what is kept"] * 2


# -- trouble ---------------------------------------------------------------------------------------------------------


def test_trouble_is_told_once_and_ends_with_a_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, clock: Clock
) -> None:
    writer = open_writer(tmp_path)
    start(writer)
    why = f"the audit log {writer.path} can't be written: No space left on device"
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", failing(FULL))
        for _ in range(3):
            with pytest.raises(AuditError):
                call(writer)
        with pytest.raises(AuditError):
            writer.append("outcome", {"decision_id": "x"})
        writer.checkpoint("interval")  # nobody waits for it, and it is written later
        assert (writer.is_failing, writer.trouble) == (True, why)
        assert writer.statistics.failures == 5
        assert writer.statistics.failed_at == clock.now
        # as if it had not been tried: what it would have signed is still unsigned
        clock.now += 9
        assert writer.unsigned_s == 9.0
    assert said(caplog) == [
        (
            logging.ERROR,
            "audit_failing",
            f"Brickscope: {why}. EVERY CALL IS DENIED until it can be written again",
        )
    ]
    call(writer)
    assert (writer.is_failing, writer.trouble) == (False, "")
    assert said(caplog) == [
        (
            logging.WARNING,
            "audit_recovered",
            "Brickscope: the audit log is written again; 3 calls were denied meanwhile",
        )
    ]
    gap = records(writer.path)[1]
    assert {name: gap[name] for name in ("cause", "detail", "since", "denied", "lost")} == {
        "cause": "write_failed",
        "detail": why,
        "since": "2027-01-15T08:00:00Z",
        "denied": 3,
        "lost": 1,
    }
    assert writer.statistics.gaps["write_failed"] == 1


def test_the_number_of_denied_calls_goes_to_the_operators_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    writer = open_writer(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", failing(FULL))
        with pytest.raises(AuditError):
            call(writer)
    caplog.clear()
    call(writer)
    assert caplog.records[0].__dict__["fields"] == {"denied": 1}


def test_a_sync_that_fails_denies_and_the_record_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    writer = open_writer(tmp_path, Keeping("always"))
    start(writer)
    with monkeypatch.context() as patch:
        patch.setattr("brickscope.log.file.sync", failing(OSError(5, "Input/output error")))
        with pytest.raises(AuditError):
            call(writer)
        assert writer.trouble == f"the audit log {writer.path} can't be synced to disk: Input/output error"
        assert writer.unsynced_s is not None
    call(writer)
    found = records(writer.path)
    assert [each["event"] for each in found] == ["start", "decision", "gap", "decision", "outcome"]
    assert found[2]["denied"] == 1
    assert [event for _, event, _ in said(caplog)] == ["audit_failing", "audit_recovered"]
    assert writer.unsynced_s is not None


def test_it_recovers_by_itself_once_there_is_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A balancer sends no calls to a proxy whose log is broken, so the tick has to find out; but not while a disk has
    room for a single record only."""
    writer = open_writer(tmp_path)
    start(writer)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", failing(FULL))
        with pytest.raises(AuditError):
            call(writer)
        writer.tick()
        assert writer.is_failing

    def room(blocks: int) -> Callable[[int], Any]:
        return lambda fd: type("Found", (), {"f_bavail": blocks, "f_frsize": 1})()

    monkeypatch.setattr(os, "fstatvfs", room(16 * 1024 - 1))
    writer.tick()
    assert writer.is_failing
    monkeypatch.setattr(os, "fstatvfs", room(16 * 1024))
    assert writer.free_bytes == 16 * 1024
    writer.tick()
    assert not writer.is_failing
    assert events(writer) == ["start", "gap", "checkpoint"]
    monkeypatch.setattr(os, "fstatvfs", failing(OSError(5, "Input/output error")))
    assert writer.free_bytes is None


def test_a_tick_signs_what_is_a_minute_old(tmp_path: Path, clock: Clock) -> None:
    writer = open_writer(tmp_path)
    start(writer)
    clock.now += 59
    writer.tick()
    assert events(writer) == ["start"]
    clock.now += 1
    writer.tick()
    assert events(writer) == ["start", "checkpoint"]
    clock.now += 600
    writer.tick()
    assert events(writer) == ["start", "checkpoint"], "nothing came since"


def test_a_tick_makes_a_file_that_is_gone(tmp_path: Path) -> None:
    writer = open_writer(tmp_path)
    start(writer)
    writer.path.unlink()
    assert not writer.is_in_place
    writer.tick()
    assert writer.is_in_place
    assert events(writer) == ["gap", "checkpoint"]


def test_a_run_that_goes_on_signs_at_once(tmp_path: Path) -> None:
    first = run(tmp_path)
    before = len(records(first.path))
    second = open_writer(tmp_path)
    start(second)
    call(second)
    assert [each["event"] for each in records(second.path)[before:]] == [
        "start",
        "checkpoint",
        "decision",
        "outcome",
    ]


def test_what_a_sync_did_not_bring_to_disk_is_still_at_risk(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = open_writer(tmp_path, Keeping("always"))
    monkeypatch.setattr("brickscope.log.file.sync", failing(OSError(5, "Input/output error")))
    with pytest.raises(AuditError):
        start(writer)
    clock.now += 3
    assert writer.unsynced_s == 3.0
    assert writer.statistics.failures == 1
    monkeypatch.setattr("brickscope.log.file.sync", lambda fd: None)
    call(writer, outcome=False)
    clock.now += 3
    assert writer.unsynced_s == 0.0
