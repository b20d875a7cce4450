"""In the place of mitmproxy's own terminal log: the same messages to standard error, as text or JSON, without secrets.

mitmproxy prints to standard output, and ends the process when that breaks; a log reader that went away must not stop a gate.
"""

import contextlib
import logging
import sys
import threading
import traceback
from types import TracebackType
from typing import IO, Any

from mitmproxy import ctx, log
from mitmproxy.utils import vt_codes

from brickscope.service.monitoring.operational_log import JsonFormatter, without_secrets

logger = logging.getLogger("brickscope")


class TextFormatter(log.MitmFormatter):
    """mitmproxy's own lines."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        return without_secrets(super().format(record))

    def formatException(self, ei: Any) -> str:
        """Where an exception came from and its kind. Its text stays out, as in JSON: a secret need not look like one."""
        return "".join([*traceback.format_tb(ei[2]), "" if ei[0] is None else ei[0].__name__])


class Terminal(log.MitmLogHandler):
    """Writes each message at once; what can't be written is dropped."""

    def __init__(self, file: IO[str], json: bool) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._file = file
        self.formatter: logging.Formatter = (
            JsonFormatter() if json else TextFormatter(vt_codes.ensure_supported(file))
        )

    def emit(self, record: logging.LogRecord) -> None:
        """Write one message."""
        # Whatever is wrong with a message or its reader, no hook that says something may fail by it.
        with contextlib.suppress(Exception):
            self._file.write(self.format(record) + "\n")
            self._file.flush()


def install_terminal(json: bool) -> None:
    """Take mitmproxy's handler out and put ours in, with the level that it has."""
    addon = ctx.master.addons.get("termlog")
    if addon is None:
        return
    ours, theirs = Terminal(sys.stderr, json), addon.logger
    ours.setLevel(theirs.level)
    ours.install()
    theirs.uninstall()
    addon.logger = ours  # its `termlog_verbosity` and its end go on working
    last = Terminal(sys.stderr, json)
    last.setLevel(logging.WARNING)
    last.addFilter(_cut)
    logging.lastResort = last
    sys.excepthook = _say
    threading.excepthook = _say_failed
    sys.unraisablehook = _say_failed


def _cut(record: logging.LogRecord) -> bool:
    """Of what is said after mitmproxy's log has ended, the first line: in the others asyncio quotes exceptions."""
    record.msg, record.args = record.getMessage().partition("\n")[0], ()
    return True


def _say(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    """In the place of the interpreter's own words on an exception that nobody handles, which end with its text."""
    found = error or kind()
    logger.error(
        "Brickscope: %s, which nobody handles",
        kind.__name__,
        exc_info=(kind, found, trace),
        extra={"event": "hook_failed"},
    )


def _say_failed(failed: Any) -> None:
    """The same, in a thread or a destructor."""
    _say(failed.exc_type, failed.exc_value, failed.exc_traceback)
