"""A log as a stream of events for a SIEM: each record once, each call with its outcome, in bounded memory."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from brickscope.audit.period import Period
from brickscope.audit.plain import plain
from brickscope.audit.reader import AuditLog, Progress, record_of

from .content import Record
from .ecs import ecs_event
from .ocsf import ocsf_event

Mapper = Callable[[Record, Record | None], dict[str, Any] | None]
FORMATS: dict[str, Mapper] = {"ecs": ecs_event, "ocsf": ocsf_event}
LATEST_OUTCOME = timedelta(days=1)
"""How long after the end of the period an outcome is looked for. A call belongs where it was decided."""

_BATCH = 2_000
_OUTCOME = ("time", "seq", "hash", "status", "request_bytes", "response_bytes", "duration_ms", "error")
_WANTED = "event <> 'outcome' AND ($until IS NULL OR time < $until)"


def period_to_read(period: Period) -> Period:
    """The part of the log that has to be open to export ``period``: with outcomes that came after its end."""
    return Period(period.since, period.until and period.until + LATEST_OUTCOME)


class EventStream:
    """The events of a log, to be iterated once. They come in no order: sorting a log takes as much room as the log.

    Afterwards ``foreign`` and ``unmapped`` say how many were left out. ``foreign``: records that lack what this
    log's have, so that no event could be made of them. ``unmapped``: records of kinds that the format has nothing for.
    """

    def __init__(
        self, log: AuditLog, mapper: Mapper, until: datetime | None, progress: Progress | None
    ) -> None:
        self.foreign = 0
        self.unmapped: dict[str, int] = {}
        self._log = log
        self._map = mapper
        self._until = until
        self._progress = progress

    def __iter__(self) -> Iterator[dict[str, Any]]:
        done, total = 0, self._count() if self._progress is not None else 0
        for names, batch in self._batches():
            for row in batch:
                made = self._event(dict(zip(names, row, strict=True)))
                if made is not None:
                    yield made
            done += len(batch)
            if self._progress is not None:
                self._progress(done / max(total, 1))

    def _event(self, row: dict[str, Any]) -> dict[str, Any] | None:
        try:
            outcome = {name: plain(row.pop(f"_{name}")) for name in _OUTCOME}
            times = {name: plain(each) for name, each in row.items() if isinstance(each, datetime)}
            record = record_of(row | times)
            made = self._map(record, outcome if outcome["time"] is not None else None)
        except (KeyError, TypeError, ValueError, OverflowError):
            self.foreign += 1
            return None
        if made is None:
            self.unmapped[record["event"]] = self.unmapped.get(record["event"], 0) + 1
        return made

    def _batches(self) -> Iterator[tuple[list[str], list[tuple[Any, ...]]]]:
        outcome = ", ".join(f"o.{name} AS _{name}" for name in _OUTCOME)
        result = self._log.ask(
            f"SELECT r.*, {outcome} FROM (SELECT * EXCLUDE log_file FROM records WHERE {_WANTED}) AS r "  # noqa: S608 - names are ours
            "LEFT JOIN outcomes AS o ON r.event = 'decision' AND o.instance = r.instance "
            "AND o.decision_id = r.decision_id",
            {"until": self._until},
        )
        names = [str(column[0]) for column in result.description or ()]
        while batch := result.fetchmany(_BATCH):
            yield names, batch

    def _count(self) -> int:
        ((count,),) = self._log.ask(
            f"SELECT count(*) FROM records WHERE {_WANTED}",  # noqa: S608 - ours
            {"until": self._until},
        ).fetchall()
        return int(count)
