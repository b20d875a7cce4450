"""Makes the picture of the report for the README: ``PYTHONPATH=addon:tests python tests/report/picture.py``.

The log in it is made up. Letters are those of the machine it is made on; everything else is the same each time.
"""

from __future__ import annotations

import sys
import tempfile
from datetime import datetime
from pathlib import Path

from brickscope.audit.period import Period
from brickscope.audit.reader import AuditLog
from brickscope.audit.series import verify_logs
from brickscope.audit.verify import Verifier
from brickscope.policy.load import load_policy
from brickscope.report.counts import gather_earlier
from brickscope.report.page import render
from brickscope.report.report import gather
from report.browser import Browser
from report.story import END, KEY, make_story

SIZE = (1240, 1560)
SINCE = datetime(2026, 11, 9)  # noqa: DTZ001 - UTC, as all times of a log
TARGET = Path(__file__).parents[2] / "docs" / "img" / "report.png"


def make_picture(folder: Path) -> bytes:
    """The upper part of the report as PNG. ``folder``: for the log and the page."""
    story = make_story(folder / "story")
    with AuditLog([story.log], Period(None, SINCE)) as before:
        earlier = gather_earlier(before)
    with AuditLog([story.log], Period(SINCE)) as log:
        report = gather(
            log,
            made=END,
            period=Period(SINCE),
            stale_days=30,
            title="Audit report, 9 to 22 November 2026",
            loaded=load_policy(story.rules, END.timestamp()),
            earlier=earlier,
            evidence=verify_logs([story.log], lambda _: Verifier(KEY.public)),
        )
    page = folder / "report.html"
    page.write_text(render(report), encoding="utf-8")
    with Browser.start(folder / "profile") as browser:
        browser.open(page, SIZE)
        return browser.picture(*SIZE)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        picture = make_picture(Path(made))
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_bytes(picture)
    sys.stdout.write(f"{TARGET}: {len(picture) / 1000:.0f} kB\n")
