"""Types of the SDK's annotations: what stands behind a parameter of an operation, and the fields of each record.

A type is written as text (``catalog.py`` says what each word means): ``integer``, ``text``, ``[T]`` for a list, ``{T}`` for
a map from text to T, or the name of a record such as ``jobs.Task``, whose fields have types themselves.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

_PLAIN = {
    "str": "text",
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "Timestamp": "timestamp",
    "Duration": "duration",
    "FieldMask": "field_mask",
    "BinaryIO": "bytes",
    "Any": "any",
    "any": "any",
    "dict": "any",
}
_SHAPES = (("enum", re.compile(r"[A-Z0-9_]+\Z")), ("enum_lower", re.compile(r"[a-z0-9_]+\Z")))
_NAME = re.compile(r"\w+\.\w+")


def is_record(kind: str) -> bool:
    """Whether a type is a record, and no list or map of such."""
    return _NAME.fullmatch(kind) is not None


class Annotations:
    """Reads annotations. ``classes``: of each service module by name; ``imports``: what a name in a module stands for."""

    def __init__(
        self, classes: Mapping[str, Mapping[str, ast.ClassDef]], imports: Mapping[str, Mapping[str, str]]
    ) -> None:
        self._classes = classes
        self._imports = imports
        self._records: dict[str, dict[str, str]] = {}

    def type_of(self, module: str, annotation: ast.expr) -> str:
        """The type of an annotation of a module. Raises ValueError for one of an unknown form."""
        if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
            annotation = ast.parse(annotation.value, mode="eval").body
        if isinstance(annotation, ast.Subscript) and isinstance(annotation.value, ast.Name):
            inner = annotation.slice
            if annotation.value.id == "Optional":
                return self.type_of(module, inner)
            if annotation.value.id == "List":
                return f"[{self.type_of(module, inner)}]"
            if annotation.value.id == "Dict" and isinstance(inner, ast.Tuple):
                return f"{{{self.type_of(module, inner.elts[1])}}}"
        if isinstance(annotation, ast.Name) and annotation.id in _PLAIN:
            return _PLAIN[annotation.id]
        found = self._class(module, annotation)
        if found is None:
            raise ValueError(f"{module}: the annotation {ast.unparse(annotation)} has no type")
        home, node = found
        if any(isinstance(base, ast.Name) and base.id == "Enum" for base in node.bases):
            return _enum(node)
        return f"{home}.{node.name}"

    def record(self, name: str) -> dict[str, str]:
        """The fields of a record as they stand in JSON, with their types: of ``jobs.Task``, ``task_key`` and so on.

        Raises KeyError for an unknown record.
        """
        if name not in self._records:
            module, _, plain = name.partition(".")
            node = self._classes[module][plain]
            annotations = {
                each.target.id: each.annotation
                for each in node.body
                if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
            }
            self._records[name] = {
                key: self.type_of(module, annotations[field]) for key, field in _keys(node)
            }
        return self._records[name]

    def add(self, name: str, fields: Mapping[str, str]) -> None:
        """Add fields to a record that the SDK leaves out. Raises KeyError for an unknown record."""
        self.record(name).update(fields)

    def records(self, types: Iterator[str]) -> dict[str, dict[str, str]]:
        """Every record that these types lead to, by name."""
        found: dict[str, dict[str, str]] = {}
        waiting = list(types)
        while waiting:
            for name in _NAME.findall(waiting.pop()):
                if name not in found:
                    found[name] = dict(self.record(name))
                    waiting += found[name].values()
        return dict(sorted(found.items()))

    def _class(self, module: str, annotation: ast.expr) -> tuple[str, ast.ClassDef] | None:
        name = ast.unparse(annotation)
        if "." in name:
            alias, _, name = name.partition(".")
            module = self._imports[module].get(alias, alias)
        elif name not in self._classes.get(module, {}):
            module = self._imports[module].get(name, module)
        node = self._classes.get(module, {}).get(name)
        return None if node is None else (module, node)


def _keys(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """The JSON keys that ``as_dict`` writes, each with the attribute that it writes there."""
    for method in node.body:
        if isinstance(method, ast.FunctionDef) and method.name == "as_dict":
            for each in ast.walk(method):
                if isinstance(each, ast.Assign) and isinstance(each.targets[0], ast.Subscript):
                    key = each.targets[0].slice
                    fields = {
                        part.attr
                        for part in ast.walk(each.value)
                        if isinstance(part, ast.Attribute)
                        and isinstance(part.value, ast.Name)
                        and part.value.id == "self"
                    }
                    if isinstance(key, ast.Constant) and len(fields) == 1:
                        yield str(key.value), fields.pop()


def _enum(node: ast.ClassDef) -> str:
    """The shape of an enum's words. New words come with each release of the API, so the words themselves are not kept."""
    words = [
        str(each.value.value)
        for each in node.body
        if isinstance(each, ast.Assign) and isinstance(each.value, ast.Constant)
    ]
    return next((name for name, shape in _SHAPES if all(map(shape.match, words))), "enum_mixed")
