"""Everything that a report says, gathered from a log and, if given, a policy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from brickscope.audit.evidence import Evidence
from brickscope.audit.period import Period
from brickscope.audit.reader import AuditLog, Progress
from brickscope.core.policy import Policy

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
from .denials import Denial, ReasonCount, gather_denials, gather_reasons
from .facts import Facts
from .integrity import Integrity, make_integrity
from .outcomes import Outcomes, gather_outcomes
from .permissions import Permissions, gather_permissions
from .presence import Earlier, Presence, gather_presence
from .rows import Rows
from .timeline import Timeline, gather_timeline


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
    denials: Rows[Denial]
    outcomes: Outcomes
    changes: Changes
    presence: Presence
    connections: Connections
    permissions: Permissions | None
    integrity: Integrity


def gather(
    log: AuditLog,
    *,
    title: str,
    made: datetime,
    period: Period,
    stale_days: int,
    policy: Policy | None = None,
    earlier: Earlier | None = None,
    evidence: Sequence[Evidence] | None = None,
    progress: Callable[[str], Progress | None] = lambda _: None,
) -> Report:
    """Gather a report.

    ``log``: opened for ``period``. ``made``: now. ``earlier``: what was seen before the period. ``evidence``: what
    checking the log showed, None if it was not checked. ``progress``: is told what is done next, and gives whom to tell
    how much of it is done.

    Raises EmptyLogError where the period has no records.
    """
    facts = Facts(log, progress("Reading the log"))
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
    keep_events(facts)
    timeline = gather_timeline(facts, first, last)
    ((*counts, subjects, operations),) = facts.ask(
        f"SELECT {COUNTS}, count(DISTINCT subject), count(DISTINCT operation) FROM by_call WHERE event = 'decision'"  # noqa: S608
    )
    ((clients,),) = facts.ask("SELECT count(DISTINCT client_address) FROM by_caller WHERE event = 'decision'")
    permissions = None if policy is None else gather_permissions(facts, policy, end)
    named = None if permissions is None else permissions.names
    progress("Counting")
    return Report(
        title,
        made,
        period,
        first,
        last,
        end,
        Rows.of((source.name for source in log.sources), len(log.sources)),
        sum(kinds.values()),
        kinds,
        Counts(*(each or 0 for each in counts)),
        subjects,
        operations,
        clients,
        stale_days,
        timeline,
        gather_subjects(facts, timeline.grid),
        gather_operations(facts),
        gather_heat(facts),
        gather_reasons(facts),
        gather_denials(facts),
        gather_outcomes(facts, timeline.grid),
        gather_changes(facts),
        gather_presence(facts, earlier, named, end, stale_days),
        gather_connections(facts),
        permissions,
        make_integrity(evidence, log.find_faults(bad=unreadable)),
    )
