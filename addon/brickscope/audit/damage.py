"""Files that can be read in part only: a compressed file that is cut off or altered, a line without end.

DuckDB gives such a file up with all that was asked. So what is whole of it is copied, and read in its place.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from brickscope.log.closed import DAMAGED, zstd_writer

from .source import MAX_LINE, read_lines


class Restored(NamedTuple):
    """A copy of the whole lines of a damaged file, and what is wrong with the file."""

    copy: Path
    why: str


def restore(paths: Iterable[Path], folder: Path) -> dict[Path, Restored]:
    """Copies, in ``folder``, of those files that are damaged. Reads every file to its end."""
    found: dict[Path, Restored] = {}
    for path in paths:
        why = _find_damage(path)
        if why is not None:
            copy = folder / f"whole-{path.stat().st_ino if path.exists() else 'gone'}.jsonl.zst"
            _copy(path, copy)
            found[path] = Restored(copy, why)
    return found


def broken(line: int, error: Exception) -> str:
    """What is wrong with a file that can be read no further than a line."""
    return f"it is broken after line {line}: {error}"


def _find_damage(path: Path) -> str | None:
    number = 0
    try:
        for number, line in read_lines(path):
            if line is None:
                return f"line {number} is longer than {MAX_LINE:,} bytes"
    except FileNotFoundError:
        return "it is gone since reading began"
    except DAMAGED as error:
        return broken(number, error)
    return None


def _copy(path: Path, copy: Path) -> None:
    """The lines up to the damage; those that are too long are left out."""
    with copy.open("wb") as raw, zstd_writer(raw, 1) as sink:
        try:
            for _, line in read_lines(path):
                if line is not None:
                    sink.write(line)
        except DAMAGED:
            pass
