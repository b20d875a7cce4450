"""Fixtures for all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import Phase, settings

from lab.workspace.server import FakeWorkspace

# Of scripts/mutants: the same examples each time, and none made smaller, since only whether a test fails counts.
settings.register_profile(
    "mutants",
    max_examples=30,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
)
if os.environ.get("CI"):
    # The time of CI is bounded; who works on the code runs three times as many.
    settings.register_profile("brickscope-ci", parent=settings.get_profile("ci"), max_examples=30)
    settings.load_profile("brickscope-ci")


@pytest.fixture
def workspace() -> Iterator[FakeWorkspace]:
    """A fake Databricks workspace, with nothing recorded yet."""
    with FakeWorkspace.start() as running:
        yield running
