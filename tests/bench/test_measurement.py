"""How runs become numbers, and numbers verdicts."""

from __future__ import annotations

import pytest

from lab.bench.measurement import Bound, Measurement, Spread, Verdict, best, ratios
from lab.bench.report import number, span


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([3.0], Spread(3, 3, 3)),
        ([9.0, 1.0, 2.0], Spread(2, 1, 9)),
        ([4.0, 1.0, 2.0, 100.0], Spread(3, 1, 100)),
    ],
)
def test_a_spread_is_median_lowest_and_highest(values: list[float], expected: Spread) -> None:
    assert Spread.of(values) == expected


def test_a_spread_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one value"):
        Spread.of([])


def test_a_ratio_is_taken_within_a_round() -> None:
    # Between rounds the machine got ten times slower: no ratio of medians, but a median of ratios, is untouched by it.
    assert ratios([2.0, 20.0, 200.0], [1.0, 10.0, 100.0]) == Spread(2, 2, 2)


def test_ratios_need_as_many_bases_as_values() -> None:
    with pytest.raises(ValueError, match="shorter"):
        ratios([1.0, 2.0], [1.0])


def test_the_best_pass_counts() -> None:
    assert best([5.0, 3.0, 4.0]) == Spread(3, 3, 5)


@pytest.mark.parametrize(
    ("bound", "value", "verdict"),
    [
        (Bound(35), 35.0, Verdict.OK),
        (Bound(35), 35.1, Verdict.OVER),
        (Bound(2.4, at_least=True), 2.4, Verdict.OK),
        (Bound(2.4, at_least=True), 2.3, Verdict.OVER),
        (Bound(0), 0.0, Verdict.OK),
        (Bound(0), 1.0, Verdict.OVER),
        (None, 1e9, Verdict.NONE),
    ],
)
def test_the_verdict_is_about_the_value_not_the_extremes(
    bound: Bound | None, value: float, verdict: Verdict
) -> None:
    row = Measurement("hooks", "a call", "µs", Spread(value, 0, 1e12), bound)
    assert row.verdict is verdict
    assert row.record()["verdict"] == (verdict.value or None)


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.6543, "0.65"), (12.34, "12.3"), (123.4, "123"), (19747.8, "19,748")]
)
def test_numbers_have_the_digits_that_mean_something(value: float, text: str) -> None:
    assert number(value) == text


def test_a_span_without_extent_is_left_out() -> None:
    assert span(Spread(1, 1, 1)) == ""
    assert span(Spread(2, 1, 3)) == r"\[1.00-3.00]"
