"""Runs become cells: medians with their range, ratios within one round, and words where there is no number."""

from __future__ import annotations

from collections.abc import Callable

from ..endtoend import Run
from ..measurement import Spread
from ..report import number
from .rounds import DIRECT, Load, Race

SATURATED = 0.75
NEAR = 0.1
"""A peer that used less of its core than the first, and carried more than the second of what the load generator can send
without a proxy, was held back by the generator: its rate says only 'at least'."""
MB = 1e6

Value = Callable[[Run], float]


def rate(run: Run) -> float:
    """Requests (or transfers) a second."""
    return run.rate


def values(race: Race, name: str, load: str, value: Value) -> list[float]:
    """A value of every round that did not fail."""
    return [value(run) for run in race.runs.get((name, load), ()) if run is not None]


def paired(
    race: Race, name: str, base: str, load: str, value: Value, combine: Callable[[float, float], float]
) -> list[float]:
    """A value combined with that of another peer in the same round, for rounds where neither failed."""
    both = zip(race.runs.get((name, load), ()), race.runs.get((base, load), ()), strict=False)
    return [combine(value(one), value(other)) for one, other in both if one is not None and other is not None]


def ratio(race: Race, name: str, base: str, load: str, value: Value) -> list[float]:
    """A peer's value as a multiple of the base's, round by round."""
    return paired(race, name, base, load, value, lambda one, other: one / other)


def cell(found: list[float], unit: str = "", missing: str = "failed") -> str:
    """``median [low-high]``; one number if there is but one round or no difference."""
    if not found:
        return missing
    spread = Spread.of(found)
    low, high = number(spread.low), number(spread.high)
    text = f"{number(spread.value)}{unit}"
    return text if low == high else f"{text} [{low}-{high}]"


def is_held_back(race: Race, name: str, load: Load) -> bool:
    """Whether the load generator limited the rate, and not the peer. On one connection all take turns, so nobody does."""
    shares = values(race, name, load.name, lambda run: run.cpu / run.result.seconds)
    of_most = ratio(race, name, DIRECT, load.name, rate)
    if name == DIRECT or load.connections == 1 or not shares or not of_most:
        return False
    return Spread.of(shares).value < SATURATED and Spread.of(of_most).value > NEAR


def faults(race: Race, name: str) -> tuple[int, int, int]:
    """Answers, wrong answers and errors of all loads together."""
    runs = [run for (peer, _), every in race.runs.items() if peer == name for run in every if run]
    return (
        sum(run.result.done for run in runs),
        sum(run.result.wrong for run in runs),
        sum(run.result.errors for run in runs),
    )
