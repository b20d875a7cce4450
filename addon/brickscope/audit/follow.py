"""Lines of a log as they are written, through rotation: what ``brickscope audit tail`` reads."""

import os
from pathlib import Path
from typing import IO

from .source import MAX_LINE

_CHUNK = 1024 * 1024
_LINE = 4096


class Follower:
    """Follows the file at a path, also when another one takes its place (a rotation, a restart) or it is cut short.

    It may not be there yet. Nothing is lost at a rotation: the file that was open is read to its end first.
    """

    def __init__(self, path: Path, lines: int) -> None:
        """``lines``: so many of the last that are there come first. Raises OSError if the file can't be read."""
        self.path = path
        self._file: IO[bytes] | None = None
        self._rest = b""
        self._skipping = False
        self._begin: list[bytes] = self._open_at_end(lines)

    def poll(self) -> list[bytes]:
        """The whole lines that have come, without their ends. Raises OSError if the file can't be read."""
        begin, self._begin = self._begin, []
        found = [*begin, *self._read()]
        if self._is_replaced():
            # What was written between the last look and the change of files stands in the old one.
            found += self._read()
            found += [self._rest] if self._rest else []  # the last line of a file that has no end
            self._reopen()
            found += self._read()
        return found

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open_at_end(self, lines: int) -> list[bytes]:
        self._reopen()
        if self._file is None:
            return []
        size = self._file.seek(0, os.SEEK_END)
        start = max(0, size - max(_CHUNK, lines * _LINE))
        self._file.seek(start)
        found = self._read()
        if start:
            found = found[1:]  # it may have begun amid a line
        return found[-lines:] if lines else []

    def _read(self) -> list[bytes]:
        if self._file is None:
            return []
        if os.fstat(self._file.fileno()).st_size < self._file.tell():
            self._file.seek(0)
            self._rest = b""
        found: list[bytes] = []
        while chunk := self._file.read(_CHUNK):
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            if self._skipping and lines:
                lines, self._skipping = lines[1:], False
            if len(self._rest) > MAX_LINE:
                # Memory is not for a line without end.
                self._rest, self._skipping = b"", True
            found += lines
        return found

    def _is_replaced(self) -> bool:
        try:
            there = self.path.stat()
        except FileNotFoundError:
            return False
        if self._file is None:
            return True
        here = os.fstat(self._file.fileno())
        return (there.st_dev, there.st_ino) != (here.st_dev, here.st_ino)

    def _reopen(self) -> None:
        self.close()
        self._rest, self._skipping = b"", False
        try:
            self._file = self.path.open("rb")
        except FileNotFoundError:
            self._file = None
