"""Which files of a log may hold the same records: copies, compressed or not, whole or in part.

It is told from where files begin and end, so that a big log is read once. It errs on the side of overlap: records of files
that are found are compared one by one, which costs time and no more. A file is taken for a piece of one chain: records
of an instance stand together, and the next instance follows. (``brickscope audit verify`` says whether that is true.)
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from .source import Mark, Source, read_to_end


def find_overlaps(sources: Sequence[Source]) -> set[Path]:
    """The files that may hold records of another one."""
    by_instance: dict[str, list[int]] = {}
    for number, source in enumerate(sources):
        for instance in _instances(source):
            by_instance.setdefault(instance, []).append(number)
    known = list(sources)
    for group in by_instance.values():
        for number in group if len(group) > 1 else ():
            # A compressed file under a name of its own does not tell its end.
            if known[number].last is None:
                known[number] = read_to_end(known[number])
    found = set(_same_numbers(known, by_instance))
    found |= set(_same_times(known, _logs(by_instance)))
    return {sources[number].path for number in found}


def _instances(source: Source) -> set[str]:
    return {mark.instance for mark in (source.first, source.last) if mark is not None}


def _same_numbers(sources: list[Source], by_instance: dict[str, list[int]]) -> Iterator[int]:
    """Files in which one instance has the same numbers."""
    for instance, group in by_instance.items():
        ranges = sorted((*_range(sources[number], instance), number) for number in group)
        _, reach, holder = ranges[0]
        for low, high, number in ranges[1:]:
            if low <= reach:
                yield from (number, holder)
            if high > reach:
                reach, holder = high, number


def _range(source: Source, instance: str) -> tuple[float, float]:
    """The numbers of an instance's records that a file may hold."""
    first, last = source.first, source.last
    low = float(first.seq) if first is not None and first.instance == instance else 1.0
    high = float(last.seq) if last is not None and last.instance == instance else float("inf")
    return low, high


def _logs(by_instance: dict[str, list[int]]) -> dict[int, int]:
    """For each file the log it belongs to: files that share an instance are of one log."""
    parent: dict[int, int] = {}

    def root(number: int) -> int:
        while parent.setdefault(number, number) != number:
            number = parent[number]
        return number

    for group in by_instance.values():
        for number in group:
            parent[root(number)] = root(group[0])
    return {number: root(number) for number in list(parent)}


def _same_times(sources: list[Source], logs: dict[int, int]) -> Iterator[int]:
    """Files of the same time as one that several instances have written, of which those in the middle are not known."""
    ends = {(source.last.instance, source.last.seq) for source in sources if source.last is not None}
    for holder, whole in enumerate(sources):
        if whole.first is None or whole.last is None or whole.first.instance == whole.last.instance:
            continue
        for number, other in enumerate(sources):
            if number == holder or other.first is None or other.last is None:
                continue
            # Of a file in which the clock was set back, times tell nothing.
            unknown = whole.first.time > whole.last.time or other.first.time > other.last.time
            of_it = logs[number] == logs[holder] or _is_piece(other.first, ends)
            if of_it and (
                unknown or (other.first.time < whole.last.time and other.last.time > whole.first.time)
            ):
                yield from (number, holder)


def _is_piece(first: Mark, ends: set[tuple[str, int]]) -> bool:
    """Whether a file begins amid an instance's records, and no file ends with the one before."""
    return first.seq > 1 and (first.instance, first.seq - 1) not in ends
