"""What is read: the arguments PATHS, ``--since`` and ``--until`` of the commands that read the log as tables."""

import contextlib
import functools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import click

from brickscope.analysis.table import shown
from brickscope.audit.period import Period, read_moment
from brickscope.audit.reader import AuditLog
from brickscope.audit.source import find_sources, find_unread, unread_text
from brickscope.audit.table import part_of
from brickscope.log.closed import series
from brickscope.prerequisites import install_command

from .output import Output, say

DEFAULT = Path("audit.jsonl")


class Selection(NamedTuple):
    """The paths that were given and the part of time."""

    paths: tuple[str, ...]
    period: Period


def log_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds PATHS, --since and --until to a command, which gets them as ``selection``."""

    @click.argument("paths", nargs=-1)
    @click.option(
        "--since", metavar="TIME", help="Only from then on: 2026-11-24, 2026-11-24T19:30Z, or ago: 12h, 7d."
    )
    @click.option("--until", metavar="TIME", help="Only before then.")
    @functools.wraps(command)
    def with_selection(paths: tuple[str, ...], since: str | None, until: str | None, **others: Any) -> None:
        command(selection=Selection(paths, _period(since, until)), **others)

    return with_selection


def _period(since: str | None, until: str | None) -> Period:
    now = datetime.now(UTC)
    found: list[datetime | None] = []
    for name, text in (("--since", since), ("--until", until)):
        try:
            found.append(None if text is None else read_moment(text, now))
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint=name) from None
    period = Period(*found)
    if period.since is not None and period.until is not None and period.since >= period.until:
        raise click.UsageError(f"nothing is between --since {period.since} and --until {period.until}")
    return period


@contextlib.contextmanager
def open_log(
    selection: Selection,
    output: Output = Output(),  # noqa: B008 - immutable
    *,
    quiet: bool = False,
) -> Iterator[AuditLog]:
    """The log that was selected. What goes wrong with it, then and later, is said as an error of usage (exit status 2); what
    was left out of it, and what could not be read, is said too, unless ``quiet``."""
    try:
        import duckdb
    except ImportError:
        told = (
            f"the log is read with DuckDB, which is not installed; to install it: {install_command('audit')}"
        )
        raise click.UsageError(told) from None
    writes = None if output.parquet is None else part_of(output.parquet)
    try:
        with AuditLog(selection.paths or _default(), selection.period, writes=writes) as log:
            output.refuse_to_overwrite(source.path for source in log.sources)
            if not quiet:
                _report_unread(log.unread)
            yield log
            if not quiet:
                _report_faults(log)
    except duckdb.Error as error:
        raise click.UsageError(shown(str(error).strip(), lines=True)) from None


def find_files(
    paths: tuple[str, ...],
    period: Period = Period(),  # noqa: B008 - immutable
    *,
    quiet: bool = False,
) -> list[Path]:
    """The files behind PATHS; says which of the log's were left out in that period, unless ``quiet``. Raises SourceError
    for what can't be found or read."""
    sources = find_sources(paths or _default())
    if not quiet:
        _report_unread(find_unread(sources, period))
    return [source.path for source in sources]


def _default() -> list[str | Path]:
    """The log of the current folder: the active file and those of its series that are closed."""
    closed = series(DEFAULT)
    if not DEFAULT.exists() and not closed:
        raise click.UsageError(
            f"there is no {DEFAULT} here: name the log's files or folder, such as "
            "'brickscope audit summary /var/log/brickscope'"
        )
    return [*closed, *([DEFAULT] if DEFAULT.exists() else [])]


def _report_unread(unread: list[Path]) -> None:
    for line in unread_text(unread):
        say(shown(line))


def _report_faults(log: AuditLog) -> None:
    faults = log.find_faults()
    for file, why in faults.damaged.items():
        say(f"{shown(file)} can't be read whole: {shown(why)}")
    if faults.lines:
        many = "1 line is not a record" if faults.lines == 1 else f"{faults.lines:,} lines are not records"
        say(f"{many}, and left out{':' if faults.named else ''}")
        for line in faults.named:
            say(f"  {shown(line.file)}:{line.number}: {shown(line.why)}")
        if faults.lines > len(faults.named) > 0:
            say(f"  and {faults.lines - len(faults.named):,} more")
