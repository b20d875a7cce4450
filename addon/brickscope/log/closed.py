"""Closed files of the log: their names, their compression, and how long they are kept.

A few bytes of a zstd file can stand for gigabytes. The library hands out no more than it is asked for, so that no file,
however made, takes more memory than its window, for which it has a bound too (128 MB). A file that was cut is an EOFError.
"""

import contextlib
import glob
import gzip
import io
import os
import re
import shutil
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple, cast

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd  # what every mitmproxy since 12.3 brings

COMPRESSIONS = {"zstd": ".zst", "gzip": ".gz", "none": ""}
CLOSED_NAME = re.compile(r"-(\d{8}T\d{6}Z)-([0-9a-f]{8})-(\d{1,18})(?:\.\w+)?(?:\.zst|\.gz)?\Z")
"""How the name of a closed file ends: when it was closed, and with which record."""
_CHUNK = 1024 * 1024


class Retention(NamedTuple):
    """How long closed files are kept: at most so many, at most so many days; 0 for no limit."""

    files: int = 0
    days: int = 0


def closed_name(active: Path, now: float, instance: str, seq: int) -> str:
    """The name of a file that is closed ``now`` (seconds since the epoch) with the record ``seq`` of ``instance``:
    ``audit-20261124T193000Z-1a2b3c4d-5000.jsonl``."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    return f"{active.stem}-{stamp}-{instance}-{seq}{active.suffix}"


def series(active: Path) -> list[Path]:
    """The closed files of a log, by name: their order is that of the clock (``extent.py`` tells the chain's)."""
    found = []
    for path in active.parent.glob(f"{glob.escape(active.stem)}-*"):
        name = path.name
        for ending in (".zst", ".gz"):
            name = name.removesuffix(ending)
        matched = CLOSED_NAME.search(name)
        if name.endswith(active.suffix) and matched and name.startswith(f"{active.stem}-{matched[1]}"):
            found.append((matched[1], int(matched[3]), path.name, path))
    return [each[-1] for each in sorted(found)]


DAMAGED = (OSError, EOFError, zlib.error, zstd.ZstdError)
"""What opening and reading a file that is broken raises."""


@contextlib.contextmanager
def open_log(path: Path) -> Iterator[IO[bytes]]:
    """A file of the log as the bytes of its lines, whether it is compressed or not. Raises DAMAGED, also while it is
    read."""
    if path.suffix == ".zst":
        with io.BufferedReader(zstd.ZstdFile(path), _CHUNK) as file:
            yield file
    elif path.suffix == ".gz":
        with gzip.open(path, "rb") as file:
            yield cast(IO[bytes], file)
    else:
        with path.open("rb") as file:
            yield file


def holds_same(one: Path, other: Path) -> bool:
    """Whether two files hold the same bytes once they are unpacked. Raises DAMAGED."""
    with open_log(one) as first, open_log(other) as second:
        while True:
            content = first.read(_CHUNK)
            if content != second.read(_CHUNK):
                return False
            if not content:
                return True


def compress(path: Path, how: str) -> Path:
    """Compress a closed file; the original goes once the copy is on disk and was read back. Returns the file there is now.

    Raises DAMAGED; then the original is still there.
    """
    if not path.exists():
        return path
    for ending in filter(None, COMPRESSIONS.values()):
        # A crash can have come between the copy and the end of the original.
        copy = path.with_name(path.name + ending)
        if copy.exists():
            if not holds_same(path, copy):
                raise OSError(f"{copy.name} is there already, and holds something else")
            return _replace(path, copy)
    if how == "none":
        return path
    target = path.with_name(path.name + COMPRESSIONS[how])
    draft = path.with_name(f".{target.name}.part")
    try:
        with path.open("rb") as source, open(draft, "wb", opener=private) as raw:
            with _compressor(raw, how) as sink:
                shutil.copyfileobj(source, sink, _CHUNK)
            raw.flush()
            os.fsync(raw.fileno())
        named = draft.rename(target)
        if not holds_same(path, named):
            named.unlink()
            raise OSError(f"the compressed copy {target.name} is not the file that was compressed")
    finally:
        draft.unlink(missing_ok=True)
    return _replace(path, named)


def _replace(path: Path, copy: Path) -> Path:
    """Delete a file of which there is a copy, once that is sure to be found after a loss of power."""
    shutil.copystat(path, copy)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    path.unlink()
    return copy


Sink = contextlib.AbstractContextManager[IO[bytes]]


def _compressor(raw: IO[bytes], how: str) -> Sink:
    if how == "gzip":
        return cast(Sink, gzip.GzipFile("", "wb", 6, raw, mtime=0))
    return cast(Sink, zstd_writer(raw, 6))


def zstd_writer(raw: IO[bytes], level: int) -> zstd.ZstdFile:
    """A file that compresses into ``raw``, which stays open, with a checksum."""
    options: dict[int, int] = {
        zstd.CompressionParameter.compression_level: level,
        zstd.CompressionParameter.checksum_flag: 1,
    }
    return zstd.ZstdFile(raw, "w", options=options)


def private(path: str, flags: int) -> int:
    """Opens a file that is the owner's alone, as ``open(opener=)`` has it."""
    return os.open(path, flags | os.O_CLOEXEC, 0o600)
