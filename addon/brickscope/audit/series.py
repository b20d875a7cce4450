"""Which files make one log, and in which order: told by the chain itself, since names and times can be anything."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import orjson

from .chain import GENESIS
from .closed import DAMAGED, open_log
from .evidence import Damage, Evidence, Finding
from .verify import Verifier

_CLOSED = re.compile(r"(?:-\d{8}T\d{6}Z-[0-9a-f]{8}-\d+)?\.jsonl(?:\.zst|\.gz|\.\d+)*\Z")
_HEAD = 1024 * 1024


class Part(NamedTuple):
    """One file: what its first whole record goes on from, and when that was written. ``log``: the name of its log, as far
    as the file's own name tells."""

    path: Path
    previous: str | None
    time: str
    log: tuple[Path, str]
    instance: str = ""


def look(path: Path) -> Part:
    """Read the beginning of a file."""
    previous, time, instance = None, "", ""
    with contextlib.suppress(*DAMAGED), open_log(path) as file:
        for line in file.read(_HEAD).split(b"\n"):
            with contextlib.suppress(ValueError, KeyError, TypeError):
                record = orjson.loads(line)
                previous, time = str(record["prev_hash"]), str(record["time"])
                instance = str(record["instance"])
                break
    return Part(path, previous, time, (path.parent, _CLOSED.sub("", path.name)), instance)


def verify_logs(paths: Iterable[Path], verifier: Callable[[Path | None], Verifier]) -> list[Evidence]:
    """Check all logs of which these are the files. ``verifier`` makes one for the log whose active file has a path; it is
    given None where that file is not among these."""
    paths = list(paths)
    given = {path.absolute() for path in paths}
    left = sorted(map(look, paths), key=lambda part: (part.previous != GENESIS, part.time, part.path))
    found: list[Evidence] = []
    first: list[Part] = []
    while left:
        part: Part | None = left[0]
        log = left[0].log
        first.append(left[0])
        active = (log[0] / f"{log[1]}.jsonl").absolute()
        each = verifier(active if active in given else None)
        while part is not None:
            left.remove(part)
            each.check(part.path)
            part = _next(left, each.expected, log)
        found.append(each.finish())
    return [_torn_apart(each, part, found) for each, part in zip(found, first, strict=True)]


def _torn_apart(each: Evidence, first: Part, found: list[Evidence]) -> Evidence:
    """With a finding if it begins with an instance in which another log ends: what was between them is missing, whatever
    the files are called now."""
    others = {other.end.instance for other in found if other is not each and other.end is not None}
    if each.begins or first.instance not in others:
        return each
    text = f"instance {first.instance} goes on here, and what was between this and another of these files is missing"
    finding = Finding(Damage.MISSING_FILE, str(first.path), 1, text, first.instance)
    return each._replace(findings=(finding, *each.findings))


def _next(left: list[Part], expected: str | None, log: tuple[Path, str]) -> Part | None:
    """The file that goes on from there; without one, the next that has the name of this log (then one is missing)."""
    for part in left:
        if part.previous == expected:
            return part
    return next((part for part in left if part.log == log and part.previous != GENESIS), None)
