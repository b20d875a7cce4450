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
_TEXTS = ("subject", "operation", "reason", "client_address", "method", "path", "credential", "event")


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
        for name in _TEXTS:
            values: Values = getattr(self, name)
            if values and not any(_fits(value, record.get(name)) for value in values):
                return False
        return not self.decision or any(_decided(value, record) for value in self.decision)

    def matches_status(self, status: object) -> bool:
        """Whether the status of an outcome fits."""
        return not self.status or any(_has_status(value, status) for value in self.status)

    def condition(self) -> tuple[str, dict[str, Any]]:
        """The same as SQL on ``records`` with its parameters, status apart."""
        parts, parameters = ["true"], {}
        for name in _TEXTS:
            either = []
            for number, value in enumerate(getattr(self, name)):
                key = f"{name}_{number}"
                if "*" in value:
                    either.append(f"regexp_full_match({name}, ${key})")
                    parameters[key] = _pattern(value)
                else:
                    either.append(f"{name} = ${key}")
                    parameters[key] = value
            if either:
                parts.append(f"({' OR '.join(either)})")
        if self.decision:
            parts.append(f"({' OR '.join(_DECIDED[value] for value in self.decision)})")
        return " AND ".join(parts), parameters

    def status_condition(self) -> str:
        """The condition on an outcome's status as SQL."""
        either = []
        for text in self.status:
            if text == "none":
                either.append("status IS NULL")
            elif text.endswith("xx"):
                either.append(f"status BETWEEN {int(text[0])}00 AND {int(text[0])}99")
            else:
                either.append(f"status = {int(text)}")
        return " OR ".join(either) or "true"


_KNOWN: dict[str, Callable[[], Collection[str]]] = {
    "event": lambda: EVENTS,
    "method": lambda: (*METHODS, WEBSOCKET),
    "operation": lambda: load_catalog().operations,
    "reason": lambda: [reason.value for reason in Reason],
}
"""The words that these fields have."""
_DECIDED = {
    "allow": "decision = 'allow'",
    "deny": "decision = 'deny'",
    "sent": "(decision = 'allow' OR NOT enforced)",
}


def _decided(value: str, record: Mapping[str, Any]) -> bool:
    if value == "sent":
        return record.get("decision") == "allow" or record.get("enforced") is False
    return record.get("decision") == value


def _has_status(value: str, status: object) -> bool:
    if value == "none" or not isinstance(status, int):
        return value == "none" and status is None
    return status // 100 == int(value[0]) if value.endswith("xx") else status == int(value)


def _fits(value: str, text: object) -> bool:
    if not isinstance(text, str):
        return False
    return re.fullmatch(_pattern(value), text) is not None if "*" in value else text == value


def _pattern(value: str) -> str:
    """A regular expression that Python and RE2 read alike."""
    return "(?s)" + ".*".join(map(re.escape, value.split("*")))


def search_sql(wanted: Filter, limit: int) -> tuple[str, dict[str, Any]]:
    """A SELECT for the last ``limit`` calls (0: all) that fit, each with its outcome, in the order of time.

    With ``event`` it is records of that kind, as they are.
    """
    condition, parameters = wanted.condition()
    last = f"ORDER BY time DESC, instance DESC, seq DESC LIMIT {limit}" if limit else ""
    if wanted.event:
        if wanted.status:
            condition += f" AND event = 'outcome' AND ({wanted.status_condition()})"
        sql = f"WITH found AS (SELECT * FROM records WHERE {condition} {last}) FROM found"  # noqa: S608
    else:
        ended = f"SELECT decision_id FROM outcomes WHERE {wanted.status_condition()}"  # noqa: S608
        condition += f" AND decision_id IN ({ended})" if wanted.status else ""
        sql = query("duckdb/calls").format(condition=condition, last=last)
    return f"{sql} ORDER BY time, instance, seq", parameters
