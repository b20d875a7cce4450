"""Results as files for other programs: CSV that no spreadsheet runs, Parquet by DuckDB."""

from __future__ import annotations

import contextlib
import csv
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO, get_type_hints

from brickscope.error import OperatorError

from .plain import plain
from .reader import AuditLog, Progress

if TYPE_CHECKING:
    import duckdb

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_BATCH = 10_000
_TYPES = {int: "BIGINT", datetime: "TIMESTAMP", datetime | None: "TIMESTAMP"}


class Table(NamedTuple):
    """Rows under named columns. ``columns``: name to DuckDB type."""

    columns: dict[str, str]
    rows: Iterable[Sequence[Any]]

    @classmethod
    def of_result(cls, result: duckdb.DuckDBPyConnection) -> Table:
        """What is still to be fetched of a result."""

        def rows() -> Iterator[Sequence[Any]]:
            while batch := result.fetchmany(_BATCH):
                yield from batch

        return cls({str(column[0]): str(column[1]) for column in result.description or ()}, rows())

    @classmethod
    def of_records(cls, kind: type[tuple[Any, ...]], names: Sequence[str], records: Iterable[Any]) -> Table:
        """Some fields of named tuples."""
        hints = get_type_hints(kind)
        columns = {name: _TYPES.get(hints[name], "VARCHAR") for name in names}
        return cls(columns, [[getattr(each, name) for name in names] for each in records])

    def objects(self) -> Iterator[dict[str, Any]]:
        """Each row as an object that JSON can hold."""
        for row in self.rows:
            yield {
                name: json.loads(value) if kind == "JSON" and value is not None else plain(value)
                for (name, kind), value in zip(self.columns.items(), row, strict=True)
            }


def write_csv(table: Table, sink: TextIO) -> None:
    """RFC 4180 with a line of names. All text is quoted, and text that a spreadsheet would run begins with an apostrophe
    (a client chooses its path and User-Agent: ``=HYPERLINK(…)`` would be run where the log is reviewed)."""
    writer = csv.writer(sink, quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow([_cell(name) for name in table.columns])
    for row in table.rows:
        writer.writerow(list(map(_cell, row)))


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    value = plain(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    text = value if isinstance(value, str) else json.dumps(value)
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


def keep_answer(log: AuditLog, sql: str, parameters: dict[str, Any], progress: Progress | None = None) -> int:
    """Keep what one SELECT gives as the table ``answer``, in its order: on disk, where it is too big for memory. Gives the
    number of rows. Raises duckdb.Error."""
    log.ask(f"CREATE OR REPLACE TEMP TABLE answer AS SELECT * FROM (\n{sql}\n)", parameters, progress)  # noqa: S608
    return int(log.ask("SELECT count(*) FROM answer").fetchall()[0][0])


def keep_table(log: AuditLog, table: Table) -> None:
    """Keep a table as ``answer``."""
    rows = (
        {name: _of_type(value, table.columns[name]) for name, value in each.items()}
        for each in table.objects()
    )
    log.make_table("answer", table.columns, rows)


def write_answer(log: AuditLog, path: Path) -> None:
    """Write the table ``answer`` as Parquet. ``log`` has to be opened with ``writes=part_of(path)``. Raises OSError and
    duckdb.Error."""
    with new_file(path) as part:
        quoted = str(part).replace("'", "''")
        log.ask(f"COPY answer TO '{quoted}' (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false)")


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """An empty file, for its owner alone as the log is; filled, it takes the place of ``path``. Raises OSError."""
    part = part_of(path)
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def part_of(path: Path) -> Path:
    """Where a file is written before it is whole and gets its name. Raises OperatorError where that is no file's."""
    if not path.name:  # --csv "$UNSET"
        raise OperatorError(f"{path} is a folder: give the name of a file")
    return path.with_name(f".{path.name}.part")


def _of_type(value: Any, kind: str) -> Any:
    return value.removesuffix("Z") if kind == "TIMESTAMP" and value is not None else value
