"""Lines without end, and compressed files that are not whole."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from backports import zstd

from brickscope.audit.evidence import Damage
from brickscope.audit.verify import Verifier
from brickscope.log.closed import open_log
from brickscope.log.line import bounded
from log.written import run, verify


def test_what_is_too_long_is_passed_over() -> None:
    file = io.BytesIO(b"ab\n" + b"x" * 10 + b"\ncd\n" + b"y" * 4 + b"\n" + b"z" * 8)
    assert list(bounded(file, 4)) == [b"ab\n", None, b"cd\n", None, None]


def test_a_long_line_has_its_place(tmp_path: Path) -> None:
    log = run(tmp_path).path
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join([*lines[:3], b"x" * 3_000_000 + b"\n", *lines[3:]]))
    found = verify([log], Verifier())
    (finding,) = found.findings
    assert (finding.damage, finding.line) == (Damage.INSERTED, 4)
    assert "longer than 1,048,576 bytes" in finding.text


CONTENT = b"".join(b'{"seq":%d}\n' % number for number in range(100_000))
FRAMES = {
    "plain": zstd.compress(CONTENT, 1),
    "with a checksum": zstd.compress(CONTENT, options={zstd.CompressionParameter.checksum_flag: 1}),
    "without its size": zstd.compress(CONTENT, options={zstd.CompressionParameter.content_size_flag: 0}),
    "empty": zstd.compress(b""),
}


def _read(folder: Path, content: bytes) -> bytes:
    path = folder / "audit.jsonl.zst"
    path.write_bytes(content)
    with open_log(path) as file:
        return file.read()


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
def test_files_that_were_joined_are_read_whole(frame: bytes, tmp_path: Path) -> None:
    skipped = b"\x5a\x2a\x4d\x18\x05\0\0\0other"
    assert _read(tmp_path, skipped + frame + skipped + frame) == zstd.decompress(frame) * 2


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
def test_a_cut_shows_wherever_it_is(frame: bytes, tmp_path: Path) -> None:
    for length in {*range(1, min(40, len(frame))), len(frame) // 2, len(frame) - 1}:
        with pytest.raises((EOFError, zstd.ZstdError)):
            _read(tmp_path, frame[:length])


@pytest.mark.parametrize(
    "content",
    [
        b"no zstd at all",
        b"\x28\xb5\x2f\xfd\x24\x0a\x07\0\0",
        b"\x28\xb5\x2f\xfd\x00" + bytes([(31 - 10) << 3]) + b"\x01\0\0",
        FRAMES["plain"] + b"something else behind it",
        FRAMES["with a checksum"][:-1] + bytes([FRAMES["with a checksum"][-1] ^ 1]),
    ],
    ids=["text", "block", "a window of two gigabytes", "text behind a frame", "another checksum"],
)
def test_what_is_not_zstd_is_an_error(content: bytes, tmp_path: Path) -> None:
    with pytest.raises((EOFError, zstd.ZstdError)):
        _read(tmp_path, content)
