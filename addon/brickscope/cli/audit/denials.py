"""``brickscope audit denials``: what was denied, grouped, with the lines of policy that would allow it."""

from __future__ import annotations

from typing import Any

import click

from brickscope.analysis.denials import Denials, Found, find_denials
from brickscope.analysis.remedy import Remedy
from brickscope.audit.table import Table
from brickscope.cli.command import command
from brickscope.cli.output import Output, output_options
from brickscope.cli.selection import Selection, log_options, open_log, report_faults
from brickscope.cli.terminal import line, minute, progress, shown

_COLUMNS = (
    *("subject", "rule_set", "reason", "what", "kind", "caller", "calls", "sent"),
    *("first_seen", "last_seen", "detail", "example"),
)


@command("denials")
@log_options
@click.option("--subject", multiple=True, help="Only this subject; may be given several times.")
@click.option("--top", default=50, show_default=True, metavar="N", help="Groups to show; 0 for all.")
@output_options
def denials_command(selection: Selection, subject: tuple[str, ...], top: int, output: Output) -> None:
    """What was denied and what would allow it.

    Denials that one change would allow are one group. First come calls that return credentials, change who may act, or
    run code, subject by subject; then all others by their number. Under "would allow it" stand lines to paste into the
    policy, the least that allows these very calls; whether they should be allowed is yours to judge.

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
        output.give(
            log,
            lambda: _table(groups),
            lambda: [_data(group) for group in groups],
            lambda: _print(groups, found, top, narrowed=bool(subject)),
        )
        report_faults(log, found.bad_lines)


def _data(group: Denials) -> dict[str, Any]:
    return group._asdict() | {"remedy": remedy_data(group.remedy)}


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


def _print(groups: list[Denials], found: Found, top: int, *, narrowed: bool) -> None:
    if not groups:
        line("nothing was denied")
        return
    calls = sum(group.calls for group in groups) if narrowed else found.calls
    total = len(groups) if narrowed else found.total
    line(f"{calls:,} denials in {total:,} {'group' if total == 1 else 'groups'}. Times are UTC.")
    part = groups[: top or None]
    for group in part:
        who = shown(group.subject) if group.subject else "(nobody the policy names)"
        what = shown(group.what) + (f" ({group.kind})" if group.kind else "")
        sent = f"  {group.sent:,} sent all the same" if group.sent else ""
        times = f"{minute(group.first_seen)} to {minute(group.last_seen)}"
        line()
        line(
            (f"{group.calls:,} x {who}", "bold"),
            "  ",
            (what, "cyan"),
            "  ",
            (shown(group.reason), "red"),
            (sent, "yellow"),
        )
        line((f"    {times}, such as {shown(group.example)}", "dim"))
        line((f"    {shown(group.detail)}", "dim"))
        print_remedy(group.remedy, "    ")
    if total > len(part):
        line()
        line((f"and {total - len(part):,} more groups (--top 0)", "dim"))


def print_remedy(remedy: Remedy, indent: str, intro: str = "would allow it, under") -> None:
    """What would allow a call: where in the policy, the lines, and a note."""
    if remedy.yaml is not None:
        line((f"{indent}{intro} {': '.join(map(shown, remedy.place))}:", "dim"))
        for each in remedy.yaml.splitlines():
            # Not clipped, and not broken at the width of the terminal: it is to be pasted.
            line((f"{indent}  {each}", "green"))
    if remedy.note:
        line((f"{indent}{shown(remedy.note)}", "dim" if remedy.yaml is None else "yellow"))
