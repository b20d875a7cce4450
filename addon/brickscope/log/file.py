"""The file that the log is being written to: whole lines or an error, one writer, and what it holds when it is opened."""

import contextlib
import fcntl
import os
import stat
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from .chain import Link, read_link
from .error import AuditError

_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)
_DEVICE = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC
MAX_LINE = 1024 * 1024
"""How far back from its end a file is searched for a whole record; records have some kilobytes at most."""

sync = getattr(os, "fdatasync", os.fsync)
"""Make what was written outlive a loss of power. Takes a file descriptor, raises OSError."""


class Tail(NamedTuple):
    """How a file ends: its last whole record (None without one), and what stands after that: how many bytes of what, and
    whether only a line end is missing."""

    link: Link | None
    torn: int = 0
    torn_hash: str = ""
    unended: bool = False


class LogFile:
    """One open file. ``size``: in bytes. ``tail``: how it ended when it was opened, or when a part of a write stayed in it;
    nothing once more was written."""

    def __init__(self, path: Path, *, new: bool = False) -> None:
        """Opens the file, or makes it, readable by its owner only; with ``new`` it must not be there yet.

        Raises AuditError: it can't be opened, is a link, or belongs to another process.
        """
        self.path = path
        self.name = os.fsencode(path).decode("utf-8", "backslashreplace")
        """The path as text; it need not be any, and a message has to be."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if path.exists() and stat.S_ISCHR(path.stat().st_mode):
                self.fd = os.open(path, _DEVICE)
            else:
                self.fd = os.open(path, _FLAGS | (os.O_EXCL if new else 0), 0o600)
        except OSError as error:
            raise AuditError(f"the audit log {self.name} can't be opened: {error.strerror}") from error
        try:
            self._take()
        except BaseException:
            os.close(self.fd)
            raise

    def _take(self) -> None:
        status = os.fstat(self.fd)
        self.regular = stat.S_ISREG(status.st_mode)
        self.size = status.st_size
        self.tail = Tail(None)
        self.written = status.st_mtime if status.st_size else None
        """When it was written last before it was opened, in seconds since the epoch."""
        if not self.regular:
            if stat.S_ISCHR(status.st_mode):
                return
            raise AuditError(
                f"the audit log {self.name} is no file: once a pipe is full, every call would wait"
            )
        try:
            # Two chains in one file would break each other; the lock goes with the file, also when it is renamed.
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise AuditError(
                f"the audit log {self.name} is being written by another process: give each proxy one of its own "
                "(scope_audit_log)"
            ) from None
        try:
            self.tail = self._read_tail()
        except OSError as error:
            raise AuditError(f"the audit log {self.name} can't be read: {error.strerror}") from error

    def _read_tail(self) -> Tail:
        length = min(self.size, MAX_LINE)
        content = os.pread(self.fd, length, self.size - length)
        end = len(content)
        while end > 0:
            start = content.rfind(b"\n", 0, end - 1) + 1
            link = read_link(content[start:end].removesuffix(b"\n"))
            if link is not None:
                rest = content[end:]
                if rest:
                    return Tail(link, len(rest), sha256(rest).hexdigest())
                return Tail(link, unended=not content.endswith(b"\n"))
            end = start
        return Tail(None, len(content), sha256(content).hexdigest() if content else "")

    def write(self, lines: bytes) -> None:
        """Append whole lines by one write. Raises AuditError; then none of them is there, or ``tail`` says what is."""
        if self.tail.torn or self.tail.unended:
            lines = b"\n" + lines
        try:
            written = os.write(self.fd, lines)
        except OSError as error:
            raise AuditError(f"the audit log {self.name} can't be written: {error.strerror}") from error
        if written != len(lines):
            self._undo(lines[:written])
            raise AuditError(f"the audit log {self.name} took only a part of a record: the disk may be full")
        self.tail = Tail(None)
        self.size += written

    def _undo(self, written: bytes) -> None:
        """Take a part of what was to be written away again. Where that fails (a file that may only be appended to), whole
        lines of it are records, and the next one begins on a line of its own."""
        try:
            # Not to ``size``: where another program has emptied the file (copytruncate), that would fill it with zeros.
            os.ftruncate(self.fd, os.fstat(self.fd).st_size - len(written))
        except OSError:
            self.size += len(written)
            self.tail = Tail(None, unended=True)
            with contextlib.suppress(OSError):
                self.tail = self._read_tail()

    def ends_with(self, digest: str) -> bool:
        """Whether a record with this hash is near the end of the file."""
        length = min(self.size, MAX_LINE)
        return f'"hash":"{digest}"'.encode() in os.pread(self.fd, length, self.size - length)

    def sync(self) -> None:
        """Have all that was written survive a loss of power. Raises AuditError."""
        try:
            sync(self.fd)
        except OSError as error:
            if self.regular:
                raise AuditError(
                    f"the audit log {self.name} can't be synced to disk: {error.strerror}"
                ) from error

    @property
    def is_deleted(self) -> bool:
        """Whether nobody could find any more what is written. Cheap: asked before every record that a call waits for."""
        try:
            return os.fstat(self.fd).st_nlink == 0
        except OSError:  # ESTALE: it was deleted on the server
            return True

    @property
    def is_in_place(self) -> bool:
        """Whether the file is still what its path names: it could be deleted, or moved away by another program."""
        if not self.regular:
            return True
        try:
            there, here = self.path.lstat(), os.fstat(self.fd)
        except OSError:
            return False
        return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)

    def close(self) -> None:
        """Close it; a second time does nothing."""
        if self.fd != -1:
            os.close(self.fd)
            self.fd = -1
