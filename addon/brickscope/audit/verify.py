"""Checking a log: every line, every link, every signature, and where exactly something is wrong.

One pass, in constant memory but for what is open (calls without an outcome) or missing. Lines are looked at as bytes:
since they are canonical JSON (``chain.py``), a member is found by its name without parsing; a name inside of a text has
backslashes before its quotes. Only rare records are parsed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError

from .chain import GENESIS, Link, canonical, read_hash, true_hash
from .closed import DAMAGED, open_log
from .event import check_record
from .evidence import Damage, Evidence, Finding, Note, Signed
from .key import VerifyKey

MAX_FINDINGS = 1000
MAX_SHOWN = 100
_EVENT = b'"event":"'
_DECISION_ID = b'"decision_id":"'
_ALLOWED, _UNENFORCED = b'"decision":"allow"', b'"enforced":false'
_PLAIN = ("decision", "outcome")
MAX_UNSIGNED = 10_100
"""The proxy signs after 10,000 records; a few may come between."""

Progress = Callable[[int], None]
"""Takes the number of bytes read since it was called last."""


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
        self._named: dict[str, VerifyKey] = {}
        self._findings: list[Finding] = []
        self._more = 0
        self._notes: list[Note] = []
        self._files: list[str] = []
        self._file, self._line = "", 0
        self._records = self._bytes = self._after = self._unreported = 0
        self._first: str | None = None
        self._last: bytes = b""
        self._begins = False
        self._expected: str | None = None
        self._end: Link | None = None
        self._signed: Signed | None = None
        self._stopped = self._head_seen = False
        self._open: dict[bytes, None] = {}
        self._in_flight: list[str] = []
        self._unfinished = 0
        self._suspect: list[int] = []
        self._suspect_bytes = b""
        self._ends: dict[str, Finding] = {}
        self._told_unsigned = False
        self._boundary = False

    @property
    def expected(self) -> str | None:
        """The hash that the next file has to go on from; None before the first record."""
        return self._expected

    # -- files -------------------------------------------------------------------------------------------------

    def check(self, path: Path) -> None:
        """Take in the next file."""
        self._files.append(str(path))
        self._file, self._line, self._boundary = str(path), 0, bool(self._records)
        try:
            with open_log(path) as file:
                self._check_lines(file)
        except DAMAGED as error:
            self._find(
                Damage.UNREADABLE, f"the file can't be read to its end: {error or type(error).__name__}"
            )
        self._give_up_suspects()

    def _check_lines(self, file: Iterable[bytes]) -> None:
        last = b"\n"
        for last in self._unexpected(file):
            self._check_line(last[:-1] if last.endswith(b"\n") else last, last)
        if not last.endswith(b"\n") and not self._suspect:
            self._find(Damage.ALTERED, "the last line has lost its line end")

    def _unexpected(self, file: Iterable[bytes]) -> Iterator[bytes]:
        """Go through a file and yield the lines that have to be looked at.

        Nearly every line is the decision or outcome that had to come next, which a handful of searches shows; such a line
        is only counted, and what it leaves behind is written back before another is yielded.
        """
        read = passed = 0
        seq, previous, head = self._next()
        last, under_way = b"", self._open
        for raw in file:
            read += len(raw)
            digest = sha256(raw[:-76] + b"}").hexdigest().encode()
            at = raw.rfind(b',"schema":1,"seq":') + 18
            before = raw.rfind(b',"prev_hash":"', 0, at) + 14
            if (
                raw.endswith(b',"hash":"%b"}\n' % digest)
                and raw.startswith(previous, before)
                and raw.startswith(b"%d," % (seq + 1), at)
                and seq + 1 != head
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
                    continue
            self._came_to(passed, seq, previous, last)
            self._line += 1
            self._report(read)
            read = passed = 0
            yield raw
            seq, previous, head = self._next()
        self._came_to(passed, seq, previous, last)
        self._report(read)

    def _next(self) -> tuple[int, bytes, int]:
        """What lets the next line pass: the number before its own, the hash before it (and a quote), and a number at
        which it has to be looked at all the same. After anything odd, and where each record is held against the schema,
        no line passes. (Of which instance it is needs no look: another one begins again with 1.)"""
        if self._end is None or self._suspect or self._schema:
            return 0, b"\n", -1
        head = self._head.seq if self._head and self._head.instance == self._end.instance else -1
        return self._end.seq, b'%b"' % self._end.hash.encode(), head

    def _came_to(self, passed: int, seq: int, previous: bytes, last: bytes) -> None:
        if passed and self._end is not None:
            self._line += passed
            self._records += passed
            self._after += passed
            self._stopped = self._boundary = False
            self._expected, self._last = previous[:-1].decode(), last
            self._end = Link(self._end.instance, seq, self._expected)
            self._check_unsigned(self._end)

    def _report(self, read: int) -> None:
        self._bytes += read
        self._unreported += read
        if self._progress and self._unreported > 4 * 1024 * 1024:
            self._progress(self._unreported)
            self._unreported = 0

    def _give_up_suspects(self) -> None:
        """The file ends with lines that are no whole records, and nothing accounts for them."""
        for line in self._suspect[:MAX_SHOWN]:
            last = line == self._suspect[-1] and not self._suspect_bytes.endswith(b"\n")
            damage = Damage.TRUNCATED if last else Damage.ALTERED
            self._find(damage, "the line is no whole record", line=line)
        self._suspect, self._suspect_bytes = [], b""

    # -- lines -------------------------------------------------------------------------------------------------

    def _check_line(self, line: bytes, raw: bytes) -> None:
        claimed = read_hash(line)
        if claimed is None or true_hash(line) != claimed:
            self._suspect.append(self._line)
            self._suspect_bytes += raw if len(self._suspect_bytes) < 2 * 1024 * 1024 else b""
            return
        record = _parse(line)
        if record is None:
            # Its hash holds, and it is no record that the proxy writes. Of two members of one name one reader takes the
            # first and another the last: a checkpoint with two `prev_hash` would sign one history and go on from another.
            self._suspect.append(self._line)
            self._suspect_bytes += raw if len(self._suspect_bytes) < 2 * 1024 * 1024 else b""
            return
        link = Link(record["instance"], record["seq"], claimed)
        previous = record["prev_hash"]
        if self._suspect:
            self._settle_suspects(record, link, previous)
        elif self._expected is None:
            self._begin(previous)
        elif previous != self._expected:
            self._break(link, previous)
        self._boundary = False
        self._records += 1
        self._after += 1
        self._expected, self._last = claimed, line
        if self._first is None:
            self._first = _time(line)
        if self._end is None or self._end.instance != link.instance:
            self._next_run()
        self._end = link
        if link == self._head or (self._head and link[:2] == self._head[:2]):
            self._head_seen = link == self._head
        if record.get("event") in _PLAIN:
            self._keep_open(record)
            self._stopped = False
        else:
            self._read_record(record, link)
        self._check_unsigned(link)
        if self._schema:
            self._check_schema(line)

    def _begin(self, previous: str) -> None:
        self._begins = previous == GENESIS

    def _keep_open(self, record: dict[str, Any]) -> None:
        """Keep which calls are under way; as ``_unexpected`` does, for a record that was looked at."""
        decision_id = str(record.get("decision_id")).encode()
        if record.get("event") == "outcome":
            self._open.pop(decision_id, None)
        elif record.get("decision") == "allow" or record.get("enforced") is False:
            self._open[decision_id] = None

    def _next_run(self) -> None:
        """Another run begins: what the last one left open stays so."""
        if self._end is not None and self._open:
            count = len(self._open)
            word = (
                "although it stopped in good order"
                if self._stopped
                else "when the run ended without a stop record"
            )
            self._notes.append(
                Note(
                    self._file,
                    self._line,
                    f"{count} call(s) of instance {self._end.instance} had no outcome {word}",
                )
            )
            self._unfinished += count
            self._in_flight += [each.decode("latin-1") for each in list(self._open)[:MAX_SHOWN]]
        self._open.clear()

    def _read_record(self, record: dict[str, Any], link: Link) -> None:
        event = record.get("event")
        if event != "checkpoint":
            self._stopped = event == "stop"
        if event == "start":
            try:
                named = VerifyKey.of_base64(str(record.get("public_key")))
                self._named[named.key_id] = named
            except ValueError:
                self._find(Damage.BAD_SIGNATURE, "the start record names no Ed25519 key", link)
        elif event == "checkpoint":
            self._check_signature(record, link)
        elif event == "gap":
            self._notes.append(Note(self._file, self._line, _gap_words(record)))

    def _check_signature(self, record: dict[str, Any], link: Link) -> None:
        key_id = str(record.get("key_id"))
        key = self._key or self._named.get(key_id)
        if key is None:
            return  # the part of the log that names the key is not here
        content = {name: value for name, value in record.items() if name not in ("hash", "signature")}
        if key.key_id != key_id:
            self._find(
                Damage.BAD_SIGNATURE, f"the checkpoint is signed by {key_id}, not by {key.key_id}", link
            )
        elif not key.verifies(str(record.get("signature")), canonical(content)):
            self._find(Damage.BAD_SIGNATURE, f"the signature is not that of {key_id}", link)
        else:
            self._signed = Signed(link, str(record.get("time")), key_id, self._file, self._line)
            self._after = 0

    def _check_unsigned(self, link: Link) -> None:
        """Whoever leaves out all checkpoints can write what is between them anew."""
        if self._after > MAX_UNSIGNED and not self._told_unsigned:
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

    def _find(self, damage: Damage, text: str, link: Link | None = None, line: int | None = None) -> Finding:
        finding = Finding(
            damage,
            self._file,
            self._line if line is None else line,
            text,
            link.instance if link else None,
            link.seq if link else None,
        )
        if len(self._findings) < MAX_FINDINGS:
            self._findings.append(finding)
        else:
            self._more += 1
        return finding

    def _settle_suspects(self, record: dict[str, Any], link: Link, previous: str) -> None:
        """Lines that are no whole records stand before this one: either it accounts for them, or they were changed."""
        lines, self._suspect = self._suspect, []
        content, self._suspect_bytes = self._suspect_bytes, b""
        torn = content.removesuffix(b"\n")
        recorded = record.get("cause") == "torn_line"
        if (
            recorded
            and previous in (self._expected, None)
            and record.get("bytes") == len(torn)
            and record.get("sha256") == sha256(torn).hexdigest()
        ):
            return
        for line in lines[:MAX_SHOWN]:
            self._find(Damage.ALTERED, "the line is not the record that was written there", line=line)
        end = self._end
        if end is None:
            self._begin(previous)
        elif end.instance == link.instance and link.seq > end.seq + 1 + len(lines):
            count = link.seq - end.seq - 1 - len(lines)
            self._find(Damage.REMOVED, f"{count} record(s) before this one are missing as well", link)
        elif end.instance == link.instance and link.seq <= end.seq:
            self._break(link, previous)
        elif previous == self._expected and not recorded:
            # Nothing is missing between the two, so the lines were put in.
            for index in range(len(self._findings) - len(lines[:MAX_SHOWN]), len(self._findings)):
                self._findings[index] = self._findings[index]._replace(
                    damage=Damage.INSERTED, text="the line was put in: nothing is missing without it"
                )

    def _break(self, link: Link, previous: str) -> None:
        """The record does not go on from the one before it: say why.

        Both ends stay open after that: where the chain was left (``_ends``) it may go on later, so that one thing in a
        wrong place is one finding.
        """
        assert self._end is not None
        assert self._expected is not None
        known = self._ends.pop(previous, None)
        if known is None:
            finding = self._find(*self._what_broke(link, self._end), link)
        else:
            finding = known
            if known.damage is Damage.REMOVED and known in self._findings:
                # What seemed to be missing stands further down.
                text = f"the record does not belong here: record {link.seq} stands behind it"
                finding = known._replace(damage=Damage.REORDERED, text=text)
                self._findings[self._findings.index(known)] = finding
        self._ends[self._expected] = finding

    def _what_broke(self, link: Link, end: Link) -> tuple[Damage, str]:
        if link.instance != end.instance:
            if self._boundary:
                return Damage.MISSING_FILE, "the file does not go on from the one before: one is missing"
            if link.seq == 1:
                return Damage.REMOVED, f"records at the end of instance {end.instance} are missing"
            return (
                Damage.FOREIGN,
                f"the record is of instance {link.instance}, and goes on from none that is here",
            )
        if link.seq > end.seq + 1:
            count = link.seq - end.seq - 1
            damage = Damage.MISSING_FILE if self._boundary else Damage.REMOVED
            return damage, f"{count} record(s) before this one are missing ({end.seq + 1} to {link.seq - 1})"
        if link.seq <= end.seq:
            return Damage.INSERTED, f"the record stands after record {end.seq}, and can't belong there"
        return (
            Damage.ALTERED,
            "the record does not go on from the one before it: one of the two was put there",
        )

    # -- the whole ---------------------------------------------------------------------------------------------

    def finish(self) -> Evidence:
        """The result."""
        if self._key is not None and self._signed is None and self._records:
            text = "no checkpoint here is signed by the key that was given, so nothing shows who wrote this"
            self._find(Damage.BAD_SIGNATURE, text)
        if self._head is not None and not self._head_seen and self._records:
            text = f"the log had come to record {self._head.seq} of instance {self._head.instance}, which is not here"
            self._find(Damage.TRUNCATED, text)
        stopped = self._stopped
        if self._open and not stopped:
            self._next_run()
        unfinished = self._unfinished + len(self._open)
        return Evidence(
            tuple(self._files),
            self._records,
            self._bytes,
            self._first,
            _time(self._last) if self._last else None,
            self._begins,
            self._end,
            self._signed,
            self._after,
            self._key is not None,
            stopped,
            self._head_seen,
            tuple(self._findings),
            self._more,
            tuple(self._notes),
            tuple(self._in_flight[:MAX_SHOWN]),
            unfinished,
        )


def verify(paths: Iterable[Path], verifier: Verifier) -> Evidence:
    """Check the files of one log in this order."""
    for path in paths:
        verifier.check(path)
    return verifier.finish()


def _parse(line: bytes) -> dict[str, Any] | None:
    """The record of a line whose hash holds; None if it is not written as the proxy writes records."""
    try:
        record = orjson.loads(line)
        content = {name: value for name, value in record.items() if name != "hash"}
        written = canonical(content) == line[:-75] + b"}"
        seq, names = record["seq"], (record["instance"], record["prev_hash"], record["event"])
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    whole = (
        isinstance(seq, int) and not isinstance(seq, bool) and all(isinstance(each, str) for each in names)
    )
    return record if written and whole else None


def _time(line: bytes) -> str:
    return str(orjson.loads(line).get("time"))


def _gap_words(record: dict[str, Any]) -> str:
    cause, detail = record.get("cause"), record.get("detail")
    if cause == "write_failed":
        return (
            f"from {record.get('since')} on no record could be written ({detail}): {record.get('denied')} call(s) "
            f"were denied without one, and {record.get('lost')} outcome(s) are missing"
        )
    if cause == "retention":
        return f"the file {record.get('file')} was deleted, since it is {detail}"
    return f"the proxy found on its way: {detail}"
