"""Fixtures for tests of the report: a made-up log, what is gathered from it, its page, and a browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from brickscope.audit.period import Period
from brickscope.audit.reader import AuditLog
from brickscope.audit.series import verify_logs
from brickscope.audit.verify import Verifier
from brickscope.policy.load import load_policy
from brickscope.report.counts import gather_earlier
from brickscope.report.page import render
from brickscope.report.report import Report, gather
from report.browser import Browser
from report.hostile import write_hostile_log
from report.story import END, Story, make_story

SINCE = datetime(2026, 11, 13)  # noqa: DTZ001 - UTC, as all times of a log


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Two weeks of a small company."""
    return make_story(tmp_path_factory.mktemp("story"), days=14, scale=0.4)


@pytest.fixture(scope="session")
def records(story: Story) -> list[dict[str, Any]]:
    """Its records, for counting by hand."""
    return [json.loads(line) for line in story.log.read_bytes().splitlines()]


@pytest.fixture(scope="session")
def report(story: Story) -> Report:
    """What is gathered of its last ten days, checked and held against its policy."""
    evidence = verify_logs([story.log], lambda _: Verifier())
    with AuditLog([story.log], Period(None, SINCE)) as before:
        earlier = gather_earlier(before)
    with AuditLog([story.log], Period(SINCE)) as log:
        return gather(
            log,
            made=END,
            period=Period(SINCE),
            stale_days=30,
            loaded=load_policy(story.rules, END.timestamp()),
            earlier=earlier,
            evidence=evidence,
        )


@pytest.fixture(scope="session")
def page(report: Report, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of that report."""
    file = tmp_path_factory.mktemp("page") / "report.html"
    file.write_text(render(report), encoding="utf-8")
    return file


@pytest.fixture(scope="session")
def hostile_report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """What is gathered of a log that is an attack in all of its texts."""
    log = write_hostile_log(tmp_path_factory.mktemp("hostile"))
    with AuditLog([log]) as opened:
        return gather(
            opened, made=END, period=Period(), stale_days=30, title="<script>window.__hacked=1</script>"
        )


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A headless Chromium; without one the test is skipped, but in CI it fails."""
    with Browser.start(tmp_path_factory.mktemp("chromium")) as running:
        yield running
