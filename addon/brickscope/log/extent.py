"""From where to where files of a log reach, and the order that follows from it.

The order is the chain's own: the record that a file begins with says which one it goes on from. Names have a time in them
and files have one too, but a clock can be set back, and then the newest file has the oldest time.
"""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from .chain import Link, read_link
from .closed import CLOSED_NAME, DAMAGED, open_log
from .line import MAX_RECORD, bounded

Place = tuple[str, int]
"""A record's instance and number."""
_HEAD_LINES = 20
"""So many lines may come before the first whole record, or between it and its run's ``start`` (gaps come first)."""


class Extent(NamedTuple):
    """One file. ``first``: its first whole record, ``previous``: the hash that this goes on from, ``time``: when it was
    written, ``after``: the place of what it goes on from, as far as the file tells; None or empty for what is not known."""

    path: Path
    previous: str | None = None
    time: str = ""
    first: Place | None = None
    after: Place | None = None


def look(path: Path) -> Extent:
    """Read the beginning of a file."""
    found = Extent(path)
    with contextlib.suppress(*DAMAGED), open_log(path) as file:
        for _, line in zip(range(_HEAD_LINES), bounded(file), strict=False):
            with contextlib.suppress(ValueError, KeyError, TypeError):
                record: Any = orjson.loads(line or b"")
                place = (str(record["instance"]), int(record["seq"]))
                if found.first is None:
                    found = Extent(path, str(record["prev_hash"]), str(record["time"]), place)
                    if place[1] > 1:
                        return found._replace(after=(place[0], place[1] - 1))
                if record["event"] == "start":
                    before = record["previous"]
                    return found._replace(after=(str(before["instance"]), int(before["seq"])))
    return found


def named_end(path: Path) -> Place | None:
    """The last record of a closed file, by its name."""
    named = CLOSED_NAME.search(path.name)
    return None if named is None else (named[2], int(named[3]))


def read_end(path: Path) -> Link | None:
    """The last whole record of a file. A compressed one is read to its end."""
    link = None
    with contextlib.suppress(*DAMAGED), open_log(path) as file:
        if path.suffix not in (".zst", ".gz"):
            file.seek(max(0, os.fstat(file.fileno()).st_size - 2 * MAX_RECORD))
        last = b""
        for line in bounded(file):
            if line is not None and line.startswith(b"{"):
                last, before = line, last
                if not line.endswith(b"\n"):
                    link = read_link(before.removesuffix(b"\n"))
        link = read_link(last.removesuffix(b"\n")) or link
    return link


def end_of(path: Path) -> Place | None:
    """The last record of a file: by its name if it is a closed one, else by what is in it."""
    found = named_end(path) or read_end(path)
    return None if found is None else found[:2]


def in_order(extents: Iterable[Extent]) -> list[Extent]:
    """Files in the order of their chain. Of files that go on from nothing that is here, and of two that go on from the same
    record, the one with the earlier time comes first."""
    left = sorted(extents, key=lambda each: (each.time, each.path))
    ends = {end_of(each.path): each.path for each in left} if len(left) > 1 else {}
    following: dict[Path | None, list[Extent]] = {}
    for each in left:
        before = None if each.after is None else ends.get(each.after)
        following.setdefault(before, []).append(each)
    found: list[Extent] = []
    todo = following.pop(None, [])[::-1]
    while todo:
        each = todo.pop()
        found.append(each)
        todo += following.pop(each.path, [])[::-1]
    # A circle can only be made on purpose.
    return found + [each for each in left if each not in found] if following else found
