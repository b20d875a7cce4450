"""How many examples a property is tried with."""

from __future__ import annotations

import os


def examples(count: int) -> int:
    """So many for whoever works on the code; a fourth in CI, where time is bounded and examples are the same each time.

    ``BRICKSCOPE_FUZZ=100000`` makes so many of each.
    """
    return int(os.environ.get("BRICKSCOPE_FUZZ") or (count // 4 if os.environ.get("CI") else count))
