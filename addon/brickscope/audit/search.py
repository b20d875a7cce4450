"""Records by their fields: one filter, for the log on disk (as SQL) and for lines as they come (in Python)."""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from brickscope.catalog.catalog import load_catalog
from brickscope.core.reason import Reason
from brickscope.core.rule import METHODS, WEBSOCKET
from brickscope.policy.problem import nearest

from .event import EVENTS
from .queries import query

Values = tuple[str, ...]
_STATUS = re.compile(r"([1-5])xx|[1-5][0-9]{2}|none\Z")


class Filter(NamedTuple):
    """What is looked for. Of several values of a field one has to fit, and all fields have to. ``*`` in a value stands for
    any text. ``decision``: ``allow``, ``deny``, or ``sent`` (allowed, or denied in monitor mode and sent anyway).
    ``status``: ``404``, ``4xx``, or ``none`` (no answer came)."""

    subject: Values = ()
    operation: Values = ()
    reason: Values = ()
    client_address: Values = ()
    method: Values = ()
    path: Values = ()
    credential: Values = ()
    event: Values = ()
    decision: Values = ()
    status: Values = ()

    def check(self) -> None:
        """Raises ValueError for a value that no record has: that nothing is found would be taken for an answer. What has a
        ``*`` is taken as it is, also for records of another version."""
        for text in self.status:
            if not _STATUS.fullmatch(text):
                raise ValueError(f"{text!r} is no status: write 404, 4xx or none")
        for name, known in _KNOWN.items():
            for text in getattr(self, name):
                if "*" not in text and text not in (words := known()):
                    listed = nearest(text, words) or (f"one of {', '.join(words)}" if len(words) < 20 else "")
                    raise ValueError(
                        f"{text!r} is no {name}: {listed or 'write it as docs/log.md has it, or with *'}"
                    )

    def matches(self, record: Mapping[str, Any]) -> bool:
        """Whether a record fits, status apart."""
        return all(_fits(self, name, record.get(name)) for name in self._named()) and (
            not self.decision or _fits(self, "decision", _decided(record))
        )

    def matches_status(self, status: object) -> bool:
        """Whether the status of an outcome fits."""
        return not self.status or _fits(self, "status", "none" if status is None else str(status))

    def sql(self, *names: str) -> tuple[str, dict[str, Any]]:
        """The same as SQL on ``records`` with its parameters: of these fields, or of all but the status."""
        names = names or (*self._named(), *(["decision"] if self.decision else ()))
        parts = [f"regexp_full_match({_SQL.get(name, name)}, ${name})" for name in names]
        return " AND ".join(parts) or "true", {name: _pattern(self, name) for name in names}

    def _named(self) -> list[str]:
        """The fields that are looked at as they are."""
        return [name for name in self._fields if name not in _SQL and getattr(self, name)]


_KNOWN: dict[str, Callable[[], Collection[str]]] = {
    "event": lambda: EVENTS,
    "method": lambda: (*METHODS, WEBSOCKET),
    "operation": lambda: load_catalog().operations,
    "reason": lambda: [reason.value for reason in Reason],
}
"""The words that these fields have."""
_SQL = {
    "decision": "concat_ws(' ', decision, CASE WHEN decision = 'allow' OR NOT enforced THEN 'sent' END)",
    "status": "coalesce(CAST(status AS VARCHAR), 'none')",
}
"""Fields that are looked at as other text than their own."""


def _decided(record: Mapping[str, Any]) -> str:
    sent = record.get("decision") == "allow" or record.get("enforced") is False
    return f"{record.get('decision')}{' sent' if sent else ''}"


def _fits(wanted: Filter, name: str, text: object) -> bool:
    return isinstance(text, str) and re.fullmatch(_pattern(wanted, name), text) is not None


def _pattern(wanted: Filter, name: str) -> str:
    """A regular expression that Python and RE2 read alike."""
    values: Values = getattr(wanted, name)
    if name == "status":
        return "|".join(values).replace("x", ".")
    parts = [".*".join(map(re.escape, value.split("*"))) for value in values]
    return "(?s)" + "|".join(f"(?:.* )?{part}(?: .*)?" if name == "decision" else part for part in parts)


def search_sql(wanted: Filter, limit: int) -> tuple[str, dict[str, Any]]:
    """A SELECT for the last ``limit`` calls (0: all) that fit, each with its outcome, in the order of time.

    With ``event`` it is records of that kind, as they are.
    """
    condition, parameters = wanted.sql()
    last = f"ORDER BY time DESC, instance DESC, seq DESC LIMIT {limit}" if limit else ""
    if wanted.status:
        ended, more = wanted.sql("status")
        parameters |= more
        call = f"decision_id IN (SELECT decision_id FROM outcomes WHERE {ended})"  # noqa: S608
        condition += f" AND event = 'outcome' AND {ended}" if wanted.event else f" AND {call}"
    if wanted.event:
        sql = f"WITH found AS (SELECT * FROM records WHERE {condition} {last}) FROM found"  # noqa: S608
    else:
        sql = query("duckdb/calls").format(condition=condition, last=last)
    return f"{sql} ORDER BY time, instance, seq", parameters
