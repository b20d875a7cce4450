"""One mutant: a function with one thing changed in it."""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from mutmut.mutation.file_mutation import mutate_file_contents
from mutmut.utils.format_utils import get_mutant_name

from .explained import Change

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Mutant(NamedTuple):
    """``name``: as mutmut calls it. ``file``: of the package. ``diff``: the changed lines, with a minus and a plus.

    ``is_prose``: only the wording of a sentence for people is changed, which is no promise and which no test holds; or
    the name of an encoding or a hash, which is the same in other letters; or
    whether ``zip`` raises for lists of two lengths, of which there are none.
    """

    name: str
    file: str
    diff: str
    is_prose: bool

    @property
    def change(self) -> Change:
        """As the list of explained ones has it."""
        module, _, function = self.name.rpartition("__mutmut_")[0].rpartition(".")
        called = function.removeprefix("x_").removeprefix("xǁ").replace("ǁ", ".")
        return Change(f"{module.removeprefix('brickscope.')}.{called}", self.diff)


def mutants_of(path: Path) -> Iterator[Mutant]:
    """All mutants of a file, whose ``path`` is relative to the folder that mutmut works in. In the same order each time."""
    made = mutate_file_contents(str(path), path.read_text())
    functions = {each.name: each for each in _functions(ast.parse(made.code))}
    for name in made.mutant_names:
        changed, whole = functions[name], functions[f"{name.partition('__mutmut_')[0]}__mutmut_orig"]
        differences = list(_differences(whole, changed))
        yield Mutant(
            get_mutant_name(path, name),
            path.name,
            _diff(whole, changed),
            _unguarded(whole) == _unguarded(changed)
            or all(
                isinstance(old, str) and isinstance(new, str) and _is_wording(old) for old, new in differences
            ),
        )


def _unguarded(function: Function) -> list[str]:
    return _STRICT.sub("", ast.unparse(function)).splitlines()[1:]


_STRICT = re.compile(r", strict=\w+")


def _is_wording(text: str) -> bool:
    return " " in text.strip() or text in ("ascii", "latin-1", "sha256", "utf-8")


def _functions(module: ast.Module) -> Iterator[Function]:
    for node in module.body:
        for each in node.body if isinstance(node, ast.ClassDef) else [node]:
            if isinstance(each, Function):
                yield each


def _differences(old: Any, new: Any) -> Iterator[tuple[Any, Any]]:
    """The smallest parts of two trees that differ; the names of the two functions do not count."""
    if type(old) is not type(new) or (isinstance(old, list) and len(old) != len(new)):
        yield old, new
    elif isinstance(old, ast.AST):
        for field in old._fields:
            if not (field == "name" and isinstance(old, Function)):
                yield from _differences(getattr(old, field, None), getattr(new, field, None))
    elif isinstance(old, list):
        for one, other in zip(old, new, strict=True):
            yield from _differences(one, other)
    elif old != new:
        yield old, new


def _diff(old: Function, new: Function) -> str:
    one, other = (ast.unparse(each).splitlines()[1:] for each in (old, new))
    lines = difflib.unified_diff(one, other, n=0, lineterm="")
    return "\n".join(line for line in lines if not line.startswith(("---", "+++", "@@")))
