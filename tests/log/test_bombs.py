"""Files made to exhaust memory cost no more than others: gigabytes in two megabytes on disk, read by whole commands."""

from __future__ import annotations

import gzip
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from backports import zstd

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
    "one line of zeros": (b"\0", GIB),
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
