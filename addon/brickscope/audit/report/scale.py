"""Axes: where ticks stand and what is written at them."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import NamedTuple

from .text import brief, duration

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAY = 86400
_STEPS = (
    1,
    5,
    15,
    30,
    60,
    300,
    900,
    1800,
    3600,
    10800,
    21600,
    43200,
    _DAY,
    2 * _DAY,
    4 * _DAY,
    7 * _DAY,
    14 * _DAY,
)
_MONTH_STEPS = (1, 2, 3, 6)
_MONDAY = datetime(2024, 1, 1)  # noqa: DTZ001 - UTC, as all times of a log


class Tick[Value](NamedTuple):
    """A place on an axis, and its label."""

    value: Value
    label: str


def count_ticks(top: float, wanted: int = 4) -> list[Tick[float]]:
    """Ticks from 0 up to ``top`` or just beyond, at whole round numbers."""
    rough = max(top, 1) / wanted
    power = 10 ** math.floor(math.log10(rough))
    step = max(1, next(each * power for each in (1, 2, 5, 10) if each * power >= rough * 0.999))
    count = max(1, math.ceil(top / step - 1e-9))
    return [Tick(step * index, brief(step * index)) for index in range(count + 1)]


def duration_ticks(low: float, high: float) -> list[Tick[float]]:
    """Ticks of a logarithmic axis of milliseconds, the first at or below ``low``, the last at or above ``high``."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    last = max(last, first + 1)
    # Between few powers of ten there is room for more.
    within = (1, 2, 5) if last - first <= 2 else (1,)
    # Beyond ten powers somebody made the numbers up.
    every = math.ceil((last - first) / 10)
    values = [factor * 10.0**power for power in range(first, last, every) for factor in within]
    values.append(10.0**last)
    start = max((index for index, value in enumerate(values) if value <= low), default=0)
    end = next((index for index, value in enumerate(values) if value >= high), len(values) - 1)
    return [Tick(value, duration(value)) for value in values[start : max(end, start + 1) + 1]]


def time_ticks(start: datetime, end: datetime, wanted: int) -> list[Tick[datetime]]:
    """At most ``wanted`` ticks at round times from ``start`` to ``end``."""
    length = max((end - start).total_seconds(), 1)
    step = next((each for each in _STEPS if length / each <= wanted), None)
    return _months(start, end, wanted) if step is None else _steps(start, end, step)


def _steps(start: datetime, end: datetime, step: int) -> list[Tick[datetime]]:
    first = math.ceil((start - _MONDAY).total_seconds() / step)
    last = math.floor((end - _MONDAY).total_seconds() / step)
    times = [_MONDAY + timedelta(seconds=index * step) for index in range(first, last + 1)]
    years = start.year != end.year
    return [Tick(time, _label(time, step, years)) for time in times]


def _label(time: datetime, step: int, years: bool) -> str:
    if step < _DAY and (time.hour or time.minute or time.second):
        return f"{time:%H:%M:%S}" if step < 60 else f"{time:%H:%M}"
    return f"{time.day} {_MONTHS[time.month - 1]}" + (f" {time.year}" if years else "")


def _months(start: datetime, end: datetime, wanted: int) -> list[Tick[datetime]]:
    """First days of months or years."""
    months = (end.year - start.year) * 12 + end.month - start.month
    step = next((each for each in _MONTH_STEPS if months / each <= wanted), 0)
    step = step or 12 * math.ceil(months / 12 / wanted)
    first = math.ceil((start.year * 12 + start.month - 1) / step) * step
    found = []
    for index in range(first, end.year * 12 + end.month, step):
        year, month = divmod(index, 12)
        if 0 < year < 10000 and start <= datetime(year, month + 1, 1) <= end:  # noqa: DTZ001
            name = f"{_MONTHS[month]} {year}" if step < 12 else str(year)
            found.append(Tick(datetime(year, month + 1, 1), name))  # noqa: DTZ001
    return found
