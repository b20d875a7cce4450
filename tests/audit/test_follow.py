"""Following a log while it is written: nothing twice, nothing lost."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from brickscope.audit.follow import Follower


def append(path: Path, text: str) -> None:
    with path.open("ab") as file:
        file.write(text.encode())


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "audit.jsonl"
    path.write_text("1\n2\n3\n")
    return path


def test_the_last_lines_come_first_and_then_new_ones(log: Path) -> None:
    follower = Follower(log, 2)
    assert follower.poll() == [b"2", b"3"]
    assert follower.poll() == []
    append(log, "4\n5")
    assert follower.poll() == [b"4"]
    append(log, "5\n")
    assert follower.poll() == [b"55"]


def test_none_of_the_old_ones(log: Path) -> None:
    follower = Follower(log, 0)
    append(log, "4\n")
    assert follower.poll() == [b"4"]


def test_the_end_of_a_long_log_without_reading_all_of_it(log: Path) -> None:
    log.write_bytes(b"".join(b"%09d\n" % number for number in range(300_000)))
    assert Follower(log, 3).poll() == [b"000299997", b"000299998", b"000299999"]


def test_a_rotation_loses_nothing(log: Path) -> None:
    follower = Follower(log, 0)
    append(log, "4\n")
    log.rename(log.with_name("audit-1.jsonl"))
    append(log.with_name("audit-1.jsonl"), "5\n6 torn")
    assert follower.poll() == [b"4", b"5"]  # no new file yet
    log.write_text("7\n")
    assert follower.poll() == [b"6 torn", b"7"]
    append(log, "8\n")
    assert follower.poll() == [b"8"]


def test_a_file_that_is_deleted_and_made_anew(log: Path) -> None:
    follower = Follower(log, 0)
    log.unlink()
    assert follower.poll() == []
    log.write_text("1\n")
    assert follower.poll() == [b"1"]


def test_a_file_that_is_cut_short_is_read_anew(log: Path) -> None:
    follower = Follower(log, 0)
    os.truncate(log, 0)
    append(log, "a\n")
    assert follower.poll() == [b"a"]


def test_a_file_that_is_not_there_yet(tmp_path: Path) -> None:
    follower = Follower(tmp_path / "audit.jsonl", 10)
    assert follower.poll() == []
    append(tmp_path / "audit.jsonl", "1\n")
    assert follower.poll() == [b"1"]


def test_a_line_without_end_takes_no_memory(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("brickscope.audit.follow.MAX_LINE", 1000)
    follower = Follower(log, 0)
    for _ in range(20):
        append(log, "x" * 500)
        assert follower.poll() == []
        assert len(follower._rest) <= 1000
    append(log, "x\n4\n")
    assert follower.poll() == [b"4"]
