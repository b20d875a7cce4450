"""The command: a sample of mutants, the score and the survivors."""

from __future__ import annotations

import fnmatch
import json
import os
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import click

from .explained import explained
from .ground import GROUNDS
from .mutant import Mutant
from .stage import KILLED, Stage, StageError

_WORDS = {"survived": "survived", "no tests": "reached by no test"}


@click.command(
    help="""Break the code on purpose and count what the tests see (mutation testing, by mutmut).

    Each mutant is one function with one thing changed: a comparison, a constant, an argument. It is killed if a test
    fails. Only fast tests that stand next to the code count, and no properties. The score is the share of killed ones;
    those that change nothing but the wording of a sentence are left out. Works in a copy in a temporary folder. Survivors
    are shown but for those that tests/lab/mutants/explained.yaml gives a reason.

    mutmut changes functions only: tables and patterns of modules, and functions with a decorator, are for tests that
    hold lists of their own.

    \b
    Examples:
      scripts/mutants --sample 50                      # a few minutes
      scripts/mutants --package core --sample 200 --seed 7
      scripts/mutants --package log --only '*writer*' --all
      scripts/mutants --at-least 95 --json score.json
    """
)
@click.option(
    "--package",
    "packages",
    type=click.Choice(list(GROUNDS)),
    multiple=True,
    help="Only this part; may be repeated.",
)
@click.option("--sample", default=100, show_default=True, help="Mutants of each part, chosen by the seed.")
@click.option("--seed", default=1, show_default=True, help="Another seed chooses others.")
@click.option("--all", "whole", is_flag=True, help="All mutants instead of a sample: hours for all of core.")
@click.option("--only", "pattern", default="*", help="Only mutants whose name matches, as '*core.rule.*'.")
@click.option("--jobs", default=os.cpu_count() or 1, show_default=True, help="Processes at a time.")
@click.option(
    "--at-least", "bound", type=float, help="Exit with status 1 if the score of a part is lower (per cent)."
)
@click.option(
    "--json", "file", type=click.Path(path_type=Path, dir_okay=False), help="Write the result there as well."
)
def main(
    packages: tuple[str, ...],
    sample: int,
    seed: int,
    whole: bool,
    pattern: str,
    jobs: int,
    bound: float | None,
    file: Path | None,
) -> None:
    """Run a sample of mutants of each part, and show what the tests did not see."""
    report: dict[str, Any] = {"seed": None if whole else seed, "packages": {}}
    low = False
    for package in packages or GROUNDS:
        with tempfile.TemporaryDirectory(prefix="brickscope-mutants-") as folder:
            stage = Stage(Path(folder), GROUNDS[package])
            known = [each for each in stage.mutants() if fnmatch.fnmatchcase(each.name, pattern)]
            counted = [each for each in known if not each.is_prose]
            if not counted:
                raise click.UsageError(f"--only {pattern}: no mutant of {package} has such a name")
            chosen = counted if whole else _sample(counted, sample, seed)
            click.echo(f"{package}: {len(chosen)} of {len(counted)} mutants", err=True)
            try:
                found = stage.run(chosen, jobs)
            except StageError as error:
                click.echo(f"mutmut failed: {error}", err=True)
                sys.exit(2)
        result = _result(chosen, found)
        report["packages"][package] = {"known": len(counted), **result}
        _show(package, result)
        low = low or (bound is not None and result["score"] < bound)
    if file is not None:
        file.write_text(json.dumps(report, indent=2) + "\n")
    sys.exit(1 if low else 0)


def _sample(mutants: list[Mutant], size: int, seed: int) -> list[Mutant]:
    chance = random.Random(seed)  # noqa: S311 - nothing secret
    return chance.sample(mutants, min(size, len(mutants)))


def _result(chosen: list[Mutant], found: dict[str, str]) -> dict[str, Any]:
    killed = Counter(each.file for each in chosen if found[each.name] in KILLED)
    tried = Counter(each.file for each in chosen)
    return {
        "tried": len(chosen),
        "killed": killed.total(),
        "score": round(100 * killed.total() / len(chosen), 1),
        "files": {file: {"tried": tried[file], "killed": killed[file]} for file in sorted(tried)},
        "survivors": [
            {
                "name": each.name,
                "function": each.change.function,
                "file": each.file,
                "status": found[each.name],
                "diff": each.diff,
                "why": explained().get(each.change),
            }
            for each in sorted(chosen)
            if found[each.name] not in KILLED
        ],
    }


def _show(package: str, result: dict[str, Any]) -> None:
    survivors = [each for each in result["survivors"] if each["why"] is None]
    for survivor in survivors:
        click.echo(f"\n{survivor['name']} ({_WORDS[survivor['status']]})")
        click.echo("\n".join(f"    {line}" for line in survivor["diff"].splitlines()))
    click.echo()
    for file, counts in result["files"].items():
        click.echo(f"  {file:20} {counts['killed']:5} of {counts['tried']:5}")
    known = len(result["survivors"]) - len(survivors)
    click.echo(
        f"{package}: {result['killed']} of {result['tried']} killed, {result['score']} %; {known} explained"
    )


if __name__ == "__main__":
    main()
