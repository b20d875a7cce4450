"""The log as tables: any number of its files, of any number of instances, as views of one DuckDB connection.

Views: ``records`` (all records, each once), and of these ``decisions`` (with ``sent``), ``outcomes``, ``tunnels``,
``reloads`` and ``events`` (all others). ``audit_records``, which the queries in ``sql/`` read, has in addition a row of
nulls for each line that could not be read.

What is in the files is hostile. So no column is guessed from them, a bad line costs itself only, memory is bounded, no
extension is loaded, nothing else on the machine can be opened from SQL, and no setting can be changed any more.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .damage import BadLine, find_bad_lines, restore
from .event import COLUMNS
from .overlap import find_overlaps
from .period import Period
from .queries import IS_BAD, lock_statements, query, view_statements
from .source import Source, find_sources, find_unread, may_hold

if TYPE_CHECKING:
    import duckdb

Progress = Callable[[float], None]
"""Is told how much of a question is done, 0 to 1."""

MEMORY = "1GB"
"""What DuckDB may use; what needs more is done on disk."""
MAX_THREADS = 16
"""Each has a buffer of 32 MB: on a big machine, one for each processor would be more than MEMORY."""
NAMED_LINES = 10
_PLAIN = re.compile(r"[\w./ -]+")
"""Paths that DuckDB takes as they are: no wildcards, no URLs."""


def record_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of ``records`` as the record it was: without the columns it does not have, and JSON read."""
    return {
        name: json.loads(value) if COLUMNS.get(name) == "JSON" else value
        for name, value in row.items()
        if value is not None
    }


class Faults(NamedTuple):
    """What of a log could not be read: how many lines, the first of them by name, and files that are damaged."""

    lines: int
    named: list[BadLine]
    damaged: dict[str, str]


class AuditLog(contextlib.AbstractContextManager["AuditLog"]):
    """Opened files of a log. Use it as a context manager, or ``close`` it."""

    def __init__(
        self,
        paths: Iterable[str | Path],
        period: Period = Period(),  # noqa: B008 - immutable
        *,
        writes: Path | None = None,
    ) -> None:
        """``writes``: the one file that may be written from SQL.

        Raises SourceError where a path leads to nothing, ImportError without DuckDB.
        """
        import duckdb

        self._duckdb = duckdb
        named = find_sources(paths)
        self.sources = [source for source in named if may_hold(source, period)]
        self.unread = find_unread(named, period)
        self.repeated = find_overlaps(self.sources)
        """Files that may hold records of one another; these are compared, so that each counts once."""
        self.bad_lines: int | None = None
        """Lines that are no record; None as long as nobody has counted them."""
        self._period = period
        self._writes = [] if writes is None else [str(writes)]
        self._folder = tempfile.TemporaryDirectory(prefix="brickscope-audit-")
        self._damaged: dict[Path, str] = {}  # and why
        self._stand_ins: dict[Path, Path] = {}
        self._link_odd_names()
        self.connection = self._connect()

    # -- questions ---------------------------------------------------------------------------------------------

    def ask(
        self, sql: str, parameters: Mapping[str, Any] | Sequence[Any] = (), progress: Progress | None = None
    ) -> duckdb.DuckDBPyConnection:
        """Run a statement; its result is to be fetched from what is returned.

        A file that turns out to be damaged is read as far as it is whole. Raises duckdb.Error for all else.
        """
        try:
            return self._run(sql, parameters, progress)
        except (self._duckdb.IOException, self._duckdb.InvalidInputException):
            if not self._restore():
                raise
            return self._run(sql, parameters, progress)

    def select(
        self, sql: str, parameters: Mapping[str, Any] | Sequence[Any] = (), progress: Progress | None = None
    ) -> list[dict[str, Any]]:
        """All rows of a SELECT, by the names of its columns."""
        result = self.ask(sql, parameters, progress)
        names = [str(column[0]) for column in result.description or ()]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def make_facts(self, progress: Progress | None = None) -> int:
        """Make the table ``audit_facts`` (``sql/facts.sql``) by one pass over all files. Gives the number of bad lines."""
        self.ask(f"CREATE OR REPLACE TEMP TABLE audit_facts AS {query('facts')}", (), progress)
        ((bad,),) = self.ask("SELECT sum(records) FROM audit_facts WHERE event IS NULL").fetchall()
        self.bad_lines = int(bad or 0)
        return self.bad_lines

    def make_table(self, name: str, columns: Mapping[str, str], rows: Iterable[Mapping[str, Any]]) -> None:
        """Make a table of rows that JSON can hold. ``name`` and ``columns`` (name to type) are not taken from the log."""
        kinds = json.dumps([dict(columns)])
        names = ", ".join(f'"{column}"' for column in columns)
        self.ask(
            f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT {names} FROM "  # noqa: S608 - names are ours
            f"(SELECT unnest(from_json($rows::JSON, '{kinds}'), recursive := true))",
            {"rows": json.dumps(list(rows))},
        )

    def find_faults(self) -> Faults:
        """What could not be read."""
        named: list[BadLine] = []
        count = 0
        if self.bad_lines != 0:
            sql = f"SELECT log_file, count(*) FROM lines WHERE {IS_BAD} GROUP BY log_file ORDER BY log_file"  # noqa: S608
            files = dict(self.ask(sql).fetchall())
            count = sum(files.values())
            for source in self.sources:
                if source.name in files and len(named) < NAMED_LINES:
                    lines, why = find_bad_lines(source.path, source.name, NAMED_LINES - len(named))
                    named += lines
                    if why is not None:
                        self._damaged.setdefault(source.path, why)
        damaged = {
            source.name: self._damaged[source.path] for source in self.sources if source.path in self._damaged
        }
        return Faults(count, named, damaged)

    def _run(
        self, sql: str, parameters: Mapping[str, Any] | Sequence[Any], progress: Progress | None
    ) -> duckdb.DuckDBPyConnection:
        connection = self.connection
        if progress is None:
            return connection.execute(sql, parameters or None)
        over = threading.Event()

        def watch() -> None:
            while not over.wait(0.1):
                progress(max(0.0, connection.query_progress() / 100))

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            return connection.execute(sql, parameters or None)
        finally:
            over.set()
            watcher.join()

    # -- the connection ----------------------------------------------------------------------------------------

    def _connect(self) -> duckdb.DuckDBPyConnection:
        connection = self._duckdb.connect(
            ":memory:",
            config={
                "memory_limit": MEMORY,
                "threads": min(os.cpu_count() or 1, MAX_THREADS),
                "temp_directory": str(Path(self._folder.name) / "spill"),
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "allow_community_extensions": False,
                "python_enable_replacements": False,
            },
        )
        connection.execute("SET enable_progress_bar = true")  # or nothing would be known of the progress
        connection.execute("SET enable_progress_bar_print = false")
        names = {
            str(self._stand_ins[source.path]): source.name
            for source in self.sources
            if source.path in self._stand_ins
        }
        plain = [self._opened(source) for source in self.sources if source.path not in self.repeated]
        repeated = [self._opened(source) for source in self.sources if source.path in self.repeated]
        for statement in view_statements(plain, repeated, names, self._period):
            connection.execute(statement)
        for statement in lock_statements([*plain, *repeated, *self._writes]):
            connection.execute(statement)
        return connection

    def _opened(self, source: Source) -> str:
        return str(self._stand_ins.get(source.path, source.path))

    def _link_odd_names(self) -> None:
        """A file's name may be hostile too: one that DuckDB would take for a pattern or URL is reached by a link."""
        for number, source in enumerate(self.sources):
            if not _PLAIN.fullmatch(str(source.path)):
                link = Path(self._folder.name) / f"link-{number}.jsonl{source.compression}"
                link.symlink_to(source.path.absolute())
                self._stand_ins[source.path] = link

    def _restore(self) -> bool:
        """Put copies of what can be read in the place of files that are damaged. Whether there were any."""
        unread = [source.path for source in self.sources if source.path not in self._damaged]
        found = restore(unread, Path(self._folder.name))
        for path, (copy, why) in found.items():
            self._damaged[path], self._stand_ins[path] = why, copy
        if found:
            self.connection.close()
            self.connection = self._connect()
        return bool(found)

    def close(self) -> None:
        """Close the connection and delete what it had on disk."""
        self.connection.close()
        with contextlib.suppress(OSError):
            self._folder.cleanup()

    def __exit__(self, *_raised: object) -> None:
        self.close()
