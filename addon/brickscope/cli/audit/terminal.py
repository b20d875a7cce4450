"""How results look on a terminal: hostile text made harmless, tables, progress."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from brickscope.audit.reader import Progress

PIPED_WIDTH = 20_000
NARROW = 8
"""Characters a column, below which rows are shown one field a line."""
MAX_SHOWN = 400
STYLES = {"allow": "green", "deny": "red", "sent": "yellow"}
SENT = "denied, sent"


def shown(value: object, *, lines: bool = False, most: int = MAX_SHOWN) -> str:
    """A value as text that can't act on a terminal: control characters, escapes and marks that turn the reading direction
    are written out, and long text is clipped. ``lines``: line ends stay."""
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    text = str(value)
    if not text.isprintable():
        text = "".join(
            char if char.isprintable() or (lines and char == "\n") else _escape(char)
            for char in text[: most * 2]
        )
    return text if len(text) <= most else text[: most - 1] + "…"


def _escape(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def minute(moment: datetime | None) -> str:
    """A time to the minute."""
    return "-" if moment is None else f"{moment:%Y-%m-%d %H:%M}"


def say(text: str) -> None:
    """A line on standard error. The text has to be ``shown`` already."""
    click.echo(text, err=True)


def console() -> Console:
    """Where results are printed. What goes into a file or pipe is not cut to the width of a terminal, and has no colours."""
    from rich.console import Console

    terminal = sys.stdout.isatty()
    return Console(
        file=sys.stdout,
        width=None if terminal else PIPED_WIDTH,
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=False,
    )


def styled(text: str, style: str = "") -> Text:
    """Text that rich takes as it is: no markup in it means anything. It has to be ``shown`` already."""
    from rich.text import Text

    return Text(text, style)


def table(columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[Any]], rest: int = 0) -> Table:
    """A table. ``columns``: heading and style, ``>`` before the heading for numbers. ``rest``: rows that are not shown."""
    from rich.table import Table

    made = Table(box=None, header_style="dim", pad_edge=False)
    for heading, style in columns:
        number = heading.startswith(">")
        made.add_column(
            heading.removeprefix(">"),
            style=style,
            justify="right" if number else "left",
            no_wrap=number,
            overflow="fold",
        )
    for row in rows:
        made.add_row(*(styled(_cell(value)) for value in row))
    if rest:
        made.add_row(styled(f"and {rest:,} more", "dim"))
    return made


def print_rows(columns: Sequence[str], rows: Iterable[Sequence[Any]], rest: int = 0) -> None:
    """Print rows as a table; on a terminal that is too narrow for so many columns, one field a line."""
    out = console()
    names = [shown(name).replace("_", " ") for name in columns]
    if out.width >= NARROW * len(names):
        out.print(table([(name, "") for name in names], rows, rest))
        return
    widest = max(map(len, names))
    for row in rows:
        for name, value in zip(names, row, strict=True):
            out.print(styled(f"{name:{widest}}  ", "dim"), styled(_cell(value)), sep="", soft_wrap=True)
        out.print()
    if rest:
        out.print(styled(f"and {rest:,} more", "dim"))


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
