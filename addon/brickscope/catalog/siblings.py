"""Siblings: the operations by which one object is read, changed, used and given away (``siblings.yaml``).

A deny on one of them leaves the others; ``check`` names them.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import yaml

USES = ("read", "change", "use", "rights")
WAYS = ("name", "id", "inside")


class Sibling(NamedTuple):
    """One operation that does something with an object of a kind (``table``).

    ``use``: one of USES. ``way``: ``name`` or ``id``, as which the ``parameter`` (a way down, with dots) has the object;
    ``inside`` if no parameter names it, only SQL, code or another object: ``parameter`` is empty then.
    """

    kind: str
    use: str
    way: str
    operation: str
    parameter: str


@cache
def load_siblings() -> tuple[Sibling, ...]:
    """All of them. Raises OSError, ValueError and yaml.YAMLError if the file is damaged."""
    text = files(__package__).joinpath("siblings.yaml").read_text(encoding="utf-8")
    return tuple(each for kind, entry in yaml.safe_load(text).items() for each in _of_kind(kind, entry))


@cache
def titles() -> dict[str, str]:
    """What an object of each kind is called: ``a table or view of Unity Catalog``."""
    text = files(__package__).joinpath("siblings.yaml").read_text(encoding="utf-8")
    return {kind: str(entry["title"]) for kind, entry in yaml.safe_load(text).items()}


def siblings_of(operation: str, parameter: str) -> list[Sibling]:
    """What does the same with the objects that a parameter of an operation names, the operation's own entries left out.

    ``("workspace.export", "path")`` gives all that read a notebook: by its path, by an id, from inside.
    """
    known = load_siblings()
    mine = {(each.kind, each.use) for each in known if each[3:] == (operation, parameter)}
    return [each for each in known if (each.kind, each.use) in mine and each[3:] != (operation, parameter)]


def _of_kind(kind: str, entry: dict[str, Any]) -> Iterator[Sibling]:
    for use in USES:
        for way, members in entry.get(use, {}).items():
            if way == "inside":
                yield from (Sibling(kind, use, way, operation, "") for operation in members)
                continue
            for operation, parameters in members.items():
                listed = parameters if isinstance(parameters, list) else [parameters]
                yield from (Sibling(kind, use, way, operation, parameter) for parameter in listed)
