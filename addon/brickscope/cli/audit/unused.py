"""``brickscope audit unused``: subjects, rule sets and rules that nobody has used for long."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from brickscope.analysis.table import minute
from brickscope.audit.table import Table
from brickscope.audit.usage import Usage, find_usage, unused
from brickscope.cli.command import command
from brickscope.cli.options import load_rules, rules_option
from brickscope.cli.output import Output, output_options, progress, say
from brickscope.cli.selection import Selection, log_options, open_log


@command("unused")
@log_options
@rules_option("The policy to compare with the log: a folder or a file.")
@click.option(
    "--days", default=90, show_default=True, type=click.IntRange(0, 36500), help="Unused for this many days."
)
@output_options
def unused_command(selection: Selection, rules: Path, days: int, output: Output) -> None:
    """List subjects, rule sets and rules of a policy that had no hit in N days.

    A subject counts as used by any call, allowed or not; a rule by a call that it allowed or denied. The rules of a rule
    set that is unused as a whole are not listed.

    \b
    Exit status: 0 everything is used, 1 something is not, 2 the command can't be carried out.

    \b
    Examples:
      brickscope audit unused --rules rules
      brickscope audit unused /var/log/brickscope --rules rules --days 30 --json
    """
    end = selection.period.until or datetime.now(UTC).replace(tzinfo=None)
    policy = load_rules(rules, end.replace(tzinfo=UTC).timestamp()).policy
    with open_log(selection, output) as log:
        with progress("reading the log") as told:
            log.make_facts(told)
        begin = log.ask("SELECT min(first_seen) FROM audit_facts").fetchall()[0][0]
        found = unused(find_usage(log, policy), end - timedelta(days=days))
        if begin is None or begin > end - timedelta(days=days):
            say(f"the log begins {minute(begin)}: it can't show that something was unused for {days} days")
        data = [usage._asdict() for usage in found]
        tree = {"found": data, "days": days}
        output.give(log, data, lambda: Table.of_records(Usage, Usage._fields, found), "unused", tree)
    if found:
        raise SystemExit(1)
