"""The one writer of the audit log.

A record is one line of JSON, handed to the operating system by one ``write`` before the call it speaks of goes on, so
that a killed proxy (SIGKILL) has acted on nothing that is not in the log. A record that can't be written raises
``AuditError``, and the proxy then denies: promise 2.
"""

from __future__ import annotations

import os
import secrets
import time
from pathlib import Path

import orjson

from .record import SCHEMA, Record

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)


class AuditError(Exception):
    """The audit log can't be written; the message says why and where."""


class AuditWriter:
    """Appends records to one file. ``instance`` names this process in every record and decision id."""

    def __init__(self, path: Path) -> None:
        """Opens (or makes, readable by the owner only) the file. Raises AuditError."""
        self.path = path
        self.instance = secrets.token_hex(4)
        self._seq = 0
        self._decisions = 0
        self._torn = False
        self._second = 0
        self._stamp = ""
        self._fd = -1
        self._open()

    def _open(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            fd = os.open(self.path, _FLAGS, 0o600)
        except OSError as error:
            raise AuditError(f"the audit log {self.path} can't be opened: {error.strerror}") from error
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = fd
        self._torn = self._ends_torn()

    def _ends_torn(self) -> bool:
        """Whether the file's last line has no end: the next record must not be glued to it."""
        try:
            with self.path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                if size == 0:
                    return False
                file.seek(size - 1)
                return file.read(1) != b"\n"
        except OSError:
            # Not readable (a pipe, a device, write-only permission): an empty line before the record does no harm.
            return False

    def new_decision_id(self) -> str:
        """An id that no other decision has: the instance and a counter."""
        self._decisions += 1
        return f"{self.instance}-{self._decisions}"

    def append(self, event: str, fields: Record) -> None:
        """Write one record. Adds schema, time, seq, instance and event. Raises AuditError; then nothing counts."""
        if self._fd < 0:
            raise AuditError(f"the audit log {self.path} is closed")
        now = time.time_ns()
        second, nanos = divmod(now, 1_000_000_000)
        if second != self._second:
            self._second = second
            self._stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        record = {
            "schema": SCHEMA,
            "time": f"{self._stamp}.{nanos // 1000:06d}Z",
            "seq": self._seq + 1,
            "instance": self.instance,
            "event": event,
            **fields,
        }
        line = orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
        if self._torn:
            line = b"\n" + line
        try:
            if event != "outcome" and os.fstat(self._fd).st_nlink == 0:
                # Deleted under us: lines would go to a file nobody can read.
                self._open()
            written = os.write(self._fd, line)
        except OSError as error:
            raise AuditError(f"the audit log {self.path} can't be written: {error.strerror}") from error
        if written != len(line):
            self._torn = True
            raise AuditError(f"the audit log {self.path} took only a part of a record: the disk may be full")
        self._torn = False
        self._seq += 1

    def close(self) -> None:
        """Close the file; every later ``append`` raises AuditError."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
