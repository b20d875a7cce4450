"""Mutants that no test has to see, and why: ``explained.yaml``."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

import yaml


class Change(NamedTuple):
    """``function``: with its module, below ``brickscope``. ``diff``: as a mutant's."""

    function: str
    diff: str


@cache
def explained() -> dict[Change, str]:
    """Each with its why."""
    return {
        Change(entry["function"], change.strip()): entry["why"]
        for entry in yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text())
        for change in entry["changes"]
    }
