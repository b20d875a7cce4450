"""What of a log can't be read: lines that are no records, which cost themselves only, and never in silence; and files that
can be read in part, a compressed one that is cut off or altered, a line without end.

DuckDB gives such a file up with all that was asked. So what is whole of it is copied, and read in its place.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from brickscope.log.closed import DAMAGED, zstd_writer

from .source import MAX_LINE, read_lines


def restore(paths: Iterable[Path], folder: Path) -> dict[Path, tuple[Path, str]]:
    """Of those files that are damaged a copy, in ``folder``, of the whole lines, and what is wrong. Reads every file to its
    end."""
    found: dict[Path, tuple[Path, str]] = {}
    for path in paths:
        why = _find_damage(path)
        if why is not None:
            copy = folder / f"whole-{path.stat().st_ino if path.exists() else 'gone'}.jsonl.zst"
            _copy(path, copy)
            found[path] = copy, why
    return found


def _broken(line: int, error: Exception) -> str:
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
        return _broken(number, error)
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


class BadLine(NamedTuple):
    """One line, by file and number (from 1), and what is wrong with it; nothing of what it holds."""

    file: str
    number: int
    why: str


def find_bad_lines(path: Path, name: str, limit: int) -> tuple[list[BadLine], str | None]:
    """The first bad lines of a file, at most ``limit``, and why it can't be read to its end, if it can't. Blank lines are
    none. ``name``: what the file is called."""
    found: list[BadLine] = []
    number = 0
    try:
        for number, line in read_lines(path):
            why = f"longer than {MAX_LINE:,} bytes" if line is None else _fault(line)
            if why is not None:
                found.append(BadLine(name, number, why))
                if len(found) >= limit:
                    break
    except DAMAGED as error:
        return found, _broken(number, error)
    return found, None


def _fault(line: bytes) -> str | None:
    text = line.strip()
    if not text:
        return None
    try:
        record: Any = orjson.loads(text.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        if not line.endswith(b"\n"):
            return "torn: the file ends within the line"
        return f"no JSON: {error.msg} at byte {error.pos}"
    if not isinstance(record, dict):
        return f"JSON, but no object: {type(record).__name__}"
    for name, is_right in _BASE.items():
        if name not in record:
            return f"has no {name}"
        if not is_right(record[name]):
            return f"{name} is not what it should be"
    return None


def _is_time(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(datetime.fromisoformat(value))
    except ValueError:
        return False


_BASE: dict[str, Callable[[Any], bool]] = {
    "time": _is_time,
    "seq": lambda value: isinstance(value, int) and abs(value) < 2**63,
    "instance": lambda value: isinstance(value, str),
    "event": lambda value: isinstance(value, str),
}
