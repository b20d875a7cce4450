"""Where the log goes on: told by the chain, whatever the clock did, and wherever its file was moved."""

from __future__ import annotations

import gzip
import time
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest

from brickscope.audit.evidence import Damage, Evidence
from brickscope.audit.series import verify_logs
from brickscope.audit.verify import Verifier
from brickscope.log import ending as ending_module
from brickscope.log.chain import Link, seal
from brickscope.log.closed import Retention, compress, series
from brickscope.log.ending import find_end, has_passed, holds
from brickscope.log.extent import in_order, look
from brickscope.log.head import HeadFile
from brickscope.log.key import VerifyKey
from brickscope.log.retention import Expiry
from brickscope.log.writer import AuditWriter
from log.written import call, open_writer, records, run, start, stop


class Clock:
    """A wall clock that is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_800_000_000.0
        monkeypatch.setattr(time, "time", lambda: self.now)
        monkeypatch.setattr(time, "time_ns", lambda: int(self.now * 1e9))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def kill(writer: AuditWriter) -> None:
    """As `kill -9` does: the file is closed, and nothing more is written."""
    writer._file.close()


def rotate(writer: AuditWriter) -> None:
    assert writer._rotate()


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file())


def check(folder: Path, *others: Path) -> list[Evidence]:
    key = VerifyKey.load(folder / "keys" / "brickscope-audit-key.pem")
    head = HeadFile(folder / "keys", folder / "audit.jsonl").read()
    return verify_logs([*files(folder), *others], lambda active: Verifier(key, head if active else None))


# by how much the clock is set before the second rotation, in seconds
JUMPS = {
    "an hour back": -3600,
    "ten years back": -10 * 365 * 86400,
    "ten years forward": 10 * 365 * 86400,
    "not": 0,
}


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "compressed"])
@pytest.mark.parametrize("with_head", [True, False], ids=["head", "no head"])
@pytest.mark.parametrize("jump", JUMPS.values(), ids=JUMPS)
def test_a_clock_that_is_set_does_not_fork_the_chain(
    jump: float, with_head: bool, compressed: bool, tmp_path: Path, clock: Clock
) -> None:
    writer = open_writer(tmp_path)
    start(writer)
    for _ in range(3):
        call(writer)
        clock.now += 100
        rotate(writer)
    clock.now += jump
    call(writer)
    rotate(writer)
    kill(writer)  # while the new file is still empty
    end = writer._hash
    if compressed:
        for path in writer.closed:
            compress(path, "zstd")
    if not with_head:
        HeadFile(tmp_path / "keys", writer.path).path.unlink()
    again = open_writer(tmp_path)
    assert again.previous is not None
    assert again.previous.hash == end
    start(again)
    call(again)
    stop(again)
    (found,) = check(tmp_path)
    assert found.findings == []
    assert found.begins
    told = [note.text for note in found.notes]
    assert (jump < 0) == any("the clock went back here" in each for each in told)


def test_closed_files_are_ordered_by_the_chain(tmp_path: Path, clock: Clock) -> None:
    for jump in (0, -500_000, 900_000_000, -900_000_000, 10):
        clock.now += jump
        writer = open_writer(tmp_path)
        start(writer)
        call(writer)
        rotate(writer)
        call(writer)
        rotate(writer)
        stop(writer)
    ordered = in_order(map(look, series(tmp_path / "audit.jsonl")))
    assert len(ordered) == 10
    for before, after in pairwise(ordered):
        assert records(after.path)[0]["prev_hash"] == records(before.path)[-1]["hash"]
    # The oldest go, and not those whose names have the oldest times.
    expiry = Expiry(tmp_path / "audit.jsonl", Retention(files=4))
    assert expiry.outdated(clock.now, 0) == [each.path for each in ordered[:-4]]


# what becomes of the log's file while no proxy runs, and its new name
MOVES = {
    "renamed as logrotate does": "audit.jsonl.1",
    "and compressed": "audit.jsonl.1.gz",
    "renamed by hand": "audit-old.jsonl",
}


@pytest.mark.parametrize("rotated", [False, True], ids=["first file", "after a rotation"])
@pytest.mark.parametrize("name", MOVES.values(), ids=MOVES)
def test_a_file_that_was_moved_aside_is_gone_on_from(name: str, rotated: bool, tmp_path: Path) -> None:
    writer = open_writer(tmp_path)
    start(writer, signed=True)
    if rotated:
        rotate(writer)
    for _ in range(4):
        call(writer)
    kill(writer)  # its head is before the four calls
    content = writer.path.read_bytes()
    writer.path.unlink()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    again = open_writer(tmp_path)
    assert again.previous is not None
    assert again.previous.hash == writer._hash
    start(again)
    stop(again)
    gap = records(again.path)[0]
    assert (gap["event"], gap["cause"], gap["file"]) == ("gap", "file_replaced", name)
    assert "nothing is missing" in gap["detail"]
    (found,) = check(tmp_path)
    assert found.findings == []


def test_a_torn_line_in_a_file_that_was_moved_is_accounted_for(tmp_path: Path) -> None:
    writer = open_writer(tmp_path)
    start(writer, signed=True)
    call(writer)
    kill(writer)
    with writer.path.open("ab") as file:
        file.write(b'{"client_address":"10.')
    writer.path.rename(tmp_path / "audit.jsonl.1")
    again = open_writer(tmp_path)
    start(again)
    stop(again)
    assert [each["cause"] for each in records(again.path)[:2]] == ["torn_line", "file_replaced"]
    (found,) = check(tmp_path)
    assert found.findings == []
    with (tmp_path / "audit.jsonl.1").open("ab") as file:
        file.write(b"0")
    (found,) = check(tmp_path)
    assert [each.damage for each in found.findings] == [Damage.TRUNCATED]


def test_a_file_moved_elsewhere_is_no_proof_of_loss(tmp_path: Path) -> None:
    writer = open_writer(tmp_path / "log")
    start(writer, signed=True)
    for _ in range(2):
        call(writer)
    kill(writer)
    moved = tmp_path / "moved.jsonl"
    writer.path.rename(moved)
    again = open_writer(tmp_path / "log")
    start(again)
    stop(again)
    gap = records(again.path)[0]
    assert (gap["cause"], gap["previous"]["seq"]) == ("lost_tail", 2)
    assert "deleted, or moved to another folder" in gap["detail"]
    (found,) = check(tmp_path / "log", moved)
    (finding,) = found.findings
    assert finding.damage is Damage.FORKED
    assert (
        "records 3 to 6, before this line, were written and are not lost, but nothing vouches" in finding.text
    )
    # Where they are not given, the log says itself that they are missing.
    (found,) = check(tmp_path / "log")
    assert found.findings == []
    assert not found.begins
    assert "moved to another folder" in found.notes[0].text


def test_another_log_in_the_folder_is_not_gone_on_from(tmp_path: Path) -> None:
    writer = run(tmp_path)
    other = open_writer(tmp_path, name="audit-2.jsonl")
    start(other)
    call(other)
    kill(other)
    writer.path.unlink()
    again = open_writer(tmp_path)
    assert again.previous is not None
    assert again.previous.instance == writer.instance
    start(again)
    assert records(again.path)[0]["cause"] == "lost_tail"


def no_room(self: HeadFile, head: object) -> None:
    """In the place of writing the head."""
    raise OSError(28, "No space left on device")


def test_a_head_that_could_not_be_written_is_no_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path)

    with monkeypatch.context() as patch:
        patch.setattr(HeadFile, "write", no_room)
        middle = open_writer(tmp_path)
        start(middle)
        for _ in range(600):  # so that the head is further back than is looked at first
            call(middle, detail="x" * 2000)
        rotate(middle)
        call(middle)
        kill(middle)
    again = open_writer(tmp_path)
    start(again)
    stop(again)
    assert not [each for each in records(again.path) if each["event"] == "gap"]
    (found,) = check(tmp_path)
    assert found.findings == []


@pytest.mark.parametrize("runs", [1, 2, 3])
def test_such_a_head_is_found_in_a_closed_file_whichever_of_its_runs_it_is_of(
    runs: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(runs):
        run(tmp_path)

    with monkeypatch.context() as patch:
        patch.setattr(HeadFile, "write", no_room)
        last = open_writer(tmp_path)
        start(last)
        rotate(last)
        kill(last)  # while the new file is still empty
    again = open_writer(tmp_path)
    start(again)
    stop(again)
    assert not [each for each in records(again.path) if each["event"] == "gap"]
    (found,) = check(tmp_path)
    assert found.findings == []


def test_without_any_file_there_is_no_end(tmp_path: Path) -> None:
    assert find_end(tmp_path / "audit.jsonl", None) is None


# -- copies ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["zstd", "gzip", "none"])
def test_a_crash_between_copy_and_deletion_is_mended(how: str, tmp_path: Path) -> None:
    writer = open_writer(tmp_path)
    start(writer)
    call(writer)
    rotate(writer)
    (path,) = writer.closed
    content = path.read_bytes()
    copy = compress(path, "zstd")
    path.write_bytes(content)
    call(writer)
    stop(writer)
    (found,) = check(tmp_path)
    assert found.findings == []
    assert found.records == 8
    assert any("holds the same, and was read once" in note.text for note in found.notes)
    # At the next start the plain one goes, also if the kind of compression was changed meanwhile.
    assert compress(path, how) == copy
    assert not path.exists()
    (found,) = check(tmp_path)
    assert found.findings == []


def test_a_compressed_file_that_is_another_is_not_overwritten(tmp_path: Path) -> None:
    writer = open_writer(tmp_path)
    start(writer)
    call(writer)
    rotate(writer)
    (path,) = writer.closed
    content = path.read_bytes()
    copy = compress(path, "zstd")
    path.write_bytes(content.replace(b'"allow"', b'"deny!"'))
    with pytest.raises(OSError, match="holds something else"):
        compress(path, "zstd")
    assert path.exists()
    assert copy.exists()
    assert [each for log in check(tmp_path) for each in log.findings]


# -- by hand ------------------------------------------------------------------------------------------------------------


def sealed(instance: str, seq: int, event: str = "decision", **more: Any) -> bytes:
    record = {"instance": instance, "seq": seq, "event": event, "time": f"t{instance}{seq}", "prev_hash": "0"}
    return seal(record | more)[0]


def link(line: bytes) -> Link:
    record = orjson.loads(line)
    return Link(record["instance"], record["seq"], record["hash"])


def closed_by_hand(folder: Path, instance: str, *lines: bytes) -> Path:
    path = folder / f"audit-20260101T000000Z-{instance}-{orjson.loads(lines[-1])['seq']}.jsonl"
    path.write_bytes(b"".join(lines))
    return path


A, B, C = "a" * 8, "b" * 8, "c" * 8


def chain_of_three(folder: Path) -> tuple[Link, list[Path]]:
    """Three runs, a file each; the head is in the first."""
    first = [sealed(A, 1, "start", previous=None), sealed(A, 2), sealed(A, 3)]
    second = [sealed(B, 1, "start", previous=link(first[-1])._asdict()), sealed(B, 2)]
    third = [sealed(C, 1, "start", previous=link(second[-1])._asdict()), sealed(C, 2)]
    paths = [
        closed_by_hand(folder, name, *lines)
        for name, lines in zip((A, B, C), (first, second, third), strict=True)
    ]
    return link(first[1]), paths


def test_the_head_is_followed_through_all_runs(tmp_path: Path) -> None:
    head, paths = chain_of_three(tmp_path)
    found = find_end(tmp_path / "audit.jsonl", head)
    assert found is not None
    assert (found.path, found.has_head, found.is_moved, found.link.instance) == (paths[2], True, False, C)
    assert (found.torn, found.torn_hash) == (0, "")
    for unknown in (None, Link("d" * 8, 1, "f" * 64), Link(A, 4, "f" * 64)):
        found = find_end(tmp_path / "audit.jsonl", unknown)
        assert found is not None
        assert (found.path, found.has_head) == (paths[2], unknown is not None and unknown.instance == A)


@pytest.mark.parametrize("other", ["0" * 8, "e" * 8])
def test_of_two_ends_the_one_that_knows_the_head_counts(other: str, tmp_path: Path) -> None:
    """Whatever their times and names: somebody may have put a file of another log beside it."""
    head, paths = chain_of_three(tmp_path)
    closed_by_hand(tmp_path, other, sealed(other, 1, "start", previous=None, time="zzz"))
    found = find_end(tmp_path / "audit.jsonl", head)
    assert found is not None
    assert (found.path, found.has_head) == (paths[2], True)


def test_where_the_last_file_cannot_be_read_one_before_it_counts(tmp_path: Path) -> None:
    head, paths = chain_of_three(tmp_path)
    paths[2].write_bytes(paths[2].read_bytes().replace(b'"hash":"', b'"hash":"0'))
    found = find_end(tmp_path / "audit.jsonl", head)
    assert found is not None
    assert (found.path, found.has_head) == (paths[1], False)


@pytest.mark.parametrize("chunk", [7, 80, 100, 333, 1024])
def test_a_record_is_found_wherever_it_is_cut_by_reading(
    chunk: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ending_module, "_CHUNK", chunk)
    head, paths = chain_of_three(tmp_path)
    assert holds(paths[0], head)
    assert not holds(paths[1], head)
    assert not holds(tmp_path / "nowhere", head)
    assert has_passed(tmp_path / "audit.jsonl", head)
    assert not has_passed(tmp_path / "audit.jsonl", Link("d" * 8, 1, "f" * 64))
    active = tmp_path / "audit.jsonl"
    active.write_bytes(sealed("d" * 8, 1))
    assert has_passed(active, link(active.read_bytes()))


def test_the_name_of_a_closed_file_says_how_far_the_log_came(tmp_path: Path) -> None:
    """Also where it can't be read any more."""
    broken = closed_by_hand(tmp_path, A, sealed(A, 1, "start", previous=None), sealed(A, 2))
    broken.write_bytes(b"broken")
    passed = [seq for seq in (1, 2, 3) if has_passed(tmp_path / "audit.jsonl", Link(A, seq, "f" * 64))]
    assert passed == [1, 2]
    assert not has_passed(tmp_path / "audit.jsonl", Link(B, 1, "f" * 64))


@pytest.mark.parametrize("chunk", [7, 20, *range(90, 120), 1024 * 1024])
def test_what_stands_after_the_last_record_of_a_file_that_was_moved(
    chunk: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ending_module, "_CHUNK", chunk)
    lines = [sealed(A, 1, "start", previous=None), sealed(A, 2)]
    moved = tmp_path / "audit.jsonl.1"
    (tmp_path / "audit.jsonl.0").mkdir()  # not in the way
    for rest in (b"", b"x", b"half\na line", b"y" * 500):
        moved.write_bytes(b"".join([*lines, lines[-1]]) + rest)
        found = find_end(tmp_path / "audit.jsonl", link(lines[0]))
        assert found is not None
        assert (found.path, found.is_moved, found.torn) == (moved, True, len(rest))
        assert found.torn_hash == (sha256(rest).hexdigest() if rest else "")
    (tmp_path / "audit.jsonl.2").symlink_to(moved)
    moved.rename(tmp_path / "other.jsonl")
    assert find_end(tmp_path / "audit.jsonl", link(lines[0])) is None, (
        "neither a link nor a file of another name"
    )


def test_what_stands_after_the_last_record_of_a_closed_file_is_told_by_the_one_that_goes_on(
    tmp_path: Path,
) -> None:
    """By a record of the run that left it there; so it is looked for in no closed file, which may be large."""
    closed = closed_by_hand(tmp_path, A, sealed(A, 1, "start", previous=None), sealed(A, 2))
    closed.write_bytes(closed.read_bytes() + b"half a line")
    found = find_end(tmp_path / "audit.jsonl", None)
    assert found is not None
    assert (found.path, found.is_moved, found.torn, found.torn_hash) == (closed, False, 0, "")
