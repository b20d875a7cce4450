"""The one writer of the audit log.

A record is one line of JSON, handed to the operating system before the call it speaks of goes on, so that a killed proxy
(SIGKILL) has acted on nothing that is not in the log. Those of one turn of the event loop go out by one ``write`` (a group
commit, as databases call it): ``keep`` puts a record into the present ``Batch``, and ``commit`` has that written. A record
that can't be written raises ``AuditError``, and the proxy then denies: promise 2. What is missing for whatever reason stands
in the log as a ``gap`` record.
"""

import contextlib
import os
import secrets
import time
from pathlib import Path
from typing import Any, NamedTuple

from brickscope import notice
from brickscope.count import counted

from .chain import GENESIS, SCHEMA, Link, canonical, seal
from .closed import closed_name
from .ending import Ending, find_end, has_passed
from .error import AuditError
from .file import LogFile
from .head import HeadFile
from .key import SigningKey
from .record import Record, printable
from .statistics import Statistics

CHECKPOINT_RECORDS = 10_000
CHECKPOINT_SECONDS = 60
"""A checkpoint is written after so many records, or so many seconds if there was any record."""
MOST_AT_ONCE = 64
"""So many records are written at once: what is not signed yet stays bounded (``verify.py``), and so does memory."""
ROTATION_PAUSE_S = 60
"""After a rotation that failed, the next is tried so much later."""
_DAY_S = 24 * 60 * 60
_ROOM = 16 * 1024
_NOT_YET = AuditError("the record is not written yet")


class Keeping(NamedTuple):
    """How the log is kept. ``fsync``: always (each record before its call), interval (each second) or never.

    ``rotate_bytes``: size from which on a file is closed, 0 for never. ``daily``: whether it is closed at midnight, UTC.
    """

    fsync: str = "interval"
    rotate_bytes: int = 0
    daily: bool = False


class Batch:
    """Records that go to the operating system together, and whether they are there: what a group commit commits.

    ``before``: sequence number and hash of the chain's end before them. ``gaps``: those among them that say what is missing,
    of which ``noted`` had been noted before. ``waiting``: how many of them calls wait for; ``outcomes``: how many nobody
    does. ``error``: why they are not written; None once they are.
    """

    __slots__ = ("before", "error", "gaps", "lines", "noted", "outcomes", "waiting")

    def __init__(self, before: tuple[int, str], gaps: list[Record]) -> None:
        self.before = before
        self.gaps = gaps
        self.lines: list[bytes] = []
        self.noted = self.waiting = self.outcomes = 0
        self.error: AuditError | None = _NOT_YET

    def count(self, event: str) -> None:
        """One of them is of this event. A checkpoint is neither: no call waits for it, and it is written later."""
        if event == "outcome":
            self.outcomes += 1
        elif event != "checkpoint":
            self.waiting += 1


class AuditWriter:
    """Appends records to one file. ``instance`` names this process in every record and decision id.

    ``revision``: of the policy in force; it goes into every record. ``closed``: files that were closed since they were last
    looked at (``upkeep.py`` takes them from there).
    """

    def __init__(self, path: Path, keys: Path, keeping: Keeping | None = None) -> None:
        """``path``: the log. ``keys``: the folder of the signing key and head. Raises AuditError."""
        self.path = path
        self.keeping = keeping or Keeping()
        self.instance = secrets.token_hex(4)
        self.revision: str | None = None
        self.key = SigningKey.load_or_make(keys / SIGNING_KEY)
        self.closed: list[Path] = []
        self.previous: Link | None
        """The record that this run goes on from."""
        self._head = HeadFile(keys, path)
        self._decisions = 0
        self._second = self._looked = 0
        self._stamp = ""
        self._gaps: list[Record] = []
        self.batch: Batch | None = None
        """What was kept and is not written yet."""
        self._trouble: _Trouble | None = None
        self._unsigned = 0
        self._signed_at = self._unsigned_since = time.monotonic()
        self.statistics = Statistics()
        self._no_rotation_before = 0.0
        self._is_closed = False
        self._file = LogFile(path)
        self.written = self._file.written
        """When the file was written last before it was opened, in seconds since the epoch; None for a new one."""
        self._seq = 0
        self._hash = GENESIS
        self._go_on()
        self._day = int(time.time()) // _DAY_S

    # -- where the chain goes on -------------------------------------------------------------------------------

    def _go_on(self) -> None:
        """Find the end of the chain, and note what is missing since the head was written."""
        tail, head = self._file.tail, self._head.read() if self._file.regular else None
        found = find_end(self.path, head) if tail.link is None and self._file.regular else None
        if found is not None and found.is_moved:
            self._note_moved(found)
        end = tail.link or (None if found is None else found.link)
        self.previous = end or head
        if self.previous is not None:
            self._hash = self.previous.hash
        if head is None or (found is not None and found.is_moved):
            return
        if end is None:
            what = "the file with the end of the log is not here: it was deleted, or moved to another folder"
        elif end[:2] == head[:2] and end.hash != head.hash:
            what = "the last record was changed"
        elif self._has_head(end, head, found):
            return
        else:
            what = "the end of the log is not here"
        last = f"it had come to record {head.seq} of instance {head.instance}"
        # A warning: mitmproxy does not start if there is an error.
        notice.warning("audit_damaged", f"{self._file.name}: {what}; {last}. A gap record says so")
        self._note("lost_tail", f"{what}; {last}", previous=head._asdict())

    def _has_head(self, end: Link, head: Link, found: Ending | None) -> bool:
        """Whether the log that ends with ``end`` came as far as the head."""
        if end.instance == head.instance:
            return end.seq >= head.seq
        if found is not None and found.has_head:
            return True
        # A head that could not be written, since its disk was full, is of some run before.
        return self._file.ends_with(head.hash) or has_passed(self.path, head)

    def _note_moved(self, found: Ending) -> None:
        """The file was moved away while no proxy ran, and is still beside its place: nothing is missing."""
        name = printable(os.fsencode(found.path.name))
        if found.torn:
            self._note(
                "torn_line",
                f"the last line of {name} is not a complete record",
                bytes=found.torn,
                sha256=found.torn_hash,
            )
        what = f"the file was moved away while the proxy did not run, and is now {name}; nothing is missing"
        notice.warning("audit_moved", f"{self._file.name}: {what}. The log continues from its last record")
        self._note("file_replaced", what, file=name)

    # -- records -----------------------------------------------------------------------------------------------

    def new_decision_id(self) -> str:
        """An id that no other decision has: the instance and a counter."""
        self._decisions += 1
        return f"{self.instance}-{self._decisions}"

    def append(self, event: str, fields: Record) -> None:
        """Write one record, as ``keep`` takes it. Raises AuditError; then nothing counts."""
        self.commit(self.keep(event, fields))

    def keep(self, event: str, fields: Record) -> Batch:
        """Put a record into the present batch; ``fields``, which are the writer's from now on, get what every record has.
        Whoever does so has the batch written (``commit``) before anything is done about what it says, and before anything
        else is waited for. Raises AuditError, and TypeError for what is no JSON; then nothing counts."""
        if self._is_closed:
            raise AuditError(f"the audit log {self._file.name} is closed")
        if self.batch is not None and len(self.batch.lines) >= MOST_AT_ONCE:
            with contextlib.suppress(AuditError):  # told to each who asks for it
                self.flush()
        batch = self.batch or self._begin(event)
        batch.lines.append(self._seal(event, fields))
        batch.count(event)
        return batch

    def commit(self, batch: Batch) -> None:
        """Have a batch written, if that was not tried yet. Raises AuditError, for each who asks, where it could not be."""
        if batch is self.batch:
            self.batch = None
            try:
                self._write(batch)
            except Exception as error:
                if batch.error is not None:  # what is in the file is in the chain
                    self._seq, self._hash = batch.before
                    end = self._file.tail.link
                    if end is not None and end.instance == self.instance and end.seq > self._seq:
                        self._seq, self._hash = end.seq, end.hash
                self._fail(batch, error)
            else:
                if self._unsigned >= CHECKPOINT_RECORDS:
                    self.checkpoint("interval")
        if batch.error is not None:
            raise batch.error

    def flush(self) -> None:
        """Write what was kept. Raises AuditError."""
        if self.batch is not None:
            self.commit(self.batch)

    def _begin(self, event: str) -> Batch:
        """A new batch, which says first what is missing. Raises AuditError where there is no file to write to."""
        try:
            self._look_after_file()
        except Exception as error:
            batch = Batch((self._seq, self._hash), [])
            batch.count(event)
            raise self._fail(batch, error) from None
        # Only now: what was done about the file may have written records of its own, and noted what is missing.
        gaps = [] if self._trouble is None else [self._trouble.gap()]
        self.batch = batch = Batch((self._seq, self._hash), [*self._torn(), *self._gaps, *gaps])
        batch.noted = len(self._gaps)
        for gap in batch.gaps:
            batch.lines.append(self._seal("gap", {**gap}))
        return batch

    def _write(self, batch: Batch) -> None:
        lines = b"".join(batch.lines)
        self._file.write(lines)
        batch.error = None
        self.statistics.wrote(len(batch.lines), len(lines))
        if not self._unsigned:
            self._unsigned_since = time.monotonic()
        self._unsigned += len(batch.lines)
        if batch.gaps:
            for gap in batch.gaps:
                self.statistics.noted(gap["cause"])
            del self._gaps[: batch.noted]
            self._recover()
        if self.keeping.fsync == "always" and len(batch.lines) > batch.outcomes:
            self._sync_now(batch)

    def _sync_now(self, batch: Batch) -> None:
        self.statistics.sync_begins()
        try:
            self._file.sync()
        except AuditError as error:
            self.statistics.sync_ends(success=False)
            self._alarm(batch, error)
        else:
            self.statistics.sync_ends(success=True)

    def _seal(self, event: str, record: Record) -> bytes:
        """The line of a record, which is the end of the chain from now on."""
        now = time.time_ns()
        second, nanos = divmod(now, 1_000_000_000)
        if second != self._second:
            self._second = second
            self._stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        # Names that have their place already keep it (``record.py``).
        record.setdefault("policy_revision", self.revision)
        record["event"] = event
        record["instance"] = self.instance
        record["prev_hash"] = self._hash
        record["schema"] = SCHEMA
        record["seq"] = self._seq + 1
        record["time"] = f"{self._stamp}.{str(1_000_000 + nanos // 1000)[1:]}Z"
        if event == "checkpoint":
            record["signature"] = self.key.sign(canonical(record))
        line, self._hash = seal(record)
        self._seq += 1
        return line

    def checkpoint(self, cause: str) -> None:
        """Sign the chain as it stands, and keep its head apart. A failure is told by the next record."""
        self._signed_at = time.monotonic()
        records, self._unsigned = self._unsigned, 0
        try:
            self.append("checkpoint", {"cause": cause, "records": records, "key_id": self.key.public.key_id})
        except AuditError:
            self._unsigned += records
            return
        self._unsigned = 0
        if not self._file.regular:
            return
        try:
            self._head.write(Link(self.instance, self._seq, self._hash))
        except OSError as error:
            notice.warning("audit_upkeep", f"{self._head.path} can't be written: {error.strerror}")

    # -- trouble -----------------------------------------------------------------------------------------------

    def _note(self, cause: str, detail: str, **fields: Any) -> None:
        """Have the next record preceded by a ``gap``."""
        self._gaps.append({"cause": cause, "detail": detail, **fields})

    def _torn(self) -> list[Record]:
        """The ``gap`` that accounts for what the file ends with and is no record; it is the first record after that."""
        tail = self._file.tail
        what = {"cause": "torn_line", "detail": "the last line is not a complete record"}
        return [{**what, "bytes": tail.torn, "sha256": tail.torn_hash}] if tail.torn else []

    def _fail(self, batch: Batch, error: Exception) -> AuditError:
        self.statistics.failed()
        if not isinstance(error, AuditError):
            error = AuditError(f"{type(error).__name__} while the audit log {self._file.name} was written")
        self._alarm(batch, error)
        return error

    def _alarm(self, batch: Batch, error: AuditError) -> None:
        batch.error = error
        if self._trouble is None:
            # Printable: a path need not be text, and a record has to be.
            self._trouble = _Trouble(printable(str(error)), time.time())
            notice.error("audit_failing", f"{error}. EVERY CALL IS DENIED until it can be written again")
        self._trouble.denied += batch.waiting
        self._trouble.lost += batch.outcomes

    def _recover(self) -> None:
        if self._trouble is not None:
            denied = self._trouble.denied
            self._trouble = None
            text = f"the audit log is written again; {counted(denied, 'call was', 'calls were')} denied meanwhile"
            notice.warning("audit_recovered", text, denied=denied)

    @property
    def is_failing(self) -> bool:
        """Whether the last record could not be written."""
        return self._trouble is not None

    @property
    def trouble(self) -> str:
        """Why the last record could not be written; empty if it could."""
        return "" if self._trouble is None else self._trouble.why

    @property
    def is_in_place(self) -> bool:
        """Whether the file still is what its path names."""
        return self._is_closed or (self._file.is_in_place and not self._file.is_deleted)

    @property
    def free_bytes(self) -> int | None:
        """Free space for this user where the file lies; None where the log is no file, or it can't be told."""
        if self._is_closed or not self._file.regular:
            return None
        try:
            found = os.fstatvfs(self._file.fd)
        except OSError:
            return None
        return found.f_bavail * found.f_frsize

    @property
    def _has_room(self) -> bool:
        """Whether there is space for many records, not just for the one that would seem to mend things."""
        free = self.free_bytes
        return free is None or free >= _ROOM

    @property
    def unsynced_s(self) -> float | None:
        """Age of the oldest record that a loss of power could take, in seconds; None where none is ever synced."""
        if self.keeping.fsync == "never" or self._is_closed or not self._file.regular:
            return None
        return self.statistics.unsynced_s()

    @property
    def unsigned_s(self) -> float:
        """Age of the oldest record that no checkpoint covers, in seconds."""
        return time.monotonic() - self._unsigned_since if self._unsigned else 0.0

    # -- files -------------------------------------------------------------------------------------------------

    def _look_after_file(self) -> None:
        """Before a record that a call waits for: see that the file is still there, and not too large or old."""
        if self._file.is_deleted:
            self._replace()
        passed = int(time.monotonic())
        if passed == self._looked and self._trouble is None:
            return  # the rest at most once a second, whatever is done to the clock
        self._looked = passed
        if not self._file.is_in_place:
            self._replace()
        if not self._file.regular or self._trouble is not None:
            return
        keeping, day = self.keeping, int(time.time()) // _DAY_S
        full = 0 < keeping.rotate_bytes <= self._file.size
        due = (full or (keeping.daily and day != self._day)) and time.monotonic() >= self._no_rotation_before
        if due and (not self._file.size or self._rotate()):
            self._day = day

    def _replace(self) -> None:
        """The file was deleted or moved away: go on in a new one. Raises AuditError if that can't be made."""
        file = LogFile(self.path)
        self._gaps[:0] = self._torn()
        self._file.close()
        self._file = file
        self._note("file_replaced", "the file was deleted, or moved away by another program")
        notice.error("audit_moved", f"{self._file.name} was deleted or moved away; a new one was begun")

    def _rotate(self) -> bool:
        """Close the file under a name of its own and begin a new one; if that fails, go on in the old one. Returns whether
        it did not."""
        self.checkpoint("rotation")
        if self._trouble is not None:
            return False
        target = self.path.with_name(closed_name(self.path, time.time(), self.instance, self._seq))
        try:
            self.path.rename(target)
            file = LogFile(self.path, new=True)
        except (OSError, AuditError) as error:
            self._no_rotation_before = time.monotonic() + ROTATION_PAUSE_S
            text = f"the audit log can't be rotated, and continues in the same file: {error}"
            notice.error("audit_upkeep", text)
            if not self.path.exists() and target.exists():
                with contextlib.suppress(OSError):
                    target.rename(self.path)
            return False
        old, self._file = self._file, file
        if self.keeping.fsync != "never":
            self.statistics.sync_begins()
            self.statistics.sync_ends(self._try_sync(old))
        old.close()
        self.closed.append(target)
        return True

    @staticmethod
    def _try_sync(file: LogFile) -> bool:
        try:
            file.sync()
        except AuditError as error:
            notice.error("audit_upkeep", f"{error}")
            return False
        return True

    def note_deleted(self, name: str) -> None:
        """Record that retention deleted a closed file."""
        self._note("retention", "older than what is kept", file=name)

    def tick(self) -> int:
        """Called about once a second: a checkpoint if one is due. Returns the descriptor to be synced, -1 for none."""
        if self._is_closed:
            return -1
        if (self._trouble is not None and self._has_room) or not self.is_in_place:
            # A balancer leads no calls to a proxy whose log is broken, so none of them would find out that it no longer is.
            self.checkpoint("interval")
        elif self._unsigned and time.monotonic() - self._signed_at >= CHECKPOINT_SECONDS:
            self.checkpoint("interval")
        if self.keeping.fsync != "interval" or not self._file.regular:
            return -1
        self.statistics.sync_begins()
        return self._file.fd

    def close(self) -> None:
        """Sign what there is and close the file; every later ``append`` raises AuditError."""
        if self._is_closed:
            return
        with contextlib.suppress(AuditError):
            self.flush()
        if self._seq:
            self.checkpoint("stop")
        self._is_closed = True
        if self.keeping.fsync != "never" and self._file.regular:
            self._try_sync(self._file)
        self._file.close()


SIGNING_KEY = "brickscope-audit-key.pem"
DIGEST_KEY = "brickscope-digest-key"
"""Names of the key files in their folder."""


class _Trouble:
    """A time in which no record could be written."""

    def __init__(self, why: str, since: float) -> None:
        self.why = why
        self.since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(since))
        self.denied = 0
        self.lost = 0

    def gap(self) -> Record:
        return {
            "cause": "write_failed",
            "detail": self.why,
            "since": self.since,
            "denied": self.denied,
            "lost": self.lost,
        }
