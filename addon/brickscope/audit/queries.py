"""The questions that are asked of a log, as SQL: ``sql/*.sql``, the same for DuckDB and Spark."""

from functools import cache
from importlib.resources import files

from brickscope.shipped import table, text

COLUMNS: dict[str, str] = table(__package__, "columns.yaml")
"""The columns of the log as a table, name to SQL type, in their order."""


def query(name: str) -> str:
    """The SQL of ``summary_subjects``, ``denials``, …: one SELECT without a semicolon."""
    return text(__package__, "sql", f"{name}.sql")


@cache
def names() -> dict[str, str]:
    """Every query there is, those for Databricks first: by the name that people give it, with the one for ``query``."""
    folder = files("brickscope.audit").joinpath("sql")
    found = {
        each.name.removesuffix(".sql"): f"{under}{each.name.removesuffix('.sql')}"
        for under, place in (("lakehouse/", folder.joinpath("lakehouse")), ("", folder))
        for each in sorted(place.iterdir(), key=lambda each: each.name)
        if each.name.endswith(".sql")
    }
    order = ("table", "stream", "views", "setup")
    return {name: found[name] for name in (*order, *(name for name in found if name not in order))}
