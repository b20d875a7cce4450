"""What the page is made of: sections of blocks, and points to look at first.

A section needs no template and no style of its own. It is a function that asks the log's counts and gives a ``Section``;
``report.SECTIONS`` names them in their order. Values of cells are plain data, shown by the kind of their column; all text on
the page passes through ``text.shown`` and the escaping of the template engine, whoever wrote it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, Self

from brickscope.shipped import table

LIMIT = 500
"""Most rows of one table; beyond, the page names how many are left out."""
KINDS = ("name", "names", "text", "n", "ms", "bytes", "when", "badge", "lines", "spark")
"""How a value is shown: as a name of log or policy, several names, prose, number, milliseconds, octets, time, word with a
ground of its own, lines of YAML, a series of numbers as small bars."""
Weight = Literal["serious", "look", "note"]
WEIGHTS: tuple[Weight, ...] = ("serious", "look", "note")


class Point(NamedTuple):
    """A sentence for "Look at this first"."""

    weight: Weight
    text: str


class Column(NamedTuple):
    """``kind``: of KINDS. ``missing``: what is said where there is no value. ``hint``: what the values mean."""

    label: str
    kind: str = "name"
    missing: str = "–"
    hint: str = ""

    @classmethod
    def read(cls, text: str) -> Self:
        """As it is written in Python and as the name of a column in ``sql/``: ``Client | name | not known``."""
        made = cls(*(part.strip() for part in text.split("|")))
        assert made.kind in KINDS, text
        return made


class Cell(NamedTuple):
    """A value and more. ``notes``: smaller lines below it. ``badge``: a word beside it. ``href``: the id of a part of the
    page."""

    value: Any
    notes: Sequence[str] = ()
    badge: str | None = None
    href: str | None = None


@dataclass(frozen=True)
class Table:
    """``rows``: the first of ``total``, each with as many values as ``columns``, plain ones or a ``Cell``. ``hint``: what is
    to be known of it. ``more``: where all rows are."""

    template: ClassVar = "table"
    id: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Sequence[Any], ...]
    total: int
    hint: str = ""
    more: str = ""

    @classmethod
    def of(
        cls, name: str, caption: str, columns: Iterable[str], rows: Iterable[Sequence[Any]], total: int = 0,
        hint: str = "", more: str = "",
    ) -> Self:  # fmt: skip
        """A table of ``rows``. ``total``: where there are more than these."""
        found = tuple(rows)
        heads = tuple(map(Column.read, columns))
        return cls(f"{name}-table", caption, heads, found[:LIMIT], max(total, len(found)), hint, more)

    @classmethod
    def written(
        cls, kind: str, rows: Iterable[Sequence[Any]], total: int = 0, name: str = "", caption: str = ""
    ) -> Self:
        """One of ``tables.yaml``. ``name``, ``caption``: where there are several of a kind."""
        said = table(__package__, "tables.yaml")[kind]
        caption = caption or said["caption"]
        return cls.of(
            name or kind, caption, said["columns"], rows, total, said.get("hint", ""), said.get("more", "")
        )

    def records(self) -> list[Mapping[str, Any]]:
        """The rows by the labels of their columns, without what is beside the values."""
        plain = [[each.value if isinstance(each, Cell) else each for each in row] for row in self.rows]
        return [dict(zip((column.label for column in self.columns), row, strict=True)) for row in plain]


@dataclass(frozen=True)
class Text:
    """A paragraph. ``badge``: a word before it."""

    template: ClassVar = "paragraph"
    text: str
    badge: str = ""


@dataclass(frozen=True)
class Lists:
    """Titled sentences, beside one another."""

    template: ClassVar = "lists"
    lists: Sequence[tuple[str, Sequence[str]]]
    title: str = ""


@dataclass(frozen=True)
class Fold:
    """Blocks that are closed until they are wanted; on paper they are open."""

    template: ClassVar = "fold"
    id: str
    title: str
    blocks: Sequence[Any]


@dataclass(frozen=True)
class Section:
    """``title``: of the contents. ``heading``: of the section itself."""

    id: str
    title: str
    heading: str
    blocks: Sequence[Any]
    points: Sequence[Point] = ()
