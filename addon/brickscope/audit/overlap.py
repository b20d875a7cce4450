"""Which files of a log hold the same records: copies, compressed or not, whole or in part.

It is told from the numbers that each instance's records have in a file, so that only records of files that are found have to
be compared one by one. Of a file that one instance has written, its first and last record tell them; any other is read for
it, as is a compressed one whose name does not tell its last. (``brickscope audit verify`` says whether nothing is missing.)
"""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from brickscope.log.closed import DAMAGED

from .source import Mark, Source, mark, read_lines

_INSTANCE = b'"instance":'


def find_overlaps(sources: Sequence[Source]) -> set[Path]:
    """The files that hold records of another one."""
    found: set[Path] = set()
    reached: dict[str, tuple[int, Path]] = {}
    """How far the records of each instance go, and in which file."""
    runs = [(*run, source.path) for source in sources if len(sources) > 1 for run in _runs(source)]
    for instance, low, high, path in sorted(runs):
        top, holder = reached.get(instance, (low - 1, path))
        if low <= top:
            found |= {path, holder}
        reached[instance] = max((top, holder), (high, path))
    return found


def _runs(source: Source) -> list[tuple[str, int, int]]:
    """The instances with records in a file, each with the lowest and highest number."""
    marks = [each for each in (source.first, source.last) if each is not None]
    if len({each.instance for each in marks}) != 1 or len(marks) < 2:
        marks = list(_ends(source.path))
    numbers: dict[str, list[int]] = {}
    for each in marks:
        numbers.setdefault(each.instance, []).append(each.seq)
    return [(instance, min(every), max(every)) for instance, every in numbers.items()]


def _ends(path: Path) -> Iterator[Mark]:
    """The first and last record of each run in a file; records of a run stand together."""
    run, last = b"", b""
    with contextlib.suppress(*DAMAGED):
        for _, line in read_lines(path):
            if line is None:
                continue
            # Its own comes first; that of another record (``previous``) may follow.
            if not (run and line.startswith(run, line.find(_INSTANCE))):
                first = mark(line)
                if first is None:
                    continue
                yield from filter(None, (mark(last), first))
                run = _INSTANCE + f'"{first.instance}"'.encode()
            last = line
    yield from filter(None, [mark(last)])
