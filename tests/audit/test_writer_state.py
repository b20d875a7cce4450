"""What the writer says of itself, when it looks after its file, and where it goes on at a restart."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
import pytest

from audit.written import call, open_writer, records, run, start, stop
from brickscope.audit.chain import Link, seal
from brickscope.audit.closed import series
from brickscope.audit.error import AuditError
from brickscope.audit.file import LogFile
from brickscope.audit.head import HeadFile
from brickscope.audit.verify import Verifier, verify
from brickscope.audit.writer import AuditWriter, Keeping


class Clock:
    """Both clocks, set by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_800_000_000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now - 1_799_000_000)
        monkeypatch.setattr(time, "time", lambda: self.now)
        monkeypatch.setattr(time, "time_ns", lambda: round(self.now * 1e6) * 1000)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def failing(error: OSError) -> Callable[..., Any]:
    def fails(*_: Any) -> Any:
        raise error

    return fails


FULL = OSError(28, "No space left on device")


def events(writer: AuditWriter) -> list[str]:
    return [record["event"] for record in records(writer.path)]


def said(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str, str]]:
    found = [(line.levelno, line.__dict__["event"], line.getMessage()) for line in caplog.records]
    caplog.clear()
    return found


# -- where it goes on -------------------------------------------------------------------------------------------------


def broken_last_line(content: bytes) -> bytes:
    """The last record with another cause, and the hash that it had."""
    lines = content.splitlines(keepends=True)
    assert b'"cause":"stop"' in lines[-1]
    return b"".join(lines[:-1]) + lines[-1].replace(b'"cause":"stop"', b'"cause":"stap"')


def test_a_last_line_that_was_changed_is_no_link(tmp_path: Path) -> None:
    """The chain goes on from the last line whose own hash holds, and says what stands after it."""
    first = run(tmp_path)
    content = first.path.read_bytes()
    first.path.write_bytes(broken_last_line(content))
    lines = first.path.read_bytes().splitlines(keepends=True)
    before, changed = orjson.loads(lines[-2]), lines[-1]
    again = open_writer(tmp_path)
    assert again.previous == Link(before["instance"], before["seq"], before["hash"])
    start(again)
    stop(again)
    added = [orjson.loads(line) for line in again.path.read_bytes()[len(content) :].splitlines() if line]
    assert [each.get("cause") for each in added[:2]] == ["torn_line", "lost_tail"]
    assert added[0]["bytes"] == len(changed)
    assert added[0]["sha256"] == sha256(changed).hexdigest()
    assert added[0]["prev_hash"] == before["hash"]


def test_a_last_line_that_was_changed_and_hashed_anew_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its own hash holds, but the head knows another one for this record."""
    first = run(tmp_path)
    lines = first.path.read_bytes().splitlines(keepends=True)
    last = {name: value for name, value in orjson.loads(lines[-1]).items() if name != "hash"}
    forged, forged_hash = seal({**last, "policy_revision": "forged"})
    first.path.write_bytes(b"".join(lines[:-1]) + forged)
    again = open_writer(tmp_path)
    assert again.previous is not None
    assert again.previous.hash == forged_hash
    head = HeadFile(tmp_path / "keys", first.path).read()
    assert head is not None
    start(again)
    gap = next(each for each in records(again.path) if each["event"] == "gap")
    assert (gap["cause"], gap["previous"]) == ("lost_tail", head._asdict())
    assert gap["detail"] == (
        f"the last record was changed; it had come to record {head.seq} of instance {head.instance}"
    )
    assert said(caplog) == [
        (
            logging.WARNING,
            "audit_damaged",
            f"Brickscope: {first.path}: the last record was changed; it had come to record {head.seq} of instance "
            f"{head.instance}. A gap record says so",
        )
    ]


def test_an_end_that_is_gone_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = run(tmp_path)
    head = HeadFile(tmp_path / "keys", first.path).read()
    assert head is not None
    lines = first.path.read_bytes().splitlines(keepends=True)
    first.path.write_bytes(b"".join(lines[:-1]))
    again = open_writer(tmp_path)
    start(again)
    gap = next(each for each in records(again.path) if each["event"] == "gap")
    last = f"it had come to record {head.seq} of instance {head.instance}"
    assert (gap["cause"], gap["detail"]) == ("lost_tail", f"the end of the log is not here; {last}")
    assert [event for _, event, _ in said(caplog)] == ["audit_damaged"]
    again.close()
    again.path.unlink()
    third = open_writer(tmp_path)
    start(third)
    (gap,) = [each for each in records(third.path) if each["event"] == "gap"]
    assert (
        "the file with the end of the log is not here: it was deleted, or moved to another folder;"
        in gap["detail"]
    )


def test_a_file_that_was_moved_aside_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = run(tmp_path)
    first.path.rename(tmp_path / "audit.jsonl.1")
    again = open_writer(tmp_path)
    what = "the file was moved away while the proxy did not run, and is now audit.jsonl.1; nothing is missing"
    assert said(caplog) == [
        (
            logging.WARNING,
            "audit_moved",
            f"Brickscope: {first.path}: {what}. The log goes on from its last record",
        )
    ]
    start(again)
    gap = records(again.path)[0]
    assert (gap["cause"], gap["detail"], gap["file"]) == ("file_replaced", what, "audit.jsonl.1")


def test_a_device_has_no_past(tmp_path: Path) -> None:
    """Neither a head nor an end: what the head of another log of this name knows is no matter."""
    device = AuditWriter(Path("/dev/null"), tmp_path / "keys")
    HeadFile(tmp_path / "keys", Path("/dev/null")).write(Link("aaaaaaaa", 7, "f" * 64))
    again = AuditWriter(Path("/dev/null"), tmp_path / "keys")
    assert again.previous is device.previous is None
    start(again)
    assert again.statistics.gaps["lost_tail"] == 0
    assert again.free_bytes is None
    assert again.unsynced_s is None
    assert again.tick() == -1
    again.checkpoint("interval")
    assert HeadFile(tmp_path / "keys", Path("/dev/null")).read() == Link("aaaaaaaa", 7, "f" * 64)
    again.close()


def test_the_head_is_kept_at_the_start_and_at_each_checkpoint(tmp_path: Path) -> None:
    writer = open_writer(tmp_path)
    head = HeadFile(tmp_path / "keys", writer.path)
    assert head.read() is None
    start(writer)
    assert head.read() == Link(writer.instance, 1, records(writer.path)[0]["hash"])
    call(writer)
    writer.checkpoint("interval")
    end = records(writer.path)[-1]
    assert head.read() == Link(writer.instance, end["seq"], end["hash"])
    assert (end["event"], end["cause"], end["records"], end["key_id"]) == (
        "checkpoint",
        "interval",
        3,
        writer.key.public.key_id,
    )


def test_a_head_that_cannot_be_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    writer = open_writer(tmp_path)
    monkeypatch.setattr(HeadFile, "write", failing(FULL))
    start(writer)
    head = HeadFile(tmp_path / "keys", writer.path).path
    assert said(caplog) == [
        (logging.WARNING, "audit_upkeep", f"Brickscope: {head} can't be written: No space left on device")
    ]
    assert not writer.is_failing


# -- what it says of itself -----------------------------------------------------------------------------------------


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


# -- trouble -----------------------------------------------------------------------------------------------------------


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
        patch.setattr("brickscope.audit.file.sync", failing(OSError(5, "Input/output error")))
        with pytest.raises(AuditError):
            call(writer)
        assert writer.trouble == f"the audit log {writer.path} can't be brought to disk: Input/output error"
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


# -- its file -------------------------------------------------------------------------------------------------------------


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
    writer.append("outcome", {"decision_id": "x", "status": 200})
    clock.now += 0.5
    writer.append("outcome", {"decision_id": "x", "status": 200})
    assert not writer.path.exists(), "no call waits for an outcome"
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
    monkeypatch.setattr("brickscope.audit.file.sync", synced.append)
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
    assert verify([closed, writer.path], Verifier()).findings == ()


def test_a_file_that_is_never_synced_is_not_synced_when_it_is_closed(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = open_writer(tmp_path, Keeping("never", rotate_bytes=1))
    start(writer)
    monkeypatch.setattr("brickscope.audit.file.sync", failing(OSError(5, "x")))
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
            "Brickscope: the audit log can't be rotated, and goes on in the same file: [Errno 13] Permission denied",
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


def test_an_old_file_that_cannot_be_synced_is_told(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    writer = open_writer(tmp_path, Keeping(rotate_bytes=1))
    start(writer)
    monkeypatch.setattr("brickscope.audit.file.sync", failing(OSError(5, "Input/output error")))
    clock.now += 1
    call(writer)
    assert said(caplog) == [
        (
            logging.ERROR,
            "audit_upkeep",
            f"Brickscope: the audit log {writer.path} can't be brought to disk: Input/output error",
        )
    ]
    assert writer.statistics.failures == 1
    assert len(series(writer.path)) == 1


def test_a_closed_log_is_signed_synced_and_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = open_writer(tmp_path)
    start(writer)
    synced: list[int] = []
    monkeypatch.setattr("brickscope.audit.file.sync", synced.append)
    writer.close()
    assert len(synced) == 1
    end = records(writer.path)[-1]
    assert (end["event"], end["cause"]) == ("checkpoint", "stop")
    with pytest.raises(AuditError) as error:
        call(writer)
    assert str(error.value) == f"the audit log {writer.path} is closed"
    open_writer(tmp_path).close()


def test_checkpoints_come_after_so_many_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("brickscope.audit.writer.CHECKPOINT_RECORDS", 5)
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
    from brickscope.audit import writer

    assert (writer.CHECKPOINT_RECORDS, writer.CHECKPOINT_SECONDS, writer.ROTATION_PAUSE_S) == (10_000, 60, 60)
