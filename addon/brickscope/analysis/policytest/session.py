"""A run of pytest over test files: each policy loaded once, results, coverage of rules."""

import os
import time
from collections import Counter
from collections.abc import Iterable
from os.path import realpath
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from brickscope.analysis.shown import place
from brickscope.policy.load import Loaded, load_policy
from brickscope.policy.problem import Position, Problem
from brickscope.policy.written import WrittenRule

from . import plugin
from .run import Result
from .suite import Cell, Suite, SuiteError, is_suite

_PLAIN = (
    *("-c", os.devnull, "--noconftest", "-s", "--assert=plain", "-o", "junit_family=xunit1"),
    *(
        f"-pno:{name}"
        for name in ("terminal", "cacheprovider", "faulthandler", "logging", "warnings", "threadexception")
    ),
)
"""pytest without all that a folder of rules could bring along: it runs no code that lies there, and prints nothing."""


class Covered(NamedTuple):
    """A rule and how many cells it decided."""

    rule: WrittenRule
    cells: int


class Session:
    """``rules``: the policy for all files; None for the one that each names, or stands beside. ``errors``: why files could
    not be used."""

    def __init__(self, rules: Path | None = None) -> None:
        self.rules = rules
        self.results: list[Result] = []
        self.errors: list[str] = []
        self.seconds = 0.0
        self._loaded: dict[str, Loaded] = {}

    def pytest_configure(self, config: pytest.Config) -> None:
        """Registered as a plugin, it is what the run fills."""
        config.stash[plugin.SESSION] = self

    def read(self, file: Path) -> tuple[Loaded, list[Cell]]:
        """The cells of a test file, and the policy that it tests. Raises SuiteError and PolicyError."""
        here = Path.cwd()
        suite = Suite(file.relative_to(here) if file.is_relative_to(here) else file)
        policy = self.rules or suite.policy
        loaded = self._loaded.get(realpath(policy)) or load_policy(policy, suite.model.now)
        self._loaded[realpath(policy)] = loaded
        return loaded, suite.cells(loaded)

    @property
    def failed(self) -> list[Result]:
        """Those that are not as expected."""
        return [result for result in self.results if not result.passed]

    @property
    def coverage(self) -> list[Covered]:
        """Every rule of every policy that was tested, in the order of its files, with the number of cells that it decided.

        One file of rules can be in two policies: its folder, and itself. Each of its rules is one rule all the same.
        """
        counts = Counter(map(_where, (result.rule for result in self.results if result.rule is not None)))
        rules = {_where(rule): rule for loaded in self._loaded.values() for rule in loaded.written.rules}
        ordered = sorted(rules.values(), key=lambda rule: rule.position)
        return [Covered(rule, counts[_where(rule)]) for rule in ordered]

    @property
    def uncovered(self) -> list[Covered]:
        """The rules that decided nothing."""
        return [covered for covered in self.coverage if not covered.cells]

    def data(self) -> dict[str, Any]:
        """The run as ``--json`` prints it. JUnit's XML is pytest's own."""
        return {
            "passed": len(self.results) - len(self.failed),
            "failed": len(self.failed),
            "seconds": round(self.seconds, 6),
            "tests": [result.data() for result in self.results],
            "coverage": [
                {
                    "place": place(each.rule.position),
                    "rule_set": each.rule.rule_set,
                    "part": each.rule.part,
                    "rule": each.rule.text,
                    "tests": each.cells,
                }
                for each in self.coverage
            ],
        }


def _where(rule: WrittenRule) -> tuple[str, Position]:
    return realpath(rule.position.file), rule.position._replace(file="")


def find_suites(paths: Iterable[Path]) -> list[Path]:
    """The test files among these, and those in these folders. Raises SuiteError for a named file that is none."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(filter(is_suite, path.rglob("*")))
        elif is_suite(path):
            found.append(path)
        else:
            hint = "its name ends in .test.yaml, and it has the key policy_tests: 1"
            problem = Problem(Position(str(path)), "error", "this is no file of policy tests", hint)
            raise SuiteError([problem])
    return list(dict.fromkeys(found))


def run_suites(files: Iterable[Path], rules: Path | None = None, junit: Path | None = None) -> Session:
    """Run test files, at least one. ``rules``: as for ``Session``. ``junit``: where pytest is to write its XML.

    What is wrong with files or policy is in ``errors``; then nothing was run.
    """
    session, started, files = Session(rules), time.monotonic(), [*files]
    folders = [file.absolute().parent for file in files]
    arguments = [
        *_PLAIN,
        f"--rootdir={Path.cwd()}",
        f"--confcutdir={os.path.commonpath(folders)}",  # or it looks at all beside it too
        *([f"--junitxml={junit}"] if junit else []),
        *map(str, files),
    ]
    with pytest.MonkeyPatch.context() as patch:
        # Neither another package's plugin nor somebody's options: the answer is the same everywhere.
        patch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS"):
            patch.delenv(name, raising=False)
        status = pytest.main(arguments, plugins=[plugin, session])
    expected = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED)
    if status not in expected and not session.errors:
        session.errors.append(f"pytest ended with {pytest.ExitCode(status).name.lower()}")
    session.seconds = time.monotonic() - started
    return session
