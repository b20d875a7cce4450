"""One worker against two: what a second core brings.

On a machine with just two cores there are no two free ones: client and upstream need theirs. So three things are measured,
one worker and two in turn while the other fleet is idle, each ratio of two loads that follow one another, since what a core
gets done here changes by a third within minutes:

* with each worker held to the same share of a core (``quota.py``), so that there is room for both beside the client: how
  many requests a second two carry to one. It is what two free cores would show, scaled down.
* requests to a second of processor time, of workers and supervisor together: what the second worker costs the first.
* the same load without any limit, where client, upstream and two workers share the cores: the least it can be.

And what two processes get done that share nothing but the machine: where its cores are threads of one, no program scales
better than that, and each ratio has to be seen beside it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from .endtoend import make_job
from .load import Result
from .measurement import Bound, Measurement, Say, Spread, ratios
from .processes import Proxy, StartError, environment, free_port, start_helper, stop
from .quota import NoQuota, shares
from .variants import PRODUCT, Stage, open_stage

BENCH = "fleet"
CONNECTIONS = 16
FRESH = 8
SHARE = 0.4
LIMITED = {"limited": "requests", "limited fresh": "new connections"}
"""Loads for workers that are held to a share of a core, and what they count."""
START_SECONDS = 60.0

COUNT = """
import hashlib, sys, time
count, texts, end = 0, [str(each) for each in range(1000)], time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    hashlib.sha256("".join(texts).encode()).digest()
    count += sum(map(len, texts)) > 0
print(count)
"""
"""What a worker does, roughly: objects and hashes."""

SCALES = Bound(1.9, at_least=True)
COSTS = Bound(0.9, at_least=True)
NONE_AT_ALL = Bound(0)


class Workers(NamedTuple):
    """A running fleet."""

    supervisor: Proxy
    workers: list[Proxy]

    def cpu(self) -> list[float]:
        """Processor seconds: the supervisor's own, then each worker's."""
        workers = [each.cpu_seconds() for each in self.workers]
        return [self.supervisor.cpu_seconds() - sum(workers), *workers]  # it counts what it started


class Run(NamedTuple):
    """One load. ``cpu``: processor seconds of the supervisor, then of each worker."""

    result: Result
    cpu: list[float]

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.result.done / self.result.seconds

    @property
    def efficiency(self) -> float:
        """Requests to a second of processor time."""
        return self.result.done / sum(self.cpu)


Runs = dict[tuple[str, int], list[Run]]


def measure(*, quick: bool, say: Say) -> list[Measurement]:
    """All rows of this bench. Raises StartError if a proxy can't be started."""
    if sys.platform != "linux":
        raise StartError("the fleet bench reads /proc, which only Linux has")
    rounds, pairs, seconds = (1, 2, 2.0) if quick else (3, 6, 2.0)
    runs: Runs = defaultdict(list)
    machine: list[float] = []
    loads = ["free", "fresh", *LIMITED]
    with open_stage() as stage:
        for number in range(rounds):
            with run_fleet(stage, 1) as one, run_fleet(stage, 2) as two:
                for pair in range(pairs):
                    say(f"fleet: round {number + 1} of {rounds}: pair {pair + 1} of {pairs}")
                    for load in list(loads):
                        try:
                            for count, fleet in ((1, one), (2, two))[:: 1 if pair % 2 == 0 else -1]:
                                runs[load, count].append(send(stage, fleet, load, seconds))
                        except NoQuota:
                            loads.remove(load)
                    machine.append(count_in(2, seconds) / count_in(1, seconds))
    return [
        *report(runs),
        Measurement(BENCH, "two processes that share nothing, 2 to 1", "x", Spread.of(machine)),
    ]


def count_in(processes: int, seconds: float) -> int:
    """How far processes get together that count for so many seconds, with the work of no other."""
    command = [sys.executable, "-c", COUNT, str(seconds)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(processes)]
    return sum(int(process.communicate()[0]) for process in running)


@contextmanager
def run_fleet(stage: Stage, count: int) -> Iterator[Workers]:
    """A fresh fleet. It is not pinned to a core, as single proxies are."""
    port = free_port()
    command = [
        *(sys.executable, "-m", "brickscope.service.supervisor", "--workers", str(count)),
        *("--listen-port", str(port), "--set", f"confdir={stage.confdir}"),
        *("--set", f"ssl_verify_upstream_trusted_ca={stage.upstream_ca}"),
        *("--set", f"scope_rules={stage.folder / 'rules'}"),
        *("--set", f"scope_audit_log={stage.audit_file.with_stem(f'audit-of-{count}')}"),
        *("--set", f"scope_connect_to=*.cloud.databricks.com=127.0.0.1:{stage.upstream_port}"),
    ]
    output = stage.folder / f"output-{time.monotonic_ns()}.txt"
    with output.open("wb") as file:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=environment(),
            cwd=stage.folder,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while b"workers serve" not in output.read_bytes():
            if process.poll() is not None or time.monotonic() > deadline:
                raise StartError(
                    f"the fleet did not start; it printed:\n{output.read_text(errors='replace')}"
                )
            time.sleep(0.05)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        yield Workers(Proxy(process.pid, port), [Proxy(int(pid), port) for pid in children])
        if process.poll() is not None:
            raise StartError(f"the fleet ended:\n{output.read_text(errors='replace')}")
    finally:
        stop(process)


def send(stage: Stage, fleet: Workers, load: str, seconds: float) -> Run:
    """Send a load: ``free`` or one of ``LIMITED``; by new connections where it is ``fresh``, else by kept ones.

    Raises NoQuota if workers can't be limited here.
    """
    kind, connections = ("fresh", FRESH) if "fresh" in load else ("keep", CONNECTIONS)
    job = make_job(stage, PRODUCT, fleet.supervisor, kind, connections=connections, seconds=seconds)
    with ExitStack() as cleanup:
        tell, hear = cleanup.enter_context(start_helper("load"))
        tell.write(json.dumps(job._asdict()) + "\n")
        tell.flush()
        if hear.readline() != "ready\n":
            raise StartError("the load generator failed; its error is above")
        if load in LIMITED:
            cleanup.enter_context(shares([worker.pid for worker in fleet.workers], _helpers(), SHARE))
        before = fleet.cpu()
        tell.write("go\n")
        tell.flush()
        result = Result(**json.loads(hear.readline()))
        cpu = [after - then for after, then in zip(fleet.cpu(), before, strict=True)]
    return Run(result, cpu)


def _helpers() -> list[int]:
    """The processes of client and upstream: those that this process started, fleets aside."""
    found = []
    for pid in Path("/proc/self/task").iterdir():
        for child in (pid / "children").read_text().split():
            if b"lab.bench." in Path(f"/proc/{child}/cmdline").read_bytes():
                found.append(int(child))
    return found


def report(runs: Runs) -> list[Measurement]:
    """The rows."""
    rows: list[Measurement] = []

    def compare(name: str, load: str, what: str, bound: Bound | None, note: str = "") -> None:
        if (load, 1) not in runs:
            return
        one, two = ([float(getattr(run, what)) for run in runs[load, count]] for count in (1, 2))
        rows.append(Measurement(BENCH, name, "x", ratios(two, one), bound, note=note))

    for load, what in LIMITED.items():
        name = f"{what} a second, each worker {SHARE:.0%} of a core, 2 workers to 1"
        compare(name, load, "rate", SCALES)
    if ("limited", 1) not in runs:
        rows.append(
            Measurement(
                BENCH,
                "shares of a core could not be given",
                "",
                Spread.of([0]),
                note="needs control groups and root",
            )
        )
    compare("requests to a second of CPU, 2 workers to 1", "free", "efficiency", COSTS)
    compare("requests to a second of CPU, new connections, 2 workers to 1", "fresh", "efficiency", None)
    compare("requests a second, cores shared with client and upstream, 2 workers to 1", "free", "rate", None)
    fuller = [max(run.cpu[1:]) / sum(run.cpu[1:]) for run in runs["free", 2]]
    rows.append(Measurement(BENCH, "share of the busier of 2 workers", "", Spread.of(fuller)))
    door = [run.cpu[0] / run.result.done * 1000 for run in runs["fresh", 2]]
    rows.append(Measurement(BENCH, "supervisor's CPU for a connection", "ms", Spread.of(door)))
    for load in ("free", "fresh", *LIMITED):
        for count in (1, 2):
            if (load, count) in runs:
                rate = Spread.of([run.rate for run in runs[load, count]])
                rows.append(Measurement(BENCH, f"{load}, {count} worker{'s'[: count - 1]}", "req/s", rate))
    faults = [run.result.wrong + run.result.errors for every in runs.values() for run in every]
    rows.append(Measurement(BENCH, "wrong answers and errors", "", Spread.of([sum(faults)]), NONE_AT_ALL))
    return rows
