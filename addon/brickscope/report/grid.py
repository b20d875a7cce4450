"""The axis of time: equal steps of a handy length, and the round moments that are written at it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from .text import counted

MAX_BUCKETS = 64
MAX_LABELS = 8
_DAY, _WEEK = 86400, 604800
_STEPS = (1, 5, 15, 30, 60, 300, 900, 1800, 3600, 10800, 21600, _DAY, _WEEK)
_LABELS = (*_STEPS[:-2], 43200, _DAY, 2 * _DAY, _WEEK, 2 * _WEEK, 4 * _WEEK, 8 * _WEEK)
_MONDAY = datetime(2024, 1, 1)  # noqa: DTZ001 - all times of a log are UTC, without a zone of their own


@dataclass(frozen=True)
class Grid:
    """Equal steps that cover the period. ``step``: seconds. ``start``: of the first; a round moment, weeks on Mondays."""

    start: datetime
    step: int
    count: int

    @classmethod
    def over(cls, first: datetime, last: datetime, least: int) -> Grid:
        """At most MAX_BUCKETS steps of a handy length, of ``least`` seconds or more."""
        length = (last - first).total_seconds()
        step = next((size for size in _STEPS if size >= least and length / size < MAX_BUCKETS - 1), 0)
        # A single record that claims to be of the year 9999 must not cost more than a coarse chart.
        step = step or _WEEK * 4 * (1 + int(length / (_WEEK * 4 * (MAX_BUCKETS - 1))))
        each = timedelta(seconds=step)  # in seconds as a float, centuries lose their microseconds
        try:
            start = _MONDAY + (first - _MONDAY) // each * each
        except OverflowError:
            start = datetime.min  # noqa: DTZ901 - UTC; nor is there a year 0
        return cls(start, step, 1 + (last - start) // each)

    def starts(self) -> Iterator[datetime]:
        """Where each step begins."""
        return (self.start + timedelta(seconds=index * self.step) for index in range(self.count))

    def at(self, time: datetime) -> int:
        """The number of the step that a time lies in, as ``sql`` gives it."""
        return int((time - self.start).total_seconds() // self.step)

    def sql(self, column: str) -> str:
        """The number of the step that a column's time lies in, as SQL. Times are kept coarsely, so the first may begin
        before the first record."""
        since = f"date_diff('second', TIMESTAMP '{self.start.isoformat(' ')}', {column})"
        return f"least(greatest(CAST(floor({since} / {self.step}) AS INTEGER), 0), {self.count - 1})"

    @property
    def words(self) -> str:
        """The length of a step."""
        for seconds, word in ((_WEEK, "week"), (_DAY, "day"), (3600, "hour"), (60, "minute")):
            if self.step % seconds == 0:
                return word if self.step == seconds else f"{self.step // seconds:,} {word}s"
        return counted(self.step, "second")

    def labels(self) -> Iterator[tuple[float, str]]:
        """At most MAX_LABELS times at round moments: percent of the way, and what is written there."""
        length = self.step * self.count
        wanted = (step for step in _LABELS if step % self.step == 0 and length / step <= MAX_LABELS)
        step = next(wanted, self.step * math.ceil(self.count / MAX_LABELS))
        years = length > 300 * _DAY
        for index, start in enumerate(self.starts()):
            if step > _LABELS[-1] and index % (step // self.step):
                continue
            if step > _LABELS[-1] or (start - _MONDAY) % timedelta(seconds=step) == timedelta(0):
                day = f"{start:%b} {start.year}" if years else f"{start.day} {start:%b}"
                clock = f"{start:%H:%M:%S}" if step < 60 else f"{start:%H:%M}"
                yield 100 * index / self.count, clock if start.time() != _MONDAY.time() else day
