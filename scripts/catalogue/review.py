"""The reviewed classes of operations (``classes.yaml``), and what nobody has looked at yet."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase, translate
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from brickscope.catalog.catalog import telling

ORDER = ("secret", "grant", "execute", "read")
_VARIABLE = re.compile(r"\{[^}]*\}")


class Pattern(NamedTuple):
    """A pattern of names as written, and what it matches by."""

    written: str
    match: re.Pattern[str]


class Review:
    """What was looked at. Raises OSError and yaml.YAMLError for a file that can't be read."""

    def __init__(self, file: Path) -> None:
        written = read_yaml(file)
        self._classes = {
            kind: _patterns(each for group in written[kind] for each in group["operations"]) for kind in ORDER
        }
        self._kinds = {
            kind: re.compile("|".join(pattern.match.pattern for pattern in patterns))
            for kind, patterns in self._classes.items()
        }
        harmless = written["harmless"]
        self._fields = _patterns(each for group in harmless for each in group.get("fields", ()))
        self._names = _patterns(each for group in harmless for each in group.get("operations", ()))

    def kind(self, name: str) -> str | None:
        """The class of an operation by its name; None where no group names it."""
        return next((kind for kind, pattern in self._kinds.items() if pattern.match(name)), None)

    def unsettled(
        self, entries: Sequence[Mapping[str, Any]], answers: Mapping[str, Sequence[str]]
    ) -> Iterator[str]:
        """The operations that read or write, as far as anybody said, whose name, path or answer says that they may hand out
        a credential or a link that is one; and what is reviewed and isn't there.

        ``answers``: the telling fields of what an operation of the SDK answers with, by its name.
        """
        looked_at = _Memory(self._fields)
        for entry in entries:
            if entry.get("class") not in ("read", "write"):
                continue
            names = (entry["name"], *entry.get("names", ()))
            words = [word for word in _words(entry) if telling(word)]
            if words and not any(each.match.match(name) for each in self._names for name in names):
                yield f"{entry['name']}: nobody has looked whether it hands out a credential or link ({words[0]})"
            for field in sorted({field for name in names for field in answers.get(name, ())}):
                if not looked_at[field]:
                    yield f"{entry['name']}: nobody has looked at what it answers with ({field})"
        called = [name for entry in entries for name in (entry["name"], *entry.get("names", ()))]
        answered = {field for fields in answers.values() for field in fields}
        for patterns, there in (
            (self._fields, answered),
            (self._names, called),
            (chain.from_iterable(self._classes.values()), called),
        ):
            for each in patterns:
                if not any(map(each.match.match, there)):
                    yield f"classes.yaml: {each.written} fits nothing"


class _Memory(dict[str, bool]):
    """Whether one of some patterns fits a name, looked up once for each."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self._patterns = patterns

    def __missing__(self, name: str) -> bool:
        self[name] = any(each.match.match(name) for each in self._patterns)
        return self[name]


def read_yaml(file: Path) -> Any:
    """A reviewed file. Raises OSError and yaml.YAMLError."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(file.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506 - a safe loader, in C where there is one


def fits(name: str, patterns: Iterable[str]) -> bool:
    """Whether a name is one of some patterns with ``*``."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _patterns(written: Iterable[str]) -> list[Pattern]:
    return [Pattern(each, re.compile(translate(each))) for each in written]


def _words(entry: Mapping[str, Any]) -> Iterator[str]:
    """What an operation is called, and the fixed words of its paths."""
    yield entry["name"]
    for call in entry["calls"]:
        yield from _VARIABLE.sub("", call.partition(" ")[2]).split("/")
