"""Bytes from one socket to another through the kernel (splice(2)): without a copy in this process, on Linux alone.

Rule: one pipe serves all connections, and it is empty whenever ``carry`` returns: what is left in it would be the next
client's. Where that can't be had, the pipe is closed and nobody uses it again.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys

SIZE = 256 * 1024
"""Bytes that are carried at once: as many as are read at once where they are copied."""
IS_THERE = sys.platform == "linux"


class Pipe:
    """Makes its two descriptors. Raises OSError where there are none left."""

    __slots__ = ("_in", "_out")

    def __init__(self) -> None:
        self._out, self._in = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        with contextlib.suppress(OSError):  # there is a limit for all pipes of a user; 64 KiB do as well
            fcntl.fcntl(self._in, fcntl.F_SETPIPE_SZ, SIZE)

    def carry(self, source: int, target: int) -> tuple[int, bytes]:
        """Carry what has come from one descriptor to another. Returns how many bytes came (0: none just now, no more at
        all, or the source is broken, which reading it tells), and those that the target does not take just now."""
        if sys.platform != "linux":
            return 0, b""
        try:
            came = left = os.splice(source, self._in, SIZE, flags=os.SPLICE_F_NONBLOCK)
        except OSError:
            return 0, b""
        try:
            with contextlib.suppress(OSError):  # it is full, or broken, which writing to it tells
                while left:
                    left -= os.splice(self._out, target, left, flags=os.SPLICE_F_NONBLOCK)
            rest = b""
            while len(rest) < left:
                rest += os.read(self._out, left - len(rest))
        except BaseException:
            self.close()
            raise
        return came, rest

    def close(self) -> None:
        """Let go of the descriptors."""
        os.close(self._in)
        os.close(self._out)
