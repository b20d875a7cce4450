"""The geometry of the charts: from numbers to places on a canvas. ``page/charts.j2`` draws them.

Each chart is made twice, for wide and for narrow screens, so that its letters stay readable on a phone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from .changes import Change
from .outcomes import SHARES, Latency
from .scale import Tick, count_ticks, duration_ticks, time_ticks
from .text import counted, duration, moment, shown
from .timeline import Bucket, Grid, Timeline

_MARKS = ("gap", "mode_change", "failed_reload", "reload", "start", "stop")
"""Kinds of events on the time axis, the weightiest first."""
MAX_MARKED = 6


@dataclass(frozen=True)
class Canvas:
    """The size of a drawing, and the margins beside the plot."""

    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int

    @property
    def plot_width(self) -> int:
        """What is left for the plot."""
        return self.width - self.left - self.right

    def x(self, share: float) -> float:
        """The place of a share (0 to 1) of the time axis."""
        return round(self.left + share * self.plot_width, 1)


WIDE = Canvas(900, 340, 52, 14, 42, 26)
NARROW = Canvas(340, 340, 48, 8, 42, 26)


@dataclass(frozen=True)
class Label:
    """A tick: where, and what is written there."""

    at: float
    text: str


@dataclass(frozen=True)
class Bar:
    """A rectangle. ``kind``: what it stands for, and its class in the style sheet."""

    x: float
    y: float
    width: float
    height: float
    kind: str


@dataclass(frozen=True)
class Panel:
    """A plot with its own upright axis; several stand above each other on one time axis."""

    title: str
    title_at: float
    top: float
    bottom: float
    ticks: tuple[Label, ...]
    bars: tuple[Bar, ...] = ()
    lines: tuple[tuple[str, str], ...] = ()
    """Kind and path of each line."""
    dots: tuple[tuple[str, float, float], ...] = ()
    """Kind and place of values that stand alone."""


@dataclass(frozen=True)
class Slot:
    """A step of the time axis that can be pointed at, with what is said of it."""

    x: float
    width: float
    text: str


@dataclass(frozen=True)
class Mark:
    """Events in one step of the time axis; ``kind`` is that of the weightiest."""

    x: float
    kind: str
    text: str


@dataclass(frozen=True)
class TimeChart:
    """A drawing over time."""

    canvas: Canvas
    panels: tuple[Panel, ...]
    times: tuple[Label, ...]
    slots: tuple[Slot, ...]
    marks: tuple[Mark, ...] = ()


def calls_chart(timeline: Timeline, events: Iterable[Change], canvas: Canvas) -> TimeChart:
    """All calls above, and below, on a scale of their own, those that were denied: few among many would not be seen."""
    buckets = timeline.buckets
    middle = canvas.top + (canvas.height - canvas.top - canvas.bottom) * 0.56
    calls = _stack(canvas, (14, canvas.top, middle), "Calls", ("allowed", "sent", "denied"), timeline)
    denied = _stack(
        canvas,
        (middle + 24, middle + 36, canvas.height - canvas.bottom),
        "Denied",
        ("sent", "denied"),
        timeline,
    )
    return TimeChart(
        canvas,
        (calls, denied),
        _times(canvas, timeline.grid),
        _slots(canvas, timeline.grid, [describe_bucket(bucket) for bucket in buckets]),
        _marks(canvas, timeline.grid, events),
    )


def describe_bucket(bucket: Bucket) -> str:
    """What is said of one step."""
    lines = [
        f"{moment(bucket.start)} UTC",
        f"{counted(bucket.calls, 'call')}, {counted(bucket.denied + bucket.sent, 'denied', 'denied')}",
    ]
    if bucket.sent:
        lines.append(f"{counted(bucket.sent, 'of these', 'of these')} sent in monitor mode")
    return "\n".join(lines)


def _stack(
    canvas: Canvas, rows: tuple[float, float, float], what: str, kinds: tuple[str, ...], timeline: Timeline
) -> Panel:
    """Bars of some kinds of calls, one upon the other. ``rows``: where title and plot stand, and where the plot ends."""
    title_at, top, bottom = rows
    buckets = timeline.buckets
    highest = max((sum(getattr(bucket, kind) for kind in kinds) for bucket in buckets), default=0)
    ticks = count_ticks(highest, 4 if bottom - top > 120 else 3)
    scale = (bottom - top) / ticks[-1].value
    slot = canvas.plot_width / max(len(buckets), 1)
    width = round(max(1.0, slot - min(3.0, slot * 0.2)), 1)
    bars = []
    for index, bucket in enumerate(buckets):
        floor = bottom
        for kind in kinds:
            value = getattr(bucket, kind)
            if value:
                # A single call among a million is still to be seen.
                height = max(1.0, value * scale)
                x = round(canvas.left + index * slot + (slot - width) / 2, 1)
                bars.append(Bar(x, round(floor - height, 1), width, round(height, 1), kind))
                floor -= height
    return Panel(
        f"{what} per {timeline.steps}",
        title_at,
        round(top, 1),
        round(bottom, 1),
        tuple(Label(round(bottom - tick.value * scale, 1), tick.label) for tick in ticks),
        tuple(bars),
    )


def latency_chart(latency: Sequence[Latency], grid: Grid, canvas: Canvas) -> TimeChart | None:
    """The percentiles as lines on a logarithmic axis; None where no call ended."""
    values = [value for each in latency for value in each.values if value is not None]
    if not values:
        return None
    top, bottom = 30.0, float(canvas.height - canvas.bottom)
    ticks = duration_ticks(min(values), max(values))
    low, high = math.log10(ticks[0].value), math.log10(ticks[-1].value)

    def y(value: float) -> float:
        share = (math.log10(value) - low) / (high - low)
        return round(bottom - share * (bottom - top), 1)

    lines, dots = [], []
    for number, share in enumerate(SHARES):
        kind = f"p{share * 100:.0f}"
        points = [
            (canvas.x((index + 0.5) / len(latency)), y(value))
            if (value := each.values[number]) is not None
            else None
            for index, each in enumerate(latency)
        ]
        path, alone = _line(points)
        lines.append((kind, path))
        dots += [(kind, *point) for point in alone]
    panel = Panel(
        "Time to the end of the answer",
        top - 12,
        top,
        bottom,
        tuple(Label(y(tick.value), tick.label) for tick in ticks),
        lines=tuple(lines),
        dots=tuple(dots),
    )
    return TimeChart(
        canvas,
        (panel,),
        _times(canvas, grid),
        _slots(canvas, grid, [describe_latency(each) for each in latency]),
    )


def describe_latency(latency: Latency) -> str:
    """What is said of one step."""
    lines = [f"{moment(latency.start)} UTC", counted(latency.calls, "call ended", "calls ended")]
    if latency.calls:
        lines += [
            f"{100 * share:.0f} % within {duration(value)}"
            for share, value in zip(SHARES, latency.values, strict=True)
        ]
    return "\n".join(lines)


def _line(points: Sequence[tuple[float, float] | None]) -> tuple[str, list[tuple[float, float]]]:
    """A path through the points, broken where one is missing, and the points that have no neighbour."""
    path, alone = "", []
    for index, point in enumerate(points):
        if point is None:
            continue
        before = points[index - 1] if index else None
        after = points[index + 1] if index + 1 < len(points) else None
        path += f"{'L' if before else 'M'}{point[0]:g} {point[1]:g}"
        if before is None and after is None:
            alone.append(point)
    return path, alone


def _times(canvas: Canvas, grid: Grid) -> tuple[Label, ...]:
    start, end = grid.start, grid.end
    length = (end - start).total_seconds() or 1.0
    ticks: list[Tick[datetime]] = time_ticks(start, end, max(2, canvas.plot_width // 76))
    labels = [Label(canvas.x((tick.value - start).total_seconds() / length), tick.label) for tick in ticks]
    # At the very edge a label would be cut off.
    return tuple(label for label in labels if label.at <= canvas.width - canvas.right - 8)


def _slots(canvas: Canvas, grid: Grid, texts: Sequence[str]) -> tuple[Slot, ...]:
    width = canvas.plot_width / max(grid.count, 1)
    return tuple(
        Slot(round(canvas.left + index * width, 1), round(width, 1), text) for index, text in enumerate(texts)
    )


def _marks(canvas: Canvas, grid: Grid, events: Iterable[Change]) -> tuple[Mark, ...]:
    """The events of each step as one mark."""
    steps: dict[int, list[Change]] = {}
    for event in events:
        index = int((event.time - grid.start).total_seconds() // grid.step)
        if 0 <= index < grid.count:
            steps.setdefault(index, []).append(event)
    marks = []
    for index, found in sorted(steps.items()):
        kind = min((event.kind for event in found), key=_MARKS.index)
        lines = [f"{moment(event.time)[:16]}  {shown(event.title, 80)}" for event in found[:MAX_MARKED]]
        if len(found) > MAX_MARKED:
            lines.append(f"and {len(found) - MAX_MARKED} more")
        marks.append(Mark(canvas.x((index + 0.5) / grid.count), kind, "\n".join(lines)))
    return tuple(marks)
