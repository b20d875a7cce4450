"""Lines of a log that are no records: which they are, and why. They cost themselves only, and never in silence."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from brickscope.log.closed import DAMAGED

from .damage import broken
from .source import MAX_LINE, read_lines


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
        return found, broken(number, error)
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
