"""Retention: the oldest files by the chain go, each on record, and no clock that was set makes a file old."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from brickscope.log.closed import Retention, series
from brickscope.log.retention import DAY_S, PAUSE_S, Expiry
from log.written import call, open_writer, start

NOW = 1_800_000_000.0


@pytest.fixture
def active(tmp_path: Path) -> Path:
    """A log with five closed files; ``closed`` gives them times."""
    writer = open_writer(tmp_path)
    start(writer)
    for _ in range(5):
        call(writer)
        assert writer._rotate()
    return writer.path


def closed(active: Path, days: list[float]) -> list[Path]:
    """The closed files in their order; they were closed so many days ago."""
    files = sorted(series(active), key=lambda path: int(path.name.split("-")[-1].split(".")[0]))
    for path, ago in zip(files, days, strict=True):
        os.utime(path, (NOW - ago * DAY_S, NOW - ago * DAY_S))
    return files


def test_by_number_and_by_days(active: Path) -> None:
    files = closed(active, [10, 9, 8, 2, 0.1])
    assert Expiry(active, Retention()).outdated(NOW, 0) == []
    assert Expiry(active, Retention(files=2)).outdated(NOW, 0) == files[:3]
    assert Expiry(active, Retention(days=7)).outdated(NOW, 0) == files[:3]
    assert Expiry(active, Retention(files=4, days=9)).outdated(NOW, 0) == files[:1]


# when the files were closed, days ago by the file system; how many of them are older than 7 days
TIMES = {
    "the clock was ten years back for one": ([10, 9, 3650, 2, 0.1], 3),
    "for a file of yesterday": ([10, 9, 2, 3650, 0.1], 2),
    "for the last": ([10, 9, 8, 0.5, 3650], 3),
    "the clock was ten years ahead for one": ([10, 9, -3650, 2, 0.1], 2),
    "for the first": ([-3650, 9, 8, 2, 0.1], 3),
    "for all but the last": ([-3650, -3650, -3650, -3650, 0.1], 0),
    "for all": ([-1, -2, -3, -4, -5], 0),
}


@pytest.mark.parametrize(("days", "old"), TIMES.values(), ids=TIMES)
def test_times_that_cannot_be_are_not_believed(days: list[float], old: int, active: Path) -> None:
    files = closed(active, days)
    assert Expiry(active, Retention(days=7), NOW).outdated(NOW, 0) == files[:old]


@pytest.mark.parametrize("years", [10, -10])
def test_a_clock_that_is_set_while_it_runs_deletes_nothing_for_a_day(
    years: int, active: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = closed(active, [6, 5, 4, 2, 0.1])
    expiry = Expiry(active, Retention(days=7))
    jump = years * 365 * DAY_S
    assert expiry.outdated(NOW, 0) == []
    assert expiry.outdated(NOW + 1 + jump, 1) == []
    assert "Check the clock" in caplog.text
    assert expiry.outdated(NOW + 3600 + jump, 3600) == []
    # Set right again: nothing is lost, and what is old by then goes a day later.
    assert expiry.outdated(NOW + 7200, 7200) == []
    assert expiry.outdated(NOW + 7200 + PAUSE_S, 7200 + PAUSE_S) == files[:1]


def test_a_clock_that_is_wrong_at_the_start_deletes_nothing_for_a_day(active: Path) -> None:
    files = closed(active, [6, 5, 4, 2, 0.1])
    then = NOW + 3650 * DAY_S
    expiry = Expiry(active, Retention(days=7), NOW)
    assert expiry.outdated(then, 0) == []
    assert expiry.outdated(then + PAUSE_S - 1, PAUSE_S - 1) == []
    # Whoever lets it be wrong for a day, means it.
    assert expiry.outdated(then + PAUSE_S, PAUSE_S) == files


def test_the_number_of_files_holds_whatever_the_clock_does(active: Path) -> None:
    files = closed(active, [6, 5, 4, 2, 0.1])
    expiry = Expiry(active, Retention(files=4, days=7), NOW)
    assert expiry.outdated(NOW + 3650 * DAY_S, 0) == files[:1]
