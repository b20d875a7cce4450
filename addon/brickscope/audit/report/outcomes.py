"""How the calls that were sent have ended: answers, time taken, what broke."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from .activity import percentile
from .facts import Facts
from .rows import Rows
from .timeline import Grid

SHARES = (0.5, 0.95, 0.99)
"""The percentiles that are shown."""


@dataclass(frozen=True)
class Ending:
    """Calls that ended alike. ``status``: None where no answer came. ``broken``: something went wrong on the way."""

    status: int | None
    broken: bool
    calls: int
    request_bytes: int
    response_bytes: int
    longest_ms: float | None


@dataclass(frozen=True)
class Latency:
    """Milliseconds of one step of the grid, by SHARES; None where no call ended."""

    start: datetime
    calls: int
    values: tuple[float | None, ...]


@dataclass(frozen=True)
class Outcomes:
    """``sent``: calls that were let go on. ``without``: how many of them have no outcome in the log."""

    sent: int
    ended: int
    broken: int
    values: tuple[float | None, ...]
    longest_ms: float | None
    request_bytes: int
    response_bytes: int
    latency: tuple[Latency, ...]
    endings: Rows[Ending]

    @property
    def without(self) -> int:
        """At least; outcomes of calls from before the period are counted as well."""
        return max(0, self.sent - self.ended)


def gather_outcomes(facts: Facts, grid: Grid) -> Outcomes:
    """The outcomes of the period."""
    rows = facts.ask(
        """SELECT status, coalesce(broken, false), CAST(records AS BIGINT), CAST(coalesce(request_bytes, 0) AS BIGINT),
            CAST(coalesce(response_bytes, 0) AS BIGINT), longest_ms
        FROM by_status WHERE event = 'outcome' ORDER BY records DESC, status"""
    )
    endings = [Ending(*row) for row in rows]
    ((sent,),) = facts.ask(
        """SELECT CAST(coalesce(sum(records), 0) AS BIGINT) FROM by_call
        WHERE event = 'decision' AND (decision = 'allow' OR NOT enforced)"""
    )
    steps: dict[int, list[tuple[int, int]]] = defaultdict(list)
    whole: dict[int, int] = defaultdict(int)
    for step, index, calls in facts.ask(
        f"""SELECT {grid.sql("moment")} AS step, bin, CAST(sum(records) AS BIGINT) FROM by_outcome
        WHERE event = 'outcome' AND bin IS NOT NULL GROUP BY ALL ORDER BY step, bin"""  # noqa: S608
    ):
        steps[min(max(step, 0), grid.count - 1)].append((index, calls))
        whole[index] += calls
    latency = tuple(
        Latency(
            start,
            sum(calls for _, calls in steps[at]),
            tuple(percentile(sorted(steps[at]), each) for each in SHARES),
        )
        for at, start in enumerate(grid.starts())
    )
    return Outcomes(
        sent,
        sum(each.calls for each in endings),
        sum(each.calls for each in endings if each.broken),
        tuple(percentile(sorted(whole.items()), each) for each in SHARES),
        max((each.longest_ms for each in endings if each.longest_ms is not None), default=None),
        sum(each.request_bytes for each in endings),
        sum(each.response_bytes for each in endings),
        latency,
        Rows.of(endings, len(endings)),
    )
