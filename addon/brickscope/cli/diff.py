"""``brickscope diff``: what changes in meaning between two versions of a policy."""

from __future__ import annotations

import json
import time

import click


@click.command("diff")
@click.argument("old")
@click.argument("new")
@click.option(
    "--fail-on",
    type=click.Choice(["allowed", "denied", "any"]),
    default="allowed",
    show_default=True,
    help="Which changes make the exit status 1.",
)
@click.option("--time", "at", help="When the proving calls are made, such as 2027-03-01. Default: now.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def diff_command(old: str, new: str, fail_on: str, at: str | None, as_json: bool) -> None:
    """Say what somebody may do under NEW that was denied under OLD, and the other way round.

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
    from brickscope.analysis.diff import report
    from brickscope.analysis.diff.comparison import compare_versions
    from brickscope.analysis.diff.origin import load_version
    from brickscope.policy.model import moment
    from brickscope.policy.problem import PolicyError

    try:
        now = time.time() if at is None else moment(at)
    except ValueError as error:
        raise click.UsageError(f"--time: {error}") from None
    try:
        said = compare_versions(load_version(old, now), load_version(new, now), now)
    except PolicyError as error:
        raise click.UsageError(str(error)) from None
    click.echo(json.dumps(report.data(said)) if as_json else "\n".join(report.lines(said)))
    failed = {"allowed": said.opens, "denied": said.closes, "any": not said.is_empty}
    if failed[fail_on]:
        raise SystemExit(1)
