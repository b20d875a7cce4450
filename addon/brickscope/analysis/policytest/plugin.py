"""The pytest plugin: collects ``*.test.yaml`` that hold policy tests, one item a cell. ``brickscope test`` runs on it too.

It is loaded into every run of pytest in an environment that has Brickscope. So it imports nothing but pytest until there is
a file whose name and first bytes say that it is one of ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from brickscope.policy.load import Loaded

    from .session import Session
    from .suite import Cell

SESSION: pytest.StashKey[Session] = pytest.StashKey()
"""What was read and found, in the stash of pytest's configuration."""


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Take in a file of policy tests; every other is left alone."""
    if not file_path.name.endswith((".test.yaml", ".test.yml")):
        return None
    from .session import Session
    from .suite import is_suite

    if not is_suite(file_path):
        return None
    parent.config.stash.setdefault(SESSION, Session())
    return PolicyTestFile.from_parent(parent, path=file_path)


class PolicyTestFile(pytest.File):
    """One file of policy tests."""

    def collect(self) -> Iterator[pytest.Item]:
        """Its cells. Raises CollectError with everything that is wrong with file or policy."""
        from brickscope.policy.problem import PolicyError

        from .suite import SuiteError

        session = self.config.stash[SESSION]
        try:
            loaded, cells = session.read(self.path)
        except (SuiteError, PolicyError) as error:
            session.errors.append(str(error))
            raise self.CollectError(str(error)) from None
        for cell in cells:
            yield PolicyTestItem.from_parent(self, name=cell.name, cell=cell, loaded=loaded)


class _NotAsExpected(Exception):
    pass


class PolicyTestItem(pytest.Item):
    """One call of one subject."""

    def __init__(self, *, cell: Cell, loaded: Loaded, **more: Any) -> None:
        super().__init__(**more)
        self.cell = cell
        self.loaded = loaded

    def runtest(self) -> None:
        """Judge it. Raises where the answer is not as expected."""
        from .run import run_cell

        self.result = run_cell(self.cell, self.loaded)
        self.config.stash[SESSION].results.append(self.result)
        if not self.result.passed:
            raise _NotAsExpected("; ".join(self.result.wrong))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What was expected, what came, and why."""
        if not isinstance(excinfo.value, _NotAsExpected):
            return super().repr_failure(excinfo, style)
        from brickscope.analysis.shown import place

        from .run import failure_lines

        return "\n".join([place(self.cell.position), *failure_lines(self.result)])

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where it stands."""
        return self.path, self.cell.position.line - 1, self.name
