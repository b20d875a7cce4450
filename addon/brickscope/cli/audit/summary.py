"""``brickscope audit summary``: who did what, what was refused and why, first and last seen."""

from typing import Any

from brickscope.audit.queries import query
from brickscope.audit.reader import AuditLog, Progress
from brickscope.audit.table import Table
from brickscope.cli.command import command
from brickscope.cli.options import top_option
from brickscope.cli.output import Output, output_options, progress
from brickscope.cli.selection import Selection, log_options, open_log

SECTIONS = ("subjects", "operations", "reasons", "clients", "credentials", "outcomes", "events")
"""Each the name of a query ``sql/summary_….sql``."""
COUNTS = ("calls", "allowed", "denied_sent", "denied")
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


def summarise(log: AuditLog, progress: Progress | None = None) -> dict[str, Any]:
    """How much the log holds, from when to when (None for an empty one), and its sections: rows, the most frequent first."""
    bad_lines = log.make_facts(progress)
    sections = {name: log.select(query(f"summary_{name}")) for name in SECTIONS}
    events = sections["events"] = [row for row in sections["events"] if row["event"] is not None]
    return {
        "files": [source.name for source in log.sources],
        "first_seen": min((row["first_seen"] for row in events), default=None),
        "last_seen": max((row["last_seen"] for row in events), default=None),
        "records": sum(row["records"] for row in events),
        "bad_lines": bad_lines,
        **{name: sum(int(row[name]) for row in sections["reasons"]) for name in (*COUNTS, *_ODD)},
        **sections,
    }
