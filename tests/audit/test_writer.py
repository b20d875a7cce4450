"""The writer: whole lines or an error, readable by the owner only, never glued to a torn line."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import orjson
import pytest

from brickscope.audit.writer import AuditError, AuditWriter


def lines(path: Path) -> list[dict[str, object]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines() if line]


def test_records_are_numbered_lines_with_time_and_instance(tmp_path: Path) -> None:
    writer = AuditWriter(tmp_path / "log" / "audit.jsonl")
    writer.append("decision", {"decision": "allow"})
    writer.append("outcome", {"status": 200})
    first, second = lines(writer.path)
    assert (first["seq"], second["seq"]) == (1, 2)
    assert first["instance"] == second["instance"] == writer.instance
    assert first["event"] == "decision"
    assert first["schema"] == 1
    assert str(first["time"]).endswith("Z")
    assert len(str(first["time"])) == 27


def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    os.umask(0)
    writer = AuditWriter(tmp_path / "audit.jsonl")
    assert stat.S_IMODE(writer.path.stat().st_mode) == 0o600


def test_a_record_goes_on_after_an_existing_log(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_bytes(b'{"old":1}\n')
    AuditWriter(path).append("start", {})
    assert len(lines(path)) == 2


def test_a_torn_last_line_is_not_glued_to(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_bytes(b'{"old":1}\n{"torn":')
    AuditWriter(path).append("start", {})
    assert path.read_bytes().splitlines()[1] == b'{"torn":'
    assert orjson.loads(path.read_bytes().splitlines()[2])["event"] == "start"


def test_a_full_disk_is_an_error() -> None:
    writer = AuditWriter(Path("/dev/full"))
    with pytest.raises(AuditError, match="No space left"):
        writer.append("decision", {})


@pytest.mark.parametrize("path", ["/proc/nowhere/audit.jsonl", "/"])
def test_a_file_that_cannot_be_opened_is_an_error(path: str) -> None:
    with pytest.raises(AuditError, match="can't be opened"):
        AuditWriter(Path(path))


def test_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "audit.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(AuditError):
        AuditWriter(tmp_path / "audit.jsonl")


def test_a_deleted_file_is_made_again(tmp_path: Path) -> None:
    writer = AuditWriter(tmp_path / "audit.jsonl")
    writer.append("start", {})
    writer.path.unlink()
    writer.append("decision", {})
    assert lines(writer.path)[0]["seq"] == 2


def test_a_deleted_folder_that_cannot_be_made_again_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = AuditWriter(tmp_path / "audit.jsonl")
    writer.path.unlink()
    writer.path = Path("/proc/nowhere/audit.jsonl")
    with pytest.raises(AuditError):
        writer.append("decision", {})


def test_a_half_written_record_is_an_error_and_the_next_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = AuditWriter(tmp_path / "audit.jsonl")
    real = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda fd, data: real(fd, data[:10]))
        with pytest.raises(AuditError, match="only a part"):
            writer.append("decision", {})
    writer.append("decision", {})
    assert orjson.loads(writer.path.read_bytes().splitlines()[-1])["seq"] == 1


def test_a_closed_log_is_an_error(tmp_path: Path) -> None:
    writer = AuditWriter(tmp_path / "audit.jsonl")
    writer.close()
    writer.close()
    with pytest.raises(AuditError, match="closed"):
        writer.append("decision", {})


def test_decision_ids_are_unique_and_name_the_instance(tmp_path: Path) -> None:
    writer = AuditWriter(tmp_path / "audit.jsonl")
    ids = [writer.new_decision_id() for _ in range(100)]
    assert len(set(ids)) == 100
    assert all(decision_id.startswith(writer.instance + "-") for decision_id in ids)
