"""Closed files of the log: their names, their compression, and how long they are kept."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import re
import shutil
import time
import zlib
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

import zstandard

from .chain import Link, read_link

COMPRESSIONS = {"zstd": ".zst", "gzip": ".gz", "none": ""}
_NAME = re.compile(r"-(\d{8}T\d{6}Z)-([0-9a-f]{8})-(\d+)\Z")
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
    """The closed files of a log, the oldest first."""
    found = []
    for path in active.parent.glob(f"{glob_escape(active.stem)}-*"):
        name = path.name
        for ending in (".zst", ".gz"):
            name = name.removesuffix(ending)
        matched = _NAME.search(name.removesuffix(active.suffix))
        if name.endswith(active.suffix) and matched and name.startswith(f"{active.stem}-{matched[1]}"):
            found.append((matched[1], int(matched[3]), path.name, path))
    return [each[-1] for each in sorted(found)]


def glob_escape(text: str) -> str:
    """Text as a pattern that matches only itself."""
    return re.sub(r"([*?\[])", r"[\1]", text)


DAMAGED = (OSError, EOFError, zlib.error, zstandard.ZstdError)
"""What opening and reading a file that is broken raises."""


@contextlib.contextmanager
def open_log(path: Path) -> Iterator[IO[bytes]]:
    """A file of the log as the bytes of its lines, whether it is compressed or not. Raises DAMAGED, also while it is
    read."""
    if path.suffix == ".zst":
        with path.open("rb") as raw, io.BufferedReader(_ZstdReader(raw), _CHUNK) as file:
            yield file
    elif path.suffix == ".gz":
        with gzip.open(path, "rb") as file:
            yield cast(IO[bytes], file)
    else:
        with path.open("rb") as file:
            yield file


def end_of_closed(active: Path) -> Link | None:
    """The last record of the newest closed file that can be read; None where there is none."""
    for path in reversed(series(active)):
        last = b""
        with contextlib.suppress(*DAMAGED), open_log(path) as file:
            for line in file:
                last = line
        if link := read_link(last.removesuffix(b"\n")):
            return link
    return None


class _ZstdReader(io.RawIOBase):
    """The content of a zstd file. Raises EOFError where it was cut; the library's own reader would take that for its end."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            chunk = self._frame.unused_data or self._raw.read(_CHUNK // 8)
            if not chunk:
                if not self._frame.eof:
                    raise EOFError("the compressed file ends too soon")
                return 0
            if self._frame.eof:  # files that were joined
                self._frame = zstandard.ZstdDecompressor().decompressobj()
            self._ready = memoryview(self._frame.decompress(chunk))
        size = min(len(buffer), len(self._ready))
        buffer[:size], self._ready = self._ready[:size], self._ready[size:]
        return size


def compress(path: Path, how: str) -> Path:
    """Compress a closed file; the original goes once the copy is on disk and was read back. Returns the file there is now.

    Raises DAMAGED; then the original is still there.
    """
    if how == "none" or not path.exists():
        return path
    target = path.with_name(path.name + COMPRESSIONS[how])
    draft = path.with_name(f".{target.name}.part")
    expected = sha256()
    try:
        with path.open("rb") as source, open(draft, "wb", opener=_private) as raw:
            with _compressor(raw, how) as sink:
                while chunk := source.read(_CHUNK):
                    expected.update(chunk)
                    sink.write(chunk)
            raw.flush()
            os.fsync(raw.fileno())
        named = draft.rename(target)
        found = sha256()
        with open_log(named) as copy:
            while chunk := copy.read(_CHUNK):
                found.update(chunk)
        if found.digest() != expected.digest():
            named.unlink()
            raise OSError(f"the compressed copy {target.name} is not the file that was compressed")
    finally:
        draft.unlink(missing_ok=True)
    shutil.copystat(path, named)
    path.unlink()
    return named


Sink = contextlib.AbstractContextManager[IO[bytes]]


def _compressor(raw: IO[bytes], how: str) -> Sink:
    if how == "gzip":
        return cast(Sink, gzip.GzipFile("", "wb", 6, raw, mtime=0))
    return cast(
        Sink, zstandard.ZstdCompressor(level=6, write_checksum=True).stream_writer(raw, closefd=False)
    )


def outdated(active: Path, retention: Retention, now: float) -> list[Path]:
    """The closed files that are not to be kept any longer."""
    files = series(active)
    over = files[: -retention.files] if retention.files else []
    oldest = now - retention.days * 24 * 60 * 60
    old = [path for path in files if retention.days and path.stat().st_mtime < oldest]
    return [path for path in files if path in over or path in old]


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)
