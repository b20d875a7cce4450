"""The fleet: so many workers that serve, each new one ready before an old one goes, and what dies is started again."""

import asyncio
import logging
import signal
from collections.abc import Coroutine, Sequence
from typing import Any

from .doorway import Doorway
from .worker_process import WorkerProcess

logger = logging.getLogger("brickscope.supervisor")

START_SECONDS = 60.0
"""A worker has to be ready so long after it was started."""
STEADY_SECONDS = 10.0
"""A worker that lived so long did not fail at its start."""
PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds before the second start in a row that may fail; doubled each time up to the second number."""
STOP_MARGIN = 10.0
"""Seconds beyond ``stop_after`` after which a worker that does not end is killed."""


class StartFailed(Exception):
    """A worker did not start; it has said why."""


class Fleet:
    """All workers, and who of them serves."""

    def __init__(self, command: Sequence[str], size: int, stop_after: float, doorway: Doorway) -> None:
        """``command``: starts a worker. ``size``: how many serve. ``stop_after``: seconds that a stop may take."""
        self.command = command
        self.size = size
        self.stop_after = stop_after
        self.workers: list[WorkerProcess] = []
        self._numbers: set[int] = set()
        self._doorway = doorway
        self._changed = asyncio.Event()
        self._replacing = False
        self._failures = 0
        self.started = self.crashed = 0
        """Workers that became ready, and workers that ended though nobody had asked them to."""
        self._stopping = False
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def serving(self) -> list[WorkerProcess]:
        """The workers that take connections."""
        return [worker for worker in self.workers if worker.serves]

    # -- start -------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start all workers: the first alone, so that what is wrong is said once. Raises StartFailed."""
        for count in (1, self.size - 1):
            found = await asyncio.gather(*(self._start_one() for _ in range(count)))
            if None in found:
                raise StartFailed
        logger.info("%d workers serve", self.size)

    async def _start_one(self) -> WorkerProcess | None:
        """Start a worker and wait until it is ready; None if it is not."""
        # The number names its log, which has one writer: a worker that still drains keeps its own.
        number = next(number for number in range(1, len(self._numbers) + 2) if number not in self._numbers)
        self._numbers.add(number)
        try:
            worker = await WorkerProcess.start(number, self.command, self._on_change)
        except OSError as error:
            self._numbers.discard(number)
            self._failures += 1  # or the next try would follow at once, and so on without a pause
            logger.error("worker %d can't be started: %s", number, error)
            return None
        self.workers.append(worker)
        self._spawn(self._watch(worker))
        try:
            async with asyncio.timeout(START_SECONDS):
                ready = await asyncio.shield(worker.settled)
        except TimeoutError:
            logger.error("worker %d was not ready within %g s; it is killed", number, START_SECONDS)
            worker.signal(signal.SIGKILL)
            ready = False
        if ready:
            self.started += 1
            logger.info("worker %d is ready (pid %d)", number, worker.process.pid)
        return worker if ready else None

    async def _watch(self, worker: WorkerProcess) -> None:
        """See a worker to its end."""
        untouched = await worker.ended()
        self.workers.remove(worker)
        self._numbers.discard(worker.number)
        status = worker.process.returncode or 0
        how = f"by signal {-status}" if status < 0 else f"with status {status}"
        if self._stopping or (worker.draining and status == 0):
            logger.info("worker %d (pid %d) ended", worker.number, worker.process.pid)
        else:
            logger.warning("worker %d (pid %d) ended %s", worker.number, worker.process.pid, how)
            self.crashed += 1
            self._failures = 0 if worker.lived >= STEADY_SECONDS else self._failures + 1
        self._doorway.take_back(untouched)
        self._on_change()

    def _on_change(self) -> None:
        self._changed.set()
        self._doorway.look()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- upkeep ------------------------------------------------------------------------------------------------

    def replace_all(self) -> None:
        """A rolling restart: each worker's successor is ready before it drains."""
        self._replacing = True
        self._changed.set()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all workers that serve; the others have not set up what to do on it."""
        for worker in self.serving:
            worker.signal(number)

    async def keep(self) -> None:
        """Start what is missing, one after the other, until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            while len(self.serving) < self.size:
                await self._pause()
                if len(self.serving) >= self.size:
                    break
                if await self._start_one() is None:
                    logger.error(
                        "a worker does not start; %d of %d serve. It is tried again in %g s",
                        len(self.serving),
                        self.size,
                        self._pause_seconds(),
                    )
            if self._replacing:
                self._replacing = False
                await self._replace()

    async def _replace(self) -> None:
        old = self.serving
        logger.info("rolling restart of %d workers", len(old))
        for worker in old:
            if await self._start_one() is None:
                logger.error("the rolling restart is given up: a new worker does not start; the others go on")
                return
            worker.drain()
        logger.info("rolling restart: all workers are new; the old ones end when their calls have")

    def _pause_seconds(self) -> float:
        return min(PAUSE * 2 ** (self._failures - 1), LONGEST_PAUSE) if self._failures else 0.0

    async def _pause(self) -> None:
        await asyncio.sleep(self._pause_seconds())

    # -- end ---------------------------------------------------------------------------------------------------

    async def stop(self, hurry: asyncio.Event) -> None:
        """Let all workers finish what they have; at once, if ``hurry`` is set meanwhile."""
        self._stopping = True
        for worker in self.workers:
            worker.drain()
        ends = [asyncio.ensure_future(worker.process.wait()) for worker in self.workers]
        hurried = asyncio.ensure_future(hurry.wait())
        deadline = asyncio.get_running_loop().time() + self.stop_after + STOP_MARGIN
        while (open_ends := [end for end in ends if not end.done()]) and not hurried.done():
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                break
            await asyncio.wait([*open_ends, hurried], timeout=left, return_when=asyncio.FIRST_COMPLETED)
        if hurried.done():
            for worker in self.workers:
                worker.drain(at_once=True)
            if ends:
                await asyncio.wait(ends, timeout=STOP_MARGIN)
        hurried.cancel()
        for worker in self.workers:
            if worker.process.returncode is None:
                logger.error("worker %d does not end; it is killed", worker.number)
                worker.signal(signal.SIGKILL)
        while self._tasks:
            await asyncio.wait(list(self._tasks))
