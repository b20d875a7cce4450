"""The report: all measurements as a table for people and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.table import Table

from .machine import describe_machine, describe_versions
from .measurement import Measurement, Spread, Verdict

SCHEMA = 1

_STYLES = {Verdict.OK: "green", Verdict.OVER: "bold red", Verdict.NONE: ""}


def as_table(measurements: Sequence[Measurement]) -> Table:
    """One row a measurement. ``noise`` is the same ratio of two equal proxies."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("bench", style="dim")
    table.add_column("what", overflow="fold")
    table.add_column("bound", justify="right", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("[low-high]", no_wrap=True)
    table.add_column("")
    table.add_column("noise", no_wrap=True)
    table.add_column("note", style="dim", overflow="fold")
    for each in measurements:
        style = _STYLES[each.verdict]
        table.add_row(
            each.bench,
            each.name,
            "" if each.bound is None else str(each.bound),
            f"{number(each.spread.value)} {each.unit}".rstrip(),
            span(each.spread),
            f"[{style}]{each.verdict.value}[/]" if style else "",
            "" if each.noise is None else f"{number(each.noise.value)} {span(each.noise)}",
            each.note,
        )
    return table


def number(value: float) -> str:
    """A number with as many digits as mean something."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def span(spread: Spread) -> str:
    """Lowest and highest, where they differ. Rich takes ``[`` for mark-up unless it is escaped."""
    low, high = number(spread.low), number(spread.high)
    return "" if low == high else rf"\[{low}-{high}]"


def write_json(file: Path, measurements: Sequence[Measurement], *, quick: bool) -> None:
    """Write the report for programs, with the machine and versions it is of."""
    report = {
        "schema": SCHEMA,
        "time": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "quick": quick,
        "machine": describe_machine(),
        "versions": describe_versions(),
        "measurements": [each.record() for each in measurements],
    }
    file.write_text(json.dumps(report, indent=2) + "\n")
