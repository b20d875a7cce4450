"""The fleet bench: a fleet answers the load, shares of a core are kept or refused, and nothing stays behind."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab.bench.fleet import Run, count_in, report, run_fleet, send
from lab.bench.load import Result
from lab.bench.measurement import Verdict
from lab.bench.processes import Proxy
from lab.bench.quota import NoQuota, shares
from lab.bench.variants import open_stage

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the bench reads Linux's /proc")

SPIN = "while True: pass"


def test_two_workers_share_a_load_without_a_wrong_answer() -> None:
    with open_stage() as stage, run_fleet(stage, 2) as fleet:
        run = send(stage, fleet, "free", 0.5)
        assert run.result.done > 0
        assert (run.result.wrong, run.result.errors) == (0, 0)
        assert len(run.cpu) == 3
        assert run.cpu[0] < sum(run.cpu[1:]), "the supervisor's own time, without that of its workers"
        pids = [each.pid for each in (fleet.supervisor, *fleet.workers)]
    deadline = time.monotonic() + 60
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert time.monotonic() < deadline, "a process stayed behind"
        time.sleep(0.05)


def test_what_shares_nothing_is_counted_together() -> None:
    assert count_in(2, 0.2) > 0


def test_a_share_of_a_core_is_kept_or_said_to_be_impossible() -> None:
    before = set(Path("/sys/fs/cgroup").glob("**/brickscope-bench-*"))
    with subprocess.Popen([sys.executable, "-c", SPIN]) as process:
        try:
            with shares([process.pid], [], 0.2):
                used, began = Proxy(process.pid, 0).cpu_seconds(), time.monotonic()
                time.sleep(1)
                share = (Proxy(process.pid, 0).cpu_seconds() - used) / (time.monotonic() - began)
                assert share < 0.35
        except NoQuota:
            pytest.skip("no root, or a machine that lets no groups be made")
        finally:
            process.kill()
    assert set(Path("/sys/fs/cgroup").glob("**/brickscope-bench-*")) == before


def run_of(done: int, *cpu: float) -> Run:
    """A run of one second."""
    return Run(Result(done=done, seconds=1.0), [*cpu])


def test_the_rows_are_ratios_within_a_round() -> None:
    runs = {
        ("limited", 1): [run_of(100, 0.0, 0.4), run_of(200, 0.0, 0.4)],
        ("limited", 2): [run_of(190, 0.0, 0.4, 0.4), run_of(380, 0.0, 0.4, 0.4)],
        ("free", 1): [run_of(100, 0.0, 1.0)],
        ("free", 2): [run_of(120, 0.0, 0.9, 0.6)],
        ("fresh", 1): [run_of(10, 0.1, 0.9)],
        ("fresh", 2): [run_of(18, 0.1, 0.8, 0.9)],
    }
    rows = {row.name: row for row in report(runs)}
    scaling = next(row for name, row in rows.items() if "of a core" in name)
    assert (round(scaling.spread.value, 3), scaling.verdict) == (1.9, Verdict.OK)
    cost = rows["requests to a second of CPU, 2 workers to 1"]
    assert (round(cost.spread.value, 3), cost.verdict) == (0.8, Verdict.OVER)
    assert round(rows["share of the busier of 2 workers"].spread.value, 3) == 0.6


def test_where_no_share_can_be_given_the_report_says_so() -> None:
    runs = {
        (load, count): [run_of(10, 0.1, *[0.5] * count)] for load in ("free", "fresh") for count in (1, 2)
    }
    names = [row.name for row in report(runs)]
    assert "shares of a core could not be given" in names
    assert not any("each worker" in name for name in names)
