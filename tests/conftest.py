"""Fixtures for all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings

from lab.workspace.server import FakeWorkspace
from whole import LONGEST, MEASURED, TESTS, WHOLE

# How long an example takes says how busy the machine is.
settings.register_profile("brickscope", deadline=None)
settings.load_profile("brickscope")
if os.environ.get("CI"):
    # The time of CI is bounded; who works on the code runs three times as many.
    settings.register_profile("brickscope-ci", parent=settings.get_profile("ci"), max_examples=30)
    settings.load_profile("brickscope-ci")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--all", action="store_true", help="Also what runs real programs, clients, browsers, the soak."
    )
    parser.addoption(
        "--half", choices=("first", "second"), help="Of all: what runs without --all, or the rest."
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out what takes long, unless all is wanted or a file is named by itself. Each process would import it."""
    name, half = collection_path.relative_to(TESTS), config.getoption("--half")
    if half == "first" or _is_part(config):
        return name.as_posix() in WHOLE or None
    if half == "second" and collection_path.is_file():
        return not any(part.as_posix() in WHOLE for part in (name, *name.parents)) or None
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest: pytest keeps no order of folders of which one holds the other."""
    longest = {TESTS / name for name in LONGEST}
    items.sort(key=lambda item: item.path not in longest)
    for item in items:
        # To count branches costs a test half its time again. So it is done by the tests of what is measured, and not by
        # properties, whose hundreds of examples take the branches of a few.
        is_property = getattr(getattr(item, "function", None), "is_hypothesis_test", False)
        if is_property or not _is_measured(item.path):
            item.add_marker("no_cover")


@cache
def _is_measured(path: Path) -> bool:
    return any(path.is_relative_to(TESTS / name) for name in MEASURED)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if _is_part(config):
        terminalreporter.write_line("Real programs were left out; scripts/test --all runs them too.")


def _is_part(config: pytest.Config) -> bool:
    names = [argument.partition("::")[0] for argument in config.args]
    return not config.getoption("--all") and not any(name.endswith(".py") for name in names)


@pytest.fixture
def workspace() -> Iterator[FakeWorkspace]:
    """A fake Databricks workspace, with nothing recorded yet."""
    with FakeWorkspace.start() as running:
        yield running
