"""Kinds of text: the reviewed rows of ``kinds.yaml``, laid over the types that the SDK's annotations give."""

from __future__ import annotations

import re
from fnmatch import translate
from pathlib import Path
from typing import NamedTuple

import yaml

_WORD = re.compile(r"\w+(?![\w.])")


class Row(NamedTuple):
    """A type and the fields that have it, as patterns of ``holder.field``."""

    kind: str
    fields: tuple[str, ...]


class Kinds:
    """The rows, in order. Raises OSError and yaml.YAMLError for a file that can't be read."""

    def __init__(self, file: Path) -> None:
        rows = [
            Row(row["type"], tuple(row["of"])) for row in yaml.safe_load(file.read_text(encoding="utf-8"))
        ]
        self._patterns = [
            (row.kind, field, re.compile(translate(field if "." in field else f"*.{field}")))
            for row in rows
            for field in row.fields
        ]
        self._used: set[str] = set()

    def type_of(self, holder: str, field: str, kind: str) -> str:
        """The type of a field of an operation or record that has the type ``kind`` in the SDK.

        The word in a list or map is replaced; a record is no text and stays.
        """
        if "." in kind:
            return kind
        name = f"{holder}.{field}"
        for found, written, pattern in self._patterns:
            if pattern.match(name):
                self._used.add(written)
                return _WORD.sub(found, kind)
        return kind

    def unused(self) -> list[str]:
        """The patterns that fitted no field yet."""
        return [written for _, written, _ in self._patterns if written not in self._used]
