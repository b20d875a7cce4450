"""``brickscope replay``: yesterday's calls, judged again under another policy."""

from pathlib import Path

import click

from brickscope.analysis.replay.result import LOOSER, STRICTER, Change
from brickscope.analysis.replay.run import Replay
from brickscope.analysis.table import shown
from brickscope.count import counted
from brickscope.log.key import DigestKey
from brickscope.log.writer import DIGEST_KEY

from .command import command
from .options import CONFDIR, FILE, load_rules, rules_option
from .output import Answer, answers, progress_of, say
from .selection import Selection, find_files, log_options


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
    selection: Selection, rules: Path, digest_key: Path | None, fail_on: tuple[str, ...]
) -> Answer:
    """Judge logged calls again under a candidate policy: what would be newly allowed, newly denied, and what the log
    can't tell.

    PATHS are files (plain, .zst, .gz), folders and patterns. The decision function is the proxy's own.

    \b
    Exit status: 0 no change that --fail-on names, 1 at least one, 2 the command can't be carried out.

    \b
    Examples:
      brickscope replay --rules candidate/ audit*.jsonl*
      brickscope replay --rules rules --since 30d --fail-on allowed --fail-on denied
      brickscope replay --rules rules /var/log/brickscope --json
    """
    files = find_files(selection.paths, selection.period)
    default = CONFDIR / DIGEST_KEY
    place = digest_key or (default if default.exists() else None)
    key = None if place is None else DigestKey.load_or_make(place)
    policy = load_rules(rules).policy
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
    return Answer(result.data(), "replay", failed)
