"""``brickscope audit denials``: what was denied, grouped, with the lines of policy that would allow it."""

from typing import Any

import click

from brickscope.analysis.denials import Denials, find_denials
from brickscope.analysis.remedy import Remedy
from brickscope.audit.plain import plain
from brickscope.audit.table import Table
from brickscope.cli.command import command
from brickscope.cli.options import top_option
from brickscope.cli.output import Output, output_options, progress
from brickscope.cli.selection import Selection, log_options, open_log

_COLUMNS = (
    *("subject", "rule_set", "reason", "what", "kind", "caller", "calls", "sent"),
    *("first_seen", "last_seen", "detail", "example"),
)


@command("denials")
@log_options
@click.option("--subject", multiple=True, help="Only this subject; may be given several times.")
@top_option("groups", 50)
@output_options
def denials_command(selection: Selection, subject: tuple[str, ...], top: int, output: Output) -> None:
    """Show what was denied, and what would allow it.

    Denials that one change would allow are one group. First come calls that return credentials, change who may act, or
    run code, subject by subject; then all others by their number. Under "would allow it" are lines to paste into the
    policy, which allow these calls and as little else as possible; whether to allow them is your decision.

    \b
    Exit status: 0 done, 2 the log can't be read.

    \b
    Examples:
      brickscope audit denials --since 24h
      brickscope audit denials /var/log/brickscope --subject nightly-export
      brickscope audit denials --csv denials.csv
    """
    with open_log(selection, output) as log:
        with progress("reading the log") as told:
            found = find_denials(log, told)
        groups = [group for group in found.groups if not subject or group.subject in subject]
        counts = (found.calls, found.total)
        if subject:
            counts = (sum(group.calls for group in groups), len(groups))
        data = plain([group._asdict() | {"remedy": remedy_data(group.remedy)} for group in groups])
        tree = {"groups": data[: top or None], "calls": counts[0], "total": counts[1]}
        output.give(log, data, lambda: _table(groups), "denials", tree)


def remedy_data(remedy: Remedy) -> dict[str, Any]:
    """What would allow a call, as JSON holds it."""
    return {"place": remedy.place, "yaml": remedy.yaml, "note": remedy.note}


def _table(groups: list[Denials]) -> Table:
    """The groups, less what only JSON can hold, with the remedy in columns of its own."""
    table = Table.of_records(Denials, _COLUMNS, groups)
    remedies = (("/".join(each.remedy.place), each.remedy.yaml, each.remedy.note) for each in groups)
    more = dict.fromkeys(("place", "yaml", "note"), "VARCHAR")
    rows = [[*row, *remedy] for row, remedy in zip(table.rows, remedies, strict=True)]
    return Table(table.columns | more, rows)
