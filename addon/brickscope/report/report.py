"""Everything that a report says, gathered from a log and, if given, a policy."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta

import brickscope
from brickscope.analysis.denials import find_denials
from brickscope.audit.evidence import Evidence
from brickscope.audit.period import Period
from brickscope.audit.reader import AuditLog, Progress
from brickscope.audit.usage import keep_policy
from brickscope.error import OperatorError
from brickscope.policy.load import Loaded

from .block import WEIGHTS, Point, Section, Table, Text
from .callers import clients_section, connections_section, tokens_section
from .calls import operations_section, outcomes_section, subjects_section
from .counts import Counts, Earlier, Given, sql
from .denied import denied_section
from .grid import Grid
from .integrity import Status, find_status, integrity_section, sentence
from .permissions import permissions_section
from .text import counted, day, moment, number, share, span
from .timeline import time_section

Stage = Callable[[str], AbstractContextManager[Progress | None]]
"""Is entered for each long part of the work, with its name; gives whom to tell how much of it is done."""

SECTIONS: tuple[Callable[[Given], Section], ...] = (
    time_section,
    denied_section,
    subjects_section,
    operations_section,
    permissions_section,
    tokens_section,
    clients_section,
    outcomes_section,
    connections_section,
    integrity_section,
)
"""The parts of the page, in their order. What the log comes to hold besides gets its place here."""


LIMITS = Section("limits", "What it cannot show", "What this log cannot show", ())
"""What it says is the same in every report, and stands in ``page/limits.j2``."""


class EmptyLogError(OperatorError):
    """There is no record in the period; the message says so."""


@dataclass(frozen=True)
class Report:
    """``period``: when, in words. ``sentences``: what somebody reads who reads nothing else; the first says how much
    happened and what was denied, the last whether the log can be believed. ``tiles``: numbers with their words.
    ``unreadable``: lines that are no records."""

    title: str
    period: str
    sentences: tuple[str, ...]
    status: Status
    tiles: dict[str, int]
    sections: tuple[Section, ...]
    unreadable: int

    @property
    def points(self) -> list[tuple[Point, Section]]:
        """What to look at first: the serious points, denied calls first; then all others in the order of the page."""
        found = [(point, section) for section in self.sections for point in section.points]
        return sorted(found, key=lambda each: (WEIGHTS.index(each[0].weight), each[1].id != "denied"))


def gather(
    log: AuditLog,
    *,
    made: datetime,
    period: Period,
    stale_days: int,
    title: str | None = None,
    loaded: Loaded | None = None,
    earlier: Sequence[Earlier] = (),
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
        counts = Counts(log, earlier, told)
    kinds: dict[str | None, int] = dict(
        counts.ask("SELECT event, records FROM by_kind ORDER BY records DESC")
    )
    log.bad_lines = kinds.pop(None, 0)
    faults = log.find_faults()
    if not kinds:
        raise EmptyLogError("the log has no records in this period")
    ((first, last),) = counts.ask(
        "SELECT min(first_seen), max(last_seen) FROM by_kind WHERE event IS NOT NULL"
    )
    with stage("reading denials") as told:
        denials = find_denials(log, told)
    keep_policy(log, loaded and loaded.policy)
    given = Given(
        counts,
        Grid.over(first, last, counts.resolution),
        denials,
        last if period.until is None else min(period.until, made),
        timedelta(days=stale_days),
        loaded,
        min((each.first for each in earlier), default=None),
        evidence,
        faults,
    )
    sections = (*(make(given) for make in SECTIONS), LIMITS, _about(made, log, kinds))
    ((gaps, *_),) = counts.ask(sql("odd_counts"))
    asked = " ".join(
        f"{word} {moment(at)}" for word, at in (("from", period.since), ("until", period.until)) if at
    )
    tiles = dict(counts.table("tiles").records()[0])
    believed = sentence(evidence) + (f" It records {counted(gaps, 'gap')}." if gaps else "")
    return Report(
        title or f"Audit report, {day(first)} to {day(last)}",
        f"{moment(first)} to {moment(last)} UTC" + (f" · asked for {asked}" if asked else ""),
        (*_sentences(counts, tiles, span(last - first)), believed),
        find_status(evidence),
        tiles,
        sections,
        faults.lines,
    )


def _sentences(counts: Counts, tiles: dict[str, int], length: str) -> Iterator[str]:
    """How much happened, and what was denied."""
    calls, sent = tiles["Calls"], tiles["Would be denied (monitor)"]
    denied = tiles["Denied"] + sent
    lead = f"{counted(calls, 'call')} by {counted(tiles['Subjects'], 'subject')} in {length}"
    if not denied:
        yield f"{lead}; none was denied." if calls else f"{lead}."
        return
    ((reasons,),) = counts.ask(
        "SELECT count(DISTINCT coalesce(reason, '')) FROM by_call WHERE event = 'decision' AND decision = 'deny'"
    )
    yield f"{lead}; {number(denied)} denied ({share(denied, calls)}), for {counted(reasons, 'reason')}."
    if sent:
        yield f"{number(sent)} of the denied calls were sent anyway, since monitor mode only records."


def _about(made: datetime, log: AuditLog, kinds: dict[str | None, int]) -> Section:
    text = (
        f"Made {moment(made)} UTC by Brickscope {brickscope.__version__} from {counted(len(log.sources), 'file')} with "
        f"{counted(sum(kinds.values()), 'record')}. It is one file that needs nothing else and loads nothing from anywhere; "
        "it holds no token, but names of subjects, paths and addresses: treat it as confidential."
    )
    blocks = (
        Text(text),
        Table.written("files", [(source.name,) for source in log.sources]),
        Table.written("kinds", kinds.items()),
    )
    return Section("about", "About", "About this report", blocks)
