"""Records of one turn of the event loop go out by one write; who asks for one of them learns whether it is there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from brickscope.audit.verify import MAX_UNSIGNED, Verifier
from brickscope.log.chain import read_link
from brickscope.log.error import AuditError
from brickscope.log.writer import CHECKPOINT_RECORDS, MOST_AT_ONCE, AuditWriter, Keeping
from log.written import NOBODY, call, open_writer, records, start, verify


def outcome(number: int) -> dict[str, Any]:
    return {
        "decision_id": f"0-{number}",
        "duration_ms": 1.5,
        "request_bytes": 0,
        "response_bytes": 2,
        "status": 200,
    }


def decision(number: int) -> dict[str, Any]:
    return {
        **NOBODY,
        "decision_id": f"0-{number}",
        "decision": "deny",
        "enforced": True,
        "mode": "enforce",
        "reason": "no_rule_matches",
        "detail": "",
        "method": "GET",
        "path": "/",
    }


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many lines each write had."""
    made, write = [], os.write

    def counted(fd: int, data: bytes) -> int:
        made.append(data.count(b"\n"))
        return write(fd, data)

    monkeypatch.setattr(os, "write", counted)
    return made


@pytest.fixture
def writer(tmp_path: Path, writes: list[int]) -> AuditWriter:
    """One that has begun its log."""
    made = open_writer(tmp_path)
    start(made)
    del writes[:]
    return made


def no_space(fd: int, data: bytes) -> int:
    raise OSError(28, "No space left on device")


def events(writer: AuditWriter) -> list[str]:
    return [each["event"] for each in records(writer.path)]


def test_they_go_out_when_the_first_of_them_is_asked_for(writer: AuditWriter, writes: list[int]) -> None:
    batches = [
        writer.keep("decision", decision(1)),
        writer.keep("outcome", outcome(0)),
        writer.keep("decision", decision(2)),
    ]
    assert (writes, events(writer)) == ([], ["start"])
    assert all(batch is batches[0] for batch in batches)
    for batch in batches:
        writer.commit(batch)
    assert writes == [3]
    assert [each["seq"] for each in records(writer.path)] == [1, 2, 3, 4]
    assert [each.get("decision_id") for each in records(writer.path)] == [None, "0-1", "0-0", "0-2"]
    assert verify([writer.path], Verifier()).findings == []


def test_they_go_out_with_the_next_record_that_is_written_at_once(
    writer: AuditWriter, writes: list[int]
) -> None:
    writer.keep("outcome", outcome(1))
    writer.keep("outcome", outcome(2))
    call(writer, allow=False)
    assert writes == [3]
    assert events(writer) == ["start", "outcome", "outcome", "decision"]


def test_they_are_written_when_nothing_follows(writer: AuditWriter, writes: list[int]) -> None:
    writer.keep("outcome", outcome(1))
    writer.keep("outcome", outcome(2))
    writer.flush()
    writer.flush()
    assert writes == [2]


def test_they_are_written_before_the_log_ends(writer: AuditWriter) -> None:
    writer.keep("outcome", outcome(1))
    writer.close()
    assert events(writer) == ["start", "outcome", "checkpoint"]
    assert verify([writer.path], Verifier()).findings == []


def test_a_batch_has_an_end(writer: AuditWriter, writes: list[int]) -> None:
    batches = [writer.keep("decision", decision(number)) for number in range(MOST_AT_ONCE + 1)]
    assert writes == [MOST_AT_ONCE]
    assert batches[0] is not batches[-1]
    for batch in batches:
        writer.commit(batch)
    assert writes == [MOST_AT_ONCE, 1]
    assert CHECKPOINT_RECORDS + MOST_AT_ONCE < MAX_UNSIGNED


def test_a_full_batch_that_can_not_be_written_fails_for_those_in_it_alone(
    writer: AuditWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as full:
        full.setattr(os, "write", no_space)
        batches = [writer.keep("decision", decision(number)) for number in range(MOST_AT_ONCE)]
        last = writer.keep("decision", decision(MOST_AT_ONCE))
    for batch in batches:
        with pytest.raises(AuditError, match="No space left"):
            writer.commit(batch)
    writer.commit(last)
    assert events(writer) == ["start", "gap", "decision"]


@pytest.mark.parametrize("by", ["a decision", "nobody"])
def test_what_can_not_be_written_is_counted_and_told_to_each_who_asks(
    by: str, writer: AuditWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as full:
        full.setattr(os, "write", no_space)
        batch = writer.keep("outcome", outcome(1))
        if by == "a decision":
            writer.keep("decision", decision(2))
            writer.keep("decision", decision(3))
        for _ in range(3):
            with pytest.raises(AuditError, match="No space left"):
                writer.commit(batch)
    call(writer, allow=False)
    _, gap, _ = found = records(writer.path)
    assert [each["event"] for each in found] == ["start", "gap", "decision"]
    assert (gap["lost"], gap["denied"]) == (1, 2 if by == "a decision" else 0)
    assert verify([writer.path], Verifier()).findings == []


def test_whatever_fails_is_a_batch_that_is_not_written(
    writer: AuditWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(lines: bytes) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(writer._file, "write", broken)
        batch = writer.keep("decision", decision(1))
        for _ in range(2):
            with pytest.raises(AuditError, match=r"MemoryError while the audit log .* was written"):
                writer.commit(batch)
    call(writer, allow=False)
    assert events(writer) == ["start", "gap", "decision"]


def test_who_has_not_asked_can_not_take_it_for_written(writer: AuditWriter) -> None:
    assert str(writer.keep("decision", decision(1)).error) == "the record is not written yet"


def test_a_gap_that_is_noted_meanwhile_comes_with_the_next_batch(writer: AuditWriter) -> None:
    writer.note_deleted("first")
    batch = writer.keep("decision", decision(1))
    writer.note_deleted("second")
    writer.commit(batch)
    assert [each.get("file") for each in records(writer.path)] == [None, "first", None]
    call(writer, allow=False)
    assert [each.get("file") for each in records(writer.path)] == [None, "first", None, "second", None]
    assert writer.statistics.gaps["retention"] == 2


def test_one_that_is_no_record_leaves_the_others(writer: AuditWriter) -> None:
    batch = writer.keep("decision", decision(1))
    with pytest.raises(TypeError):
        writer.keep("decision", {"decision_id": object()})
    assert writer.keep("decision", decision(2)) is batch
    writer.commit(batch)
    assert [each.get("decision_id") for each in records(writer.path)] == [None, "0-1", "0-2"]
    assert verify([writer.path], Verifier()).findings == []


@pytest.mark.parametrize(("kept", "times"), [("decision", 1), ("outcome", 0)])
def test_all_of_a_batch_are_brought_to_disk_at_once(
    kept: str, times: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = open_writer(tmp_path, Keeping("always"))
    start(writer)
    synced: list[int] = []
    monkeypatch.setattr("brickscope.log.file.sync", synced.append)
    fields = decision if kept == "decision" else outcome
    batch = writer.keep(kept, fields(1))
    writer.keep(kept, fields(2))
    for _ in range(2):
        writer.commit(batch)
    assert len(synced) == times


def test_a_batch_that_can_not_be_brought_to_disk_is_denied_to_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = open_writer(tmp_path, Keeping("always"))
    start(writer)

    def broken(fd: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("brickscope.log.file.sync", broken)
    batch = writer.keep("decision", decision(1))
    for _ in range(2):
        with pytest.raises(AuditError, match="can't be synced"):
            writer.commit(batch)
    assert events(writer) == ["start", "decision"], "it is there, and what it speaks of was not done"


@pytest.mark.parametrize(
    ("writes_of", "whole"),
    {
        "a part of a record": ([50], 0),
        "a part of two writes": ([50, 60], 0),
        "a part, and the line end before the next": ([50, 1], 0),
        "whole records, and a part of one": ([900], 1),
        "a record that lacks its line end": ([-1], 3),
        "that, and a part of the next write": ([-1, 60], 3),
    }.values(),
)
def test_what_can_not_be_taken_back_is_accounted_for(
    writes_of: list[int], whole: int, writer: AuditWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that may only be appended to (``chattr +a``), on a disk that fills up: nothing can be cut off there."""
    real = os.write

    def fails(fd: int, size: int) -> None:
        raise OSError(1, "Operation not permitted")

    writer.note_deleted("a file of long ago")  # what waits to be told does not come between
    for size in writes_of:
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", lambda fd, data, size=size: real(fd, data[:size]))
            patch.setattr(os, "ftruncate", fails)
            for batch in [writer.keep("decision", decision(number)) for number in range(2)]:
                with pytest.raises(AuditError, match="took only a part"):
                    writer.commit(batch)
    call(writer, allow=False)
    writer.close()
    assert verify([writer.path], Verifier()).findings == []
    found = [link for line in writer.path.read_bytes().splitlines() if (link := read_link(line))]
    assert [each.seq for each in found] == list(range(1, len(found) + 1))
    assert len(found) >= whole + 4


def test_a_file_that_the_system_knows_no_longer_is_replaced(
    writer: AuditWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ESTALE, of a file on a server that was deleted there: nothing could be written to it any more."""
    lost, real = writer._file.fd, os.fstat

    def fails(fd: int) -> Any:
        if fd == lost:
            raise OSError(116, "Stale file handle")
        return real(fd)

    monkeypatch.setattr(os, "fstat", fails)
    with pytest.raises(AuditError, match="is being written by another process"):
        call(writer)
    assert writer.is_failing
    writer.path.unlink()
    call(writer, allow=False)
    assert events(writer) == ["gap", "gap", "decision"]
    assert [each.get("cause") for each in records(writer.path)] == ["file_replaced", "write_failed", None]


def test_whatever_fails_before_a_record_is_made_denies_and_is_told(
    writer: AuditWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as failing:
        failing.setattr(writer, "_look_after_file", lambda: 1 / 0)
        with pytest.raises(AuditError, match=r"ZeroDivisionError while the audit log .* was written"):
            writer.keep("decision", decision(1))
    assert writer.is_failing, "a balancer leads its calls elsewhere"
    call(writer, allow=False)
    assert events(writer) == ["start", "gap", "decision"]


def test_what_is_in_the_file_stays_in_the_chain_whatever_fails_after_it(
    writer: AuditWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as failing:
        failing.setattr(type(writer.statistics), "wrote", lambda *_: 1 / 0)
        with pytest.raises(AuditError):
            writer.append("decision", decision(1))
    writer.append("decision", decision(2))
    numbers = [record["seq"] for record in records(writer.path)]
    assert numbers == list(range(1, len(numbers) + 1))
