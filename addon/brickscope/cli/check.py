"""``brickscope check``: lint a policy, and say what it lets its holders become."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from brickscope.analysis.check.checker import broken, check, chosen, data
from brickscope.analysis.check.code import codes, plain
from brickscope.analysis.check.sarif import sarif
from brickscope.policy.problem import PolicyError, nearest

from .command import command
from .options import NEW_FILE, load_rules, rules_option, soon_option, time_option
from .output import Answer, answers

_FAIL_ON = ("error", "warning", "note", "never")


@command("check")
@rules_option()
@click.option(
    "--sarif",
    "sarif_file",
    type=NEW_FILE,
    help="Also write a SARIF 2.1.0 file, for code scanning. Paths in it are relative to the working directory.",
)
@click.option(
    "--fail-on",
    type=click.Choice(_FAIL_ON),
    default="error",
    show_default=True,
    help="Exit with status 1 for findings of this severity or worse.",
)
@click.option(
    "--select", multiple=True, metavar="CODE", help="Only findings with this code, or its beginning (BS2)."
)
@click.option("--ignore", multiple=True, metavar="CODE", help="No findings with this code, or its beginning.")
@soon_option("Report what expires within this many days.")
@time_option("As of when, such as 2027-03-01T12:00:00Z. Default: now.")
@click.option(
    "--explain", metavar="CODE", help="Explain a finding's code, with an example; no policy is read."
)
@answers
def check_command(
    rules: Path,
    sarif_file: Path | None,
    fail_on: str,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    soon: int,
    at: float | None,
    explain: str | None,
) -> Answer:
    """Lint the policy, and find what its subjects can gain by it.

    It finds rules without effect, limits that other rules undo, rules that are wider than they
    look, subjects that expire or have fewer bindings than their peers, and escalation: what a rule set lets its holder
    become, alone and in combination, each with a request that the decision function allows.

    Accept a finding that is intended in the policy (accept:), with a reason and an end date. --explain BS
    prints every code.

    \b
    Exit status: 0 no finding of --fail-on or worse, 1 at least one, 2 the policy does not load or the command can't be
    carried out.

    \b
    Examples:
      brickscope check
      brickscope check --rules rules --fail-on warning --sarif check.sarif
      brickscope check --select BS2 --select BS3 --json
      brickscope check --explain BS301
    """
    for code in (*select, *ignore, *filter(None, [explain])):
        if not any(known.startswith(code) for known in codes()):
            hint = nearest(code, codes()) or "--explain BS prints every code"
            raise click.UsageError(f"there is no finding {code!r} ({hint})")
    if explain is not None:
        pages = {name: page for name, page in codes().items() if name.startswith(explain)}
        return Answer(
            [page._asdict() for page in pages.values()], ["\n\n\n".join(map(plain, pages.values()))]
        )
    now = time.time() if at is None else at
    try:
        loaded = load_rules(rules, now)
        tree = data(chosen(check(loaded, now, soon), select, ignore), loaded.policy.revision)
        failing = _FAIL_ON[: _FAIL_ON.index(fail_on) + 1] if fail_on != "never" else ()
        said = Answer(tree, "check", any(tree["counts"][each] for each in failing))
    except PolicyError as error:
        said = Answer(data(broken(error)), (), 2, [str(error)])
    if sarif_file is not None:
        _write_sarif(said.data, sarif_file)
    return said


def _write_sarif(report: Mapping[str, Any], file: Path) -> None:
    text = json.dumps(sarif(report, Path.cwd()), indent=2)
    try:
        file.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise click.UsageError(f"--sarif: {file} can't be written: {error.strerror}") from None
