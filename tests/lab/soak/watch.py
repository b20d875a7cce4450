"""Memory and file descriptors of the proxy's processes, sampled while the soak runs."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

KIB_IN_MB = 1024
GROWTH = 0.10
GROWTH_MB = 10.0
MORE_FILES = 25
"""What counts as flat: the last third of the steady time no more than this above its first third."""


class Sample(NamedTuple):
    """One process at one moment. ``at``: seconds of ``time.monotonic``; ``memory``: resident, in MB."""

    at: float
    pid: int
    memory: float
    files: int


class Flatness(NamedTuple):
    """One process over the steady time: medians of its first and its last third."""

    pid: int
    memory: tuple[float, float]
    files: tuple[float, float]

    @property
    def memory_is_flat(self) -> bool:
        """Whether memory did not grow."""
        first, last = self.memory
        return last - first <= max(GROWTH * first, GROWTH_MB)

    @property
    def files_are_flat(self) -> bool:
        """Whether the number of descriptors did not grow."""
        return self.files[1] - self.files[0] <= MORE_FILES


class Watch:
    """Samples processes until cancelled."""

    def __init__(self, pids: Callable[[], Iterable[int]]) -> None:
        self._pids = pids
        self.samples: list[Sample] = []

    async def run(self) -> None:
        """Once a second."""
        while True:
            self.look()
            await asyncio.sleep(1)

    def look(self) -> list[Sample]:
        """Sample now."""
        now = time.monotonic()
        found = []
        for pid in self._pids():
            with contextlib.suppress(OSError, StopIteration):
                found.append(
                    Sample(now, pid, _memory(pid), sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir()))
                )
        self.samples += found
        return found

    def flatness(self, start: float, end: float) -> list[Flatness]:
        """Of each process that was there for the whole time from ``start`` to ``end``."""
        third = (end - start) / 3
        by_pid: dict[int, list[Sample]] = defaultdict(list)
        for sample in self.samples:
            if start <= sample.at <= end:
                by_pid[sample.pid].append(sample)
        found = []
        for pid, samples in sorted(by_pid.items()):
            first = [each for each in samples if each.at <= start + third]
            last = [each for each in samples if each.at >= end - third]
            if first and last:
                found.append(
                    Flatness(
                        pid,
                        (_median(each.memory for each in first), _median(each.memory for each in last)),
                        (_median(each.files for each in first), _median(each.files for each in last)),
                    )
                )
        return found


def _memory(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / KIB_IN_MB for line in lines if line.startswith("VmRSS:"))


def _median(values: Iterable[float]) -> float:
    return statistics.median(values)
