"""In the place of mitmproxy's own terminal log: the same messages to standard error, as text or JSON, without secrets.

mitmproxy prints to standard output, and ends the process when that breaks; a log reader that went away must not stop a gate.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import IO

from mitmproxy import ctx, log
from mitmproxy.utils import vt_codes

from brickscope.service.monitoring.operational_log import JsonFormatter, without_secrets


class TextFormatter(log.MitmFormatter):
    """mitmproxy's own lines."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        return without_secrets(super().format(record))


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
