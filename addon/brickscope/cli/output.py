"""How results go on: to eyes, or to other programs by ``--json``, ``--csv FILE``, ``--parquet FILE``; and what is said
besides, on standard error: notes and progress."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

if TYPE_CHECKING:
    from brickscope.audit.reader import AuditLog, Progress
    from brickscope.audit.table import Table

_FILE = click.Path(dir_okay=False, path_type=Path, allow_dash=True)


class Answer(NamedTuple):
    """What a command found. ``data``: for ``--json``. ``show``: for people, the template that makes text of the same
    (``analysis/answer.py``), or lines. ``failed``: the exit status, if it is not 0. ``notes``: what people read besides, on
    standard error."""

    data: Any
    show: str | Iterable[str]
    failed: int = 0
    notes: Sequence[str] = ()


def echo(lines: Iterable[str]) -> None:
    """Print lines, which may have colours."""
    for line in lines:
        click.echo(line, color=False if os.environ.get("NO_COLOR") else None)


def answers(command: Callable[..., Answer]) -> Callable[..., None]:
    """Adds ``--json`` to a command that returns an Answer, and prints that."""

    @click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    @functools.wraps(command)
    def with_json(as_json: bool, **others: Any) -> None:
        from brickscope.audit.plain import to_json

        said = command(**others)
        if as_json:
            click.echo(to_json(said.data))
        else:
            echo(_text(said.data, said.show) if isinstance(said.show, str) else said.show)
            for note in said.notes:
                click.echo(note, err=True)
        if said.failed:
            raise SystemExit(int(said.failed))

    return with_json


def _text(data: Any, template: str) -> list[str]:
    from brickscope.analysis.answer import render

    return render(template, data)


class Output(NamedTuple):
    """Where a result goes; without any of these, to the reader's eyes."""

    as_json: bool = False
    csv: Path | None = None
    parquet: Path | None = None

    def refuse_to_overwrite(self, sources: Iterable[Path]) -> None:
        """Raises click.UsageError if the file to be written is one of the log's."""
        for target in (self.csv, self.parquet):
            if target is not None and any(target.exists() and target.samefile(source) for source in sources):
                raise click.UsageError(f"{target} is a file of the log itself")

    @property
    def is_file(self) -> bool:
        """Whether the result is written as a table, by ``write``."""
        return self.csv is not None or self.parquet is not None

    def write(self, log: AuditLog, table: Table) -> None:
        """Write a table to the file that was asked for. Raises OSError."""
        from brickscope.audit.table import keep_table, new_file, write_answer, write_csv

        if self.parquet is not None:
            keep_table(log, table)
            write_answer(log, self.parquet)
        elif self.csv == Path("-"):
            write_csv(table, sys.stdout)
        elif self.csv is not None:
            with new_file(self.csv) as part, part.open("w", encoding="utf-8", newline="") as sink:
                write_csv(table, sink)

    def give(
        self, log: AuditLog, data: Any, table: Callable[[], Table], template: str, tree: Mapping[str, Any]
    ) -> None:
        """Write ``table``, print ``data`` as JSON, or what ``template`` makes of ``tree``. Raises OSError."""
        from brickscope.audit.plain import to_json

        if self.is_file:
            self.write(log, table())
        elif self.as_json:
            click.echo(to_json(data))
        else:
            echo(_text(tree, template))


def output_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds --json, --csv and --parquet to a command, which gets them as ``output``."""

    @click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    @click.option("--csv", type=_FILE, metavar="FILE", help="Write a CSV file; - for standard output.")
    @click.option("--parquet", type=_FILE, metavar="FILE", help="Write a Parquet file.")
    @functools.wraps(command)
    def with_output(as_json: bool, csv: Path | None, parquet: Path | None, **others: Any) -> None:
        if sum((as_json, csv is not None, parquet is not None)) > 1:
            raise click.UsageError("--json, --csv and --parquet: one of them")
        if parquet == Path("-"):
            raise click.UsageError("--parquet needs a file")
        command(output=Output(as_json, csv, parquet), **others)

    return with_output


def say(text: str) -> None:
    """A line on standard error. The text has to be ``shown`` already."""
    click.echo(text, err=True)


@contextlib.contextmanager
def progress(what: str) -> Iterator[Progress | None]:
    """A progress bar on standard error while something long is done; None where that is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task(what, total=1.0)
        yield lambda share: bar.update(task, completed=share)


@contextlib.contextmanager
def progress_of(what: str, files: Sequence[Path]) -> Iterator[Callable[[int], None]]:
    """A progress bar by bytes; gives whom to tell how many more of these files were read."""
    total, read = max(1, sum(path.stat().st_size for path in files)), 0
    with progress(what) as told:

        def count(size: int) -> None:
            nonlocal read
            read += size
            if told:
                told(min(1.0, read / total))  # of compressed files more is read than they have

        yield count
