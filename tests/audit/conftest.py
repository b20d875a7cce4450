"""Fixtures for the tests of the log."""

from __future__ import annotations

import pytest

from audit.watched import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)
