"""What the log needs now and then, off the way of calls: bringing it to disk, checkpoints, compression, retention."""

import asyncio
import contextlib
import os
import time
from pathlib import Path

from brickscope import notice

from .closed import DAMAGED, Retention, compress, series
from .file import sync
from .retention import Expiry
from .writer import AuditWriter

PAUSE_S = 1.0
RETRY_S = 600.0
"""A file that could not be compressed is tried again so much later."""


class Upkeep:
    """Looks after one writer; slow work is done in threads."""

    def __init__(self, writer: AuditWriter, compression: str, retention: Retention) -> None:
        """``compression``: zstd, gzip or none."""
        self._writer = writer
        self._compression = compression
        self._retention = retention
        self._expiry = Expiry(writer.path, retention, writer.written)
        self._later: list[tuple[float, Path]] = []

    async def run(self) -> None:
        """Go on until cancelled. Nothing that fails here ends it."""
        # What a crash left uncompressed.
        self._writer.closed += [
            path for path in series(self._writer.path) if path.suffix not in (".zst", ".gz")
        ]
        while True:
            try:
                await self.step()
            except Exception as error:
                notice.error("audit_upkeep", f"upkeep of the audit log: {type(error).__name__}: {error}")
            await asyncio.sleep(PAUSE_S)

    async def step(self) -> None:
        """One round."""
        fd = self._writer.tick()
        if fd >= 0:
            self._writer.statistics.sync_ends(await asyncio.to_thread(_sync, os.dup(fd)))
        passed = time.monotonic()
        due = [path for when, path in self._later if when <= passed]
        self._later = [each for each in self._later if each[0] > passed]
        while self._writer.closed or due:
            path = due.pop() if due else self._writer.closed.pop(0)
            try:
                await asyncio.to_thread(compress, path, self._compression)
            except DAMAGED as error:
                # The disk may be full, and have room again later.
                self._later.append((passed + RETRY_S, path))
                notice.error("audit_upkeep", f"{path} can't be compressed, and stays as it is: {error}")
        if self._retention != Retention():
            for path in await asyncio.to_thread(self._expiry.outdated, time.time(), time.monotonic()):
                self._delete(path)

    def _delete(self, path: Path) -> None:
        with contextlib.suppress(FileNotFoundError):
            try:
                path.unlink()
            except PermissionError as error:
                notice.error("audit_upkeep", f"{path} can't be deleted: {error.strerror}")
                return
            self._writer.note_deleted(path.name)


def _sync(fd: int) -> bool:
    """Bring a file to disk and close this descriptor of it. Returns whether it is there."""
    try:
        sync(fd)
    except OSError as error:
        notice.error("audit_upkeep", f"the audit log can't be synced to disk: {error.strerror}")
        return False
    else:
        return True
    finally:
        os.close(fd)
