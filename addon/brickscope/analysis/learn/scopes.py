"""The native Databricks scopes for the same calls, so that the token itself can be narrowed too."""

from collections.abc import Mapping
from typing import NamedTuple

from brickscope.catalog.catalog import load_catalog

EVERYTHING = "all-apis"
CONFIRMED = frozenset(
    (
        *("authentication", "clusters", "dbfs", "global-init-scripts", "jobs", "model-serving", "networking"),
        *("scim", "secrets", "settings", "sharing", "sql", "unity-catalog", "vector-search"),
    )
)
"""Scopes that Databricks' servers have named when they refused a call of that family, or that its documents give for a call.
All others follow from the name of the service alone."""
_READS = frozenset(("GET", "HEAD"))


class Scope(NamedTuple):
    """One scope. ``name``: with ``:read`` where all its calls only read. ``confirmed``: not by name alone."""

    name: str
    confirmed: bool
    operations: tuple[str, ...]


class Scopes(NamedTuple):
    """``scopes``: what a token needs. ``demanding``: operations that only ``all-apis`` opens. ``unknown``: operations of
    which no scope is known. ``paths``: whether calls of no known operation are among them."""

    scopes: tuple[Scope, ...]
    demanding: tuple[str, ...]
    unknown: tuple[str, ...]
    paths: bool


def minimal_scopes(methods: Mapping[str, set[str]], *, paths: bool) -> Scopes:
    """The scopes for operations, each with the methods it was called by."""
    by_scope: dict[str, list[str]] = {}
    for name in sorted(methods):
        by_scope.setdefault(load_catalog().operations[name].scope, []).append(name)
    demanding, unknown = by_scope.pop(EVERYTHING, []), by_scope.pop("", [])
    scopes = []
    for scope, names in sorted(by_scope.items()):
        reads = all(methods[name] <= _READS for name in names)
        scopes.append(Scope(f"{scope}:read" if reads else scope, scope in CONFIRMED, tuple(names)))
    return Scopes(tuple(scopes), tuple(demanding), tuple(unknown), paths)
