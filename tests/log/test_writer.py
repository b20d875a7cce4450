"""The writer: a chain of whole lines or an error, and whatever is missing on record."""

from __future__ import annotations

import logging
import os
import stat
from hashlib import sha256
from pathlib import Path

import orjson
import pytest

from brickscope.audit.verify import Verifier
from brickscope.log import writer as writer_module
from brickscope.log.chain import GENESIS, seal
from brickscope.log.closed import series
from brickscope.log.error import AuditError
from brickscope.log.writer import AuditWriter, Keeping
from log.written import call, open_writer, records, run, start, stop, verify


def no_space(fd: int, data: bytes) -> int:
    raise OSError(28, "No space left on device")


def test_records_are_numbered_lines_in_a_chain(tmp_path: Path) -> None:
    writer = open_writer(tmp_path)
    writer.revision = "0123456789abcdef"
    start(writer)
    call(writer)
    found = records(writer.path)
    assert [record["seq"] for record in found] == [1, 2, 3]
    assert [record["event"] for record in found] == ["start", "decision", "outcome"]
    assert {record["instance"] for record in found} == {writer.instance}
    assert {record["policy_revision"] for record in found} == {"0123456789abcdef"}
    assert [record["prev_hash"] for record in found] == [GENESIS, found[0]["hash"], found[1]["hash"]]
    for line, record in zip(writer.path.read_bytes().splitlines(), found, strict=True):
        assert list(orjson.loads(line)) == [*sorted(record.keys() - {"hash"}), "hash"]
        content = {name: value for name, value in record.items() if name != "hash"}
        assert seal(content)[0] == line + b"\n"


def test_the_files_are_for_their_owner_only(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        writer = run(tmp_path)
    finally:
        os.umask(before)
    files = [writer.path, *(tmp_path / "keys").iterdir()]
    assert len(files) == 3
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_restart_goes_on_in_the_chain(tmp_path: Path) -> None:
    first = run(tmp_path)
    end = records(first.path)[-1]
    second = run(tmp_path)
    found = records(second.path)
    begin = next(record for record in found if record["instance"] == second.instance)
    assert (begin["event"], begin["seq"], begin["prev_hash"]) == ("start", 1, end["hash"])
    assert begin["previous"] == {"instance": first.instance, "seq": end["seq"], "hash": end["hash"]}
    assert not [record for record in found if record["event"] == "gap"]


# what stands at the end of the file, bytes of it that are no record
TORN = {
    "half a record": b'{"client_address":"10.',
    "a line that is no record": b"not json\n",
    "two of them": b"not json\n{\n",
    "bytes without any meaning": bytes(range(32, 128)),
}


@pytest.mark.parametrize("rest", TORN.values(), ids=TORN)
def test_a_torn_end_is_recorded_and_not_glued_to(rest: bytes, tmp_path: Path) -> None:
    first = run(tmp_path)
    end = records(first.path)[-1]
    with first.path.open("ab") as file:
        file.write(rest)
    run(tmp_path)
    content = first.path.read_bytes()
    after = [orjson.loads(line) for line in content[content.index(rest) + len(rest) :].splitlines() if line]
    assert (after[0]["event"], after[0]["cause"]) == ("gap", "torn_line")
    assert (after[0]["bytes"], after[0]["sha256"]) == (len(rest), sha256(rest).hexdigest())
    assert after[0]["prev_hash"] == end["hash"]


def test_a_lost_line_end_is_put_there(tmp_path: Path) -> None:
    first = run(tmp_path)
    first.path.write_bytes(first.path.read_bytes()[:-1])
    run(tmp_path)
    assert not [record for record in records(first.path) if record["event"] == "gap"]


def test_an_end_that_was_cut_is_recorded(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = run(tmp_path)
    lines = first.path.read_bytes().splitlines(keepends=True)
    first.path.write_bytes(b"".join(lines[:-2]))
    run(tmp_path)
    gap = next(record for record in records(first.path) if record["event"] == "gap")
    assert (gap["cause"], gap["previous"]["seq"]) == ("lost_tail", len(lines))
    assert "the end of the log is not here" in caplog.text


def test_a_file_that_was_taken_away_between_two_runs_is_recorded(tmp_path: Path) -> None:
    first = run(tmp_path)
    end = records(first.path)[-1]
    first.path.unlink()
    second = run(tmp_path)
    gap = records(second.path)[0]
    assert (gap["event"], gap["cause"], gap["prev_hash"]) == ("gap", "lost_tail", end["hash"])


def test_a_full_disk_denies_alarms_once_and_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    writer = open_writer(tmp_path)
    start(writer)
    call(writer)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", no_space)
        for _ in range(5):
            with pytest.raises(AuditError, match="No space left"):
                call(writer)
        with pytest.raises(AuditError):
            writer.append("outcome", {"decision_id": "x"})
        assert writer.is_failing
    assert len([record for record in caplog.records if record.levelno >= logging.ERROR]) == 1
    assert "EVERY CALL IS DENIED" in caplog.text
    call(writer)
    assert not writer.is_failing
    stop(writer)
    found = records(writer.path)
    assert [record["seq"] for record in found] == list(range(1, len(found) + 1))
    (gap,) = [record for record in found if record["event"] == "gap"]
    assert (gap["cause"], gap["denied"], gap["lost"]) == ("write_failed", 5, 1)


def test_a_half_written_record_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = open_writer(tmp_path)
    start(writer)
    real = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda fd, data: real(fd, data[:10]))
        with pytest.raises(AuditError, match="only a part"):
            call(writer)
    call(writer)
    assert [record["event"] for record in records(writer.path)] == ["start", "gap", "decision", "outcome"]


def test_a_half_written_record_that_stays_ends_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = open_writer(tmp_path)
    start(writer)
    real = os.write

    def fails(fd: int, size: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda fd, data: real(fd, data[:10]))
        patch.setattr(os, "ftruncate", fails)
        with pytest.raises(AuditError, match="only a part"):
            call(writer)
        patch.setattr(os, "write", no_space)
        with pytest.raises(AuditError, match="No space left"):  # of this one nothing stays
            call(writer)
    call(writer)
    lines = writer.path.read_bytes().splitlines()
    after = [orjson.loads(line) for line in lines[2:]]
    assert [record["event"] for record in after] == ["gap", "gap", "decision", "outcome"]
    assert [record["cause"] for record in after[:2]] == ["torn_line", "write_failed"]
    assert verify([writer.path], Verifier()).findings == []


def test_a_path_that_is_no_text_does_not_stop_the_log_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    folder.mkdir()
    writer = open_writer(folder)
    start(writer)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", no_space)
        with pytest.raises(AuditError):
            call(writer)
    call(writer)
    assert records(writer.path)[1]["cause"] == "write_failed"


def test_a_run_that_was_killed_early_is_no_loss(tmp_path: Path) -> None:
    run(tmp_path)
    killed = open_writer(tmp_path)
    call(killed)  # before its start record even
    os.close(killed._file.fd)
    again = run(tmp_path)
    assert not [record for record in records(again.path) if record["event"] == "gap"]


def test_two_runs_killed_before_their_first_checkpoint_make_a_log_that_verifies(tmp_path: Path) -> None:
    for _ in range(2):
        killed = open_writer(tmp_path)
        start(killed)
        for _ in range(3_000):
            call(killed)  # 6,000 records; with those of the other run more than may stand unsigned
        os.close(killed._file.fd)
    last = run(tmp_path)
    assert verify([last.path], Verifier(last.key.public, None)).intact


def test_a_deleted_file_is_made_again_and_that_is_recorded(tmp_path: Path) -> None:
    writer = open_writer(tmp_path)
    start(writer)
    writer.path.unlink()
    call(writer)
    found = records(writer.path)
    assert [(record["seq"], record["event"]) for record in found] == [
        (2, "gap"),
        (3, "decision"),
        (4, "outcome"),
    ]
    assert found[0]["cause"] == "file_replaced"


def test_a_file_that_was_moved_away_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = open_writer(tmp_path)
    start(writer)
    writer.path.rename(tmp_path / "audit.jsonl.1")
    monkeypatch.setattr(writer, "_looked", 0)  # looked for once a second
    call(writer)
    assert records(tmp_path / "audit.jsonl")[0]["cause"] == "file_replaced"
    assert records(tmp_path / "audit.jsonl")[0]["prev_hash"] == records(tmp_path / "audit.jsonl.1")[0]["hash"]


def test_a_folder_that_cannot_be_made_again_is_an_error(tmp_path: Path) -> None:
    writer = open_writer(tmp_path)
    writer.path.unlink()
    writer.path = Path("/proc/nowhere/audit.jsonl")
    with pytest.raises(AuditError):
        call(writer)


def test_a_closed_log_is_an_error(tmp_path: Path) -> None:
    writer = open_writer(tmp_path)
    writer.close()
    writer.close()
    with pytest.raises(AuditError, match="closed"):
        call(writer)


def test_decision_ids_are_unique_and_name_the_instance(tmp_path: Path) -> None:
    writer = open_writer(tmp_path)
    ids = [writer.new_decision_id() for _ in range(100)]
    assert len(set(ids)) == 100
    assert all(decision_id.startswith(writer.instance + "-") for decision_id in ids)


def test_two_writers_of_one_file_are_refused(tmp_path: Path) -> None:
    open_writer(tmp_path)
    with pytest.raises(AuditError, match="written by another process"):
        open_writer(tmp_path)


def test_checkpoints_come_by_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "CHECKPOINT_RECORDS", 10)
    writer = open_writer(tmp_path)
    start(writer)
    for _ in range(20):
        call(writer)
    checkpoints = [record for record in records(writer.path) if record["event"] == "checkpoint"]
    assert len(checkpoints) >= 3
    assert all(record["records"] >= 9 for record in checkpoints)


def test_checkpoints_come_by_time_if_there_was_a_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "CHECKPOINT_SECONDS", 0)
    writer = open_writer(tmp_path)
    writer.tick()
    start(writer)
    writer.tick()
    writer.tick()
    assert [record["event"] for record in records(writer.path)] == ["start", "checkpoint"]


@pytest.mark.parametrize(("fsync", "times"), [("always", 2), ("interval", 0), ("never", 0)])
def test_records_that_calls_wait_for_are_brought_to_disk(
    fsync: str, times: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = open_writer(tmp_path, Keeping(fsync))
    calls: list[int] = []
    monkeypatch.setattr("brickscope.log.file.sync", calls.append)
    start(writer)
    call(writer)
    assert len(calls) == times
    assert (writer.tick() >= 0) is (fsync == "interval")


def test_a_disk_that_cannot_be_synced_denies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(fd: int) -> None:
        raise OSError(5, "Input/output error")

    writer = open_writer(tmp_path, Keeping("always"))
    start(writer)
    with monkeypatch.context() as patch:
        patch.setattr("brickscope.log.file.sync", fails)
        with pytest.raises(AuditError, match="synced to disk"):
            call(writer)
    call(writer)
    assert [record["event"] for record in records(writer.path)].count("gap") == 1


def test_a_full_file_is_closed_within_the_chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = open_writer(tmp_path, Keeping(rotate_bytes=4000))
    start(writer)
    for _ in range(20):
        monkeypatch.setattr(writer, "_looked", 0)
        call(writer)
    stop(writer)
    files = [*series(writer.path), writer.path]
    assert len(files) > 3
    assert set(writer.closed) == set(files[:-1])
    found = [record for file in files for record in records(file)]
    assert [record["seq"] for record in found] == list(range(1, len(found) + 1))
    assert [one["hash"] for one in found[:-1]] == [one["prev_hash"] for one in found[1:]]
    assert all(records(file)[-1]["cause"] == "rotation" for file in files[:-1])


def test_a_file_is_closed_at_midnight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = open_writer(tmp_path, Keeping(daily=True))
    start(writer)
    monkeypatch.setattr(writer, "_day", writer._day - 1)
    monkeypatch.setattr(writer, "_looked", 0)
    call(writer)
    assert len(series(writer.path)) == 1


def test_a_rotation_that_fails_goes_on_in_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    writer = open_writer(tmp_path, Keeping(rotate_bytes=1))
    start(writer)

    def fails(path: Path, target: Path) -> Path:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "rename", fails)
    for _ in range(3):
        monkeypatch.setattr(writer, "_looked", 0)
        call(writer)
    assert len(records(writer.path)) == 8
    assert caplog.text.count("can't be rotated") == 1


def test_a_restart_after_a_rotation_is_no_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = open_writer(tmp_path, Keeping(rotate_bytes=1))
    start(writer)
    monkeypatch.setattr(writer, "_looked", 0)
    writer._look_after_file()
    os.close(writer._file.fd)  # killed before anything stood in the new file
    again = run(tmp_path)
    assert not [record for record in records(again.path) if record["event"] == "gap"]
    assert records(again.path)[0]["prev_hash"] == records(series(again.path)[0])[-1]["hash"]


def test_what_retention_deleted_is_recorded(tmp_path: Path) -> None:
    writer = open_writer(tmp_path)
    start(writer)
    writer.note_deleted("audit-x.jsonl.zst")
    call(writer)
    assert records(writer.path)[1]["file"] == "audit-x.jsonl.zst"


def test_no_keys_no_log(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "brickscope-audit-key.pem").write_text("no key")
    with pytest.raises(AuditError, match="may be read or written by others"):
        AuditWriter(tmp_path / "audit.jsonl", tmp_path / "keys")
