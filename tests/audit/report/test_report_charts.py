"""Axes, bars, lines and shades: everything has its place, and nothing falls off the canvas."""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickscope.audit.report.changes import Change
from brickscope.audit.report.charts import NARROW, WIDE, Canvas, calls_chart, latency_chart
from brickscope.audit.report.data import Report
from brickscope.audit.report.outcomes import Latency
from brickscope.audit.report.scale import count_ticks, duration_ticks, time_ticks
from brickscope.audit.report.shades import LEVELS, Shades, spark_path
from brickscope.audit.report.timeline import MAX_BUCKETS, Bucket, Grid, Timeline

ANY_TIME = st.datetimes(datetime(1, 1, 8), datetime(9999, 12, 1))  # noqa: DTZ001
COUNT = st.integers(0, 10**12)
BOTH = pytest.mark.parametrize("canvas", [WIDE, NARROW], ids=["wide", "narrow"])


@given(COUNT)
def test_ticks_of_counts_reach_the_top_in_equal_round_steps(top: int) -> None:
    ticks = count_ticks(top)
    values = [tick.value for tick in ticks]
    assert values[0] == 0
    assert values[-1] >= max(top, 1)
    assert 2 <= len(ticks) <= 6
    step = values[1]
    assert step == int(step)
    assert str(int(step)).rstrip("0") in ("1", "2", "5")
    assert values == [step * index for index in range(len(ticks))]
    assert len({tick.label for tick in ticks}) == len(ticks)


@given(st.floats(1e-3, 1e12), st.floats(1e-3, 1e12))
def test_ticks_of_durations_hold_all_values(one: float, other: float) -> None:
    low, high = min(one, other), max(one, other)
    values = [tick.value for tick in duration_ticks(low, high)]
    assert values[0] <= low * (1 + 1e-9)
    assert values[-1] >= high * (1 - 1e-9)
    assert 2 <= len(values) <= 14
    assert all(a < b for a, b in pairwise(values))


@given(ANY_TIME, st.timedeltas(timedelta(0), timedelta(days=4_000_000)))
def test_ticks_of_time_lie_within_and_are_few(start: datetime, length: timedelta) -> None:
    try:
        end = start + length
    except OverflowError:
        return
    ticks = time_ticks(start, end, 10)
    assert len(ticks) <= 11
    assert all(start <= tick.value <= end for tick in ticks)
    assert all(a.value < b.value for a, b in pairwise(ticks))
    if length > timedelta(days=800):
        assert ticks


@pytest.mark.parametrize(
    ("length", "labels"),
    [
        (timedelta(seconds=20), ["10:00:00", "10:00:05", "10:00:10", "10:00:15", "10:00:20"]),
        (timedelta(hours=12), ["12:00", "15:00", "18:00", "21:00"]),
        (timedelta(days=5), ["4 Mar", "5 Mar", "6 Mar", "7 Mar", "8 Mar"]),
        (timedelta(days=150), ["Apr 2026", "May 2026", "Jun 2026", "Jul 2026"]),
        (timedelta(days=1500), ["2027", "2028", "2029", "2030"]),
    ],
    ids=str,
)
def test_labels_of_time(length: timedelta, labels: list[str]) -> None:
    start = datetime(2026, 3, 3, 10)  # noqa: DTZ001
    assert [tick.label for tick in time_ticks(start, start + length, 5)] == labels


@given(ANY_TIME, ANY_TIME, st.sampled_from([1, 60, 3600]))
def test_a_grid_covers_every_period_in_few_steps(one: datetime, other: datetime, least: int) -> None:
    first, last = min(one, other), max(one, other)
    grid = Grid.over(first, last, least)
    assert 1 <= grid.count <= MAX_BUCKETS + 1
    assert grid.step >= least
    assert grid.start <= first
    assert grid.start + timedelta(seconds=grid.step * (grid.count - 1)) <= last
    assert len(list(grid.starts())) == grid.count


def _timeline(values: list[tuple[int, int, int]]) -> Timeline:
    start = datetime(2026, 11, 2)  # noqa: DTZ001
    grid = Grid(start, 3600, len(values))
    buckets = tuple(Bucket(at, *value) for at, value in zip(grid.starts(), values, strict=True))
    return Timeline(grid, buckets, ((0,) * 24,) * 7)


@BOTH
@given(st.lists(st.tuples(COUNT, COUNT, COUNT), min_size=1, max_size=64))
def test_bars_are_stacked_within_their_panel(canvas: Canvas, values: list[tuple[int, int, int]]) -> None:
    chart = calls_chart(_timeline(values), [], canvas)
    assert len(chart.slots) == len(values)
    for panel in chart.panels:
        for bar in panel.bars:
            assert canvas.left <= bar.x
            assert bar.x + bar.width <= canvas.width - canvas.right + 0.6
            # What is too little to be seen is drawn one unit high all the same.
            assert panel.top - 3.2 <= bar.y
            assert bar.y + bar.height <= panel.bottom + 0.2
            assert bar.height >= 1
    upper = chart.panels[0].bars
    assert len(upper) == sum(value > 0 for each in values for value in each)


@BOTH
def test_heights_are_as_the_numbers(canvas: Canvas) -> None:
    chart = calls_chart(_timeline([(100, 0, 0), (50, 0, 0)]), [], canvas)
    high, low = chart.panels[0].bars
    assert high.height == pytest.approx(2 * low.height, abs=0.2)


@BOTH
def test_events_of_one_step_are_one_mark_of_the_weightiest(canvas: Canvas) -> None:
    timeline = _timeline([(1, 0, 0)] * 4)
    start = timeline.grid.start
    events = [
        Change(start + timedelta(minutes=minute), kind, kind.upper(), "", None, "i")
        for minute, kind in ((5, "start"), (20, "gap"), (30, "reload"), (130, "stop"), (10_000, "gap"))
    ]
    marks = calls_chart(timeline, events, canvas).marks
    assert [mark.kind for mark in marks] == ["gap", "stop"]
    assert "START" in marks[0].text
    assert canvas.left < marks[0].x < marks[1].x < canvas.width - canvas.right


def _latency(values: list[float | None]) -> list[Latency]:
    start = datetime(2026, 11, 2)  # noqa: DTZ001
    return [
        Latency(start + timedelta(hours=index), 0 if value is None else 1, (value, value, value))
        for index, value in enumerate(values)
    ]


@BOTH
@given(st.lists(st.none() | st.floats(1e-3, 1e12), min_size=1, max_size=64))
def test_lines_stay_within_their_panel(canvas: Canvas, values: list[float | None]) -> None:
    grid = Grid(datetime(2026, 11, 2), 3600, len(values))  # noqa: DTZ001
    chart = latency_chart(_latency(values), grid, canvas)
    if chart is None:
        assert values == [None] * len(values)
        return
    panel = chart.panels[0]
    for _, path in panel.lines:
        points = re.findall(r"[ML]([\d.]+) ([\d.]+)", path)
        assert len(points) == sum(value is not None for value in values)
        for x, y in points:
            assert canvas.left <= float(x) <= canvas.width - canvas.right
            assert panel.top - 0.1 <= float(y) <= panel.bottom + 0.1


def test_a_line_is_broken_where_no_call_ended() -> None:
    values = [1.0, 2.0, None, 4.0, None, 5.0, 6.0]
    grid = Grid(datetime(2026, 11, 2), 3600, len(values))  # noqa: DTZ001
    chart = latency_chart(_latency(values), grid, WIDE)
    assert chart is not None
    panel = chart.panels[0]
    assert [path.count("M") for _, path in panel.lines] == [3, 3, 3]
    assert [kind for kind, *_ in panel.dots] == ["p50", "p95", "p99"]


@given(COUNT, st.booleans())
def test_shades_go_up_with_the_numbers(top: int, even: bool) -> None:
    shades = Shades(top, even)
    assert shades.level(0) == 0
    numbers = sorted({*(floor + step for floor in shades.floors for step in (-1, 0, 1)), top})
    levels = [shades.level(number) for number in numbers if 0 <= number <= top]
    assert levels == sorted(levels)
    if top:
        assert levels[-1] == LEVELS
        assert shades.level(1) > 0
        # The legend speaks of each number from 1 to the top once.
        spans = [tuple(int(part.replace(",", "")) for part in label.split("–")) for _, label in shades.legend]
        assert spans[0][0] == 1
        assert spans[-1][-1] == top
        assert all(before[-1] + 1 == after[0] for before, after in pairwise(spans))
        assert all(shades.level(span[0]) == shades.level(span[-1]) for span in spans)


@given(st.lists(COUNT, max_size=64))
def test_small_bars_show_whoever_called(series: list[int]) -> None:
    path = spark_path(series)
    heights = [20 - int(height) for height in re.findall(r"V(\d+)h1", path)]
    if not any(series):
        assert path == ""
        return
    assert [height > 0 for height in heights] == [value > 0 for value in series]
    assert max(heights) == 19


def test_charts_of_a_real_log_have_labels_on_all_axes(report: Report) -> None:
    for canvas in (WIDE, NARROW):
        chart = calls_chart(report.timeline, report.changes.events, canvas)
        latency = latency_chart(report.outcomes.latency, report.timeline.grid, canvas)
        assert latency is not None
        for each in (chart, latency):
            assert len(each.times) >= 2
            # Six units a letter, at twelve units of height: neighbours do not run into each other.
            for left, right in pairwise(each.times):
                assert right.at - left.at > 6 * (len(left.text) + len(right.text)) / 2
            for panel in each.panels:
                assert len(panel.ticks) >= 2
                assert all(math.isfinite(tick.at) and tick.text for tick in panel.ticks)
