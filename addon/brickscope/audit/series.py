"""Which files make one log, and in which order: told by the chain itself, since names and times can be anything."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from brickscope.log.chain import GENESIS
from brickscope.log.closed import DAMAGED, holds_same
from brickscope.log.extent import Extent, Place, in_order, look

from .evidence import Damage, Evidence, Finding
from .verify import Verifier

_CLOSED = re.compile(r"(?:-\d{8}T\d{6}Z-[0-9a-f]{8}-\d+)?\.jsonl(?:\.zst|\.gz|[.-]\d+)*\Z")


def verify_logs(paths: Iterable[Path], verifier: Callable[[Path | None], Verifier]) -> list[Evidence]:
    """Check all logs of which these are the files. ``verifier`` makes one for the log whose active file has a path; it is
    given None where that file is not among these."""
    paths = list(paths)
    given = {path.absolute() for path in paths}
    left, copies = _without_copies(in_order(map(look, paths)))
    left.sort(key=lambda each: each.previous != GENESIS)
    found: list[Evidence] = []
    first: list[Extent] = []
    while left:
        part: Extent | None = left[0]
        log = _log(left[0].path)
        first.append(left[0])
        active = (log[0] / f"{log[1]}.jsonl").absolute()
        each = verifier(active if active in given else None)
        while part is not None:
            left.remove(part)
            each.check(part.path)
            for copy in copies.get(part.path, ()):
                each.note(f"{copy} holds the same, and was read once")
            part = _next(left, each, log)
        found.append(each.finish())
    return [_torn_apart(each, part, found) for each, part in zip(found, first, strict=True)]


def _log(path: Path) -> tuple[Path, str]:
    """The name of a file's log, as far as its own name tells."""
    return path.parent, _CLOSED.sub("", path.name)


def _without_copies(extents: list[Extent]) -> tuple[list[Extent], dict[Path, list[Path]]]:
    """Files without those that hold the same as another one, and what was left out: a crash amid compression leaves both
    a plain file and a compressed one, and a reviewer is given copies."""
    kept: dict[tuple[str | None, Place | None], list[Extent]] = {}
    copies: dict[Path, list[Path]] = {}
    for each in extents:
        alike = kept.setdefault((each.previous, each.first), [])
        same = next((other for other in alike if each.first and _is_copy(each.path, other.path)), None)
        if same is None:
            alike.append(each)
        else:
            copies.setdefault(same.path, []).append(each.path)
    left_out = {path for group in copies.values() for path in group}
    return [each for each in extents if each.path not in left_out], copies


def _is_copy(one: Path, other: Path) -> bool:
    try:
        return holds_same(one, other)
    except DAMAGED:
        return False


def _torn_apart(each: Evidence, first: Extent, found: list[Evidence]) -> Evidence:
    """With a finding if it begins with an instance in which another log ends: what was between them is missing, whatever
    the files are called now."""
    others = {other.end.instance for other in found if other is not each and other.end is not None}
    instance = first.first[0] if first.first else None
    if each.begins or instance not in others:
        return each
    text = (
        f"instance {instance} goes on here, and what was between this and another of these files is missing"
    )
    finding = Finding(Damage.MISSING_FILE, str(first.path), 1, text, instance)
    each.findings.insert(0, finding)
    return each


def _next(left: list[Extent], each: Verifier, log: tuple[Path, str]) -> Extent | None:
    """The file that goes on from there, or from a record shortly before; without one, the next that has the name of this
    log (then one is missing)."""
    for part in left:
        if part.previous == each.expected:
            return part
    for part in left:
        if part.first is not None and part.first[1] == 1 and part.previous in each.heads:
            return part
    return next((part for part in left if _log(part.path) == log and part.previous != GENESIS), None)
