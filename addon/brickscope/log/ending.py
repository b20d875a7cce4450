"""Where the chain ends when the log's own file is empty or gone: in a closed file, or in the file that was moved away.

It is told by the chain, never by times: a clock that was set back gives the newest file the oldest name, and a proxy that
went on from another one would fork the chain.
"""

import contextlib
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from .chain import Link
from .closed import DAMAGED, open_log, series
from .extent import Extent, Place, end_of, in_order, look, named_end, read_end

_CHUNK = 1024 * 1024


class Ending(NamedTuple):
    """The last record of a log, and the file it is in. ``is_moved``: that is no closed file of the log, so it was moved
    away by somebody. ``has_head``: the chain that ends there came past the head that was asked for. ``torn``,
    ``torn_hash``: how many bytes stand after the record, and their SHA-256."""

    link: Link
    path: Path
    is_moved: bool = False
    has_head: bool = False
    torn: int = 0
    torn_hash: str = ""


def find_end(active: Path, head: Link | None) -> Ending | None:
    """The end of the chain in the files beside ``active``; None where there is none.

    ``head``: a record that the log had come to, if one is known: then a file that was moved away is looked for too.
    """
    closed = series(active)
    moved = [] if head is None else list(_moved(active, closed, head))
    for path, has_head in _leaves([*closed, *moved], head):
        link = read_end(path)
        if link is not None:
            torn = _torn(path, link) if path in moved else (0, "")
            return Ending(link, path, path in moved, has_head, *torn)
    return None


def has_passed(active: Path, head: Link) -> bool:
    """Whether a record is in the file at ``active``, or in a closed file of its series."""
    if holds(active, head):
        return True
    for extent in map(look, series(active)):
        end = named_end(extent.path)
        if _reaches(end, head):
            return True
        runs = {place and place[0] for place in (extent.first, end)}  # between two there may be others
        if (len(runs) > 1 or head.instance in runs) and holds(extent.path, head):
            return True
    return False


def holds(path: Path, head: Link) -> bool:
    """Whether a file has a line that claims this record's hash."""
    wanted, rest = f'"hash":"{head.hash}"}}\n'.encode(), b""
    with contextlib.suppress(*DAMAGED), open_log(path) as file:
        while chunk := file.read(_CHUNK):
            rest += chunk
            if wanted in rest:
                return True
            rest = rest[-len(wanted) :]
    return False


def _leaves(paths: Iterable[Path], head: Link | None) -> Iterator[tuple[Path, bool]]:
    """Files that no other one goes on from, and whether they come after the head. The likeliest end comes first: one after
    the head, and of these the last by the chain."""
    ordered = in_order(map(look, paths))
    ends = {each.path: end_of(each.path) for each in ordered}
    gone_on = {each.after for each in ordered if each.after is not None}
    by_end = {end: each for each in ordered if (end := ends[each.path]) is not None}

    def has_head(extent: Extent) -> bool:
        for _ in ordered:
            if head is not None and _reaches(ends[extent.path], head):
                return True
            before = None if extent.after is None else by_end.get(extent.after)
            if before is None:
                break
            extent = before
        return head is not None and extent.first is not None and extent.first[0] == head.instance

    leaves = [(each, has_head(each)) for each in reversed(ordered) if ends[each.path] not in gone_on]
    for each, has in sorted(leaves, key=lambda leaf: not leaf[1]):
        yield each.path, has
    # Where such a file can't be read, one before it is better than none.
    yield from ((each.path, False) for each in reversed(ordered) if ends[each.path] in gone_on)


def _reaches(end: Place | None, head: Link) -> bool:
    return end is not None and end[0] == head.instance and end[1] >= head.seq


def _moved(active: Path, closed: list[Path], head: Link) -> Iterator[Path]:
    """Files beside the log that hold the record ``head``, or go on from the one that does: the log under another name."""
    for path in sorted(active.parent.glob("*")):
        if path == active or path in closed or not path.name.startswith(active.stem):
            continue
        if path.is_symlink() or not path.is_file():
            continue
        if look(path).previous == head.hash or holds(path, head):
            yield path


def _torn(path: Path, link: Link) -> tuple[int, str]:
    """What stands after the last record of a file."""
    mark, seen = f'"hash":"{link.hash}"}}\n'.encode(), b""
    found: bytes | None = None
    with contextlib.suppress(*DAMAGED), open_log(path) as file:
        while chunk := file.read(_CHUNK):
            seen += chunk
            _, there, rest = seen.rpartition(mark)
            found = rest if there else None if found is None else found + chunk
            seen = seen[-len(mark) :]
    return (len(found), sha256(found).hexdigest()) if found else (0, "")
