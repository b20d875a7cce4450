"""How parameters name objects: the rows of ``objects.yaml``, laid onto the lines of operations and records.

What is added to a line, whose members are names of its own parameters or fields, or lie deeper (``tasks.new_cluster``):

* ``encoded``: variables of the path that may hold encoded separators
* ``content``: whether the body is a file's content, which holds no parameters
* ``stand_ins``: ``{member: [members that can say the same in its place]}``
* ``alternatives``: groups of members of which a call has one
* ``below``: ``{member: [parameters of which one must be given, or none]}``, where the call acts on all below its object
* ``every``: ``{member: [values that stand for every object]}``
* ``means``: ``{word: [members that it stands for]}``, so that one limit can be written for calls of several forms
* ``depends``: ``{member: [parameters that decide what its text means]}``
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from .annotation import Annotations, is_record

Line = dict[str, Any]


class Objects:
    """The rows of a file. Raises OSError and yaml.YAMLError for one that can't be read."""

    def __init__(self, file: Path) -> None:
        self._rows: dict[str, list[dict[str, Any]]] = yaml.safe_load(file.read_text(encoding="utf-8"))

    def add_fields(self, entries: list[Line], annotations: Annotations) -> None:
        """Add what the SDK leaves out. Raises KeyError for a holder or field that there is not."""
        operations = {entry["name"]: entry for entry in entries}
        for row in self._rows["fields"]:
            types = row.get("types") or {
                name: annotations.record(row["as"])[name] for name in row.get("names", ())
            }
            for holder in row["holders"]:
                if is_record(holder) and holder not in operations:
                    annotations.add(holder, types)
                else:
                    place = row.get("in", "body")
                    operations[holder][place] = sorted({*operations[holder][place], *types})
                    operations[holder]["types"].update(types)

    def add_facts(self, entries: list[Line], records: list[Line]) -> list[str]:
        """Add the facts to the lines; the types of all parameters must be there. Gives what is wrong with the rows."""
        self._lines = {line["name"]: line for line in (*entries, *records)}
        problems: list[str] = []
        for row in self._rows["encoded"]:
            for pattern in row["of"]:
                found = list(self._fields(pattern))
                problems += [] if found else [f"objects.yaml: encoded {pattern} fits no parameter"]
                for line, name in found:
                    if name in line.get("path", ()):
                        line.setdefault("encoded", []).append(name)
        for row in self._rows["content"]:
            for name in row["of"]:
                problems += [] if name in self._lines else [f"objects.yaml: content: there is no {name}"]
                self._lines.get(name, {})["content"] = True
        for section, key in (("below", "when"), ("every", "values"), ("depends", "by")):
            for row in self._rows[section]:
                values = row.get(key, []) if section == "below" else row[key]
                for pattern in row["of"]:
                    found = list(self._fields(pattern))
                    problems += [] if found else [f"objects.yaml: {section} {pattern} fits no parameter"]
                    for line, name in found:
                        line.setdefault(section, {})[name] = values
                        problems += [
                            f"objects.yaml: {line['name']} has no {value}"
                            for value in (values if section == "below" else ())
                            if value not in _types(line)
                        ]
        problems += self._add_words()
        problems += self._add_groups("stand_ins")
        problems += self._add_groups("alternatives")
        return problems

    def _add_words(self) -> Iterator[str]:
        for row in self._rows["means"]:
            for pattern in row["of"]:
                found = False
                for name, line in self._lines.items():
                    if fnmatchcase(name, pattern) and all(self._has(line, each) for each in row["members"]):
                        line.setdefault("means", {})[row["word"]] = row["members"]
                        found = True
                if not found:
                    yield f"objects.yaml: means {row['word']}: {pattern} has no {', '.join(row['members'])}"

    def _add_groups(self, section: str) -> Iterator[str]:
        for row in self._rows[section]:
            if "suffix" in row:
                self._add_suffix(section, row["suffix"])
                continue
            wanted = [*row.get("of", ()), *_flat(row.get("each", ())), *filter(None, [row.get("for")])]
            missing = set(wanted)
            for pattern in row["holders"]:
                lines = [line for name, line in self._lines.items() if fnmatchcase(name, pattern)]
                used = False
                for line in lines:
                    known = [member for member in wanted if self._has(line, member)]
                    missing -= set(known)
                    used |= self._add_group(section, row, line, known)
                if not used:
                    yield f"objects.yaml: {section} of {pattern}: it has no two of {', '.join(wanted)}"
            yield from (f"objects.yaml: {section} {member}: no holder has it" for member in sorted(missing))

    def _add_group(self, section: str, row: dict[str, Any], line: Line, known: list[str]) -> bool:
        if section == "alternatives":
            if len(known) > 1:
                line.setdefault(section, []).append(known)
            return len(known) > 1
        pairs = [(one, other) for one, other in _pairs(row) if one in known and other in known]
        for one, other in pairs:
            others = line.setdefault(section, {}).setdefault(one, [])
            if other not in others:
                others.append(other)
        return bool(pairs)

    def _add_suffix(self, section: str, suffix: str) -> None:
        for line in self._lines.values():
            for name in line.get("fields", ()):
                plain = name.removesuffix(suffix)
                if plain != name and plain in line["fields"]:
                    line.setdefault(section, {}).setdefault(plain, []).append(name)
                    line[section].setdefault(name, []).append(plain)

    def _fields(self, pattern: str) -> Iterator[tuple[Line, str]]:
        holder, _, name = pattern.rpartition(".")
        for line in self._lines.values():
            if fnmatchcase(line["name"], holder) and name in _types(line):
                yield line, name

    def _has(self, line: Line, member: str) -> bool:
        """Whether a line has a parameter or field, also one that lies deeper."""
        name, _, rest = member.partition(".")
        kind = _types(line).get(name)
        if kind is None or not rest:
            return kind is not None
        if kind == "any" or kind.startswith("{"):
            return True
        below = self._lines.get(re.sub(r"[\[\]{}]", "", kind))
        return below is not None and self._has(below, rest)


def _types(line: Line) -> dict[str, str]:
    types: dict[str, str] = line["fields"] if "fields" in line else line["types"]
    return types


def _flat(each: Any) -> list[str]:
    return [each[0], *each[1]] if each else []


def _pairs(row: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Who stands in for whom: (a, b) where b can say what a says."""
    if "each" in row:
        one, others = row["each"]
        for other in others:
            yield one, other
            yield other, one
    elif "for" in row:
        yield from ((row["for"], other) for other in row["of"])
    else:
        yield from ((one, other) for one in row["of"] for other in row["of"] if one != other)
