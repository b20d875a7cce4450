"""What checking a log has found: the result of ``verify.py``, as plain data and in words for an auditor."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from brickscope.count import counted
from brickscope.log.chain import Link


class Damage(StrEnum):
    """What is wrong at one place of a log."""

    ALTERED = "altered"
    """The line is not what was written there."""
    REMOVED = "removed"
    """Records are missing before this line."""
    INSERTED = "inserted"
    """The record appears a second time, or belongs to no place in this chain."""
    REORDERED = "reordered"
    """The record belongs to an earlier place."""
    FOREIGN = "foreign"
    """The record is of another log."""
    MISSING_FILE = "missing_file"
    """A whole file between two others is missing."""
    TRUNCATED = "truncated"
    """The end is missing, or the last line is not a complete record."""
    FORKED = "forked"
    """A run goes on from an earlier record: what stands behind that is there, and nothing vouches for it."""
    BAD_SIGNATURE = "bad_signature"
    """A checkpoint is not signed by the key it should be signed by."""
    UNREADABLE = "unreadable"
    """The file can't be read to its end."""
    NOT_SCHEMA = "not_schema"
    """The record is intact, and not one that the published schema knows."""


class Finding(NamedTuple):
    """One damage. ``line``: counted from 1, 0 for the whole file. ``seq``, ``instance``: of the record there, if known."""

    damage: Damage
    file: str
    line: int
    text: str
    instance: str | None = None
    seq: int | None = None


class Note(NamedTuple):
    """Something the log itself tells is missing (a ``gap`` record), or that a crash left open."""

    file: str
    line: int
    text: str


class Signed(NamedTuple):
    """The last checkpoint whose signature holds."""

    link: Link
    time: str
    key_id: str
    file: str
    line: int


@dataclass
class Evidence:
    """The result for one log (one series of files).

    ``begins``: ``prev_hash`` of its first record is that of a new log. ``after``: records behind the last good checkpoint.
    ``trusted``: whether signatures were checked with a key that did not come from the log itself. ``in_flight``: decisions
    that let a call go on and have no outcome because their run ended without a ``stop``; ``unfinished`` counts all such.
    """

    files: list[str] = field(default_factory=list)
    records: int = 0
    bytes: int = 0
    first_time: str | None = None
    last_time: str | None = None
    begins: bool = False
    end: Link | None = None
    signed: Signed | None = None
    after: int = 0
    trusted: bool = False
    stopped: bool = False
    head_checked: bool = False
    findings: list[Finding] = field(default_factory=list)
    more_findings: int = 0
    notes: list[Note] = field(default_factory=list)
    more_notes: int = 0
    in_flight: list[str] = field(default_factory=list)
    unfinished: int = 0

    @property
    def intact(self) -> bool:
        """Whether nothing was found wrong."""
        return not self.findings

    @property
    def signed_records(self) -> int:
        """How many records a good signature covers: those up to the last good checkpoint."""
        return 0 if self.signed is None else self.records - self.after

    def proved(self) -> list[str]:
        """What was shown, in sentences. Of records that no signature covers nothing is: who can write the file could have
        written them, hashes and all."""
        if not self.intact or self.signed is None:
            return []
        which = "all" if not self.after else "the first"
        whose = "the key you gave" if self.trusted else "the key that the log itself names"
        said = [
            f"{which.capitalize()} {self.signed_records:,} records, from {self.first_time} to {self.signed.time}, are "
            f"unaltered, complete and in order: each carries the hash of the one before, and the last of them is signed by "
            f"{whose} ({self.signed.key_id})."
        ]
        if self.begins:
            said.append("The log is here from its very first record on.")
        if self.head_checked:
            said.append("The log reaches as far as the head file beside the signing key says it once did.")
        return said

    def not_proved(self) -> list[str]:
        """What nothing here shows, in sentences."""
        said = []
        if not self.begins:
            said.append("What came before the first record: the log begins in the middle of its chain.")
        if self.signed is None:
            said.append(
                "Who wrote it: no checkpoint is signed by a known key, so all of it could have been rewritten. That its "
                "hashes fit together shows nothing."
            )
        elif not self.trusted:
            said.append(
                "That the key is the proxy's: whoever writes a log anew names a key of their own in it. Compare it with "
                "what `brickscope audit key` printed there, and give it with --public-key."
            )
        if self.signed is not None and self.after:
            said.append(
                f"THE LAST {self.after:,} RECORDS, from {self.signed.file}:{self.signed.line + 1} to the end at "
                f"{self.last_time}: no signature follows them, so whoever can write the file could have written or changed "
                "all of them, or left some out. Do not take them for evidence."
            )
        if not self.stopped and not self.head_checked:
            said.append(
                "That nothing is missing at the end: the last run has no stop record (it was killed, is still running, "
                "or the end was cut)."
            )
        said.append("Calls that did not pass the proxy, and what an allowed call did inside Databricks.")
        said.append("Anything against somebody who had the signing key.")
        return said


def what_broke(link: Link, end: Link, *, between_files: bool) -> tuple[Damage, str]:
    """Why ``link`` can't stand behind ``end``. ``between_files``: a file ends there and the next begins."""
    if link.instance != end.instance:
        if between_files:
            return Damage.MISSING_FILE, "the file does not go on from the one before: one is missing"
        if link.seq == 1:
            return Damage.REMOVED, f"records at the end of instance {end.instance} are missing"
        return (
            Damage.FOREIGN,
            f"the record is of instance {link.instance}, and goes on from none that is here",
        )
    if link.seq > end.seq + 1:
        count = link.seq - end.seq - 1
        damage = Damage.MISSING_FILE if between_files else Damage.REMOVED
        return damage, f"{missing_words(count)} ({end.seq + 1} to {link.seq - 1})"
    if link.seq <= end.seq:
        return Damage.INSERTED, f"the record stands after record {end.seq}, and can't belong there"
    return (
        Damage.ALTERED,
        "the record does not go on from the one before it: one of the two was put there",
    )


def missing_words(count: int) -> str:
    """What to say of ``count`` records that are not here."""
    return f"{counted(count, 'record')} before this one {'is' if count == 1 else 'are'} missing"


def fork_words(head: int, end: Link) -> str:
    """What to say of records up to ``end`` that a run did not find, since it went on from record ``head``."""
    which = f"record {end.seq}" if end.seq == head + 1 else f"records {head + 1} to {end.seq}"
    return (
        f"the proxy went on from record {head} of instance {end.instance}, since it did not find what came after it; "
        f"{which}, before this line, were written and are not lost, but nothing vouches for them"
    )


def gap_words(record: dict[str, Any]) -> str:
    """What a ``gap`` record says."""
    cause, detail = record.get("cause"), record.get("detail")
    if cause == "write_failed":
        return (
            f"from {record.get('since')} on no record could be written ({detail}): calls denied without a record: "
            f"{record.get('denied')}; other records lost: {record.get('lost')}"
        )
    if cause == "retention":
        return f"the file {record.get('file')} was deleted, since it is {detail}"
    return f"the proxy found on its way: {detail}"
