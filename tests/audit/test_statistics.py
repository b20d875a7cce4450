"""The writer's numbers, and how long what it wrote is at risk."""

from __future__ import annotations

import time

import pytest

from brickscope.audit.statistics import Statistics


class Clock:
    """Both clocks, set by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(time, "time", lambda: self.now + 1_800_000_000)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_nothing_happened_yet() -> None:
    statistics = Statistics()
    assert (statistics.records, statistics.bytes, statistics.failures, statistics.failed_at) == (
        0,
        0,
        0,
        None,
    )
    assert statistics.gaps == {
        "torn_line": 0,
        "lost_tail": 0,
        "write_failed": 0,
        "file_replaced": 0,
        "retention": 0,
    }
    assert statistics.unsynced_s() == 0.0


def test_what_was_written_is_added_up() -> None:
    statistics = Statistics()
    statistics.wrote(1, 100)
    statistics.wrote(3, 500)
    assert (statistics.records, statistics.bytes) == (4, 600)
    statistics.noted("retention")
    statistics.noted("retention")
    statistics.noted("another")
    assert (statistics.gaps["retention"], statistics.gaps["another"], statistics.gaps["torn_line"]) == (
        2,
        1,
        0,
    )


def test_failures_are_counted_with_their_time(clock: Clock) -> None:
    statistics = Statistics()
    statistics.failed()
    clock.now += 5
    statistics.failed()
    assert (statistics.failures, statistics.failed_at) == (2, 1_800_001_005.0)


def test_the_oldest_record_that_is_not_on_disk(clock: Clock) -> None:
    statistics = Statistics()
    statistics.wrote(1, 1)
    clock.now += 2
    statistics.wrote(1, 1)
    assert statistics.unsynced_s() == 2.0
    statistics.sync_begins()
    assert statistics.unsynced_s() == 2.0, "until the sync has ended"
    clock.now += 1
    statistics.wrote(1, 1)  # meanwhile
    statistics.sync_ends(success=True)
    clock.now += 4
    assert statistics.unsynced_s() == 4.0
    statistics.sync_begins()
    statistics.sync_ends(success=True)
    assert statistics.unsynced_s() == 0.0
    assert statistics.failures == 0


def test_a_sync_that_fails_leaves_everything_at_risk(clock: Clock) -> None:
    statistics = Statistics()
    statistics.wrote(1, 1)
    clock.now += 1
    statistics.sync_begins()
    statistics.wrote(1, 1)
    clock.now += 1
    statistics.sync_ends(success=False)
    assert (statistics.unsynced_s(), statistics.failures) == (2.0, 1)
    statistics.sync_begins()
    clock.now += 1
    statistics.sync_begins()  # a second one, before the first has ended
    assert statistics.unsynced_s() == 3.0
    statistics.sync_ends(success=True)
    assert statistics.unsynced_s() == 0.0
    statistics.sync_begins()
    statistics.wrote(1, 1)
    clock.now += 7
    statistics.sync_ends(success=False)
    assert statistics.unsynced_s() == 7.0, "there was nothing to sync, and something came meanwhile"
