"""The SQL that makes tables of files, and then locks the doors. ``reader.py`` says what for."""
# ruff: noqa: S608 - every text that is not from here is quoted by _text

from collections.abc import Iterable, Iterator, Mapping, Sequence

from .period import Period
from .queries import COLUMNS, query
from .source import MAX_LINE

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
