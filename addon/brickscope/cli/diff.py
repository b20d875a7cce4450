"""``brickscope diff``: what changes in meaning between two versions of a policy."""

import time

import click

from brickscope.analysis.diff import report
from brickscope.analysis.diff.comparison import compare_versions
from brickscope.analysis.diff.origin import load_version

from .command import command
from .options import time_option
from .output import Answer, answers


@command("diff")
@click.argument("old")
@click.argument("new")
@click.option(
    "--fail-on",
    type=click.Choice(["allowed", "denied", "any"]),
    default="allowed",
    show_default=True,
    help="Exit with status 1 for these changes.",
)
@time_option("When the proving calls are made, such as 2027-03-01. Default: now.")
@answers
def diff_command(old: str, new: str, fail_on: str, at: float | None) -> Answer:
    """Show what NEW allows that OLD denied, and the reverse.

    OLD and NEW are files, folders, or revisions of git (HEAD~1:rules). Meaning is compared, not text: by subject and
    operation, with a call that proves each newly allowed one. What is not clear counts as newly allowed.

    \b
    Exit status: 0 nothing newly allowed, 1 something is (or what --fail-on says), 2 a version can't be used.

    \b
    Examples:
      brickscope diff HEAD:rules rules
      brickscope diff origin/main:rules HEAD:rules --fail-on any
      brickscope diff old.yaml new.yaml --json
    """
    now = time.time() if at is None else at
    said = compare_versions(load_version(old, now), load_version(new, now), now)
    failed = {"allowed": said.opens, "denied": said.closes, "any": not said.is_empty}
    return Answer(report.data(said), "diff", failed[fail_on])
