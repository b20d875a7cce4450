"""What counts as flat."""

from __future__ import annotations

import os

import pytest

from lab.soak.watch import Sample, Watch


def watched(memory: list[float], files: list[int]) -> Watch:
    watch = Watch(list)
    watch.samples = [Sample(float(at), 7, *both) for at, both in enumerate(zip(memory, files, strict=True))]
    return watch


@pytest.mark.parametrize(
    ("memory", "files", "flat"),
    [
        ([100.0] * 9, [50] * 9, (True, True)),
        ([100.0, 101, 99, 100, 130, 100, 104, 104, 105], [50] * 9, (True, True)),
        ([100.0 + 4 * at for at in range(9)], [50] * 9, (False, True)),
        ([100.0] * 9, [50 + 10 * at for at in range(9)], (True, False)),
    ],
    ids=["still", "a peak in between", "memory grows", "descriptors grow"],
)
def test_growth_is_seen(memory: list[float], files: list[int], flat: tuple[bool, bool]) -> None:
    (found,) = watched(memory, files).flatness(0, 8)
    assert (found.memory_is_flat, found.files_are_flat) == flat


def test_a_process_that_was_not_there_all_the_time_is_not_compared() -> None:
    assert watched([100.0] * 3, [50] * 3).flatness(0, 30) == []


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc (Linux)")  # noqa: PTH112
def test_a_process_is_sampled_and_a_dead_one_is_passed_over() -> None:
    found = Watch(lambda: [os.getpid(), 2**22 + 1]).look()
    assert [sample.pid for sample in found] == [os.getpid()]
    assert found[0].memory > 5
    assert found[0].files > 2
