"""A disk that is really full: every call is denied, nothing is half there, and it goes on by itself once there is room."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import itertools
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from brickscope.audit.evidence import Evidence
from brickscope.audit.series import verify_logs
from brickscope.audit.verify import Verifier
from brickscope.log.closed import Retention, series
from brickscope.log.error import AuditError
from brickscope.log.head import HeadFile
from brickscope.log.key import VerifyKey
from brickscope.log.upkeep import Upkeep
from brickscope.log.writer import AuditWriter, Keeping
from log.written import call, records, start, stop


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m,nr_inodes=40", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if made.returncode:
        pytest.skip("only root can mount a file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextlib.contextmanager
def until_full() -> Iterator[None]:
    """What goes on until the disk is full, and ends for no other reason."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise


def fill(disk: Path, leave: int = 0) -> Path:
    """Take all room but so many bytes."""
    ballast = disk / "ballast"
    with ballast.open("ab", buffering=0) as file, until_full():
        while True:
            file.write(b"x" * 4096)
    os.truncate(ballast, max(0, ballast.stat().st_size - leave))
    return ballast


def deny_until_room(writer: AuditWriter, ballast: Path) -> int:
    """Calls until the disk is full, then some that are all denied, then room. How many were denied."""
    with contextlib.suppress(AuditError):  # an end to this loop, and the only one
        while True:
            call(writer, outcome=False)
    denied = 1
    for _ in range(20):
        with pytest.raises(AuditError):
            call(writer, outcome=False, detail="x" * 1000)
        denied += 1
    assert writer.is_failing
    with pytest.raises(AuditError):
        writer.append("outcome", {"decision_id": "x"})
    ballast.unlink()
    return denied


def check(log: Path, keys: Path) -> Evidence:
    key = VerifyKey.load(keys / "brickscope-audit-key.pem")
    head = HeadFile(keys, log).read()
    (found,) = verify_logs([*series(log), log], lambda _: Verifier(key, head, schema=True))
    return found


def test_a_full_disk_denies_and_recovers(disk: Path, tmp_path: Path) -> None:
    writer = AuditWriter(disk / "audit.jsonl", tmp_path / "keys")
    start(writer)
    call(writer)
    denied = deny_until_room(writer, fill(disk, leave=5 * 4096))
    call(writer)
    assert not writer.is_failing
    stop(writer)
    found = check(writer.path, tmp_path / "keys")
    assert found.findings == []
    assert found.after == 0
    gaps = [each for each in records(writer.path) if each["event"] == "gap"]
    assert [(each["cause"], each["denied"], each["lost"]) for each in gaps] == [("write_failed", denied, 1)]


def test_a_proxy_killed_while_the_disk_is_full_goes_on(disk: Path, tmp_path: Path) -> None:
    writer = AuditWriter(disk / "audit.jsonl", tmp_path / "keys")
    start(writer)
    deny_until_room(writer, fill(disk, leave=5 * 4096))
    writer._file.close()
    again = AuditWriter(writer.path, tmp_path / "keys")
    start(again)
    stop(again)
    assert check(writer.path, tmp_path / "keys").findings == []


def test_where_the_keys_are_may_be_full(disk: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    writer = AuditWriter(tmp_path / "audit.jsonl", disk / "keys")
    start(writer, signed=True)
    ballast = fill(disk)
    call(writer)
    writer.checkpoint("interval")
    call(writer)
    stop(writer)
    assert "can't be written: No space left" in caplog.text
    assert not writer.is_failing
    # The old head is still whole: it is replaced and never written over.
    assert HeadFile(disk / "keys", writer.path).read() is not None
    ballast.unlink()
    again = AuditWriter(writer.path, disk / "keys")
    start(again)
    stop(again)
    assert not [each for each in records(writer.path) if each["event"] == "gap"]
    assert check(writer.path, disk / "keys").findings == []


def test_a_rotation_without_room_for_a_new_file_goes_on_in_the_old_one(disk: Path, tmp_path: Path) -> None:
    writer = AuditWriter(disk / "audit.jsonl", tmp_path / "keys", Keeping(rotate_bytes=1))
    start(writer)
    with until_full():
        for number in itertools.count():
            (disk / f"inode-{number}").touch()
    writer._looked = 0
    call(writer)
    assert series(writer.path) == []
    assert not writer.is_failing
    for path in disk.glob("inode-*"):
        path.unlink()
    writer._looked, writer._no_rotation_before = 0, 0.0
    call(writer)
    assert len(series(writer.path)) == 1
    stop(writer)
    assert check(writer.path, tmp_path / "keys").findings == []


def test_what_cannot_be_compressed_is_tried_again(
    disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    writer = AuditWriter(disk / "audit.jsonl", tmp_path / "keys")
    start(writer)
    for _ in range(200):
        call(writer)
    assert writer._rotate()
    ballast = fill(disk)
    upkeep = Upkeep(writer, "zstd", Retention())
    asyncio.run(upkeep.step())
    (path,) = series(writer.path)
    assert path.suffix == ".jsonl"
    assert "can't be compressed, and stays as it is" in caplog.text
    assert not list(disk.glob(".*.part"))
    ballast.unlink()
    asyncio.run(upkeep.step())
    assert series(writer.path) == [path]
    monkeypatch.setattr("brickscope.log.upkeep.RETRY_S", 0.0)
    upkeep._later = [(0.0, each) for _, each in upkeep._later]
    asyncio.run(upkeep.step())
    (path,) = series(writer.path)
    assert path.suffix == ".zst"
    stop(writer)
    assert check(writer.path, tmp_path / "keys").findings == []


def test_a_limit_of_size_is_as_a_full_disk(tmp_path: Path) -> None:
    """Where no file system can be mounted: a process that may write files of 64 KiB only."""
    script = """
import resource, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from log.written import call, open_writer, start, stop
from brickscope.log.error import AuditError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, resource.RLIM_INFINITY))
writer = open_writer(Path(sys.argv[1]))
start(writer)
denied = 0
while denied < 20:
    try:
        call(writer, outcome=False)
    except AuditError:
        denied += 1
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
call(writer)
stop(writer)
"""
    import sys

    tests = str(Path(__file__).parents[1])
    subprocess.run([sys.executable, "-c", script, str(tmp_path), tests], check=True, timeout=300)
    found = check(tmp_path / "audit.jsonl", tmp_path / "keys")
    assert found.findings == []
    gaps = [each for each in records(tmp_path / "audit.jsonl") if each["event"] == "gap"]
    assert [(each["cause"], each["denied"]) for each in gaps] == [("write_failed", 20)]
