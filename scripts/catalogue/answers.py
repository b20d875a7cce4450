"""What an operation's answer may carry, read from the source of the SDK: every field of every record that it can hold."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from brickscope.catalog.catalog import telling

_NAME = re.compile(r"[A-Za-z_][\w.]*")

_NAME = re.compile(r"[A-Za-z_][\w.]*")


class Record(NamedTuple):
    """A record's telling fields, as ``module.Record.field``, and the records that it holds."""

    fields: tuple[str, ...]
    inner: tuple[tuple[str, str], ...]


class Answers:
    """The records that methods of the SDK answer with.

    ``classes``: the classes of each module, ``imports``: which module a name of a module is from.
    """

    def __init__(
        self, classes: dict[str, dict[str, ast.ClassDef]], imports: dict[str, dict[str, str]]
    ) -> None:
        self._classes = classes
        self._imports = imports
        self._records: dict[tuple[str, str], Record] = {}

    def fields(self, module: str, method: ast.FunctionDef) -> tuple[str, ...]:
        """The fields of all that a method can answer with, as ``module.Record.field``, those with a telling name."""
        found: set[str] = set()
        waiting = list(self._resolve(module, _answered(method)))
        seen = set(waiting)
        while waiting:
            record = self._record(waiting.pop())
            found.update(record.fields)
            waiting += [each for each in record.inner if each not in seen]
            seen.update(record.inner)
        return tuple(sorted(found))

    def _record(self, key: tuple[str, str]) -> Record:
        if key not in self._records:
            module, name = key
            own = {
                each.target.id: each.annotation
                for each in self._classes[module][name].body
                if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
            }
            inner = (name for annotation in own.values() for name in _names(annotation))
            self._records[key] = Record(
                tuple(f"{module}.{name}.{field}" for field in own if telling(field)),
                tuple(self._resolve(module, inner)),
            )
        return self._records[key]

    def _resolve(self, module: str, names: Iterable[str]) -> Iterator[tuple[str, str]]:
        """The records among names that a module writes: its own, or another's."""
        imported = self._imports.get(module, {})
        for name in names:
            alias, _, last = name.rpartition(".")
            for home in (imported.get(alias, alias) or module, imported.get(last, "")):
                if last in self._classes.get(home, {}):
                    yield home, last
                    break


def _answered(method: ast.FunctionDef) -> Iterator[str]:
    """The records of the return annotation, and those that the method makes of what the API sent."""
    if method.returns is not None:
        yield from _names(method.returns)
    for node in ast.walk(method):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "from_dict"
        ):
            yield ast.unparse(node.func.value)


def _names(annotation: ast.expr) -> list[str]:
    return _NAME.findall(ast.unparse(annotation))
