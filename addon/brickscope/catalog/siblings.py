"""Siblings: the operations by which one object is read, changed, used and given away (``siblings.yaml``).

A deny on one of them leaves the others; ``check`` names them.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from brickscope.shipped import table

USES = ("read", "change", "use", "rights")
WAYS = ("name", "id", "through", "inside")


class Sibling(NamedTuple):
    """One operation that does something with an object of a kind (``table``).

    ``use``: one of USES. ``way``: ``name`` or ``id``, as which the ``parameter`` (a way down, with dots) has the object;
    ``through`` if it has what holds or runs the object; ``inside`` if no parameter names it, only SQL, code or another
    object: ``parameter`` is empty then. ``level``: how many parts the name in the parameter has, if that is known; fewer
    than the object's where it names what is above it (a schema, a catalog).
    """

    kind: str
    use: str
    way: str
    operation: str
    parameter: str
    level: int | None = None


def _entries() -> dict[str, dict[str, Any]]:
    """The file. Raises OSError, ValueError and yaml.YAMLError if it is damaged."""
    found: dict[str, dict[str, Any]] = table(__package__, "siblings.yaml")
    return found


@cache
def load_siblings() -> tuple[Sibling, ...]:
    """All of them."""
    return tuple(each for kind, entry in _entries().items() for each in _of_kind(kind, entry))


@cache
def titles() -> dict[str, str]:
    """What an object of each kind is called: ``a table or view of Unity Catalog``."""
    return {kind: str(entry["title"]) for kind, entry in _entries().items()}


def beside(kind: str) -> dict[str, list[str]]:
    """What other parameters say in a call on an object of a kind: ``{"securable_type": ["table", "schema", "catalog"]}``."""
    found: dict[str, str | list[str]] = _entries()[kind].get("with", {})
    return {name: said if isinstance(said, list) else [said] for name, said in found.items()}


def types_above(parameter: str, types: frozenset[str]) -> set[str]:
    """What a parameter says of objects that hold objects of these types: ``schema`` and ``catalog`` for ``table``."""
    found: set[str] = set()
    for kind in _entries():
        said = beside(kind).get(parameter, [])
        found.update(*(said[said.index(each) + 1 :] for each in types.intersection(said)))
    return found - types


@cache
def siblings_of(operation: str, parameter: str) -> tuple[Sibling, ...]:
    """What does the same with the objects that a parameter of an operation names, the operation's own entries left out, and
    those that name something below them.

    ``("workspace.export", "path")`` gives all that read a notebook: by its path, by an id, from inside.
    """
    known = load_siblings()
    mine = {
        (each.kind, each.use): each.level
        for each in known
        if each[3:5] == (operation, parameter) and each.way != "through"
    }
    found = []
    for each in known:
        if (each.kind, each.use) in mine and each[3:5] != (operation, parameter):
            level = mine[each.kind, each.use]
            if level is None or each.level is None or each.level <= level:
                found.append(each)
    return tuple(found)


def _of_kind(kind: str, entry: dict[str, Any]) -> Iterator[Sibling]:
    for use in USES:
        for way, members in entry.get(use, {}).items():
            if way == "inside":
                yield from (Sibling(kind, use, way, operation, "") for operation in members)
                continue
            for operation, parameters in members.items():
                for written in parameters if isinstance(parameters, list) else [parameters]:
                    parameter, mark, level = written.partition("^")
                    parts = int(level) if mark else entry.get("parts") if way == "name" else None
                    yield Sibling(kind, use, way, operation, parameter, parts)
