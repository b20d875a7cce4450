"""Closed files of a log that was named without them: ``audit*.jsonl`` leaves out all that is compressed.

What is missing in an answer can't be seen in it, so whoever reads a log is told.
"""

import contextlib
from collections.abc import Iterable
from pathlib import Path

from brickscope.count import counted
from brickscope.log.closed import series

from .period import Period
from .source import COMPRESSIONS, Source, look, may_hold

_NAMED_LOGS = 3


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
