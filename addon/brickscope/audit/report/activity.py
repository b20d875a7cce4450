"""Who did what: subjects, operations, and the two against each other."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from brickscope.audit.reader import Progress
from brickscope.catalog.catalog import load_catalog

from .facts import BIN, BINS, Facts
from .rows import LIMIT, Rows
from .timeline import Grid

HEAT_SUBJECTS = 14
HEAT_OPERATIONS = 20
POWERFUL = ("execute", "grant", "secret")
"""Classes of operations that reviewers look at first."""

COUNTS = """CAST(sum(records) AS BIGINT) AS calls,
    CAST(coalesce(sum(records) FILTER (decision = 'allow'), 0) AS BIGINT) AS allowed,
    CAST(coalesce(sum(records) FILTER (decision = 'deny' AND NOT enforced), 0) AS BIGINT) AS sent,
    CAST(coalesce(sum(records) FILTER (decision = 'deny' AND enforced), 0) AS BIGINT) AS denied"""
"""The columns of ``Counts``, as SQL."""


@dataclass(frozen=True)
class Counts:
    """Calls by what became of them. ``sent``: denied, and sent all the same by monitor mode."""

    calls: int = 0
    allowed: int = 0
    sent: int = 0
    denied: int = 0


@dataclass(frozen=True)
class SubjectActivity:
    """One subject; ``name`` is None for callers that the policy did not name. ``series``: calls by step of the grid."""

    name: str | None
    rule_sets: tuple[str, ...]
    counts: Counts
    operations: int
    clients: int
    first_seen: datetime
    last_seen: datetime
    series: tuple[int, ...] = ()


@dataclass(frozen=True)
class Endings:
    """How the sent calls of an operation ended: milliseconds (None without any), and how many failed or broke."""

    calls: int = 0
    median_ms: float | None = None
    slow_ms: float | None = None
    failed: int = 0


@dataclass(frozen=True)
class OperationActivity:
    """One operation; ``name`` is None for calls that the catalogue does not know. ``kind`` and ``risk``: the catalogue's."""

    name: str | None
    kind: str | None
    risk: str
    counts: Counts
    subjects: int
    endings: Endings
    first_seen: datetime
    last_seen: datetime

    @property
    def is_powerful(self) -> bool:
        """Whether it runs code, changes who may act, returns credentials, or can widen the caller's power."""
        return self.kind in POWERFUL or bool(self.risk)


@dataclass(frozen=True)
class Cell:
    """The calls of a subject to an operation."""

    calls: int = 0
    denied: int = 0


@dataclass(frozen=True)
class Heat:
    """Subjects by operations, the busiest of both; what is left out is in the row and column of others.

    A name of None: callers that the policy does not name, calls that the catalogue does not know.
    """

    subjects: tuple[str | None, ...] = ()
    operations: tuple[str | None, ...] = ()
    cells: tuple[tuple[Cell, ...], ...] = ()
    other_subjects: int = 0
    other_operations: int = 0
    top: int = 0


def gather_subjects(facts: Facts, grid: Grid) -> Rows[SubjectActivity]:
    """The busiest subjects."""
    rows = facts.ask(
        f"""WITH calls AS (
            SELECT subject, {COUNTS}, count(DISTINCT operation) AS operations, min(first_seen) AS first_seen,
                max(last_seen) AS last_seen,
                list_sort(list(DISTINCT rule_set) FILTER (rule_set IS NOT NULL))[:4] AS rule_sets
            FROM by_call WHERE event = 'decision' GROUP BY subject
        ), clients AS (
            SELECT subject, count(DISTINCT client_address) AS clients FROM by_caller
            WHERE event = 'decision' GROUP BY subject
        )
        SELECT c.subject, rule_sets, calls, allowed, sent, denied, operations, coalesce(clients, 0), first_seen,
            last_seen, count(*) OVER ()
        FROM calls AS c LEFT JOIN clients AS d ON c.subject IS NOT DISTINCT FROM d.subject
        ORDER BY calls DESC, c.subject NULLS LAST LIMIT {LIMIT}"""  # noqa: S608
    )
    series = _series(facts, grid, [row[0] for row in rows])
    found = (
        SubjectActivity(
            name,
            tuple(rule_sets or ()),
            Counts(*counts),
            operations,
            clients,
            first,
            last,
            tuple(series[name]),
        )
        for name, rule_sets, *counts, operations, clients, first, last, _ in rows
    )
    return Rows.of(found, rows[0][-1] if rows else 0)


def _series(facts: Facts, grid: Grid, names: list[str | None]) -> dict[str | None, list[int]]:
    """The calls of each of these subjects by step of the grid."""
    series: dict[str | None, list[int]] = {name: [0] * grid.count for name in names}
    rows = facts.ask(
        f"""SELECT subject, {grid.sql("moment")}, sum(records) FROM by_time
        WHERE event = 'decision' AND (subject IS NULL OR list_contains(?, subject)) GROUP BY ALL""",  # noqa: S608
        [[name for name in names if name is not None]],
    )
    for name, step, records in rows:
        if name in series:
            series[name][min(max(step, 0), grid.count - 1)] += int(records)
    return series


def gather_operations(facts: Facts, progress: Progress | None = None) -> Rows[OperationActivity]:
    """The operations that were called most."""
    endings = _endings(facts, progress)
    catalog = load_catalog()
    rows = facts.ask(
        f"""SELECT operation, {COUNTS}, count(DISTINCT subject), min(first_seen), max(last_seen), count(*) OVER ()
        FROM by_call WHERE event = 'decision' GROUP BY operation
        ORDER BY calls DESC, operation NULLS LAST LIMIT {LIMIT}"""  # noqa: S608
    )
    found = []
    for name, *counts, subjects, first, last, _ in rows:
        known = catalog.find(name) if name is not None else None
        found.append(
            OperationActivity(
                name,
                known.kind if known else None,
                known.risk if known else "",
                Counts(*counts),
                subjects,
                endings.get(name, Endings()),
                first,
                last,
            )
        )
    return Rows.of(found, rows[0][-1] if rows else 0)


def _endings(facts: Facts, progress: Progress | None) -> dict[str | None, Endings]:
    """How calls ended, by operation: of each, the decision is joined with its outcome.

    Each id counts once among the decisions: in a forged log a million of either with one id would be a million squared.
    """
    rows = facts.log.ask(
        f"""SELECT operation, {BIN} AS bin, count(*),
            count(*) FILTER (o.error IS NOT NULL OR o.status IS NULL OR o.status >= 400)
        FROM (SELECT decision_id, duration_ms, error, status FROM outcomes) AS o
        JOIN (
            SELECT decision_id, any_value(operation) AS operation FROM decisions WHERE sent GROUP BY decision_id
        ) AS d USING (decision_id)
        GROUP BY ALL ORDER BY bin""",  # noqa: S608
        (),
        progress,
    ).fetchall()
    bins: dict[str | None, list[tuple[int, int]]] = defaultdict(list)
    failed: dict[str | None, int] = defaultdict(int)
    for name, index, calls, bad in rows:
        failed[name] += bad
        if index is not None:
            bins[name].append((index, calls))
    return {
        name: Endings(
            sum(calls for _, calls in bins[name]),
            percentile(bins[name], 0.5),
            percentile(bins[name], 0.95),
            count,
        )
        for name, count in failed.items()
    }


def percentile(bins: list[tuple[int, int]], share: float) -> float | None:
    """The milliseconds below which a share of the calls ended, of a histogram in order; None for an empty one."""
    wanted = share * sum(calls for _, calls in bins)
    seen = 0
    for index, calls in bins:
        seen += calls
        if seen >= wanted and calls:
            return float(10 ** ((index + 0.5) / BINS))
    return None


def gather_heat(facts: Facts) -> Heat:
    """The map of the busiest subjects and operations."""
    rows = facts.ask(
        """SELECT subject, operation, CAST(sum(records) AS BIGINT),
            CAST(coalesce(sum(records) FILTER (decision = 'deny'), 0) AS BIGINT),
            dense_rank() OVER (ORDER BY whole_subject DESC, subject NULLS LAST) AS row,
            dense_rank() OVER (ORDER BY whole_operation DESC, operation NULLS LAST) AS col
        FROM (
            SELECT *, sum(records) OVER (PARTITION BY subject) AS whole_subject,
                sum(records) OVER (PARTITION BY operation) AS whole_operation
            FROM by_call WHERE event = 'decision'
        ) GROUP BY subject, operation, whole_subject, whole_operation ORDER BY row, col"""
    )
    subjects = [*dict.fromkeys(row[0] for row in rows)]
    operations = [name for _, name in sorted({(row[5], row[1]) for row in rows}, key=lambda pair: pair[0])]
    kept, columns = subjects[:HEAT_SUBJECTS], operations[:HEAT_OPERATIONS]
    others = len(subjects) - len(kept), len(operations) - len(columns)
    height, width = len(kept) + bool(others[0]), len(columns) + bool(others[1])
    cells = [[[0, 0] for _ in range(width)] for _ in range(height)]
    for _, _, calls, denied, row, column in rows:
        cell = cells[min(row, height) - 1][min(column, width) - 1]
        cell[0] += calls
        cell[1] += denied
    return Heat(
        tuple(kept),
        tuple(columns),
        tuple(tuple(Cell(*cell) for cell in line) for line in cells),
        *others,
        max((cell[0] for line in cells for cell in line), default=0),
    )
