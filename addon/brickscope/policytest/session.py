"""A run over many test files: each policy loaded once, results by file, coverage by policy."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from brickscope.policy.load import Loaded, load_policy
from brickscope.policy.problem import Position, Problem

from .coverage import Covered, coverage
from .run import Result, run
from .suite import ENDINGS, SuiteError, build, is_suite, read_source


class FileResults(NamedTuple):
    """The results of one file, and the policy that it tests."""

    file: Path
    loaded: Loaded
    results: list[Result]


class Session(NamedTuple):
    """All results. ``coverage``: of every policy that was tested. ``seconds``: how long it took."""

    files: list[FileResults]
    coverage: list[Covered]
    seconds: float

    @property
    def results(self) -> list[Result]:
        """Of all files."""
        return [result for file in self.files for result in file.results]

    @property
    def failed(self) -> list[Result]:
        """Those that are not as expected."""
        return [result for result in self.results if not result.passed]

    @property
    def uncovered(self) -> list[Covered]:
        """The rules that decided nothing."""
        return [covered for covered in self.coverage if not covered.cells]


def find_suites(paths: Iterable[Path]) -> list[Path]:
    """The test files among these, and those in these folders. Raises SuiteError for a named file that is none."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(
                file for file in path.rglob("*") if file.name.endswith(ENDINGS) and is_suite(file)
            )
        elif is_suite(path):
            found.append(path)
        else:
            problem = Problem(
                Position(str(path)),
                "error",
                "this is no file of policy tests",
                "its name ends in .test.yaml, and it has the key policy_tests: 1",
            )
            raise SuiteError([problem])
    return list(dict.fromkeys(found))


class Policies:
    """Policies by path, each loaded once."""

    def __init__(self) -> None:
        self._loaded: dict[Path, Loaded] = {}

    def load(self, path: Path, now: float) -> Loaded:
        """The policy at a path. Raises PolicyError."""
        key = path.resolve()
        if key not in self._loaded:
            self._loaded[key] = load_policy(path, now)
        return self._loaded[key]


def run_suites(files: Iterable[Path], rules: Path | None = None) -> Session:
    """Run test files. ``rules``: the policy for all of them; None for the one that each names, or stands beside.

    Raises SuiteError and PolicyError with everything that is wrong with files or policy.
    """
    started = time.monotonic()
    policies, done = Policies(), []
    problems: list[Problem] = []
    for file in files:
        try:
            source = read_source(file)
            loaded = policies.load(rules or source.policy, source.model.now)
            suite = build(source, loaded)
        except SuiteError as error:
            problems += error.problems
        else:
            done.append(FileResults(file, loaded, run(suite.cells, loaded)))
    if problems:
        raise SuiteError(problems)
    covered: dict[tuple[Path, Position], Covered] = {}
    for loaded in {id(each.loaded): each.loaded for each in done}.values():
        results = [result for each in done if each.loaded is loaded for result in each.results]
        for each in coverage(loaded.written, results):
            # One file of rules can be in two policies: its folder, and itself. Each of its rules is one rule all the same.
            position = each.rule.position
            place = Path(position.file).resolve(), position._replace(file="")
            known = covered.get(place)
            covered[place] = each if known is None else known._replace(cells=known.cells + each.cells)
    return Session(done, list(covered.values()), time.monotonic() - started)
