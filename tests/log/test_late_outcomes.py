"""Outcomes, which no call waits for, are written with the next record; what is lost of them is counted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from brickscope.audit.verify import Verifier, verify
from brickscope.log.error import AuditError
from log.written import call, open_writer, records, start


def outcome(number: int) -> dict[str, Any]:
    return {
        "decision_id": f"0-{number}",
        "duration_ms": 1.5,
        "request_bytes": 0,
        "response_bytes": 2,
        "status": 200,
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


def test_they_go_out_with_the_next_record_and_in_their_order(tmp_path: Path, writes: list[int]) -> None:
    writer = open_writer(tmp_path)
    start(writer)
    del writes[:]
    assert [writer.append_late(outcome(number)) for number in (1, 2)] == [True, False]
    assert writes == []
    call(writer, allow=False)
    assert writes == [3]
    assert [each["seq"] for each in records(writer.path)] == [1, 2, 3, 4]
    assert [each.get("decision_id") for each in records(writer.path)][1:3] == ["0-1", "0-2"]
    assert [each["event"] for each in records(writer.path)] == ["start", "outcome", "outcome", "decision"]


def test_they_are_written_when_nothing_follows(tmp_path: Path, writes: list[int]) -> None:
    writer = open_writer(tmp_path)
    start(writer)
    del writes[:]
    writer.append_late(outcome(1))
    writer.append_late(outcome(2))
    writer.flush()
    writer.flush()
    assert writes == [2]
    assert [each["event"] for each in records(writer.path)] == ["start", "outcome", "outcome"]


def test_they_are_written_before_the_log_ends(tmp_path: Path) -> None:
    writer = open_writer(tmp_path)
    start(writer)
    writer.append_late(outcome(1))
    writer.close()
    assert [each["event"] for each in records(writer.path)] == ["start", "outcome", "checkpoint"]
    assert verify([writer.path], Verifier()).findings == []


@pytest.mark.parametrize("by", ["a decision", "themselves"])
def test_what_can_not_be_written_is_lost_and_counted(
    by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = open_writer(tmp_path)
    start(writer)
    writer.append_late(outcome(1))
    writer.append_late(outcome(2))

    def no_space(fd: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(os, "write", no_space)
        with pytest.raises(AuditError):
            writer.flush() if by == "themselves" else call(writer, allow=False)
    call(writer, allow=False)
    _, gap, _ = found = records(writer.path)
    assert [each["event"] for each in found] == ["start", "gap", "decision"]
    assert (gap["lost"], gap["denied"]) == (2, int(by == "a decision"))
