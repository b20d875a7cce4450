"""``brickscope learn``: a rule set from what the log shows of a subject."""

from pathlib import Path

import click

from brickscope.analysis.learn import report
from brickscope.analysis.learn.evidence import Selector
from brickscope.analysis.learn.learning import Learned, learn
from brickscope.analysis.learn.proposal import Wish, read_include
from brickscope.core.fingerprint import PATTERN

from .command import command
from .options import NAME, NEW_FILE, Shaped, load_rules, rules_option
from .output import Answer, answers, progress, say
from .selection import Selection, log_options, open_log

_FINGERPRINT = Shaped(
    "fingerprint", PATTERN.pattern, "a fingerprint is sha256: and 64 lower-case hex digits, as the log has it"
)


@command("learn")
@log_options
@click.option("--subject", help="Whose calls: the name of a token, service principal or user.")
@click.option(
    "--fingerprint", type=_FINGERPRINT, help="Or those with an unknown token: its fingerprint, sha256:…."
)
@click.option("--client-id", help="Or those of a service principal, by its verified client id.")
@click.option("--sub", help="Or those of a user, by the verified sub of the token.")
@rules_option("The present policy: the proposal is a change of it.", optional=True)
@click.option("--name", type=NAME, help="The name of subject and rule set where the policy has none yet.")
@click.option(
    "--include",
    multiple=True,
    metavar="OPERATION",
    help="Also propose this dangerous operation (jobs.run_now), or a class (class:execute). May be repeated.",
)
@click.option(
    "--paths", "by_path", is_flag=True, help="Also propose path rules for calls of no known operation."
)
@click.option(
    "--max-values",
    default=5,
    show_default=True,
    type=click.IntRange(1, 100),
    help="List at most this many objects of a parameter; with more, do not limit it.",
)
@click.option("--drop-unused", is_flag=True, help="Remove rules that no observed call needed.")
@click.option("--write", type=NEW_FILE, metavar="FILE", help="Write the whole policy file that is proposed.")
@click.option("--patch", type=NEW_FILE, metavar="FILE", help="Write the change as a patch (git apply).")
@answers
def learn_command(
    selection: Selection,
    rules: Path | None,
    name: str | None,
    include: tuple[str, ...],
    by_path: bool,
    max_values: int,
    drop_unused: bool,
    write: Path | None,
    patch: Path | None,
    **by: str | None,
) -> Answer:
    """Propose the smallest rule set that covers a subject's logged calls.

    PATHS are the log's files and folders (default: the log in this folder). Evidence is calls that were forwarded and
    succeeded. What grants, reads secrets or runs code is proposed only if you name it (--include). With --rules the
    proposal is a change of the policy's file, its comments kept. Every covered call is judged again under the proposal.

    \b
    Exit status: 0 the proposal covers its calls (or there is nothing to add), 1 it leaves some out, or there is no
    evidence, 2 it can't be carried out.

    \b
    Examples:
      brickscope learn --subject ci --rules rules
      brickscope learn --subject ci --rules rules --include jobs.run_now --patch ci.patch
      brickscope learn --fingerprint sha256:… --name nightly-export --write rules/nightly-export.yaml
    """
    named = [Selector(each, value) for each, value in by.items() if value is not None]
    if len(named) != 1:
        raise click.UsageError("say whose calls, by one of --subject, --fingerprint, --client-id and --sub")
    names, classes = read_include(include)
    policy = None if rules is None else load_rules(rules)
    with open_log(selection) as log, progress("reading and judging the log") as told:
        said = learn(
            log,
            named[0],
            Wish(names, classes, by_path, max_values),
            policy,
            name=name,
            drop_unused=drop_unused,
            progress=told,
        )
    nothing = said.evidence.calls == sum(said.left_out.values())
    unproved = bool(said.unmet) or (said.proof is not None and not said.proof.holds)
    return Answer(report.data(said, _write(said, write, patch)), "learn", nothing or unproved)


def _write(said: Learned, write: Path | None, patch: Path | None) -> list[str]:
    """Writes the files that were asked for; which it wrote."""
    draft = said.draft
    if write is None and patch is None:
        return []
    if draft is None:
        say("nothing to propose, so nothing is written")
        return []
    if patch is not None and draft.file is None:
        raise click.UsageError(
            "there is nothing to patch: the policy has no such rule set. Use --write for a new file"
        )
    if said.proof is not None and not said.proof.holds:
        say("the proposal does not allow all that it is to cover, so nothing is written")
        return []
    files = [(file, text) for file, text in ((write, draft.text), (patch, draft.patch)) if file is not None]
    for file, text in files:
        file.write_bytes(text.encode())
    return [str(file) for file, _ in files]
