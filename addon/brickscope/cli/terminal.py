"""How results look on a terminal: hostile text made harmless, tables, progress."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from brickscope.core.visible import visible

if TYPE_CHECKING:
    from rich.console import Console

    from brickscope.audit.reader import Progress

PIPED_WIDTH = 20_000
NARROW = 12
"""Characters a column, below which rows are shown one field a line."""
FOLDED = 24
"""Characters that a column gets at least, before its text is folded."""
MAX_SHOWN = 400
SENT = "would be denied"


def shown(value: object, *, lines: bool = False, most: int = MAX_SHOWN) -> str:
    """A value as text that can't act on a terminal: control characters, escapes and marks that turn the reading direction
    are written out, and long text is clipped. ``lines``: line ends stay."""
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = visible(str(value)[: most * 2], "\n" if lines else "")
    return text if len(text) <= most else text[: most - 1] + "…"


def minute(moment: datetime | None) -> str:
    """A time to the minute."""
    return "-" if moment is None else f"{moment:%Y-%m-%d %H:%M}"


def say(text: str) -> None:
    """A line on standard error. The text has to be ``shown`` already."""
    click.echo(text, err=True)


def console() -> Console:
    """Where results are printed. What goes into a file or pipe is not cut to the width of a terminal, and has no colours."""
    from rich.console import Console

    class Printed(Console):
        def on_broken_pipe(self) -> None:
            raise  # rich would end the program with status 1; command.py knows better

    terminal = sys.stdout.isatty()
    return Printed(
        file=sys.stdout,
        width=None if terminal else PIPED_WIDTH,
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=True,  # lines are to be copied; a table is printed with soft_wrap=False
    )


def line(*parts: str | tuple[str, str]) -> None:
    """Print a line of texts, plain ones or with a style. They have to be ``shown`` already."""
    from rich.text import Text

    console().print(Text.assemble(*parts))


class Column(NamedTuple):
    """A column of a table. ``folds``: its text may take several lines. ``spare``: left out where the terminal is too narrow,
    the highest first; 0 for never."""

    heading: str
    style: str = ""
    right: bool = False
    folds: bool = False
    spare: int = 0


def print_table(columns: Sequence[Column], rows: Sequence[Sequence[Any]], rest: int = 0) -> None:
    """Print a table as wide as the terminal allows. ``rest``: how many rows are not shown."""
    from rich.table import Table
    from rich.text import Text

    out = console()
    cells = [[_cell(value) for value in row] for row in rows]
    kept = _fitting(columns, cells, out.width)
    made = Table(box=None, header_style="dim", pad_edge=False)
    for at in kept:
        column = columns[at]
        made.add_column(
            column.heading,
            style=column.style,
            justify="right" if column.right else "left",
            no_wrap=not column.folds,
            min_width=min(FOLDED, _width(columns, cells, at)) if column.folds else None,
            overflow="fold",
        )
    for row in cells:
        made.add_row(*(Text(row[at]) for at in kept))  # no markup in it means anything
    out.print(made, soft_wrap=False)
    if rest:
        line((f"and {rest:,} more", "dim"))


def _fitting(columns: Sequence[Column], cells: list[list[str]], width: int) -> list[int]:
    """The columns for which there is room."""
    kept = list(range(len(columns)))
    while True:
        widths = [_width(columns, cells, at) for at in kept]
        taken = [
            min(FOLDED, wide) if columns[at].folds else wide for at, wide in zip(kept, widths, strict=True)
        ]
        spare = [at for at in kept if columns[at].spare]
        if not spare or sum(taken) + 2 * len(kept) <= width:
            return kept
        kept.remove(max(spare, key=lambda at: columns[at].spare))


def _width(columns: Sequence[Column], cells: list[list[str]], at: int) -> int:
    return max([len(columns[at].heading), *(len(row[at]) for row in cells)])


def print_rows(names: Sequence[str], rows: Sequence[Sequence[Any]], rest: int = 0) -> None:
    """Print rows of any columns as a table; where the terminal is too narrow for so many, one field a line."""
    out = console()
    names = [shown(name).replace("_", " ") for name in names]
    if out.width >= NARROW * len(names):
        print_table([Column(name, folds=True) for name in names], rows, rest)
        return
    widest = max(map(len, names))
    for row in rows:
        for name, value in zip(names, row, strict=True):
            line((f"{name:{widest}}  ", "dim"), _cell(value))
        line()
    if rest:
        line((f"and {rest:,} more", "dim"))


def _cell(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return minute(value) if isinstance(value, datetime) else shown(value)
    if value == 0:
        return "·"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


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
