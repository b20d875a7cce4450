"""Where the writer goes on at a restart, and what it knows of the run before."""

from __future__ import annotations

import logging
import os
from hashlib import sha256
from pathlib import Path

import orjson
import pytest

from brickscope.log.chain import Link, seal
from brickscope.log.head import HeadFile
from brickscope.log.writer import AuditWriter
from log.watched import FULL, failing, said
from log.written import call, open_writer, records, run, start, stop


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
            f"Brickscope: {first.path}: {what}. The log continues from its last record",
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
    start(writer, signed=True)
    assert head.read() == Link(writer.instance, 2, records(writer.path)[1]["hash"])
    call(writer)
    writer.checkpoint("interval")
    end = records(writer.path)[-1]
    assert head.read() == Link(writer.instance, end["seq"], end["hash"])
    assert (end["event"], end["cause"], end["records"], end["key_id"]) == (
        "checkpoint",
        "interval",
        2,
        writer.key.public.key_id,
    )


def test_a_head_that_cannot_be_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    writer = open_writer(tmp_path)
    monkeypatch.setattr(HeadFile, "write", failing(FULL))
    start(writer, signed=True)
    head = HeadFile(tmp_path / "keys", writer.path).path
    assert said(caplog) == [
        (logging.WARNING, "audit_upkeep", f"Brickscope: {head} can't be written: No space left on device")
    ]
    assert not writer.is_failing


def test_the_head_is_a_small_file_that_people_can_read(tmp_path: Path) -> None:
    log = tmp_path / "caf\u00e9.jsonl"
    head = HeadFile(tmp_path, log)
    assert head.path == tmp_path / f"brickscope-head-{sha256(os.fsencode(log)).hexdigest()[:16]}.json"
    before = os.umask(0)
    try:
        head.write(Link("aaaaaaaa", 7, "f" * 64))
    finally:
        os.umask(before)
    assert orjson.loads(head.path.read_bytes()) == {
        "log": str(log),
        "instance": "aaaaaaaa",
        "seq": 7,
        "hash": "f" * 64,
    }
    assert head.path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [head.path]
    for broken in ("", "{", "[]", "null", '{"instance": "a"}', '{"instance": "a", "seq": "x", "hash": "h"}'):
        head.path.write_text(broken)
        assert head.read() is None


def test_a_torn_line_is_told_with_words(tmp_path: Path) -> None:
    first = run(tmp_path)
    with first.path.open("ab") as file:
        file.write(b"half")
    again = open_writer(tmp_path)
    start(again)
    content = first.path.read_bytes()
    gap = orjson.loads(content[content.index(b"half\n") + 5 :].splitlines()[0])
    assert (gap["cause"], gap["detail"], gap["bytes"]) == (
        "torn_line",
        "the last line is not a complete record",
        4,
    )
