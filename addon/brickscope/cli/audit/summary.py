"""``brickscope audit summary``: who did what, what was refused and why, first and last seen."""

from __future__ import annotations

from typing import Any

import click

from brickscope.audit.summary import Summary, summarise
from brickscope.audit.table import Table
from brickscope.cli.command import command
from brickscope.cli.output import Output, output_options
from brickscope.cli.selection import Selection, log_options, open_log
from brickscope.cli.terminal import progress

_COUNTS = ("calls", "allowed", "denied_sent", "denied")
_ODD = ("several_readings", "respelled")
"""Calls that are counted where there are any."""
_SEEN = ("first_seen", "last_seen")
_BY = {
    "subjects": "subject",
    "operations": "operation",
    "reasons": "reason",
    "clients": "client_address",
    "credentials": "credential",
}
"""Sections, each with the column of its names."""


@command("summary")
@log_options
@click.option(
    "--top",
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
        data = _data(found, [source.name for source in log.sources], log.bad_lines)
        output.give(log, data, lambda: _flat(found), "log_summary", data | {"top": top})


def _data(found: Summary, files: list[str], bad_lines: int | None) -> dict[str, Any]:
    span = found.span
    return {
        "files": files,
        "first_seen": span and span[0],
        "last_seen": span and span[1],
        "records": found.records,
        "bad_lines": bad_lines,
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
        for section, name in _BY.items()
        for row in found.sections[section]
    ]
    return Table(columns, rows)
