"""Tables of a report, as a test asks for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from brickscope.report.block import Cell, Table
from brickscope.report.report import Report


def table(report: Report, name: str) -> Table:
    """A table by its name."""
    blocks = [block for section in report.sections for block in section.blocks]
    blocks += [each for block in blocks for each in getattr(block, "blocks", ())]
    return next(each for each in blocks if getattr(each, "id", None) == f"{name}-table")


def rows(report: Report, name: str) -> list[Mapping[str, Any]]:
    """Its rows, by the labels of the columns."""
    return table(report, name).records()


def badges(report: Report, name: str, label: str) -> list[str | None]:
    """The words beside the values of a column."""
    found = table(report, name)
    at = [column.label for column in found.columns].index(label)
    return [row[at].badge if isinstance(row[at], Cell) else None for row in found.rows]


def points(report: Report) -> list[str]:
    """What to look at first."""
    return [point.text for point, _ in report.points]
