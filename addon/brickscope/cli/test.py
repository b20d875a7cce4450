"""``brickscope test``: run the tests beside a policy, and see which rules they exercise."""

from __future__ import annotations

import json
from pathlib import Path

import click

from brickscope.prerequisites import install_command


@click.command("test")
@click.argument("files", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--rules",
    type=click.Path(exists=True, path_type=Path),
    help="The policy: a folder or a file. Default: what each test file names, or the folder it lies in.",
)
@click.option("--fail-uncovered", is_flag=True, help="Fail if a rule decided none of the tests.")
@click.option(
    "--junit", type=click.Path(dir_okay=False, path_type=Path), help="Also write JUnit's XML to this file."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def test_command(
    files: tuple[Path, ...], rules: Path | None, fail_uncovered: bool, junit: Path | None, as_json: bool
) -> None:
    """Run policy tests: FILES, or all *.test.yaml of folders; without FILES those of --rules, or of 'rules'.

    Each test is a call of a subject with the answer that is expected. What a file does not list must be denied.

    \b
    Exit status: 0 all passed, 1 some failed (or a rule is uncovered), 2 files or policy can't be used.

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
    from brickscope.analysis.shown import counted
    from brickscope.policytest import report
    from brickscope.policytest.session import find_suites, run_suites
    from brickscope.policytest.suite import SuiteError

    try:
        found = find_suites(files or [rules or Path("rules")])
    except SuiteError as error:
        raise click.UsageError(str(error)) from None
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
    click.echo(json.dumps(report.data(session)) if as_json else "\n".join(report.lines(session)))
    if fail_uncovered and session.uncovered:
        rules_of_all = counted(len(session.coverage), "rule")
        click.echo(
            f"{len(session.uncovered):,} of {rules_of_all} decided no test (--fail-uncovered)", err=True
        )
    if session.failed or (fail_uncovered and session.uncovered):
        raise SystemExit(1)
