"""Calls over time: how they are spread over the period, and over the hours of a week."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from .facts import Facts

MAX_BUCKETS = 64
_DAY, _WEEK = 86400, 604800
_STEPS = (1, 5, 15, 30, 60, 300, 900, 1800, 3600, 10800, 21600, _DAY, _WEEK)
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
        each = timedelta(
            seconds=step
        )  # whole numbers: in seconds as a float, centuries lose their microseconds
        before = (first - _MONDAY) // each
        try:
            start = _MONDAY + before * each
        except OverflowError:
            start = datetime.min  # noqa: DTZ901 - UTC; nor is there a year 0
        return cls(start, step, 1 + (last - start) // each)

    @property
    def end(self) -> datetime:
        """Where the last step ends."""
        return self._at(self.count)

    def _at(self, index: int) -> datetime:
        try:
            return self.start + timedelta(seconds=index * self.step)
        except OverflowError:
            return datetime.max  # noqa: DTZ901 - UTC as all of them; there is no year 10000

    def starts(self) -> Iterator[datetime]:
        """Where each step begins."""
        return (self._at(index) for index in range(self.count))

    def sql(self, column: str) -> str:
        """The number of the step that a column's time lies in, as SQL."""
        since = f"date_diff('second', TIMESTAMP '{self.start.isoformat(' ')}', {column})"
        return f"CAST(floor({since} / {self.step}) AS INTEGER)"


@dataclass(frozen=True)
class Bucket:
    """The calls of one step. ``sent``: those that monitor mode denied and sent all the same."""

    start: datetime
    allowed: int
    sent: int
    denied: int

    @property
    def calls(self) -> int:
        """All of them."""
        return self.allowed + self.sent + self.denied


@dataclass(frozen=True)
class Timeline:
    """``week``: calls by day of the week (Monday first) and hour of the day, UTC."""

    grid: Grid
    buckets: tuple[Bucket, ...]
    week: tuple[tuple[int, ...], ...]

    @property
    def busiest(self) -> Bucket | None:
        """The step with the most calls; None where there are none."""
        best = max(self.buckets, key=lambda bucket: bucket.calls, default=None)
        return best if best is not None and best.calls else None

    @property
    def steps(self) -> str:
        """The length of a step in words."""
        step = self.grid.step
        for seconds, word in ((_WEEK, "week"), (_DAY, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
            if step % seconds == 0:
                return word if step == seconds else f"{step // seconds:,} {word}s"
        return f"{step} seconds"

    @property
    def spans_week(self) -> bool:
        """Whether the period is long enough to ask about days of the week."""
        return self.grid.step * self.grid.count >= 3 * _DAY


def gather_timeline(facts: Facts, first: datetime, last: datetime) -> Timeline:
    """The calls between the log's first and last record."""
    grid = Grid.over(first, last, facts.resolution)
    rows = facts.ask(
        f"""SELECT {grid.sql("moment")} AS step, decision, enforced, sum(records)
        FROM by_time WHERE event = 'decision' GROUP BY ALL"""  # noqa: S608 - numbers and a time of our own
    )
    counts = [[0, 0, 0] for _ in range(grid.count)]
    for step, decision, enforced, records in rows:
        # The first bucket of the coarser facts may begin before the first record.
        kind = 0 if decision == "allow" else 1 if enforced is False else 2
        counts[min(max(step, 0), grid.count - 1)][kind] += int(records)
    week = [[0] * 24 for _ in range(7)]
    for weekday, hour, records in facts.ask(
        """SELECT isodow(moment), hour(moment), sum(records) FROM by_time WHERE event = 'decision' GROUP BY ALL"""
    ):
        week[weekday - 1][hour] += int(records)
    return Timeline(
        grid,
        tuple(Bucket(start, *count) for start, count in zip(grid.starts(), counts, strict=True)),
        tuple(map(tuple, week)),
    )
