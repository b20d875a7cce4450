"""Where there is no browser, its tests are skipped and say why; in CI they fail instead of being passed over."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from report.browser import Browser


@pytest.mark.parametrize(
    ("ci", "outcome"),
    [("", pytest.skip.Exception), ("false", pytest.skip.Exception), ("true", pytest.fail.Exception)],
)
def test_without_chromium(
    ci: str, outcome: type[BaseException], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="chromium and chromedriver are not installed"), Browser.start(tmp_path):
        pass
