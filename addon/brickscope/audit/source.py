"""The files of a log: found by paths, folders and patterns, each once, with a look at where they begin and end.

Names say nothing about what is in a file: a reviewer is given copies, renamed ones, and the same ones twice.
"""

import contextlib
import glob
import os
import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import orjson

from brickscope.count import counted
from brickscope.error import OperatorError
from brickscope.log.closed import CLOSED_NAME, DAMAGED, open_log, series
from brickscope.log.line import bounded

from .period import Period

COMPRESSIONS = (".zst", ".gz")
ENDINGS = (".jsonl", ".jsonl.zst", ".jsonl.gz")
MAX_LINE = 16 * 1024 * 1024
"""Longest line, in bytes, that is read. The proxy's longest are some kilobytes."""
SLACK = timedelta(days=1)
"""How far the clocks of two records of one file may be apart, before a file is passed over by its first or last."""
_LOG = re.compile(r"\.jsonl(?:[.-]\d+)?(?:\.zst|\.gz)?\Z")
"""Names of logs, also as logrotate gives them: ``audit.jsonl.1``, ``audit.jsonl-20261128.gz``."""
_HEAD_LINES = 20
_TAIL = 64 * 1024
_NAMED_LOGS = 3


class SourceError(OperatorError):
    """There is nothing to read, or it can't be read; the message says what and where."""


class Mark(NamedTuple):
    """One record of a log, as far as it tells where in the log it stands."""

    instance: str
    seq: int
    time: str


class Source(NamedTuple):
    """A file of a log. ``first`` and ``last``: records of its head and end; None where that is not known. ``size``: in
    bytes, on disk."""

    path: Path
    first: Mark | None
    last: Mark | None
    size: int

    @property
    def name(self) -> str:
        """As ``log_file`` has it: the path, with bytes that are no text as escapes."""
        return os.fsencode(self.path).decode("utf-8", "backslashreplace")

    @property
    def compression(self) -> str:
        """``.zst``, ``.gz``, or nothing."""
        return self.path.suffix if self.path.suffix in COMPRESSIONS else ""


def find_sources(paths: Iterable[str | Path]) -> list[Source]:
    """The files behind paths, folders (all logs in them, at any depth) and glob patterns, in order, each once.

    Raises SourceError where a path leads to nothing or can't be read.
    """
    found: dict[tuple[int, int], Path] = {}
    for given in paths:
        for path in _expand(given):
            try:
                status = path.stat()
                with path.open("rb"):
                    pass
            except OSError as error:
                _refuse(error)
            # By device and inode: a link, or the same file by two patterns, is one file.
            found.setdefault((status.st_dev, status.st_ino), path)
    return [look(path) for path in found.values()]


def _expand(given: str | Path) -> list[Path]:
    path = Path(given)
    if path.is_dir():
        # A folder of another proxy that this user may not list is said, and not left out of what is verified.
        below = (folder / name for folder, _, names in path.walk(on_error=_refuse) for name in names)
        files = sorted(filter(_is_log, below))
        if not files:
            raise SourceError(f"the folder {path} holds no {', '.join(f'*{ending}' for ending in ENDINGS)}")
        return files
    if path.exists():
        return [path]
    matched = sorted(Path(each) for each in glob.glob(str(given), recursive=True))  # noqa: PTH207 - any root
    files = [each for each in matched if each.is_file()]
    if not files:
        raise SourceError(f"there is no audit log {given}")
    return files


def _refuse(error: OSError) -> NoReturn:
    raise SourceError(f"{error.filename} can't be read: {error.strerror}") from None


def _is_log(path: Path) -> bool:
    return bool(_LOG.search(path.name)) and not path.name.startswith(".") and path.is_file()


def read_lines(path: Path) -> Iterator[tuple[int, bytes | None]]:
    """The lines of a file, numbered from 1, with their ends; None for one longer than MAX_LINE. Raises DAMAGED."""
    with open_log(path) as file:
        yield from enumerate(bounded(file, MAX_LINE), 1)


def may_hold(source: Source, period: Period) -> bool:
    """Whether a file may hold records of a period, by its first and last. A file of which they are not known may.

    An empty file does not, and DuckDB would take it for a broken one where it should be compressed.
    """
    if source.size == 0:
        return False
    try:
        # Of both: a clock that was set back can give the first record the latest time.
        marks = [each for each in (source.first, source.last) if each is not None]
        times = [datetime.fromisoformat(each.time).replace(tzinfo=None) for each in marks]
        begins_late = (
            period.until is not None and source.first is not None and min(times) - SLACK >= period.until
        )
        ends_early = (
            period.since is not None and source.last is not None and max(times) + SLACK < period.since
        )
    except (ValueError, OverflowError):
        return True
    return not (begins_late or ends_early)


def look(path: Path) -> Source:
    """A file with the first and last record that it tells of itself, without unpacking it. Raises OSError."""
    first = last = None
    with contextlib.suppress(*DAMAGED), open_log(path) as file:
        head = file.read(_TAIL)
        first = next(filter(None, map(mark, head.split(b"\n")[:_HEAD_LINES])), None)
        if path.suffix not in COMPRESSIONS:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - _TAIL))
            last = next(filter(None, map(mark, reversed(file.read(_TAIL).split(b"\n")))), None)
    named = CLOSED_NAME.search(path.name)
    if last is None and named is not None:
        when = datetime.strptime(f"{named[1]}+0000", "%Y%m%dT%H%M%SZ%z")
        last = Mark(named[2], int(named[3]), f"{when:%Y-%m-%dT%H:%M:%S}.000000Z")
    return Source(path, first, last, path.stat().st_size)


def mark(line: bytes) -> Mark | None:
    """Where the record of a line stands; None for a line that is none."""
    try:
        record: Any = orjson.loads(line)
        return Mark(str(record["instance"]), int(record["seq"]), str(record["time"]))
    except (ValueError, KeyError, TypeError):
        return None


# -- closed files of a log that was named without them: ``audit*.jsonl`` leaves out all that is compressed. What is missing
# in an answer can't be seen in it, so whoever reads a log is told.


def find_unread(sources: Iterable[Source], period: Period) -> list[Path]:
    """For each closed file beside these files, of the same logs, which is not among them and may hold records of a period:
    the active file of its log, which was named."""
    named = [source.path for source in sources]
    # Without the ending of a compression: a file can be compressed just now, and both of its copies hold the same.
    places = {_place(path) for path in named}
    found = []
    for active in named:
        for closed in series(active):
            if _place(closed) in places:
                continue
            with contextlib.suppress(OSError):  # deleted meanwhile, as its time to be kept is over
                if may_hold(look(closed), period):
                    found.append(active)
    return found


def unread_text(unread: Iterable[Path]) -> list[str]:
    """What to say of what ``find_unread`` found, a sentence for each folder."""
    folders: dict[Path, list[str]] = {}
    for active in unread:
        folders.setdefault(active.parent, []).append(active.name)
    said = []
    for folder, logs in folders.items():
        names = list(dict.fromkeys(logs))
        of = ", ".join(names[:_NAMED_LOGS])
        if len(names) > _NAMED_LOGS:
            of += f" and {counted(len(names) - _NAMED_LOGS, 'more log')}"
        were = "was" if len(logs) == 1 else "were"
        said.append(
            f"{counted(len(logs), 'closed file')} of {of} beside {'it' if len(names) == 1 else 'them'} "
            f"{were} not read; name the folder {folder} to read all"
        )
    return said


def _place(path: Path) -> Path:
    name = path.name.removesuffix(path.suffix) if path.suffix in COMPRESSIONS else path.name
    return path.parent.resolve() / name
