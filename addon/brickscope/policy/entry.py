"""Named entries of all files, and what was found wrong with them."""

from typing import Any, NamedTuple

from .document import Document, Path
from .problem import Position, Problem


class Entry(NamedTuple):
    """One named entry and where it stands. ``value`` is its model, None for one with errors of its own."""

    document: Document
    path: Path
    value: Any

    def position(self, *path: str | int) -> Position:
        """Where the entry, or a value below it, stands."""
        return self.document.position((*self.path, *path))

    def key_position(self) -> Position:
        """Where its name stands."""
        return self.document.key_position(self.path)


class Findings:
    """The problems of one compilation, in the order of finding."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def error(
        self, document: Document, position: Position, message: str, hint: str = "", *, quote: bool = True
    ) -> None:
        """Something that keeps the policy from being used."""
        self.problems.append(document.problem(position, message, hint, quote=quote))

    def refuse(self, entry: Entry, path: Path, message: str, hint: str = "") -> None:
        """An error in an entry. ``path``: of the value below it; () for its name."""
        place = entry.position(*path) if path else entry.key_position()
        self.error(entry.document, place, message, hint)

    def warn(self, document: Document, position: Position, message: str, hint: str = "") -> None:
        """Something that is surely not meant, and harms nobody."""
        self.problems.append(document.problem(position, message, hint, severity="warning"))

    @property
    def errors(self) -> list[Problem]:
        """The problems that are errors."""
        return [problem for problem in self.problems if problem.severity == "error"]
