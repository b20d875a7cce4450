"""Values and tables as a terminal shows them: hostile text made harmless, and as wide as there is room."""

import io
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from click import style
from markupsafe import Markup

from brickscope.audit.plain import to_json
from brickscope.core.visible import visible

PIPED_WIDTH = 20_000
NARROW = 12
"""Characters a column, below which rows are shown one field a line."""
FOLDED = 24
"""Characters that a column gets at least, before its text is folded."""
MAX_SHOWN = 400
Row = Mapping[str, Any]


def shown(value: object, *, lines: bool = False, most: int = MAX_SHOWN) -> str:
    """A value as text that can't act on a terminal: control characters, escapes and marks that turn the reading direction
    are written out, and long text is clipped; objects are JSON. ``lines``: line ends stay."""
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = to_json(value) if isinstance(value, dict | list) else str(value)
    text = visible(text[: most * 2], "\n" if lines else "")
    return text if len(text) <= most else text[: most - 1] + "…"


def minute(moment: datetime | None) -> str:
    """A time to the minute."""
    return "-" if moment is None else f"{moment:%Y-%m-%d %H:%M}"


class Column(NamedTuple):
    """A column of a table. ``of``: the name of its value in a row, or what makes text of a row; by default the heading.
    ``missing``: what stands there for no value. ``folds``: its text may take several lines. ``spare``: left out where the
    terminal is too narrow, the highest first; 0 for never. ``rare``: left out where no row has it."""

    heading: str
    of: str | Callable[[Row], str] = ""
    style: str = ""
    right: bool = False
    folds: bool = False
    spare: int = 0
    rare: bool = False
    missing: str = "-"

    def cell(self, row: Row, exact: bool) -> str:
        """Its text in a row."""
        value = self.of(row) if callable(self.of) else row[self.of or self.heading.replace(" ", "_")]
        if value is None:
            return self.missing
        return shown(value) if exact else _brief(value)


def table(
    columns: Sequence[Column], rows: Sequence[Row], rest: int = 0, *, top: int = 0, exact: bool = False
) -> Markup:
    """The lines of a table as wide as the terminal allows. ``top``: only so many rows; 0 for all. ``rest``: how many more
    there are, and are not here. ``exact``: numbers and times are as they are, and not as they are read best."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    part = rows[: top or None]
    rest += len(rows) - len(part)
    written = [(each, [each.cell(row, exact) for row in part]) for each in columns]
    terminal, sink = sys.stdout.isatty(), io.StringIO()
    out = Console(
        file=sink,
        force_terminal=terminal,
        width=None if terminal else PIPED_WIDTH,
        highlight=False,
        markup=False,
        emoji=False,
    )
    kept = _fitting([each for each in written if not each[0].rare or set(each[1]) - {"-"}], out.width)
    made = Table(box=None, header_style="dim", pad_edge=False)
    for column, cells in kept:
        made.add_column(
            column.heading,
            style=column.style,
            justify="right" if column.right else "left",
            no_wrap=not column.folds,
            min_width=min(FOLDED, _width(column, cells)) if column.folds else None,
            overflow="fold",
        )
    for row in zip(*(cells for _, cells in kept), strict=True):
        made.add_row(*map(Text, row))  # no markup in it means anything
    out.print(made)
    return Markup(sink.getvalue().removesuffix("\n") + _more(rest))  # noqa: S704 - cells are ``shown``


def fields(names: Sequence[str], rows: Sequence[Row], rest: int) -> Markup:
    """Rows of any columns as a table; where the terminal is too narrow for so many, one field a line."""
    from rich.console import Console

    columns = [Column(shown(name).replace("_", " "), name, folds=True) for name in names]
    if not sys.stdout.isatty() or Console().width >= NARROW * len(names):
        return table(columns, rows, rest, exact=True)
    widest = max(len(each.heading) for each in columns)
    lines = [
        "".join(
            f"{style(f'{each.heading:{widest}}  ', dim=True)}{each.cell(row, True)}\n" for each in columns
        )
        for row in rows
    ]
    return Markup("\n".join(lines) + _more(rest))  # noqa: S704 - cells are ``shown``


def _more(rest: int) -> str:
    return "\n" + style(f"and {rest:,} more", dim=True) if rest else ""


def _fitting(columns: list[tuple[Column, list[str]]], width: int) -> list[tuple[Column, list[str]]]:
    """The columns for which there is room."""
    while True:
        widths = [(each.folds, _width(each, cells)) for each, cells in columns]
        taken = sum(min(FOLDED, wide) if folds else wide for folds, wide in widths)
        spare = max(columns, key=lambda each: each[0].spare)
        if not spare[0].spare or taken + 2 * len(columns) <= width:
            return columns
        columns = [each for each in columns if each is not spare]


def _width(column: Column, cells: Sequence[str]) -> int:
    return max([len(column.heading), *map(len, cells)])


def _brief(value: Any) -> str:
    if isinstance(value, datetime):
        return minute(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return shown(value)
    if value == 0:
        return "·"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"
