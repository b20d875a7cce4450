"""``brickscope replay``: yesterday's calls, judged again under another policy."""

from __future__ import annotations

from pathlib import Path

import click

from brickscope.analysis.replay.result import LOOSER, STRICTER, Change, Result
from brickscope.analysis.replay.run import Replay
from brickscope.count import counted
from brickscope.log.key import DigestKey
from brickscope.log.writer import DIGEST_KEY

from .command import command
from .options import CONFDIR, FILE, Rules, rules_option
from .output import Answer, answers
from .selection import Selection, find_files, log_options
from .terminal import Column, line, print_table, progress_of, say, shown

MOST = 25


@command("replay")
@log_options
@rules_option("The candidate policy: a folder or a file.")
@click.option(
    "--digest-key",
    type=FILE,
    help=f"The key of the log's digests. Default: brickscope-digest-key in {CONFDIR}, if it is there.",
)
@click.option(
    "--fail-on",
    type=click.Choice(["allowed", "denied", "not-replayable", "never"]),
    multiple=True,
    default=("allowed",),
    show_default=True,
    help="Exit with status 1 for these changes; may be repeated.",
)
@answers
def replay_command(
    selection: Selection, rules: Rules, digest_key: Path | None, fail_on: tuple[str, ...]
) -> Answer:
    """Judge logged calls again under a candidate policy: what would be newly allowed, newly denied, and what the log
    can't tell.

    PATHS are files (plain, .zst, .gz), folders and patterns. The decision function is the proxy's own.

    \b
    Exit status: 0 no change that --fail-on names, 1 at least one, 2 the command can't be carried out.

    \b
    Examples:
      brickscope replay --rules candidate/ audit*.jsonl
      brickscope replay --rules rules --since 30d --fail-on allowed --fail-on denied
      brickscope replay --rules rules /var/log/brickscope --json
    """
    files = find_files(selection.paths)
    default = CONFDIR / DIGEST_KEY
    place = digest_key or (default if default.exists() else None)
    key = None if place is None else DigestKey.load_or_make(place)
    policy = rules.load().policy
    with progress_of("judging again", files) as count:
        result = Replay(policy, key, selection.period, count).run(files)
    for bad in result.bad_lines:
        say(shown(bad))
    if result.bad > len(result.bad_lines):
        say(f"and {counted(result.bad - len(result.bad_lines), 'more line')} that could not be read")
    named: dict[str, tuple[Change, ...]] = {
        "allowed": LOOSER,
        "denied": STRICTER,
        "not-replayable": (Change.NOT_REPLAYABLE,),
        "never": (),
    }
    failed = any(result.totals[change] for each in fail_on for change in named[each])
    return Answer(result.data(), lambda: _print(result), failed)


def _print(result: Result) -> None:
    totals = result.totals
    unchanged = f"{totals[Change.UNCHANGED]:,} unchanged"
    line(f"{counted(result.calls, 'call')} judged again under revision {result.revision}: {unchanged}")
    for change, title, style in (
        (Change.NEWLY_ALLOWED, "newly allowed", "red"),
        (Change.NEWLY_SENT, "newly sent (denied, but sent in monitor mode)", "red"),
        (Change.NEWLY_DENIED, "newly denied", "yellow"),
        (Change.NEWLY_REFUSED, "newly refused (sent until now, in monitor mode)", "yellow"),
        (Change.NOT_REPLAYABLE, "not replayable", "dim"),
    ):
        if totals[change]:
            line()
            line((f"{totals[change]:,} {title}", style))
            _print_groups(result, change)


def _print_groups(result: Result, change: Change) -> None:
    groups = list(result.of(change))
    unknown = change is Change.NOT_REPLAYABLE
    columns = [
        Column("calls", right=True),
        Column("subject"),
        Column("call", folds=True),
        Column("then", "dim", spare=1),
    ]
    columns += [Column("why", folds=True)] if unknown else [Column("now"), Column("rule", "dim", folds=True)]
    columns += [Column("last seen", "dim", spare=2), Column("for example", "dim", spare=3)]
    rows = [
        [
            group.calls,
            key.subject,
            key.what,
            key.reason,
            *([key.why] if unknown else [key.reason_now, key.rule_now or key.rule]),
            group.last_seen[:19],
            group.examples[0] if group.examples else None,
        ]
        for key, group in groups[:MOST]
    ]
    print_table(columns, rows, len(groups) - len(rows))
