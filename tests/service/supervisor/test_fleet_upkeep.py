"""The fleet's upkeep where the system has nothing left for a new worker."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable, Sequence

import pytest

from brickscope.service.supervisor.doorway import Doorway
from brickscope.service.supervisor.fleet import Fleet
from brickscope.service.supervisor.worker_process import WorkerProcess


def test_a_worker_that_cannot_be_forked_is_tried_again_after_growing_pauses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without pauses the supervisor would take a whole core, and fill the disk with its message."""
    pauses: list[float] = []

    async def start(number: int, command: Sequence[str], on_change: Callable[[], None]) -> WorkerProcess:
        raise OSError(errno.EMFILE, "Too many open files")

    async def run() -> None:
        enough = asyncio.Event()
        found = Fleet(["none"], 1, 0.0, Doorway([]))

        async def pause() -> None:
            pauses.append(found._pause_seconds())
            if len(pauses) == 4:
                enough.set()
            await asyncio.sleep(0)

        monkeypatch.setattr(found, "_pause", pause)
        found._changed.set()
        keeping = asyncio.ensure_future(found.keep())
        async with asyncio.timeout(20):
            await enough.wait()
        keeping.cancel()

    monkeypatch.setattr(WorkerProcess, "start", start)
    asyncio.run(run())
    assert pauses[:4] == [0.0, 0.5, 1.0, 2.0]
