"""What a section is made from."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from brickscope.analysis.denials import Found
from brickscope.audit.evidence import Evidence
from brickscope.audit.reader import Faults
from brickscope.policy.load import Loaded

from .counts import Counts
from .grid import Grid


class Given(NamedTuple):
    """``end``: of the period, UTC without a zone, by which ages are told. ``loaded``: the policy, if one was given.
    ``compared_from``: where the log before the period begins, if there is any. ``evidence``: what checking the log showed,
    None if it was not checked."""

    counts: Counts
    grid: Grid
    denials: Found
    end: datetime
    stale: timedelta
    loaded: Loaded | None
    compared_from: datetime | None
    evidence: Sequence[Evidence] | None
    faults: Faults
