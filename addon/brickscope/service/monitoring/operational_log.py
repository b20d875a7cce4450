"""The operational log: what the proxy tells its operator, on standard error. Not the audit log, and no part of it.

No secret gets in, whoever wrote the message: mitmproxy's texts quote what clients and servers send, and a traceback ends
with the text of an exception.
"""

import logging
import time
import traceback
from collections.abc import Mapping
from typing import Any

import orjson

from brickscope.log.record import REDACTED, printable

_LEVELS = {"CRITICAL": "error", "WARN": "warning"}


def without_secrets(text: str) -> str:
    """A message with each line that holds something like a token replaced; all else stays as it is."""
    return "\n".join(REDACTED if printable(line) == REDACTED else line for line in text.split("\n"))


class JsonFormatter(logging.Formatter):
    """One JSON object a line: ``time`` (UTC), ``level``, ``event``, ``message``, and fields of the event.

    ``event`` and ``fields`` are attributes of the record (``extra={"event": ..., "fields": {...}}``).
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        seconds, fraction = divmod(record.created, 1)
        line: dict[str, Any] = {
            "time": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{int(fraction * 1e6):06d}Z",
            "level": _LEVELS.get(record.levelname, record.levelname.lower()),
            "event": _event(record),
            "message": _clean(record.getMessage()),
            "logger": record.name,
        }
        client = getattr(record, "client", None)
        if client:
            line["client_address"] = _clean(str(client[0] if isinstance(client, tuple) else client))
        if record.exc_info and record.exc_info[0] is not None:
            line |= _failure(record.exc_info[0], record.exc_info[2])
        fields = getattr(record, "fields", None)
        if isinstance(fields, Mapping):
            line["fields"] = {str(name): _value(value) for name, value in fields.items()}
        return orjson.dumps(line, default=str).decode()


def _event(record: logging.LogRecord) -> str:
    """The code of a message, so that an alert need not search in sentences. docs/monitoring.md has all; none is renamed."""
    event = getattr(record, "event", None)
    if isinstance(event, str):
        return event
    if record.name == "brickscope.supervisor":
        return "supervisor"
    return "other" if record.name.partition(".")[0] == "brickscope" else "engine"


def _failure(kind: type[BaseException], trace: Any) -> dict[str, str]:
    """Where an exception came from. Its text stays out: it may quote what a client sent."""
    frames = traceback.extract_tb(trace)
    found = {"error": kind.__name__}
    if frames:
        found["where"] = f"{frames[-1].filename}:{frames[-1].lineno} in {frames[-1].name}"
    return found


def _value(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | tuple):
        return [_value(each) for each in value]
    return _clean(str(value))


def _clean(text: str) -> str:
    """Printable, each line on its own: a policy's errors are several lines."""
    return "\n".join(printable(line) for line in text.split("\n"))
