"""The end-to-end bench: real proxies between a real client and a real upstream, TLS on both sides, on loopback.

Each variant runs in a fresh process, in the order A B C and then C B A; a ratio is taken within one round. The variant
``bare-twin`` is a second mitmdump like ``bare``: its ratio should be 1, and how far it strays is the noise.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from .load import Job, Result
from .measurement import Bound, Measurement, Say, Spread, ratios
from .processes import Proxy, StartError, start_helper
from .variants import BARE, NAIVE, PRODUCT, TWIN, Stage, Variant, open_stage

BENCH = "endtoend"
MIB = 1 << 20
CONNECTIONS = 16
FRESH = 8
STREAMED = 2
"""Connections over HTTP/2, each with some calls open at once (``streams.AT_ONCE``)."""

STREAMS_CPU = Bound(1 / 2.5)
CPU = Bound(1 / 7)
DENIALS = Bound(0.1)
FRESH_CPU = Bound(0.3)
SPEED = Bound(3.5, at_least=True)
MEMORY = Bound(10)
FIRST_EVENT = Bound(250)
NONE_AT_ALL = Bound(0)


class Scale(NamedTuple):
    """How much is measured."""

    rounds: int
    seconds: float
    transfers: int
    size: int


FULL = Scale(6, 3.0, 4, 256 * MIB)
QUICK = Scale(2, 1.5, 2, 256 * MIB)


class Run(NamedTuple):
    """One load through one process. ``cpu``: its processor seconds; ``growth``: bytes of memory above ``idle``."""

    result: Result
    cpu: float
    growth: int
    idle: int = 0

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.result.done / self.result.seconds

    @property
    def cpu_ms(self) -> float:
        """Processor milliseconds a request."""
        return self.cpu / max(self.result.done, 1) * 1000


Runs = dict[tuple[str, Variant], list[Run]]
"""All runs by load and variant; the n-th ones of all variants are of one round."""


def measure(*, quick: bool, say: Say, scale: Scale | None = None) -> list[Measurement]:
    """All rows of this bench. Raises StartError if a proxy can't be started."""
    if sys.platform != "linux":
        raise StartError(
            "the end-to-end bench reads /proc, which only Linux has; use --only hooks or --only decisions"
        )
    scale = scale or (QUICK if quick else FULL)
    runs: Runs = defaultdict(list)
    lost = 0
    with open_stage() as stage:
        for number in range(scale.rounds):
            for variant in _in_turn((BARE, PRODUCT, NAIVE, TWIN), number):
                say(f"endtoend: calls, round {number + 1} of {scale.rounds}: {variant.name}")
                with stage.run(variant) as proxy:
                    answered = _send_calls(stage, variant, proxy, scale, runs)
                    if variant is PRODUCT:
                        lost += max(0, answered - stage.decisions_recorded())
        for number in range(scale.transfers):
            for kind in ("download", "upload"):
                for variant in _in_turn((BARE, PRODUCT, TWIN), number):
                    say(f"endtoend: {kind}, round {number + 1} of {scale.transfers}: {variant.name}")
                    with stage.run(variant) as proxy:
                        job = make_job(stage, variant, proxy, kind, size=scale.size)
                        runs[kind, variant].append(send(job, proxy))
        say("endtoend: without a proxy")
        direct = send(
            make_job(stage, BARE, None, "keep", connections=CONNECTIONS, seconds=scale.seconds), None
        )
    return report(runs, direct, lost)


def _in_turn(variants: Sequence[Variant], number: int) -> Sequence[Variant]:
    return variants if number % 2 == 0 else variants[::-1]


def _send_calls(stage: Stage, variant: Variant, proxy: Proxy, scale: Scale, runs: Runs) -> int:
    """All loads of small calls through one process; how many were answered."""
    answered = 0
    for load in ("allowed", "denied", "fresh"):
        kind, connections = ("fresh", FRESH) if load == "fresh" else ("keep", CONNECTIONS)
        job = make_job(
            stage,
            variant,
            proxy,
            kind,
            denied=load == "denied",
            connections=connections,
            seconds=scale.seconds,
        )
        runs[load, variant].append(send(job, proxy))
        answered += runs[load, variant][-1].result.done
    job = make_job(stage, variant, proxy, "streams", connections=STREAMED, seconds=scale.seconds)
    runs["streams", variant].append(send(job, proxy))
    answered += runs["streams", variant][-1].result.done
    runs["events", variant].append(send(make_job(stage, variant, proxy, "events"), proxy))
    return answered


def make_job(
    stage: Stage,
    variant: Variant,
    proxy: Proxy | None,
    kind: str,
    *,
    denied: bool = False,
    connections: int = 1,
    seconds: float = 0,
    size: int = 0,
) -> Job:
    """A load for a variant; without ``proxy`` straight to the upstream."""
    return Job(
        kind,
        str(stage.client_ca if proxy else stage.upstream_ca),
        proxy.port if proxy else None,
        stage.upstream_port,
        stage.denied if denied else stage.allowed,
        variant.denied_status,
        connections,
        seconds,
        size,
    )


def send(job: Job, proxy: Proxy | None) -> Run:
    """Send a load from a process of its own. The proxy's counters are read when all connections stand."""
    with start_helper("load") as (tell, hear):
        tell.write(json.dumps(job._asdict()) + "\n")
        tell.flush()
        if hear.readline() != "ready\n":
            raise StartError("the load generator failed; its error is above")
        before = proxy.cpu_seconds() if proxy else 0.0
        idle = proxy.memory() if proxy else 0
        if proxy:
            proxy.forget_peak()
        tell.write("go\n")
        tell.flush()
        line = hear.readline()
        if not line:
            raise StartError("the load generator failed; its error is above")
        result = Result(**json.loads(line))
        after = proxy.cpu_seconds() if proxy else 0.0
        peak = proxy.memory("VmHWM") if proxy else 0
    return Run(result, after - before, peak - idle, idle)


def report(runs: Runs, direct: Run, lost: int) -> list[Measurement]:
    """The rows, ratios to ``bare`` first."""
    rows: list[Measurement] = []

    def compare(name: str, load: str, what: str, bound: Bound | None, variant: Variant = PRODUCT) -> None:
        base = _values(runs, load, BARE, what)
        spread = ratios(_values(runs, load, variant, what), base)
        noise = ratios(_values(runs, load, TWIN, what), base)
        rows.append(Measurement(BENCH, f"{name}, {variant.name} to bare", "x", spread, bound, noise))

    compare("CPU a request, keep-alive", "allowed", "cpu_ms", CPU)
    compare("requests a second, keep-alive", "allowed", "rate", None)
    compare("CPU a request, keep-alive", "allowed", "cpu_ms", None, NAIVE)
    compare("requests a second, keep-alive", "allowed", "rate", None, NAIVE)
    compare("CPU a request, HTTP/2 with 8 streams", "streams", "cpu_ms", STREAMS_CPU)
    compare("requests a second, HTTP/2 with 8 streams", "streams", "rate", None)
    compare("requests a second, all denied", "denied", "rate", None)
    compare("CPU a request, all denied", "denied", "cpu_ms", DENIALS)
    compare("requests a second, new connections", "fresh", "rate", None)
    compare("CPU a request, new connections", "fresh", "cpu_ms", FRESH_CPU)
    compare("speed of a download", "download", "speed", SPEED)
    compare("speed of an upload", "upload", "speed", SPEED)
    for load in ("download", "upload"):
        growth, base = (
            Spread.of([run.growth / 1e6 for run in runs[load, variant]]) for variant in (PRODUCT, BARE)
        )
        note = f"bare: {base.value:.0f}"
        rows.append(
            Measurement(BENCH, f"memory above idle, {load}, product", "MB", growth, MEMORY, note=note)
        )
    first = Spread.of(_values(runs, "events", PRODUCT, "ms"))
    waited = Spread.of(_values(runs, "events", BARE, "ms"))
    note = f"bare: {waited.value:.0f}"
    rows.append(Measurement(BENCH, "first server-sent event, product", "ms", first, FIRST_EVENT, note=note))
    opened = Spread.of([run.result.opened - CONNECTIONS for run in runs["denied", PRODUCT]])
    rows.append(Measurement(BENCH, "connections lost to 403s, product", "", opened, NONE_AT_ALL))
    faults = [sum(run.result.wrong + run.result.errors for run in every) for every in runs.values()]
    rows.append(
        Measurement(
            BENCH, "wrong answers and errors, all variants", "", Spread.of([sum(faults)]), NONE_AT_ALL
        )
    )
    rows.append(Measurement(BENCH, "answers without a record, product", "", Spread.of([lost]), NONE_AT_ALL))
    rows += _absolute(runs, direct)
    return rows


def _values(runs: Runs, load: str, variant: Variant, what: str) -> list[float]:
    chosen = runs[load, variant]
    match what:
        case "cpu_ms":
            return [run.cpu_ms for run in chosen]
        case "ms":
            return [run.result.seconds * 1000 for run in chosen]
        case _:  # one transfer has the rate of 1 / seconds, and all transfers have one size
            return [run.rate for run in chosen]


def _absolute(runs: Runs, direct: Run) -> list[Measurement]:
    rows = []
    for variant in (BARE, PRODUCT, NAIVE):
        for load in ("allowed", "streams", "denied", "fresh"):
            chosen = runs[load, variant]
            name = f"{load}, {variant.name}"
            note = f"p50 {chosen[-1].result.median_ms:.1f} ms, p99 {chosen[-1].result.p99_ms:.1f} ms"
            rate = Spread.of([run.rate for run in chosen])
            rows.append(Measurement(BENCH, name, "req/s", rate, note=note))
            rows.append(Measurement(BENCH, name, "CPU ms/req", Spread.of([run.cpu_ms for run in chosen])))
    rows.append(Measurement(BENCH, "allowed, no proxy", "req/s", Spread.of([direct.rate])))
    return rows
