"""Lines of a log, of which none takes more memory than a line may have: what is in a file is hostile.

A few kilobytes of a compressed file can stand for one line of gigabytes.
"""

from collections.abc import Iterator
from typing import IO

MAX_RECORD = 1024 * 1024
"""Longest line, in bytes, that can be a record. The proxy's have some kilobytes (``record.py`` bounds each field)."""


def bounded(file: IO[bytes], limit: int = MAX_RECORD) -> Iterator[bytes | None]:
    """The lines of a file, with their ends; None for one of ``limit`` bytes or more, which is passed over. Raises what
    reading raises."""
    while line := file.readline(limit):
        if len(line) < limit or line.endswith(b"\n"):
            yield line
        else:
            skip(file, limit)
            yield None


def skip(file: IO[bytes], limit: int = MAX_RECORD) -> int:
    """Pass over the rest of a line. Gives its length in bytes, with its end."""
    passed = 0
    while rest := file.readline(limit):
        passed += len(rest)
        if rest.endswith(b"\n"):
            break
    return passed
