"""The one timeline: calls over the period, those denied once more on a scale of their own, and what happened meanwhile.

The drawing has no width of its own: places along time are in percent, so that one drawing fits every screen and paper, with
letters of the page's own size.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, NamedTuple

from .block import LIMIT, Fold, Point, Section, Table, Text
from .counts import Counts, Given, sql
from .grid import Grid
from .text import brief, counted, moment, names, shown

MAX_MARKED = 6
MARKS = {
    "gap": "gap in the log",
    "mode_change": "mode changed",
    "failed_reload": "policy edit refused",
    "reload": "policy changed",
    "start": "proxy started",
    "stop": "proxy stopped",
}
"""Kinds of events on the timeline in words, the weightiest first."""


class Event(NamedTuple):
    """``kind``: of MARKS."""

    time: datetime
    kind: str
    title: str


class Bucket(NamedTuple):
    """The calls of one step. ``sent``: those that monitor mode denied and sent anyway."""

    start: datetime
    allowed: int
    denied: int
    sent: int

    @property
    def calls(self) -> int:
        """All of them."""
        return self.allowed + self.denied + self.sent


class Bar(NamedTuple):
    """A rectangle: ``x`` and ``width`` in percent, ``y`` and ``height`` in pixels. ``kind``: its class in the style."""

    x: float
    width: float
    y: float
    height: float
    kind: str


class Panel(NamedTuple):
    """A plot with its own upright axis; ``ticks``: how high, and what is written there."""

    title: str
    top: int
    bottom: int
    ticks: tuple[tuple[float, str], ...]
    bars: tuple[Bar, ...]


class Mark(NamedTuple):
    """Events in one step; ``kind`` is that of the weightiest."""

    x: float
    kind: str
    text: str


@dataclass(frozen=True)
class Chart:
    """The drawing. ``slots``: what is said of each step when it is pointed at: place, width, text."""

    template: ClassVar = "chart"
    height: ClassVar = 330
    panels: tuple[Panel, ...]
    labels: tuple[tuple[float, str], ...]
    slots: tuple[tuple[float, float, str], ...]
    marks: tuple[Mark, ...]

    @property
    def mark_kinds(self) -> list[tuple[str, str]]:
        """Kinds of events that are drawn, with their words."""
        drawn = {mark.kind for mark in self.marks}
        return [(kind, words) for kind, words in MARKS.items() if kind in drawn]


def time_section(given: Given) -> Section:
    """The timeline, and everything that is not a call: changes of the policy, restarts, gaps."""
    counts, grid = given.counts, given.grid
    buckets = gather_buckets(counts, grid)
    rows = [(each.start, each.calls, each.allowed, each.denied, each.sent) for each in buckets]
    blocks = (
        Text("Every call was decided before it was sent. Times are UTC."),
        draw(grid, buckets, gather_events(counts)),
        Fold(
            "calls",
            "The numbers of this chart",
            (Table.written("calls", rows, caption=f"Decisions by {grid.words}"),),
        ),
        *(counts.table(name) for name in ("timeline", "revisions", "runs")),
    )
    return Section("time", "Over time", "Over time", blocks, tuple(_points(counts)))


def _points(counts: Counts) -> Iterator[Point]:
    """What of it a reviewer should look at."""
    found: dict[str, list[str]] = {}
    for kind, words in counts.ask(sql("odd_events")):
        found.setdefault(kind, []).append(words)
    ((gaps, edits, open_runs),) = counts.ask(sql("odd_counts"))
    if gaps:
        yield Point("serious", f"The log records {counted(gaps, 'gap')}: {names(found['gap'])}.")
    if "mode_change" in found:
        yield Point("look", f"Denials ceased to be enforced for {names(found['mode_change'])}.")
    if edits:
        yield Point("note", f"{counted(edits, 'policy edit')} did not load and changed nothing.")
    if open_runs > 1:  # one is the run of now
        runs = counted(open_runs - 1, "run")
        yield Point("note", f"{runs} of the proxy ended without a stop record: killed, or still running.")


def gather_buckets(counts: Counts, grid: Grid) -> list[Bucket]:
    """The calls of each step."""
    rows = counts.ask(
        f"""SELECT {grid.sql("moment")} AS step, sum(records) - sum(denied) - sum(sent), sum(denied), sum(sent)
        FROM by_time WHERE event = 'decision' GROUP BY step"""  # noqa: S608 - numbers and a time of our own
    )
    found = {step: map(int, counts) for step, *counts in rows}
    return [Bucket(start, *found.get(step, (0, 0, 0))) for step, start in enumerate(grid.starts())]


def gather_events(counts: Counts) -> list[Event]:
    """What is marked on the timeline, the weightiest first if there is too much."""
    order = " ".join(f"WHEN '{kind}' THEN {weight}" for weight, kind in enumerate(MARKS))
    found = counts.ask(
        f"SELECT time, kind, title FROM report_events WHERE kind IS NOT NULL "  # noqa: S608 - words of ours
        f"ORDER BY CASE kind {order} END, time LIMIT {LIMIT}"
    )
    return [Event(*row) for row in sorted(found)]


def draw(grid: Grid, buckets: Sequence[Bucket], events: Iterable[Event]) -> Chart:
    """The drawing: few denied calls among many would not be seen, so they have a panel of their own."""
    slot = 100 / grid.count
    return Chart(
        (
            _panel(f"Calls per {grid.words}", 46, 196, ("allowed", "denied", "sent"), buckets),
            _panel(f"Denied per {grid.words}", 236, 306, ("denied", "sent"), buckets),
        ),
        tuple((round(x, 2), text) for x, text in grid.labels()),
        tuple((round(slot * at, 2), round(slot, 2), _describe(each)) for at, each in enumerate(buckets)),
        tuple(_marks(grid, events)),
    )


def _panel(title: str, top: int, bottom: int, kinds: tuple[str, ...], buckets: Sequence[Bucket]) -> Panel:
    """Bars of some kinds of calls, one upon the other."""
    ticks = count_ticks(max(sum(getattr(each, kind) for kind in kinds) for each in buckets))
    scale, slot = (bottom - top) / ticks[-1], 100 / len(buckets)
    bars = []
    for index, bucket in enumerate(buckets):
        floor = float(bottom)
        for kind in kinds:
            # A single call among a million is still to be seen.
            height = max(1.0, getattr(bucket, kind) * scale) if getattr(bucket, kind) else 0.0
            floor -= height
            if height:
                x = round(slot * (index + 0.1), 2)
                bars.append(Bar(x, round(slot * 0.8, 2), round(floor, 1), round(height, 1), kind))
    places = tuple((round(bottom - tick * scale, 1), brief(tick)) for tick in ticks)
    return Panel(title, top, bottom, places, tuple(bars))


def count_ticks(top: float) -> list[int]:
    """From 0 up to ``top`` or just beyond, in two to five equal steps of a round whole number."""
    rough = max(top, 1) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = max(1, round(next(each * power for each in (1, 2, 5, 10) if each * power >= rough * 0.999)))
    return [step * index for index in range(max(1, math.ceil(top / step)) + 1)]


def _describe(bucket: Bucket) -> str:
    lines = [
        f"{moment(bucket.start)} UTC",
        f"{counted(bucket.calls, 'call')}, {bucket.denied + bucket.sent:,} denied",
    ]
    return "\n".join([*lines, f"{bucket.sent:,} of these sent in monitor mode"] if bucket.sent else lines)


def _marks(grid: Grid, events: Iterable[Event]) -> Iterator[Mark]:
    """The events of each step as one mark."""
    steps: dict[int, list[Event]] = {}
    for event in events:
        steps.setdefault(grid.at(event.time), []).append(event)
    for index, found in sorted(steps.items()):
        if 0 <= index < grid.count:
            lines = [f"{moment(event.time)[:16]}  {shown(event.title, 80)}" for event in found[:MAX_MARKED]]
            lines += [f"and {len(found) - MAX_MARKED:,} more"] if len(found) > MAX_MARKED else []
            kind = min((event.kind for event in found), key=list(MARKS).index)
            yield Mark(round(100 * (index + 0.5) / grid.count, 2), kind, "\n".join(lines))
