"""Powers: what operations of the catalogue let their caller become (``powers.yaml``)."""

import fnmatch
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict

from brickscope.catalog.catalog import load_catalog
from brickscope.shipped import table


class Grounds(BaseModel):
    """Why an operation gives a power. ``limit``: the parameters that really limit it where a rule fixes them all;
    ``limited``: what is left then, nothing where the parameters of ``enough`` begin with one of their values; ``unless``:
    the powers that undo the limit. ``carried``: the parameter without which the operation does not give the power, None for
    none. ``sends``: what a request that proves it carries. ``opens``: of a power over rights, the powers that the rights are
    worth, by the value of a parameter where that says which; None for any."""

    model_config = ConfigDict(frozen=True)

    power: str
    why: str
    source: str
    limit: tuple[str, ...] = ()
    limited: str = ""
    enough: dict[str, tuple[str, ...]] = {}
    unless: tuple[str, ...] = ()
    carried: str | None = None
    sends: dict[str, Any] = {}
    opens: frozenset[str] | dict[str, dict[str, frozenset[str]]] | None = None


@cache
def powers() -> Mapping[str, str]:
    """What the holder of each power does, by name: ``runs existing jobs``."""
    return {name: entry["does"] for name, entry in table(__package__, "powers.yaml")["powers"].items()}


@cache
def grounds() -> Mapping[str, tuple[Grounds, ...]]:
    """The powers that an operation gives, by its name."""
    found: dict[str, list[Grounds]] = {}
    for power, entry in table(__package__, "powers.yaml")["powers"].items():
        for group in entry["groups"]:
            each = Grounds.model_validate({"power": power, **group})
            for name in expand(group["operations"]):
                found.setdefault(name, []).append(each)
    return {name: tuple(each) for name, each in found.items()}


def telling(operation: str) -> dict[str, Any]:
    """The parameters of a request that shows what an operation gives, besides those the API requires."""
    known = load_catalog().operations[operation]
    return {
        name: value
        for each in grounds().get(operation, ())
        for name, value in each.sends.items()
        if known.place(name) is not None
    }


def expand(patterns: Iterable[str]) -> Iterator[str]:
    """The operations of names and patterns with ``*``. Raises ValueError for one that names none."""
    known = load_catalog().operations
    for pattern in patterns:
        names = fnmatch.filter(known, pattern)
        if not names:
            raise ValueError(f"no operation is called {pattern}")
        yield from names
