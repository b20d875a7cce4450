"""The native Databricks scopes for the same calls, so that the token itself can be narrowed too."""

from collections.abc import Mapping
from typing import Any

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


def minimal_scopes(methods: Mapping[str, set[str]], *, paths: bool) -> dict[str, Any]:
    """The scopes for operations, each with the methods it was called by, as ``--json`` prints them.

    ``scopes``: what a token needs, with ``:read`` where all its calls only read, and whether it is ``confirmed`` and not by
    name alone. ``demand_all_apis``: operations that nothing else opens; ``unknown``: of which no scope is known. ``paths``:
    whether calls of no known operation are among them.
    """
    by_scope: dict[str, list[str]] = {}
    for name in sorted(methods):
        by_scope.setdefault(load_catalog().operations[name].scope, []).append(name)
    demanding, unknown = by_scope.pop(EVERYTHING, []), by_scope.pop("", [])
    scopes = []
    for scope, names in sorted(by_scope.items()):
        reads = all(methods[name] <= _READS for name in names)
        full = f"{scope}:read" if reads else scope
        scopes.append({"name": full, "confirmed": scope in CONFIRMED, "operations": names})
    return {"scopes": scopes, "demand_all_apis": demanding, "unknown": unknown, "paths": paths}
