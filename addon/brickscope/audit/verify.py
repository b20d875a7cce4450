"""Checking a log: every line, every link, every signature, and where exactly something is wrong.

One pass, in constant memory but for what is open (calls without an outcome) or missing. Lines are looked at as bytes:
since they are canonical JSON (``chain.py``), a member is found by its name without parsing; a name inside of a text has
backslashes before its quotes. Only rare records are parsed.
"""

import contextlib
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import IO, Any

import orjson
from pydantic import ValidationError

from brickscope.count import counted
from brickscope.log.chain import GENESIS, Link, canonical, read_hash, read_record, true_hash
from brickscope.log.closed import DAMAGED, open_log
from brickscope.log.key import VerifyKey
from brickscope.log.line import MAX_RECORD, skip

from .event import check_record
from .evidence import (
    Damage,
    Evidence,
    Finding,
    Note,
    Signed,
    fork_words,
    gap_words,
    missing_words,
    what_broke,
)

MAX_FINDINGS = 1000
_EVENT = b'"event":"'
_DECISION_ID = b'"decision_id":"'
_ALLOWED, _UNENFORCED = b'"decision":"allow"', b'"enforced":false'
_TIME = b',"time":"'
_PLAIN = ("decision", "outcome")
MAX_UNSIGNED = 10_100
"""The proxy signs after 10,000 records; a few may come between."""
MAX_UNSIGNED_MINUTES = 10
"""It signs 60 seconds after a record, by a clock that nobody sets: that is three minutes of the other clock at most, and
some more where that is set again and again."""
CLOCK_STEP = timedelta(seconds=1)
MAX_HEADS = 1000
MAX_SHOWN = 100

Progress = Callable[[int], None]
"""Takes the number of bytes read since it was called last."""


class Suspects:
    """Lines of one ``file`` that stand together and are no whole records, until it is known what to make of them: a gap
    record may account for them. However many and long they are, they take no more memory than a few.

    ``lines``: the numbers of the first MAX_SHOWN, and why if it is known. ``is_torn``: the last one has no line end.
    """

    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: list[tuple[int, str]] = []
        self.count = 0
        self.is_torn = False
        self._length = 0
        self._hash = sha256()
        self._ending = b""
        self._whole = True

    def add(self, number: int, raw: bytes, why: str = "") -> None:
        """``raw``: the line with its end. ``why``: what it is, if only a part of it is given."""
        if len(self.lines) < MAX_SHOWN:
            self.lines.append((number, why))
        self.count += 1
        self.is_torn = not raw.endswith(b"\n")
        self._whole = self._whole and not why
        self._length += len(raw)
        self._hash.update(self._ending + raw.removesuffix(b"\n"))
        self._ending = b"" if self.is_torn else b"\n"

    def accounted_by(self, length: object, digest: object) -> bool:
        """Whether these are so many bytes with this SHA-256, without the line end of the last."""
        return self._whole and length == self._length - len(self._ending) and digest == self._hash.hexdigest()


class Verifier:
    """Checks the files of one log, in their order."""

    def __init__(
        self,
        key: VerifyKey | None = None,
        head: Link | None = None,
        *,
        schema: bool = False,
        progress: Progress | None = None,
    ) -> None:
        """``key``: whose signatures count; without one, the key that the log names. ``head``: a record it must have come
        to. ``schema``: also hold each record against the published schema (much slower)."""
        self._key, self._head, self._schema, self._progress = key, head, schema, progress
        self._found = Evidence(trusted=key is not None)
        self._named: dict[str, VerifyKey] = {}
        self._file, self._line = "", 0
        self._bare = self._unreported = self._minutes = 0
        self._last = self._clock = b""
        self.expected: str | None = None
        """The hash that the next file has to go on from; None before the first record."""
        self._open: dict[bytes, None] = {}
        self._suspects: Suspects | None = None
        self._torn: Suspects | None = None
        self.heads: dict[str, int] = {}
        """Records from which a run can begin, although others stand behind: their hashes with their numbers."""
        self._ends: dict[str, Finding] = {}
        self._told_unsigned = self._boundary = False

    # -- files -------------------------------------------------------------------------------------------------

    def check(self, path: Path) -> None:
        """Take in the next file."""
        self._found.files.append(str(path))
        self._file, self._line, self._boundary = str(path), 0, bool(self._found.records)
        try:
            with open_log(path) as file:
                self._check_lines(file)
        except DAMAGED as error:
            self._find(
                Damage.UNREADABLE, f"the file can't be read to its end: {error or type(error).__name__}"
            )
            if self._suspects is not None:
                self._give_up(self._suspects)
                self._suspects = None
        if self._suspects is not None:
            # The first record of the next file may account for them.
            self._torn, self._suspects = self._suspects, None

    def _check_lines(self, file: IO[bytes]) -> None:
        last = b"\n"
        for last in self._unexpected(file):
            if len(last) >= MAX_RECORD and not last.endswith(b"\n"):
                self._found.bytes += skip(file)
                last = b"\n"
                self._suspect(last, f"the line is longer than {MAX_RECORD:,} bytes, so it is no record")
            else:
                self._check_line(last[:-1] if last.endswith(b"\n") else last, last)
        if not last.endswith(b"\n") and self._suspects is None:
            self._find(Damage.ALTERED, "the last line has lost its line end")

    def _unexpected(self, file: IO[bytes]) -> Iterator[bytes]:
        """Go through a file and yield the lines that have to be looked at.

        Nearly every line is the decision or outcome that had to come next, which a handful of searches shows; such a line
        is only counted, and what it leaves behind is written back before another is yielded.
        """
        read = passed = 0
        seq, previous, head = self._next()
        last, under_way, clock = b"", self._open, self._clock
        for raw in iter(partial(file.readline, MAX_RECORD), b""):
            read += len(raw)
            digest = sha256(raw[:-76] + b"}").hexdigest().encode()
            at = raw.rfind(b',"schema":1,"seq":') + 18
            before = raw.rfind(b',"prev_hash":"', 0, at) + 14
            if (
                raw.endswith(b',"hash":"%b"}\n' % digest)
                and raw.startswith(previous, before)
                and raw.startswith(b"%d," % (seq + 1), at)
                and seq + 1 != head
                and (now := raw[(then := raw.find(_TIME, at) + 9) : then + 19]) >= clock
            ):
                kind = raw.find(_EVENT) + 9
                start = raw.find(_DECISION_ID) + 15
                if raw.startswith(b'outcome"', kind):
                    under_way.pop(raw[start : raw.find(b'"', start)], None)
                elif not raw.startswith(b'decision"', kind):
                    start = -1
                elif raw.find(_ALLOWED, 0, kind) >= 0 or raw.find(_UNENFORCED, 0, kind) >= 0:
                    under_way[raw[start : raw.find(b'"', start)]] = None
                if start >= 15:
                    seq, previous, passed, last = seq + 1, digest + b'"', passed + 1, raw
                    if now != clock:
                        self._minutes += now[:16] != clock[:16]
                        clock = now
                    continue
            self._clock = clock
            self._came_to(passed, seq, previous, last)
            self._line += 1
            self._report(read)
            read = passed = 0
            yield raw
            seq, previous, head = self._next()
            clock = self._clock
        self._clock = clock
        self._came_to(passed, seq, previous, last)
        self._report(read)

    def _next(self) -> tuple[int, bytes, int]:
        """What lets the next line pass: the number before its own, the hash before it (and a quote), and a number at
        which it has to be looked at all the same. After anything odd, and where each record is held against the schema,
        no line passes. (Of which instance it is needs no look: another one begins again with 1.)"""
        if self._found.end is None or self._suspects or self._torn or self._schema:
            return 0, b"\n", -1
        head = self._head.seq if self._head and self._head.instance == self._found.end.instance else -1
        return self._found.end.seq, b'%b"' % self._found.end.hash.encode(), head

    def _came_to(self, passed: int, seq: int, previous: bytes, last: bytes) -> None:
        if passed and self._found.end is not None:
            self._line += passed
            self._found.records += passed
            self._found.after += passed
            self._bare += passed
            self._found.stopped = self._boundary = False
            self.expected, self._last = previous[:-1].decode(), last
            self._found.end = Link(self._found.end.instance, seq, self.expected)
            self._check_unsigned(self._found.end)

    def _report(self, read: int) -> None:
        self._found.bytes += read
        self._unreported += read
        if self._progress and self._unreported > 4 * 1024 * 1024:
            self._progress(self._unreported)
            self._unreported = 0

    def _give_up(self, suspects: Suspects) -> None:
        """These lines are no whole records, and nothing accounts for them."""
        for number, why in suspects.lines:
            last = number == suspects.lines[0][0] + suspects.count - 1 and suspects.is_torn
            damage = Damage.TRUNCATED if last else Damage.ALTERED
            self._find(damage, why or "the line is not a complete record", place=(suspects.file, number))
        self._found.more_findings += suspects.count - len(suspects.lines)

    # -- lines -------------------------------------------------------------------------------------------------

    def _check_line(self, line: bytes, raw: bytes) -> None:
        claimed = read_hash(line)
        # Where a hash holds and it is no record that the proxy writes: of two members of one name one reader takes the
        # first and another the last. A checkpoint with two `prev_hash` would sign one history and go on from another.
        record = read_record(line) if claimed is not None and true_hash(line) == claimed else None
        if claimed is None or record is None:
            self._suspect(raw)
            return
        link = Link(record["instance"], record["seq"], claimed)
        previous = record["prev_hash"]
        torn, self._torn = self._torn, None
        if torn is not None and not (previous == self.expected and _accounts(record, torn)):
            self._give_up(torn)
        if self._suspects is not None:
            self._settle_suspects(record, link, previous)
        elif self.expected is None:
            self._found.begins = previous == GENESIS
        elif previous != self.expected:
            self._break(link, previous)
        self._boundary = False
        self._found.records += 1
        self._found.after += 1
        self._bare += 1
        self.expected, self._last = claimed, line
        self._watch_clock(str(record.get("time")).encode())
        if self._found.first_time is None:
            self._found.first_time = _time(line)
        if self._found.end is None or self._found.end.instance != link.instance:
            self._next_run()
            self.heads.clear()
        self._found.end = link
        if link == self._head or (self._head and link[:2] == self._head[:2]):
            self._found.head_checked = link == self._head
        if record.get("event") in _PLAIN:
            self._keep_open(record)
            self._found.stopped = False
        else:
            self._read_record(record, link)
        self._check_unsigned(link)
        if self._schema:
            self._check_schema(line)

    def _suspect(self, raw: bytes, why: str = "") -> None:
        if self._torn is not None:
            self._give_up(self._torn)
            self._torn = None
        if self._suspects is None:
            self._suspects = Suspects(self._file)
        self._suspects.add(self._line, raw, why)

    def _watch_clock(self, time: bytes) -> None:
        """Records follow each other by the chain, whatever the clock says; that it was set back is worth knowing."""
        then, now = self._clock, time[:19]
        self._minutes += now[:16] != then[:16]
        self._clock = now
        if now < then:
            with contextlib.suppress(ValueError):
                before, after = (datetime.fromisoformat(each.decode()) for each in (then, now))
                if before - after > CLOCK_STEP:
                    self.note(f"the clock went back here by {before - after}: from {before} to {after}")

    def note(self, text: str) -> None:
        """Have something said about the line that was come to."""
        if len(self._found.notes) < MAX_FINDINGS:
            self._found.notes.append(Note(self._file, self._line, text))
        else:
            self._found.more_notes += 1

    def _keep_open(self, record: dict[str, Any]) -> None:
        """Keep which calls are under way; as ``_unexpected`` does, for a record that was looked at."""
        decision_id = str(record.get("decision_id")).encode()
        if record.get("event") == "outcome":
            self._open.pop(decision_id, None)
        elif record.get("decision") == "allow" or record.get("enforced") is False:
            self._open[decision_id] = None

    def _next_run(self) -> None:
        """Another run begins: what the last one left open stays so."""
        if self._found.end is not None and self._open:
            count = len(self._open)
            word = (
                "although it stopped in good order"
                if self._found.stopped
                else "when the run ended without a stop record"
            )
            self.note(
                f"{counted(count, 'call')} of instance {self._found.end.instance} had no outcome {word}"
            )
            self._found.unfinished += count
            room = MAX_SHOWN - len(self._found.in_flight)
            self._found.in_flight += [each.decode("latin-1") for each in islice(self._open, room)]
        self._open.clear()

    def _read_record(self, record: dict[str, Any], link: Link) -> None:
        event = record.get("event")
        if event in ("start", "checkpoint"):
            # The proxy keeps these as the head, from which it goes on if it finds nothing else.
            self.heads[link.hash] = link.seq
            if len(self.heads) > MAX_HEADS:
                del self.heads[next(iter(self.heads))]
        if event != "checkpoint":
            self._found.stopped = event == "stop"
        if event == "start":
            try:
                named = VerifyKey.of_base64(str(record.get("public_key")))
                self._named[named.key_id] = named
            except ValueError:
                self._find(Damage.BAD_SIGNATURE, "the start record names no Ed25519 key", link)
        elif event == "checkpoint":
            self._check_signature(record, link)
        elif event == "gap":
            self.note(gap_words(record))

    def _check_signature(self, record: dict[str, Any], link: Link) -> None:
        key_id = str(record.get("key_id"))
        key = self._key or self._named.get(key_id)
        if key is None:
            self._bare = self._minutes = 0
            return  # the part of the log that names the key is not here
        content = {name: value for name, value in record.items() if name not in ("hash", "signature")}
        if key.key_id != key_id:
            self._find(
                Damage.BAD_SIGNATURE, f"the checkpoint is signed by {key_id}, not by {key.key_id}", link
            )
        elif not key.verifies(str(record.get("signature")), canonical(content)):
            self._find(Damage.BAD_SIGNATURE, f"the signature is not that of {key_id}", link)
        else:
            self._found.signed = Signed(link, str(record.get("time")), key_id, self._file, self._line)
            self._found.after = self._bare = self._minutes = 0

    def _check_unsigned(self, link: Link) -> None:
        """Whoever leaves out all checkpoints can write what is between them anew."""
        if self._bare > MAX_UNSIGNED and not self._told_unsigned:
            self._told_unsigned = True
            self._find(
                Damage.BAD_SIGNATURE,
                f"more than {MAX_UNSIGNED:,} records stand here without a checkpoint",
                link,
            )

    def _check_schema(self, line: bytes) -> None:
        try:
            check_record(line)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"]))
            self._find(Damage.NOT_SCHEMA, f"{where}: {first['msg']}"[:300])

    # -- damage ------------------------------------------------------------------------------------------------

    def _find(
        self, damage: Damage, text: str, link: Link | None = None, place: tuple[str, int] | None = None
    ) -> Finding:
        finding = Finding(
            damage,
            *(place or (self._file, self._line)),
            text,
            link.instance if link else None,
            link.seq if link else None,
        )
        if len(self._found.findings) < MAX_FINDINGS:
            self._found.findings.append(finding)
        else:
            self._found.more_findings += 1
        return finding

    def _settle_suspects(self, record: dict[str, Any], link: Link, previous: str) -> None:
        """Lines that are no whole records stand before this one: either it accounts for them, or they were changed."""
        suspects, self._suspects = self._suspects, None
        assert suspects is not None
        if previous in (self.expected, None) and _accounts(record, suspects):
            return
        end, count = self._found.end, suspects.count
        same = end is not None and end.instance == link.instance
        missing = link.seq - end.seq - 1 - count if end is not None and same else 0
        behind = same and end is not None and link.seq <= end.seq
        # Nothing is missing between the two, so the lines were put in.
        put_in = (
            end is not None
            and missing <= 0
            and not behind
            and previous == self.expected
            and record.get("cause") != "torn_line"
        )
        damage = Damage.INSERTED if put_in else Damage.ALTERED
        text = (
            "the line was put in: nothing is missing without it"
            if put_in
            else "the line is not the record that was written there"
        )
        for number, why in suspects.lines:
            self._find(damage, why or text, place=(suspects.file, number))
        self._found.more_findings += count - len(suspects.lines)
        if end is None:
            self._found.begins = previous == GENESIS
        elif missing > 0:
            self._find(Damage.REMOVED, f"{missing_words(missing)} as well", link)
        elif behind:
            self._break(link, previous)

    def _break(self, link: Link, previous: str) -> None:
        """The record does not go on from the one before it: say why.

        Both ends stay open after that: where the chain was left (``_ends``) it may go on later, so that one thing in a
        wrong place is one finding.
        """
        assert self._found.end is not None
        assert self.expected is not None
        known = self._ends.pop(previous, None)
        if link.seq == 1 and previous in self.heads and known is None:
            finding = self._find(Damage.FORKED, fork_words(self.heads[previous], self._found.end), link)
        elif known is None:
            finding = self._find(*what_broke(link, self._found.end, between_files=self._boundary), link)
        else:
            finding = known
            if known.damage is Damage.REMOVED and known in self._found.findings:
                # What seemed to be missing stands further down.
                text = f"the record does not belong here: record {link.seq} stands behind it"
                finding = known._replace(damage=Damage.REORDERED, text=text)
                self._found.findings[self._found.findings.index(known)] = finding
        self._ends[self.expected] = finding

    # -- the whole ---------------------------------------------------------------------------------------------

    def finish(self) -> Evidence:
        """The result."""
        if self._key is not None and self._found.signed is None and self._found.records:
            text = "no checkpoint here is signed by the key that was given, so nothing shows who wrote this"
            self._find(Damage.BAD_SIGNATURE, text)
        if self._head is not None and not self._found.head_checked and self._found.records:
            text = f"the log had come to record {self._head.seq} of instance {self._head.instance}, which is not here"
            self._find(Damage.TRUNCATED, text)
        if self._torn is not None:
            self._give_up(self._torn)
        if self._found.signed is not None and self._minutes > MAX_UNSIGNED_MINUTES:
            text = (
                f"the last {self._found.after:,} records are of {self._minutes} different minutes, and no checkpoint stands "
                "behind them: the proxy signs 60 seconds after a record at the latest"
            )
            self._find(Damage.BAD_SIGNATURE, text)
        self._next_run()
        self._found.last_time = _time(self._last) if self._last else None
        return self._found


def _accounts(record: dict[str, Any], suspects: Suspects) -> bool:
    """Whether a record says that the proxy found these lines so."""
    told = record.get("event") == "gap" and record.get("cause") == "torn_line"
    return told and suspects.accounted_by(record.get("bytes"), record.get("sha256"))


def _time(line: bytes) -> str:
    return str(orjson.loads(line).get("time"))
