"""Measured values: how many runs become one number, and how that number stands to its bound."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, NamedTuple


class Bound(NamedTuple):
    """What must hold: the value is at most (or at least) ``limit``."""

    limit: float
    at_least: bool = False

    def holds(self, value: float) -> bool:
        """Whether a value keeps the bound."""
        return value >= self.limit if self.at_least else value <= self.limit

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.limit:g}"


class Verdict(Enum):
    """How a value stands to its bound."""

    OK = "ok"
    OVER = "over"
    NONE = ""
    """There is no bound: the value is for information."""


class Spread(NamedTuple):
    """One number for several runs (their median, unless said otherwise), with the lowest and highest."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of at least one value."""
        if not values:
            raise ValueError("a spread needs at least one value")
        return cls(statistics.median(values), min(values), max(values))


class Measurement(NamedTuple):
    """One line of the report. ``noise``: the same ratio of two equal things, by which to read ``spread``."""

    bench: str
    name: str
    unit: str
    spread: Spread
    bound: Bound | None = None
    noise: Spread | None = None
    note: str = ""

    @property
    def verdict(self) -> Verdict:
        """Whether the value keeps the bound."""
        if self.bound is None:
            return Verdict.NONE
        return Verdict.OK if self.bound.holds(self.spread.value) else Verdict.OVER

    def record(self) -> dict[str, Any]:
        """The measurement as plain data, for JSON."""
        bound = self.bound
        return {
            "bench": self.bench,
            "name": self.name,
            "unit": self.unit,
            "value": self.spread.value,
            "low": self.spread.low,
            "high": self.spread.high,
            "bound": None if bound is None else {"limit": bound.limit, "at_least": bound.at_least},
            "verdict": self.verdict.value or None,
            "noise": None if self.noise is None else self.noise._asdict(),
            "note": self.note or None,
        }


Say = Callable[[str], None]
"""How a bench tells what it does now."""


def ratios(values: Sequence[float], bases: Sequence[float]) -> Spread:
    """The spread of ratios, each within one round: value and base of the same round were measured side by side."""
    return Spread.of([value / base for value, base in zip(values, bases, strict=True)])


def best(passes: Sequence[float]) -> Spread:
    """The best of several passes over the same work in one process: what disturbs a pass only makes it slower.

    Its ``value`` is the best pass, the rest shows how much the passes differ.
    """
    return Spread(min(passes), min(passes), max(passes))
