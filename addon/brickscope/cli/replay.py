"""``brickscope replay``: yesterday's calls, judged again under another policy."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .audit.key import KEYS
from .audit.selection import Selection, find_files, log_options
from .audit.terminal import Column, console, print_table, progress, say, shown, styled

if TYPE_CHECKING:
    from brickscope.analysis.replay.result import Change, Result

MOST = 25


@click.command("replay")
@log_options
@click.option(
    "--policy",
    "--rules",
    "rules",
    type=click.Path(exists=True, path_type=Path),
    default=Path("rules"),
    show_default=True,
    help="The candidate policy: a folder or a file.",
)
@click.option(
    "--digest-key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=f"The key of the log's digests. Default: brickscope-digest-key in {KEYS}, if it is there.",
)
@click.option(
    "--fail-on",
    type=click.Choice(["allowed", "denied", "not-replayable", "never"]),
    multiple=True,
    default=("allowed",),
    show_default=True,
    help="What makes the exit status 1; may be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def replay_command(
    selection: Selection, rules: Path, digest_key: Path | None, fail_on: tuple[str, ...], as_json: bool
) -> None:
    """Judge the logged calls again under a candidate policy: what would be newly allowed, newly denied, and what the log
    can't tell.

    PATHS are files (plain, .zst, .gz), folders and patterns. The decision function is the proxy's own.

    \b
    Exit status: 0 nothing of what --fail-on names, 1 something, 2 the command can't be carried out.

    \b
    Examples:
      brickscope replay --policy candidate/ audit*.jsonl
      brickscope replay --policy rules --since 30d --fail-on allowed --fail-on denied
      brickscope replay --policy rules /var/log/brickscope --json
    """
    from brickscope.analysis.replay.run import Replay
    from brickscope.log.error import AuditError
    from brickscope.log.key import DigestKey
    from brickscope.log.writer import DIGEST_KEY
    from brickscope.policy.load import load_policy
    from brickscope.policy.problem import PolicyError

    files = find_files(selection.paths)
    try:
        policy = load_policy(rules, time.time()).policy
        place = digest_key or (KEYS / DIGEST_KEY if (KEYS / DIGEST_KEY).exists() else None)
        key = None if place is None else DigestKey.load_or_make(place)
    except (PolicyError, AuditError) as error:
        raise click.UsageError(str(error)) from None
    total, read = max(1, sum(path.stat().st_size for path in files)), 0
    with progress("judging again") as told:

        def count(size: int) -> None:
            nonlocal read
            read += size
            if told:
                told(min(1.0, read / total))

        result = Replay(policy, key, selection.period, count).run(files)
    if as_json:
        click.echo(json.dumps(result.data()))
    else:
        _print(result)
    for line in result.bad_lines:
        say(shown(line))
    if result.bad > len(result.bad_lines):
        say(f"and {result.bad - len(result.bad_lines):,} more lines that are no records")
    raise SystemExit(1 if _fails(result, fail_on) else 0)


def _fails(result: Result, fail_on: tuple[str, ...]) -> bool:
    from brickscope.analysis.replay.result import LOOSER, STRICTER, Change

    named: dict[str, tuple[Change, ...]] = {
        "allowed": LOOSER,
        "denied": STRICTER,
        "not-replayable": (Change.NOT_REPLAYABLE,),
        "never": (),
    }
    return any(result.totals[change] for each in fail_on for change in named[each])


def _print(result: Result) -> None:
    from brickscope.analysis.replay.result import Change

    out = console()
    totals = result.totals
    out.print(styled(f"{result.calls:,} calls judged again under revision {result.revision}: "), end="")
    out.print(styled(f"{totals[Change.UNCHANGED]:,} unchanged"))
    for change, title, style in (
        (Change.NEWLY_ALLOWED, "newly allowed", "red"),
        (Change.NEWLY_SENT, "newly sent (denied, but in monitor mode)", "red"),
        (Change.NEWLY_DENIED, "newly denied", "yellow"),
        (Change.NEWLY_REFUSED, "newly refused (they were denied and sent, in monitor mode)", "yellow"),
        (Change.NOT_REPLAYABLE, "not replayable", "dim"),
    ):
        if totals[change]:
            out.print()
            out.print(styled(f"{totals[change]:,} {title}", style))
            _print_groups(result, change)


def _print_groups(result: Result, change: Change) -> None:
    from brickscope.analysis.replay.result import Change

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
