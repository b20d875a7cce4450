"""``brickscope audit summary``: who did what, what was refused and why, first and last seen."""

from __future__ import annotations

from typing import Any

import click

from brickscope.audit.summary import Row, Summary, summarise
from brickscope.audit.table import Table
from brickscope.cli.command import command
from brickscope.cli.options import COUNT
from brickscope.cli.output import Output, output_options
from brickscope.cli.selection import Selection, log_options, open_log, report_faults
from brickscope.cli.terminal import Column, line, minute, print_table, progress, shown
from brickscope.count import counted

_NUMBERS = (
    Column("calls", right=True),
    Column("allowed", "green", right=True),
    Column("would be denied", "yellow", right=True),
    Column("denied", "red", right=True),
)
_TIMES = (Column("first seen", "dim", spare=1), Column("last seen", "dim"))
_COUNTS = ("calls", "allowed", "denied_sent", "denied")
_ODD = {
    "several_readings": "with several readings",
    "respelled": "that name an object in another spelling than rules compare",
}
"""Calls that are counted where there are any."""
_SEEN = ("first_seen", "last_seen")
# Section, the heading of its names, their column, further columns.
_BY = (
    ("subjects", "who", "subject", ("rule_set", "operations", "clients")),
    ("operations", "what", "operation", ("subjects",)),
    ("reasons", "why", "reason", ("subjects", "operations")),
    ("clients", "from where", "client_address", ("subjects",)),
    ("credentials", "with which credential", "credential", ("subject", "operations", "clients")),
)
_ENDED = {
    "calls": "calls",
    "request_bytes": "bytes sent",
    "response_bytes": "bytes received",
    "mean_ms": "mean ms",
    "longest_ms": "longest ms",
}
_NOBODY = {
    "subject": "(caller unknown to the policy)",
    "operation": "(no known operation)",
    "client_address": "(not recorded)",
}


@command("summary")
@log_options
@click.option(
    "--top",
    type=COUNT,
    default=20,
    show_default=True,
    metavar="N",
    help="How many rows of each table to show; 0 for all.",
)
@output_options
def summary_command(selection: Selection, top: int, output: Output) -> None:
    """Show who did what, what was denied and why, first and last seen.

    By subject, operation, reason, client, and credential behind placeholders.

    "would be denied": denials that were not enforced, in monitor mode.

    \b
    Exit status: 0 done, 2 the log can't be read.

    \b
    Examples:
      brickscope audit summary
      brickscope audit summary /var/log/brickscope --since 7d --top 0
      brickscope audit summary proxy-*/audit*.jsonl* --csv summary.csv
    """
    with open_log(selection, output) as log:
        with progress("reading the log") as told:
            found = summarise(log, told)
        output.give(
            log,
            lambda: _flat(found),
            lambda: _data(found, [source.name for source in log.sources]),
            lambda: _print(found, len(log.sources), top),
        )
        report_faults(log, found.bad_lines)


def _data(found: Summary, files: list[str]) -> dict[str, Any]:
    span = found.span
    return {
        "files": files,
        "first_seen": span and span[0],
        "last_seen": span and span[1],
        "records": found.records,
        "bad_lines": found.bad_lines,
        **{name: found.total(name) for name in (*_COUNTS, *_ODD)},
        **found.sections,
    }


def _flat(found: Summary) -> Table:
    """The tables by subject, operation, reason, client and credential as one."""
    columns = {"by": "VARCHAR", "name": "VARCHAR", "rule_set": "VARCHAR"}
    columns |= dict.fromkeys(_COUNTS, "BIGINT") | dict.fromkeys(_SEEN, "TIMESTAMP") | {"subject": "VARCHAR"}
    rows = [
        (
            name,
            row[name],
            row.get("rule_set"),
            *(row[each] for each in (*_COUNTS, *_SEEN)),
            row.get("subject"),
        )
        for section, _, name, _ in _BY
        for row in found.sections[section]
    ]
    return Table(columns, rows)


def _print(found: Summary, files: int, top: int) -> None:
    span = found.span
    if span is None:
        line("no records")
        return
    many = f"{counted(found.records, 'record')} in {counted(files, 'file')}"
    line(f"{many}, {minute(span[0])} to {minute(span[1])} UTC")
    calls, allowed, sent, denied = (found.total(name) for name in _COUNTS)
    line(
        f"{counted(calls, 'call')}: ",
        (f"{allowed:,} allowed", "green"),
        ", ",
        (f"{sent:,} would be denied (monitor)", "yellow"),
        ", ",
        (f"{denied:,} denied", "red"),
    )
    odd = [f"{found.total(name):,} {words}" for name, words in _ODD.items() if found.total(name)]
    if odd:
        line(f"of them {', '.join(odd)}")
    for section, heading, name, more in _BY:
        rows = found.sections[section]
        if section == "credentials" and not rows:
            continue
        part = rows[: top or None]
        others = [
            Column(each.replace("_", " "), "dim", right=each not in ("rule_set", "subject"), spare=2)
            for each in more
        ]
        columns = [Column(heading, folds=True), *_NUMBERS, *others, *_TIMES]
        cells = [[_name(name, row), *(row[each] for each in (*_COUNTS, *more, *_SEEN))] for row in part]
        line()
        print_table(columns, cells, len(rows) - len(part))
    if found.sections["outcomes"]:
        columns = [Column("answers"), *(Column(each, right=True) for each in _ENDED.values())]
        cells = [[_answer(row), *(row[each] for each in _ENDED)] for row in found.sections["outcomes"]]
        line()
        print_table(columns, cells)
    rest = [row for row in found.sections["events"] if row["event"] not in ("decision", "outcome")]
    if rest:
        cells = [[row[each] for each in ("event", "records", "denied", *_SEEN)] for row in rest]
        counts = (Column("records", right=True), Column("denied", "red", right=True))
        line()
        print_table([Column("other records"), *counts, *_TIMES], cells)


def _answer(row: Row) -> str:
    status = "no answer" if row["status"] is None else str(row["status"])
    return f"{status}, broken off" if row["broken"] else status


def _name(column: str, row: Row) -> str:
    value = row[column]
    return _NOBODY.get(column, "-") if value is None else shown(value)
