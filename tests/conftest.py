"""Fixtures for all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from brickscope.fake.workspace import FakeWorkspace


@pytest.fixture
def workspace() -> Iterator[FakeWorkspace]:
    """A fake Databricks workspace, with nothing recorded yet."""
    with FakeWorkspace.start() as running:
        yield running
