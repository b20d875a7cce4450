"""What an operation's answer may carry, read from the source of the SDK: every field of every record that it can hold."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache

from brickscope.catalog.words import telling

_NAME = re.compile(r"[A-Za-z_][\w.]*")


class Answers:
    """The records that methods of the SDK answer with.

    ``classes``: the classes of each module, ``imports``: which module a name of a module is from.
    """

    def __init__(
        self, classes: dict[str, dict[str, ast.ClassDef]], imports: dict[str, dict[str, str]]
    ) -> None:
        self._classes = classes
        self._imports = imports

    def fields(self, module: str, method: ast.FunctionDef) -> tuple[str, ...]:
        """The fields of all that a method can answer with, as ``module.Record.field``, those with a telling name."""
        found: set[str] = set()
        seen: set[tuple[str, str]] = set()
        for name in _answered(method):
            self._gather(module, name, seen, found)
        return tuple(sorted(found))

    def _gather(self, module: str, name: str, seen: set[tuple[str, str]], found: set[str]) -> None:
        alias, _, last = name.rpartition(".")
        imported = self._imports.get(module, {})
        home = imported.get(alias, alias) if alias else module
        if last not in self._classes.get(home, {}):
            home = imported.get(last, home)
        node = self._classes.get(home, {}).get(last)
        if node is None or (home, last) in seen:
            return
        seen.add((home, last))
        for each in node.body:
            if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
                if telling(each.target.id):
                    found.add(f"{home}.{last}.{each.target.id}")
                for inner in _names(each.annotation):
                    self._gather(home, inner, seen, found)


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


@cache
def _names_in(text: str) -> tuple[str, ...]:
    return tuple(_NAME.findall(text))


def _names(annotation: ast.expr) -> tuple[str, ...]:
    return _names_in(ast.unparse(annotation).replace("'", " ").replace('"', " "))
