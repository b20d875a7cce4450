"""Powers: what operations of the catalogue let their caller become (``powers.yaml``)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import translate
from functools import cache
from typing import Any, NamedTuple

from brickscope.catalog.catalog import load_catalog

from .code import read_data


class Grounds(NamedTuple):
    """Why an operation gives a power. ``limit``: the parameters that really limit it where a rule fixes them all;
    ``limited``: what is left then, nothing where the parameters of ``enough`` begin with one of their values; ``unless``:
    the powers that undo the limit. ``carried``: the parameter without
    which the operation does not give the power, None for none. ``sends``: what a request that proves it carries.
    ``opens``: of a power over rights, the powers that the rights are worth; where the value of the parameter ``opened_by``
    says which, by that value. None for any."""

    power: str
    why: str
    source: str
    limit: tuple[str, ...] = ()
    limited: str = ""
    enough: Mapping[str, tuple[str, ...]] = {}
    unless: tuple[str, ...] = ()
    carried: str | None = None
    sends: Mapping[str, Any] = {}
    opens: Mapping[str, frozenset[str]] | None = None
    opened_by: str | None = None


ANY = ""
"""The one key of ``opens`` where no parameter says which objects are meant."""


@cache
def powers() -> Mapping[str, str]:
    """What the holder of each power does, by name: ``runs existing jobs``."""
    return {name: entry["does"] for name, entry in read_data("powers.yaml")["powers"].items()}


@cache
def grounds() -> Mapping[str, tuple[Grounds, ...]]:
    """The powers that an operation gives, by its name."""
    found: dict[str, list[Grounds]] = {}
    for power, entry in read_data("powers.yaml")["powers"].items():
        for group in entry["groups"]:
            each = Grounds(
                power,
                group["why"],
                group["source"],
                tuple(group.get("limit", ())),
                group.get("limited", ""),
                {name: tuple(values) for name, values in group.get("enough", {}).items()},
                tuple(group.get("unless", ())),
                group.get("carried"),
                group.get("sends", {}),
                *_opened(group.get("opens")),
            )
            for name in expand(group["operations"]):
                found.setdefault(name, []).append(each)
    return {name: tuple(each) for name, each in found.items()}


def _opened(written: Any) -> tuple[Mapping[str, frozenset[str]] | None, str | None]:
    if written is None:
        return None, None
    if isinstance(written, list):
        return {ANY: frozenset(written)}, None
    ((parameter, by_value),) = written.items()
    return {value: frozenset(names) for value, names in by_value.items()}, parameter


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
        if "*" not in pattern:
            names = [pattern] if pattern in known else []
        else:
            matches = re.compile(translate(pattern)).match
            names = [name for name in known if matches(name)]
        if not names:
            raise ValueError(f"no operation is called {pattern}")
        yield from names
