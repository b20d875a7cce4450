"""Numbers, times and hostile text as the page shows them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickscope.audit.report.denials import describe_caller, describe_params
from brickscope.audit.report.rows import Rows
from brickscope.audit.report.text import brief, counted, duration, listed, share, shown, size, span


@given(st.text(alphabet=st.characters(), max_size=400))
def test_what_is_shown_hides_nothing(text: str) -> None:
    said = shown(text)
    assert said.isprintable()
    said.encode("utf-8")
    assert len(said) < 300


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nightly-export", "nightly-export"),
        ("Grüße, مرحبا", "Grüße, مرحبا"),
        ("abc\u202efed", "abc\\u202efed"),
        ("a\u200bb", "a\\u200bb"),
        ("\x1b[31m", "\\x1b[31m"),
        ("a\nb", "a\\x0ab"),
        ("\ud800", "\\ud800"),
        ("", '""'),
        ("  ", '"  "'),
        ("\U000e0041", "\\U000e0041"),
        ("x" * 300, "x" * 240 + "… (60 more characters)"),
    ],
    ids=lambda text: ascii(text)[:20],
)
def test_text_is_shown(text: str, said: str) -> None:
    assert shown(text) == said


@pytest.mark.parametrize(
    ("part", "whole", "said"),
    [
        (0, 10, "0 %"),
        (1, 0, "0 %"),
        (1, 1_000_000, "< 0.1 %"),
        (999_999, 1_000_000, "> 99.9 %"),
        (10, 10, "100 %"),
        (25, 1000, "2.5 %"),
    ],
)
def test_a_share_never_hides_the_few(part: int, whole: int, said: str) -> None:
    assert share(part, whole) == said


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (brief(0), "0"),
        (brief(999), "999"),
        (brief(1000), "1k"),
        (brief(1234), "1.2k"),
        (brief(9970), "10k"),
        (brief(35_200_000), "35M"),
        (counted(0, "call"), "no calls"),
        (counted(1, "address", "addresses"), "1 address"),
        (counted(1200, "address", "addresses"), "1,200 addresses"),
        (duration(None), "–"),
        (duration(0.42), "0.42 ms"),
        (duration(1350), "1.35 s"),
        (duration(130_000), "2.17 min"),
        (size(None), "–"),
        (size(0), "no bytes"),
        (size(1), "1 byte"),
        (size(1_234_000), "1.23 MB"),
        (span(timedelta(days=3, hours=2)), "3 days"),
        (span(timedelta(seconds=-5)), "less than a second"),
        (span(timedelta(hours=1)), "1 hour"),
        (listed(["a"]), "a"),
        (listed(["a", "b", "c"]), "a, b and c"),
        (describe_caller("sha256:1", None), "sha256:1"),
        (describe_caller(None, '{"sub":"ada","client_id":"cli"}'), "ada by client cli"),
        (describe_caller(None, '{"sub":"x","client_id":"x"}'), "x"),
        (describe_caller("sha256:1", "[1]"), "sha256:1"),
        (describe_caller("sha256:1", "no json"), "sha256:1"),
        (describe_params([{"job_id": 1}, {"job_id": 2}, {"job_id": 1}]), "job_id = 1 or 2"),
        (describe_params([None, [1], {"a": {"b": "c"}}]), 'a = {"b": "c"}'),
        (describe_params([{"n": n} for n in range(20)]), "n = 0 or 1 or 2 or 3 or 4 or 5 or 6 or 7 …"),
    ],
    ids=lambda value: value,
)
def test_it_is_said_so(made: str, said: str) -> None:
    assert made == said


def test_rows_say_how_many_are_left_out() -> None:
    rows = Rows.of(range(10), 10, limit=4)
    assert (tuple(rows), len(rows), rows.total, rows.more) == ((0, 1, 2, 3), 4, 10, 6)
    assert Rows.of([], 0).more == 0
