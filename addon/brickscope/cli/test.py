"""``brickscope test``: run the tests beside a policy, and see which rules they exercise."""

from pathlib import Path

import click

from brickscope.prerequisites import install_command

from .command import command
from .options import NEW_FILE, rules_option
from .output import Answer, answers, say


@command("test")
@click.argument("files", nargs=-1, type=click.Path(exists=True, path_type=Path))
@rules_option(
    "The policy: a folder or a file. Default: what each test file names, or the folder it lies in.",
    optional=True,
)
@click.option("--fail-uncovered", is_flag=True, help="Fail if a rule decided no test.")
@click.option("--junit", type=NEW_FILE, help="Also write JUnit's XML to this file.")
@answers
def test_command(
    files: tuple[Path, ...], rules: Path | None, fail_uncovered: bool, junit: Path | None
) -> Answer:
    """Run policy tests: FILES, or all *.test.yaml of folders; without FILES those of --rules, or of 'rules'.

    Each test is a call of a subject with the answer that is expected. What a file does not list must be denied.

    \b
    Exit status: 0 all passed, 1 some failed (or a rule is not covered), 2 files or policy can't be used.

    \b
    Examples:
      brickscope test
      brickscope test --rules rules --fail-uncovered --junit report.xml
      brickscope test rules/jobs.test.yaml --json
    """
    try:
        import pytest  # noqa: F401 - the rest stands on it
    except ImportError:
        told = f"tests run on pytest, which is not installed; to install it: {install_command('policytest')}"
        raise click.UsageError(told) from None
    from brickscope.analysis.policytest.session import find_suites, run_suites
    from brickscope.count import counted

    found = find_suites(files or [rules or Path("rules")])
    if not found:
        raise click.UsageError("there is no *.test.yaml with policy tests; see docs/policy-tests.md")
    if junit is not None:
        try:
            junit.touch()
        except OSError as error:
            raise click.UsageError(f"{junit} can't be written: {error.strerror}") from None
    session = run_suites(found, rules, junit)
    if session.errors:
        raise click.UsageError("\n".join(dict.fromkeys(session.errors)))
    uncovered = session.uncovered if fail_uncovered else ()
    if uncovered:
        rules_of_all = counted(len(session.coverage), "rule")
        say(f"{len(uncovered):,} of {rules_of_all} decided no test (--fail-uncovered)")
    return Answer(session.data(), "test", bool(session.failed or uncovered))
