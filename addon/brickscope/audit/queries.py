"""The questions that are asked of a log, as SQL: ``sql/*.sql``, the same for DuckDB and Spark."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def query(name: str) -> str:
    """The SQL of ``summary_subjects``, ``denials``, …: one SELECT without a semicolon."""
    return files("brickscope.audit").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8").strip()
