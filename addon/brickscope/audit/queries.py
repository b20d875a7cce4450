"""What is asked of a log, as SQL: the files ``sql/*.sql``, the same for DuckDB and Spark; and the statements that make
tables of the log's files, and then lock the doors. ``reader.py`` says what for."""
# ruff: noqa: S608 - every text that is not from here is quoted by _text

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files

from brickscope.shipped import text

from .event import COLUMNS
from .period import Period
from .source import MAX_LINE


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


IS_BAD = (
    "time IS NULL OR time < TIMESTAMP '0001-01-01' OR time >= TIMESTAMP '10000-01-01' "
    "OR seq IS NULL OR instance IS NULL OR event IS NULL"
)
"""Of a row: the line was no record, so it has not even what all records have. DuckDB knows more times than a record can
have (before Christ, beyond the year 9999, infinity), of which whoever reads its answers makes no time."""


def view_statements(
    plain: Sequence[str], repeated: Sequence[str], names: Mapping[str, str], period: Period
) -> Iterator[str]:
    """Statements that make the views.

    ``plain``, ``repeated``: paths as DuckDB opens them, free of its wildcards; records of ``repeated`` ones are compared.
    ``names``: what a path is called in ``log_file``, where that is not the path.
    """
    parts = [f"SELECT * FROM {_scan(plain, names)}"] if plain or not repeated else []
    if repeated:
        # A line that can't be read is like no other.
        parts.append(
            f"SELECT * FROM {_scan(repeated, names)} QUALIFY {IS_BAD} OR "
            "row_number() OVER (PARTITION BY instance, seq, hash ORDER BY log_file) = 1"
        )
    yield f"CREATE TEMP VIEW lines AS {' UNION ALL '.join(parts)}"
    within = " AND ".join(
        f"time {compared} TIMESTAMP '{moment.isoformat(' ')}'"
        for compared, moment in ((">=", period.since), ("<", period.until))
        if moment is not None
    )
    wanted = within or "true"
    yield f"CREATE TEMP VIEW records AS SELECT * FROM lines WHERE NOT ({IS_BAD}) AND {wanted}"
    yield (
        f"CREATE TEMP VIEW audit_records AS SELECT * REPLACE (CASE WHEN NOT ({IS_BAD}) THEN event END AS event, "
        f"CASE WHEN NOT ({IS_BAD}) THEN time END AS time) FROM lines WHERE {IS_BAD} OR ({wanted})"
    )
    yield query("duckdb/views")


def lock_statements(paths: Iterable[str]) -> Iterator[str]:
    """Statements after which nothing but ``paths`` can be opened from SQL, and no setting changed."""
    yield f"SET allowed_paths = {_list(paths)}"
    yield "SET enable_external_access = false"
    yield "SET lock_configuration = true"


def _scan(paths: Sequence[str], names: Mapping[str, str]) -> str:
    if not paths:
        nothing = ", ".join(f'NULL::{kind} AS "{name}"' for name, kind in COLUMNS.items())
        return f"(SELECT {nothing}, NULL::VARCHAR AS log_file WHERE false)"
    columns = ", ".join(f"{_text(name)}: {_text(kind)}" for name, kind in COLUMNS.items())
    # Columns are named, never guessed from what is in the files; a bad line becomes a row of nulls.
    scan = (
        f"read_json({_list(paths)}, format='newline_delimited', ignore_errors=true, "
        f"maximum_object_size={MAX_LINE}, filename='log_file', columns={{{columns}}})"
    )
    called = ", ".join(f"{_text(path)}: {_text(names[path])}" for path in paths if path in names)
    if not called:
        return scan
    return f"(SELECT * REPLACE (coalesce(MAP {{{called}}}[log_file], log_file) AS log_file) FROM {scan})"


def _list(texts: Iterable[str]) -> str:
    return f"[{', '.join(map(_text, texts))}]"


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
