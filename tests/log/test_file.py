"""The open file: what can't be opened or written is an error with words."""

from __future__ import annotations

import os
import stat
from hashlib import sha256
from pathlib import Path

import orjson
import pytest

from brickscope.log.chain import Link
from brickscope.log.error import AuditError
from brickscope.log.file import MAX_LINE, LogFile, Tail
from log.written import run


@pytest.mark.parametrize("path", ["/proc/nowhere/audit.jsonl", "/"])
def test_a_file_that_cannot_be_opened_is_an_error(path: str) -> None:
    with pytest.raises(AuditError, match="can't be opened"):
        LogFile(Path(path))


def test_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "audit.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(AuditError):
        LogFile(tmp_path / "audit.jsonl")


def test_a_full_device_is_an_error() -> None:
    file = LogFile(Path("/dev/full"))
    assert not file.regular
    assert file.is_in_place
    with pytest.raises(AuditError, match="No space left"):
        file.write(b"x\n")


def test_a_new_file_must_be_new(tmp_path: Path) -> None:
    (tmp_path / "audit.jsonl").touch()
    with pytest.raises(AuditError, match="File exists"):
        LogFile(tmp_path / "audit.jsonl", new=True)


def test_the_place_is_compared_and_not_the_name(tmp_path: Path) -> None:
    file = LogFile(tmp_path / "audit.jsonl")
    assert file.is_in_place
    (tmp_path / "other").touch()
    (tmp_path / "other").rename(file.path)
    assert not file.is_in_place
    assert file.is_deleted


def test_a_new_file_is_empty_and_its_owners(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        file = LogFile(tmp_path / "a" / "b" / "audit.jsonl")
    finally:
        os.umask(before)
    assert (file.size, file.tail, file.written, file.regular) == (0, Tail(None), None, True)
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.path.parent.stat().st_mode) == 0o700
    assert file.name == str(tmp_path / "a" / "b" / "audit.jsonl")
    assert not file.is_deleted


def test_lines_are_appended_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = LogFile(tmp_path / "audit.jsonl")
    file.write(b"one\n")
    file.write(b"two\nthree\n")
    assert file.path.read_bytes() == b"one\ntwo\nthree\n"
    assert file.size == 14
    file.sync()
    fd, closed, close = file.fd, list[int](), os.close
    with monkeypatch.context() as patch:
        patch.setattr(os, "close", closed.append)
        file.close()
        file.close()
    close(fd)
    assert (closed, file.fd) == ([fd], -1)
    again = LogFile(file.path)
    assert again.size == 14
    assert again.written == pytest.approx(file.path.stat().st_mtime)


def record(tmp_path: Path) -> tuple[bytes, Link]:
    """The lines of a log, and what the last one is to the next."""
    written = run(tmp_path / "made")
    content = written.path.read_bytes()
    end = orjson.loads(content.splitlines()[-1])
    return content, Link(end["instance"], end["seq"], end["hash"])


RESTS = [b"", b"x", b"{", b"half\n", b"\n", b"\n\n", b"no json\n{half", b"y" * 5000]


@pytest.mark.parametrize("rest", RESTS, ids=range(len(RESTS)))
def test_how_a_file_ends(rest: bytes, tmp_path: Path) -> None:
    content, link = record(tmp_path)
    path = tmp_path / "audit.jsonl"
    path.write_bytes(content + rest)
    file = LogFile(path)
    assert file.tail == (Tail(link, len(rest), sha256(rest).hexdigest()) if rest else Tail(link))
    file.write(b"next\n")
    # What is torn gets a line of its own, and what comes next is not glued to it.
    assert path.read_bytes() == content + rest + (b"\n" if rest else b"") + b"next\n"
    assert file.size == path.stat().st_size
    file.write(b"one more\n")
    assert path.read_bytes().endswith(b"next\none more\n")


def test_a_file_whose_last_line_end_is_missing(tmp_path: Path) -> None:
    content, link = record(tmp_path)
    path = tmp_path / "audit.jsonl"
    path.write_bytes(content[:-1])
    file = LogFile(path)
    assert file.tail == Tail(link, unended=True)
    file.write(b"next\n")
    assert path.read_bytes() == content + b"next\n"


def test_a_file_without_a_record(tmp_path: Path) -> None:
    for content in (b"x", b"no json\nneither\n", b"\n"):
        path = tmp_path / "audit.jsonl"
        path.write_bytes(content)
        file = LogFile(path)
        assert file.tail == Tail(None, len(content), sha256(content).hexdigest())
        file.close()


def test_a_record_of_one_line_alone(tmp_path: Path) -> None:
    content, _ = record(tmp_path)
    (tmp_path / "audit.jsonl").write_bytes(content.splitlines(keepends=True)[0])
    tail = LogFile(tmp_path / "audit.jsonl").tail
    assert tail.link is not None
    assert (tail.link.seq, tail.torn) == (1, 0)


def test_so_far_back_a_record_is_looked_for(tmp_path: Path) -> None:
    content, link = record(tmp_path)
    path = tmp_path / "audit.jsonl"
    last = content.splitlines(keepends=True)[-1]
    for filling, found in ((MAX_LINE - len(last), link), (MAX_LINE, None)):
        path.write_bytes(content + b"x" * filling)
        file = LogFile(path)
        assert file.tail.link == found
        assert file.tail.torn == filling
        assert file.ends_with(link.hash) is (found is not None)
        assert not file.ends_with("0" * 64)
        file.close()


def test_a_file_that_others_write_is_refused_until_they_end(tmp_path: Path) -> None:
    first = LogFile(tmp_path / "audit.jsonl")
    with pytest.raises(AuditError) as refused:
        LogFile(tmp_path / "audit.jsonl")
    assert str(refused.value) == (
        f"the audit log {tmp_path / 'audit.jsonl'} is being written by another process: give each proxy one of its own "
        "(scope_audit_log)"
    )
    first.close()
    LogFile(tmp_path / "audit.jsonl").close()


def test_nothing_stays_open_of_what_could_not_be_taken(tmp_path: Path) -> None:
    first = LogFile(tmp_path / "audit.jsonl")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        with pytest.raises(AuditError):
            LogFile(tmp_path / "audit.jsonl")
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    first.close()


def test_errors_have_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = LogFile(tmp_path / "audit.jsonl")

    def fails(*_: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", fails)
        with pytest.raises(AuditError) as error:
            file.write(b"x\n")
        assert str(error.value) == f"the audit log {file.name} can't be written: Input/output error"
        patch.setattr("brickscope.log.file.sync", fails)
        with pytest.raises(AuditError) as error:
            file.sync()
        assert str(error.value) == f"the audit log {file.name} can't be synced to disk: Input/output error"
        patch.setattr(os, "pread", fails)
        file.close()
        with pytest.raises(AuditError) as error:
            LogFile(file.path)
        assert str(error.value) == f"the audit log {file.name} can't be read: Input/output error"
    with pytest.raises(AuditError) as error:
        LogFile(tmp_path / "audit.jsonl" / "x")
    assert str(error.value) == f"the audit log {file.name}/x can't be opened: File exists"
    assert isinstance(error.value.__cause__, OSError)


def test_half_a_record_is_taken_back_or_kept_in_mind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content, link = record(tmp_path)
    size = len(content)
    file = LogFile(tmp_path / "audit.jsonl")
    file.write(content)
    real = os.write

    def stays(*_: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda fd, data: real(fd, data[:3]))
        with pytest.raises(AuditError, match="took only a part of a record: the disk may be full"):
            file.write(b"second\n")
        assert (file.path.read_bytes(), file.size, file.tail.torn) == (content, size, 0)
        patch.setattr(os, "ftruncate", stays)
        with pytest.raises(AuditError):
            file.write(b"second\n")
        assert (file.path.read_bytes(), file.size, file.tail.torn) == (content + b"sec", size + 3, 3)
        with pytest.raises(AuditError):
            file.write(b"third\n")
        assert (file.path.read_bytes(), file.size, file.tail.torn) == (
            content + b"sec\nth",
            size + 6,
            6,
        )
        assert file.tail == Tail(link, 6, sha256(b"sec\nth").hexdigest())
    file.write(b"fourth\n")
    assert file.path.read_bytes() == content + b"sec\nth\nfourth\n"
    assert file.tail == Tail(None)
    assert file.size == len(file.path.read_bytes())


def test_half_a_record_is_taken_back_from_a_file_that_was_emptied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """logrotate's ``copytruncate``."""
    file = LogFile(tmp_path / "a.jsonl")
    file.write(b"line\n" * 10)
    os.truncate(file.path, 0)
    real = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda fd, lines: real(fd, lines[:3]))
        with pytest.raises(AuditError, match="took only a part of a record"):
            file.write(b"half\n")
    file.write(b"whole\n")
    assert file.path.read_bytes() == b"whole\n"


def test_a_device_is_written_and_nothing_else(tmp_path: Path) -> None:
    file = LogFile(Path("/dev/null"))
    file.write(b"x\n")
    file.sync()
    assert (file.regular, file.tail, file.written) == (False, Tail(None), None)
    assert file.is_in_place


def test_a_pipe_is_no_log(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "audit.jsonl")
    with pytest.raises(AuditError, match="is no file: once a pipe is full, every call would wait"):
        LogFile(tmp_path / "audit.jsonl")


def test_a_file_that_is_gone_is_told(tmp_path: Path) -> None:
    file = LogFile(tmp_path / "audit.jsonl")
    file.path.rename(tmp_path / "moved")
    assert not file.is_in_place
    assert not file.is_deleted
    (tmp_path / "moved").unlink()
    assert file.is_deleted


def test_a_path_that_is_no_text_has_a_name(tmp_path: Path) -> None:
    file = LogFile(Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jsonl")))
    assert file.name == f"{tmp_path}/\\xff.jsonl"
