"""Closed files: named in order, compressed without a byte lost, deleted when their time is over."""

from __future__ import annotations

import asyncio
import gzip
import os
import shutil
from pathlib import Path

import pytest
from backports import zstd

from brickscope.log import closed as closed_module
from brickscope.log.closed import (
    Retention,
    closed_name,
    compress,
    holds_same,
    open_log,
    series,
)
from brickscope.log.upkeep import Upkeep
from brickscope.log.writer import Keeping
from log.written import call, open_writer, records, start

ACTIVE = Path("audit.jsonl")


def test_names_sort_by_time_and_are_told_from_others(tmp_path: Path) -> None:
    active = tmp_path / "audit.jsonl"
    names = [
        closed_name(active, 1_000_000_000, "aaaaaaaa", 9),
        closed_name(active, 1_000_000_000, "aaaaaaaa", 10) + ".zst",
        closed_name(active, 1_000_000_001, "00000000", 1) + ".gz",
    ]
    assert names[0] == "audit-20010909T014640Z-aaaaaaaa-9.jsonl"
    for name in [
        *names,
        "audit.jsonl",
        "audit-x.jsonl",
        "audit-other-20010909T014640Z-aaaaaaaa-9.jsonl",
        "other.jsonl",
    ]:
        (tmp_path / name).touch()
    assert [path.name for path in series(active)] == names
    assert len(series(tmp_path / "audit-other.jsonl")) == 1


@pytest.mark.parametrize("how", ["zstd", "gzip", "none"])
def test_compression_keeps_every_byte(how: str, tmp_path: Path) -> None:
    path = tmp_path / "audit-20010909T014640Z-aaaaaaaa-9.jsonl"
    content = os.urandom(100_000) + b"line\n" * 100_000
    path.write_bytes(content)
    path.chmod(0o600)
    made = compress(path, how)
    with open_log(made) as file:
        assert b"".join(file) == content
    assert list(tmp_path.iterdir()) == [made]
    assert made.stat().st_mode & 0o777 == 0o600


def test_a_copy_that_is_not_the_same_is_thrown_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "audit-20010909T014640Z-aaaaaaaa-9.jsonl"
    path.write_bytes(b"line\n")
    (tmp_path / "empty").touch()
    monkeypatch.setattr(
        closed_module, "open_log", lambda file: (tmp_path / "empty" if file != path else path).open("rb")
    )
    with pytest.raises(OSError, match="is not the file"):
        compress(path, "zstd")
    assert path.read_bytes() == b"line\n"
    assert sorted(each.name for each in tmp_path.iterdir()) == [path.name, "empty"]


def test_upkeep_compresses_deletes_and_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = open_writer(tmp_path, Keeping(rotate_bytes=1))
    start(writer)
    for _ in range(3):
        monkeypatch.setattr(writer, "_looked", 0)
        call(writer, allow=False)
    asyncio.run(Upkeep(writer, "zstd", Retention(files=1)).step())
    (left,) = series(writer.path)
    assert left.suffix == ".zst"
    call(writer)
    plain = [path for path in [*series(writer.path), writer.path] if path.suffix == ".jsonl"]
    causes = [record["file"] for path in plain for record in records(path) if record["event"] == "gap"]
    assert len(causes) == 2


def test_what_a_crash_left_is_compressed(tmp_path: Path) -> None:
    writer = open_writer(tmp_path)
    path = tmp_path / closed_name(writer.path, 0, "aaaaaaaa", 1)
    path.write_bytes(b"line\n")

    async def scene() -> None:
        upkeep = asyncio.create_task(Upkeep(writer, "gzip", Retention()).run())
        async with asyncio.timeout(60):
            while series(writer.path)[0].suffix != ".gz":
                await asyncio.sleep(0.01)
                assert not upkeep.done()
        upkeep.cancel()

    asyncio.run(scene())


def test_copies_can_be_told_broken_and_do_not_hold_the_time(tmp_path: Path) -> None:
    for how, ending in (("zstd", ".zst"), ("gzip", ".gz")):
        path = tmp_path / "audit-20010909T014640Z-aaaaaaaa-9.jsonl"
        path.write_bytes(b"line\n" * 1000)
        os.utime(path, (1_000_000_000, 1_000_000_000))
        made = compress(path, how)
        assert made == path.with_name(path.name + ending)
        assert made.stat().st_mtime == 1_000_000_000
        content = made.read_bytes()
        if how == "zstd":
            assert zstd.decompress(content) == b"line\n" * 1000
            with pytest.raises(zstd.ZstdError):
                zstd.decompress(content[:-1] + bytes([content[-1] ^ 1]))
        else:
            assert content[4:8] == b"\x00" * 4
        made.unlink()


def test_a_file_that_is_gone_is_not_compressed(tmp_path: Path) -> None:
    path = tmp_path / "audit-20010909T014640Z-aaaaaaaa-9.jsonl"
    assert compress(path, "zstd") == path
    assert list(tmp_path.iterdir()) == []


def test_no_draft_of_a_copy_stays_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "audit-20010909T014640Z-aaaaaaaa-9.jsonl"
    path.write_bytes(b"line\n")

    def fails(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(OSError, match="No space left"):
        compress(path, "zstd")
    assert list(tmp_path.iterdir()) == [path]


def test_two_files_are_compared_whole(tmp_path: Path) -> None:
    one, other = tmp_path / "a.jsonl", tmp_path / "b.jsonl.gz"
    one.write_bytes(b"line\n" * 500_000)
    for content, same in (
        (one.read_bytes(), True),
        (one.read_bytes() + b"x", False),
        (one.read_bytes()[:-1], False),
    ):
        other.write_bytes(gzip.compress(content, 1))
        assert holds_same(one, other) is same
        assert holds_same(other, one) is same


def test_the_log_of_an_odd_name_has_its_own_closed_files(tmp_path: Path) -> None:
    active = tmp_path / "a[1].jsonl"
    own = tmp_path / closed_name(active, 1_000_000_000, "aaaaaaaa", 9)
    for path in (own, tmp_path / "a1-20010909T014640Z-aaaaaaaa-9.jsonl"):
        path.touch()
    assert series(active) == [own]


def test_a_copy_is_its_owners_from_its_first_byte_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "audit-20010909T014640Z-aaaaaaaa-9.jsonl"
    path.write_bytes(b"line\n")
    monkeypatch.setattr(shutil, "copystat", lambda *_: None)
    before = os.umask(0)
    try:
        made = compress(path, "zstd")
    finally:
        os.umask(before)
    assert made.stat().st_mode & 0o777 == 0o600
