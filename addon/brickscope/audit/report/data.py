"""Everything that a report says, gathered from a log and, if given, a policy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime

from brickscope.audit.denials import Denials
from brickscope.audit.evidence import Evidence
from brickscope.audit.period import Period
from brickscope.audit.reader import AuditLog, Progress
from brickscope.policy.load import Loaded

from .activity import (
    COUNTS,
    Counts,
    Heat,
    OperationActivity,
    SubjectActivity,
    gather_heat,
    gather_operations,
    gather_subjects,
)
from .changes import Changes, gather_changes, keep_events
from .connections import Connections, gather_connections
from .denials import ReasonCount, gather_denials, gather_reasons
from .facts import Facts
from .integrity import Integrity, make_integrity
from .outcomes import Outcomes, gather_outcomes
from .permissions import Permissions, gather_permissions
from .presence import Earlier, Presence, gather_presence
from .rows import Rows
from .text import day
from .timeline import Timeline, gather_timeline

Stage = Callable[[str], AbstractContextManager[Progress | None]]
"""Is entered for each long part of the work, with its name; gives whom to tell how much of it is done."""


class EmptyLogError(Exception):
    """There is no record in the period; the message says so."""


@dataclass(frozen=True)
class Report:
    """``first``, ``last``: of the records read. ``end``: of the period, by which ages are told. ``files``: names of those
    that were read. ``counts``: of all calls."""

    title: str
    made: datetime
    period: Period
    first: datetime
    last: datetime
    end: datetime
    files: Rows[str]
    records: int
    kinds: dict[str | None, int]
    counts: Counts
    subject_count: int
    operation_count: int
    client_count: int
    stale_days: int
    timeline: Timeline
    subjects: Rows[SubjectActivity]
    operations: Rows[OperationActivity]
    heat: Heat
    reasons: Rows[ReasonCount]
    denials: Rows[Denials]
    outcomes: Outcomes
    changes: Changes
    presence: Presence
    connections: Connections
    permissions: Permissions | None
    integrity: Integrity


def gather(
    log: AuditLog,
    *,
    made: datetime,
    period: Period,
    stale_days: int,
    title: str | None = None,
    loaded: Loaded | None = None,
    earlier: Earlier | None = None,
    evidence: Sequence[Evidence] | None = None,
    stage: Stage = lambda _: nullcontext(),
) -> Report:
    """Gather a report.

    ``log``: opened for ``period``. ``made``: now, UTC without a zone. ``title``: None for one that names the days.
    ``loaded``: the policy. ``earlier``: what was seen before the period. ``evidence``: what checking the log showed, None
    if it was not checked.

    Raises EmptyLogError where the period has no records.
    """
    with stage("reading the log") as told:
        facts = Facts(log, told)
    kinds: dict[str | None, int] = dict(
        facts.ask("SELECT event, CAST(records AS BIGINT) FROM by_kind ORDER BY records DESC")
    )
    unreadable = kinds.pop(None, 0)
    if not kinds:
        raise EmptyLogError("the log has no records in this period")
    ((first, last),) = facts.ask(
        "SELECT min(first_seen), max(last_seen) FROM by_kind WHERE event IS NOT NULL"
    )
    end = last if period.until is None else min(period.until, made)
    with stage("reading events") as told:
        keep_events(facts, told)
    with stage("reading denials") as told:
        denials = gather_denials(facts, told)
    with stage("reading outcomes") as told:
        operations = gather_operations(facts, told)
    timeline = gather_timeline(facts, first, last)
    ((*counts, subject_count, operation_count),) = facts.ask(
        f"SELECT {COUNTS}, count(DISTINCT subject), count(DISTINCT operation) FROM by_call WHERE event = 'decision'"  # noqa: S608
    )
    ((clients,),) = facts.ask("SELECT count(DISTINCT client_address) FROM by_caller WHERE event = 'decision'")
    permissions = None if loaded is None else gather_permissions(facts, loaded, end)
    named = None if permissions is None else permissions.names
    return Report(
        title or f"Audit report, {day(first)} to {day(last)}",
        made,
        period,
        first,
        last,
        end,
        Rows.of((source.name for source in log.sources), len(log.sources)),
        sum(kinds.values()),
        kinds,
        Counts(*(each or 0 for each in counts)),
        subject_count,
        operation_count,
        clients,
        stale_days,
        timeline,
        gather_subjects(facts, timeline.grid),
        operations,
        gather_heat(facts),
        gather_reasons(facts),
        denials,
        gather_outcomes(facts, timeline.grid),
        gather_changes(facts),
        gather_presence(facts, earlier, named, end, stale_days),
        gather_connections(facts),
        permissions,
        make_integrity(evidence, log.find_faults(bad=unreadable)),
    )
