"""Lines and files made to exhaust memory cost no more than others."""

from __future__ import annotations

import gzip
import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from backports import zstd

from brickscope.audit.evidence import Damage
from brickscope.audit.verify import Verifier, verify
from brickscope.log.closed import open_log
from brickscope.log.line import bounded
from log.written import run

GIB = 1024 * 1024 * 1024
LIMIT = 400 * 1024 * 1024
"""What a command may take, in bytes, of which Python and its modules take the most."""


def repeated(content: bytes, size: int) -> Iterator[bytes]:
    block = content * (MIB // len(content))
    for _ in range(size // len(block)):
        yield block


MIB = 1024 * 1024
# what so many bytes of the file are
BOMBS = {
    "one line of zeros": (b"\0", 2 * GIB),
    "empty lines": (b"\n", 2 * MIB),
    "lines that are almost records": (b'{"event":"gap"}\n', 2 * MIB),
}


@pytest.fixture(scope="module", params=BOMBS.values(), ids=BOMBS)
def content(request: pytest.FixtureRequest) -> tuple[bytes, int]:
    found: tuple[bytes, int] = request.param
    return found


@pytest.fixture(scope="module", params=[".zst", ".gz"])
def bomb(
    request: pytest.FixtureRequest, content: tuple[bytes, int], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A log that has this after its first record; two megabytes on disk at most."""
    text, size = content
    folder = tmp_path_factory.mktemp("bomb")
    first, *_ = run(folder).path.read_bytes().splitlines(keepends=True)
    path = folder / f"bomb.jsonl{request.param}"
    with path.open("wb") as raw:
        if request.param == ".zst":
            with zstd.ZstdFile(raw, "w", level=1) as sink:
                sink.write(first)
                for block in repeated(text, size):
                    sink.write(block)
        else:
            # Members one after the other are one file.
            raw.write(gzip.compress(first))
            member = gzip.compress(b"".join(repeated(text, MIB)), 1)
            for _ in range(max(1, size // MIB // 8)):
                raw.write(member)
    assert path.stat().st_size < 16 * 1024 * 1024
    return path


POLICY = f"""\
version: 1
tokens:
  one:
    fingerprint: sha256:{64 * "0"}
    rule_set: reader
rule_sets:
  reader:
    allow:
      - GET /api/2.1/unity-catalog/catalogs
"""
RUN = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, ({limit}, {limit}))
from brickscope.cli.main import main
main(sys.argv[1:])
"""


@pytest.mark.parametrize(
    "command", [["audit", "verify"], ["replay", "--rules", "rules"]], ids=["verify", "replay"]
)
def test_a_bomb_is_read_in_flat_memory(
    command: list[str], bomb: Path, content: tuple[bytes, int], tmp_path: Path
) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "policy.yaml").write_text(POLICY)
    done = subprocess.run(
        [sys.executable, "-c", RUN.format(limit=LIMIT), *command, str(bomb)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert "Memory" not in done.stderr
    if command[-1] == "rules":
        assert done.returncode == 0, done.stderr
    if command[-1] == "verify":
        assert done.returncode == 1, done.stderr
        assert "altered" in done.stdout
        if content[0] == b"\0":
            assert "bomb.jsonl" in done.stdout
            assert ":2: altered: the line is longer than 1,048,576 bytes, so it is no record" in done.stdout


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
