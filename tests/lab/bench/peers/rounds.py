"""The race: all peers under the same loads, in the order A B C ... and then C B A ..., each in a fresh process.

A peer that is not installed, does not start or breaks under a load is named with its reason; the others go on, so that
a long measurement may run unattended.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import NamedTuple

from ..endtoend import MIB, Run, send
from ..load import Job
from ..measurement import Say
from ..processes import Proxy, StartError
from ..variants import Stage, open_stage
from ..workload import Call
from .peer import Peer
from .roster import BARE_PEER, PEERS

DIRECT = "no proxy"
"""Client and upstream without anything between them: the most that this load generator can measure."""


class Load(NamedTuple):
    """One kind of load. ``mix``: the calls of a stage that it sends; ``title``: for tables."""

    name: str
    title: str
    kind: str
    mix: str = "allowed"
    connections: int = 1


CALLS = (
    Load("one", "1 connection", "keep"),
    Load("keep", "keep-alive, 16 connections", "keep", connections=16),
    Load("mixed", "the same, 5% denied", "keep", "mixed", 16),
    Load("denied", "the same, all denied", "keep", "denied", 16),
    Load("fresh", "a new connection for each call (P-256), 8 at a time", "fresh", connections=8),
)
BODIES = (Load("download", "download", "download"), Load("upload", "upload", "upload"))


class Scale(NamedTuple):
    """How much is measured. ``patience``: seconds after which a transfer counts as failed."""

    rounds: int
    seconds: float
    transfers: int
    size: int
    patience: float


FULL = Scale(6, 3.0, 4, 256 * MIB, 60)
QUICK = Scale(2, 0.7, 1, 64 * MIB, 10)


class Race(NamedTuple):
    """What came of it. ``runs``: by peer and load; the n-th item of each is of round n, None where it failed.

    ``absent``: peers that did not run, with the reason. ``troubles``: what failed on the way.
    """

    scale: Scale
    peers: list[Peer]
    runs: dict[tuple[str, str], list[Run | None]]
    absent: dict[str, str]
    troubles: list[str]
    seconds: float


def run_race(scale: Scale, say: Say, only: Sequence[str] = ()) -> Race:
    """Measure. ``only``: names of peers; bare mitmdump always runs. Raises StartError if that does not, or none is left."""
    wanted = [peer for peer in PEERS if not only or peer.name in only or peer is BARE_PEER]
    absent = {peer.name: reason for peer in wanted if (reason := peer.missing())}
    peers = [peer for peer in wanted if peer.name not in absent]
    runs: dict[tuple[str, str], list[Run | None]] = defaultdict(list)
    troubles: list[str] = []
    started = time.monotonic()
    steps = list(_steps(scale, peers))
    with open_stage(curve=True) as stage:
        for number, (round_number, loads, peer) in enumerate(steps):
            name = peer.name if peer else DIRECT
            say(
                _progress(
                    number, len(steps), started, f"{loads[0].kind} loads, round {round_number + 1}: {name}"
                )
            )
            for load, run in _measure(stage, scale, peer, loads, troubles, round_number):
                runs[name, load.name].append(run)
    for peer in peers:
        if not any(run for (name, _), every in runs.items() if name == peer.name for run in every):
            absent[peer.name] = next(text for text in troubles if text.startswith(peer.name))
    left = [peer for peer in peers if peer.name not in absent]
    if BARE_PEER not in left:
        raise StartError(f"without bare mitmdump there is nothing to compare with: {absent[BARE_PEER.name]}")
    return Race(scale, left, dict(runs), absent, troubles, time.monotonic() - started)


def _steps(scale: Scale, peers: list[Peer]) -> Iterator[tuple[int, tuple[Load, ...], Peer | None]]:
    """Every process that is started, in order, with its round and loads; None is the way without a proxy."""
    every: list[Peer | None] = [None, *peers]
    for loads, rounds in ((CALLS, scale.rounds), (BODIES, scale.transfers)):
        for number in range(rounds):
            for peer in every if number % 2 == 0 else every[::-1]:
                yield number, loads, peer


def _progress(number: int, steps: int, started: float, what: str) -> str:
    passed = time.monotonic() - started
    left = f", about {passed / number * (steps - number) / 60:.0f} min left" if number > 2 else ""
    return f"peers: {number + 1} of {steps}{left}: {what}"


def _measure(
    stage: Stage, scale: Scale, peer: Peer | None, loads: Sequence[Load], troubles: list[str], number: int
) -> Iterator[tuple[Load, Run | None]]:
    """All loads through one fresh process. What fails is None, and so is what would have followed."""
    name = peer.name if peer else DIRECT
    done = 0
    try:
        with peer.start(stage) if peer else nullcontext() as proxy:
            for load in loads:
                run = send(make_job(stage, scale, peer, proxy, load), proxy)
                done += 1
                if run.result.done:
                    yield load, run
                else:
                    troubles.append(
                        f"{name}: {load.title}, round {number + 1}: no answer within {scale.patience:g} s"
                    )
                    yield load, None
    except (StartError, OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:300]
        troubles.append(f"{name}: round {number + 1}: {reason}")
        for load in loads[done:]:
            yield load, None


def make_job(stage: Stage, scale: Scale, peer: Peer | None, proxy: Proxy | None, load: Load) -> Job:
    """The load for a peer; without one straight to the upstream, which denies nothing."""
    calls: list[Call] = getattr(stage, load.mix)
    tunnel = peer is not None and not peer.reverse
    port = proxy.port if proxy and not tunnel else stage.upstream_port
    return Job(
        load.kind,
        str(stage.client_ca if tunnel else stage.upstream_ca),
        proxy.port if proxy and tunnel else None,
        port,
        calls,
        peer.denied_status if peer else 200,
        load.connections,
        scale.seconds,
        scale.size,
        scale.patience,
        stage.upstream_port if peer and peer.names_port else 443,
    )
