"""``brickscope audit summary``: who did what, what was refused and why, first and last seen."""

from typing import Any

from brickscope.audit.summary import COUNTS, summarise
from brickscope.audit.table import Table
from brickscope.cli.command import command
from brickscope.cli.options import top_option
from brickscope.cli.output import Output, output_options, progress
from brickscope.cli.selection import Selection, log_options, open_log

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
@top_option("rows of each table", 20)
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
        output.give(log, found, lambda: _flat(found), "log_summary", found | {"top": top})


def _flat(found: dict[str, Any]) -> Table:
    """The tables by subject, operation, reason, client and credential as one."""
    columns = {"by": "VARCHAR", "name": "VARCHAR", "rule_set": "VARCHAR"}
    columns |= dict.fromkeys(COUNTS, "BIGINT") | dict.fromkeys(_SEEN, "TIMESTAMP") | {"subject": "VARCHAR"}
    rows = [
        (
            name,
            row[name],
            row.get("rule_set"),
            *(row[each] for each in (*COUNTS, *_SEEN)),
            row.get("subject"),
        )
        for section, name in _BY.items()
        for row in found[section]
    ]
    return Table(columns, rows)
