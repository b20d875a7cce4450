"""Small pictures of numbers: the shades of a map, and rows of bars beside a name."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

LEVELS = 5
"""Shades of a map, beside that for none."""


@dataclass(frozen=True)
class Shades:
    """What the shades of a map stand for: ``floors[n]`` is the least number of shade ``n + 1``."""

    top: int
    even: bool = False

    @property
    def floors(self) -> list[int]:
        """Equal ratios, so that few calls and many are told apart alike; equal differences if ``even``."""
        shares = [level / LEVELS for level in range(LEVELS)]
        floors = {max(1, math.ceil(self.top * share if self.even else self.top**share)) for share in shares}
        return sorted(floors)

    def level(self, value: int) -> int:
        """The shade of a number: 0 for none, up to LEVELS."""
        floors = self.floors
        reached = sum(value >= floor for floor in floors)
        # With few shades in use, the darkest of them is still the darkest.
        return 0 if not reached else LEVELS - len(floors) + reached

    @property
    def legend(self) -> list[tuple[int, str]]:
        """Each shade in use, with the numbers it stands for."""
        floors = [*self.floors, self.top + 1]
        return [
            (self.level(low), f"{low:,}" if high - 1 <= low else f"{low:,}–{high - 1:,}")
            for low, high in pairwise(floors)
        ]


def spark_path(series: Sequence[int], height: int = 20) -> str:
    """Numbers as a row of bars of width 1, as one path."""
    top = max(series, default=0)
    if not top:
        return ""
    parts = [f"M0 {height}"]
    for value in series:
        # Rounded up: whoever called at all is to be seen.
        parts.append(f"V{height - math.ceil(value / top * (height - 1)) if value else height}h1")
    return "".join([*parts, f"V{height}z"])
