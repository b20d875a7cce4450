"""The open file: what can't be opened or written is an error with words."""

from __future__ import annotations

from pathlib import Path

import pytest

from brickscope.audit.error import AuditError
from brickscope.audit.file import LogFile


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
