"""Times as people write them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from brickscope.audit.period import read_moment

NOW = datetime(2026, 11, 24, 19, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-24", "2026-11-24T00:00:00"),
        ("2026-11-24T19:30", "2026-11-24T19:30:00"),
        ("2026-11-24T19:30:05.25Z", "2026-11-24T19:30:05.250000"),
        ("2026-11-24 19:30:00+02:00", "2026-11-24T17:30:00"),
        ("90m", "2026-11-24T18:00:00"),
        ("12h", "2026-11-24T07:30:00"),
        ("7d", "2026-11-17T19:30:00"),
        ("2w", "2026-11-10T19:30:00"),
        (" 30s ", "2026-11-24T19:29:30"),
    ],
)
def test_a_moment(text: str, expected: str) -> None:
    assert read_moment(text, NOW) == datetime.fromisoformat(expected)


@pytest.mark.parametrize(
    "text", ["", "yesterday", "7", "7x", "-7d", "24.11.2026", "999999w", "9999-12-31T23:59-14:00"]
)
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(ValueError, match="is no time: write 2026-11-24"):
        read_moment(text, NOW)
