"""What is broken on purpose, one thing after the other, while the load goes on."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

from .ledger import Ledger, Window
from .stage import Stage

PAUSE_S = 4.0
"""Between two faults, beyond the time a call may still be broken by the one before."""


class Fault(NamedTuple):
    """Something that goes wrong. ``breaks``: calls may break meanwhile; ``denies``: they may be denied for want of a log."""

    name: str
    run: Callable[[Stage], Awaitable[None]]
    breaks: bool
    denies: bool = False


async def kill_worker(stage: Stage) -> None:
    """``kill -9`` of one proxy process; it is started again."""
    pid = stage.workers()[0]
    os.kill(pid, signal.SIGKILL)
    await stage.wait_for_workers(without=pid)


async def restart_workspace(stage: Stage) -> None:
    """The workspace is killed and is back two seconds later."""
    stage.stop_workspace()
    await asyncio.sleep(2)
    stage.start_workspace()


async def freeze_workspace(stage: Stage) -> None:
    """The workspace's kernel accepts connections, and nobody answers: half-open."""
    os.kill(stage.workspace_pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(5)
    finally:
        os.kill(stage.workspace_pid, signal.SIGCONT)


async def fill_disk(stage: Stage) -> None:
    """No file of a proxy process may grow any more (setrlimit(2), RLIMIT_FSIZE), which ``write`` tells like a full disk."""
    limits = {}
    try:
        for pid, log in stage.logs_of_workers().items():
            limits[pid] = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            # In the middle of a record, so that one is written in part.
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (log.stat().st_size + 100, limits[pid][1]))
        await asyncio.sleep(4)
    finally:
        for pid, limit in limits.items():
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, limit)


async def jump_clock(stage: Stage) -> None:
    """The clock of the proxy jumps three hours ahead, then six back, then to the right time."""
    for offset in ("+3h", "-3h", "+0"):
        stage.set_clock(offset)
        await asyncio.sleep(3)


async def reload_policy(stage: Stage) -> None:
    """The policy is edited ten times, every second time into nonsense."""
    for number in range(10):
        stage.edit_policy(number)
        await asyncio.sleep(0.7)


async def rolling_restart(stage: Stage) -> None:
    """Every proxy process is replaced by a new one; no call may notice."""
    before = stage.workers()
    os.kill(stage.supervisor_pid, signal.SIGUSR2)
    await stage.wait_for_workers(without=None, none_of=before)


FAULTS = (
    Fault("policy edited, half of the time badly", reload_policy, breaks=False),
    Fault("worker killed (kill -9)", kill_worker, breaks=True),
    Fault("workspace killed and restarted", restart_workspace, breaks=True),
    Fault("workspace frozen (half-open)", freeze_workspace, breaks=True),
    Fault("disk full", fill_disk, breaks=False, denies=True),
    Fault("clock jumps by hours", jump_clock, breaks=False),
    Fault("second worker killed (kill -9)", kill_worker, breaks=True),
    Fault("rolling restart", rolling_restart, breaks=False),
)


@asynccontextmanager
async def window(ledger: Ledger, fault: Fault) -> AsyncIterator[None]:
    """Note from when to when a fault was there."""
    start = time.monotonic()
    # Open-ended while it lasts; calls are judged at the end of the soak.
    try:
        yield
    finally:
        ledger.windows.append(Window(fault.name, start, time.monotonic(), fault.breaks, fault.denies))
