"""A writer under watch: clocks set by hand, disks that fail, and what it said."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from audit.written import records
from brickscope.audit.writer import AuditWriter


class Clock:
    """Both clocks, set by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_800_000_000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now - 1_799_000_000)
        monkeypatch.setattr(time, "time", lambda: self.now)
        monkeypatch.setattr(time, "time_ns", lambda: round(self.now * 1e6) * 1000)


def failing(error: OSError) -> Callable[..., Any]:
    def fails(*_: Any) -> Any:
        raise error

    return fails


FULL = OSError(28, "No space left on device")


def events(writer: AuditWriter) -> list[str]:
    return [record["event"] for record in records(writer.path)]


def said(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str, str]]:
    found = [(line.levelno, line.__dict__["event"], line.getMessage()) for line in caplog.records]
    caplog.clear()
    return found
