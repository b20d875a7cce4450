"""The timeline: everything has its place, and nothing falls off the drawing."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickscope.report.grid import MAX_BUCKETS, MAX_LABELS, Grid
from brickscope.report.text import spark_path
from brickscope.report.timeline import Bucket, Event, count_ticks, draw

ANY_TIME = st.datetimes(datetime(1, 1, 8), datetime(9999, 12, 1))  # noqa: DTZ001
COUNT = st.integers(0, 10**12)
START = datetime(2026, 11, 2)  # noqa: DTZ001


@given(COUNT)
def test_ticks_of_counts_reach_the_top_in_equal_round_steps(top: int) -> None:
    ticks = count_ticks(top)
    assert ticks[0] == 0
    assert ticks[-1] >= max(top, 1)
    assert 2 <= len(ticks) <= 6
    assert str(ticks[1]).rstrip("0") in ("1", "2", "5")
    assert ticks == [ticks[1] * index for index in range(len(ticks))]


@given(ANY_TIME, ANY_TIME, st.sampled_from([1, 60, 3600]))
def test_a_grid_covers_every_period_in_few_steps(one: datetime, other: datetime, least: int) -> None:
    first, last = min(one, other), max(one, other)
    grid = Grid.over(first, last, least)
    assert 1 <= grid.count <= MAX_BUCKETS + 1
    assert grid.step >= least
    assert grid.start <= first
    assert grid.start + timedelta(seconds=grid.step * (grid.count - 1)) <= last
    assert len(list(grid.starts())) == grid.count
    assert grid.at(first) == 0
    assert grid.at(last) == grid.count - 1
    labels = list(grid.labels())
    assert 1 <= len(labels) <= MAX_LABELS + 1
    assert all(0 <= left < right < 100 for (left, _), (right, _) in pairwise(labels))


@pytest.mark.parametrize(
    ("length", "labels"),
    [
        (timedelta(seconds=20), ["10:00:00", "10:00:05", "10:00:10", "10:00:15", "10:00:20"]),
        (timedelta(hours=12), ["12:00", "15:00", "18:00", "21:00"]),
        (timedelta(days=5), ["4 Mar", "5 Mar", "6 Mar", "7 Mar", "8 Mar"]),
        (timedelta(days=150), ["23 Mar", "20 Apr", "18 May", "15 Jun", "13 Jul"]),
        (
            timedelta(days=700),
            ["Feb 2026", "Jun 2026", "Oct 2026", "Jan 2027", "May 2027", "Sep 2027", "Dec 2027"],
        ),
    ],
    ids=str,
)
def test_labels_of_time(length: timedelta, labels: list[str]) -> None:
    start = datetime(2026, 3, 3, 10)  # noqa: DTZ001
    assert [label for _, label in Grid.over(start, start + length, 1).labels()] == labels


def _buckets(values: list[tuple[int, int, int]]) -> tuple[Grid, list[Bucket]]:
    grid = Grid(START, 3600, len(values))
    return grid, [Bucket(at, *value) for at, value in zip(grid.starts(), values, strict=True)]


@given(st.lists(st.tuples(COUNT, COUNT, COUNT), min_size=1, max_size=64))
def test_bars_are_stacked_within_their_panel(values: list[tuple[int, int, int]]) -> None:
    chart = draw(*_buckets(values), [])
    assert len(chart.slots) == len(values)
    for panel in chart.panels:
        assert len(panel.ticks) >= 2
        for bar in panel.bars:
            assert bar.x >= 0
            assert bar.x + bar.width <= 100
            # What is too little to be seen is drawn one unit high all the same.
            assert panel.top - 3.2 <= bar.y
            assert bar.y + bar.height <= panel.bottom + 0.2
            assert bar.height >= 1
    assert len(chart.panels[0].bars) == sum(value > 0 for each in values for value in each)


def test_heights_are_as_the_numbers() -> None:
    high, low = draw(*_buckets([(100, 0, 0), (50, 0, 0)]), []).panels[0].bars
    assert high.height == pytest.approx(2 * low.height, abs=0.2)


def test_events_of_one_step_are_one_mark_of_the_weightiest() -> None:
    events = [
        Event(START + timedelta(minutes=minute), kind, kind.upper())
        for minute, kind in ((5, "start"), (20, "gap"), (30, "reload"), (130, "stop"), (10_000, "gap"))
    ]
    marks = draw(*_buckets([(1, 0, 0)] * 4), events).marks
    assert [mark.kind for mark in marks] == ["gap", "stop"]
    assert "START" in marks[0].text
    assert 0 < marks[0].x < marks[1].x < 100


def test_many_events_of_one_step_are_not_all_named() -> None:
    events = [Event(START, "reload", f"edit {number}") for number in range(20)]
    (mark,) = draw(*_buckets([(1, 0, 0)]), events).marks
    assert mark.text.splitlines()[-1] == "and 14 more"


@given(st.lists(COUNT, max_size=64))
def test_small_bars_show_whoever_called(series: list[int]) -> None:
    path = spark_path(series)
    heights = [20 - int(height) for height in re.findall(r"V(\d+)h1", path)]
    if not any(series):
        assert path == ""
        return
    assert [height > 0 for height in heights] == [value > 0 for value in series]
    assert max(heights) == 19
