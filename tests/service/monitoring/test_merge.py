"""Merging expositions: nothing is lost, nothing is summed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from brickscope.service.monitoring.collector import merge

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def exposition(calls: dict[str, int], lag: float) -> str:
    """Text with a counter, a gauge and a histogram."""
    registry = CollectorRegistry()
    counter = Counter("x_calls", 'Calls, "quoted"\nand \\ escaped.', ["subject"], registry=registry)
    for subject, amount in calls.items():
        counter.labels(subject).inc(amount)
    Gauge("x_flying", "Now.", registry=registry).set(lag)
    Histogram("x_lag_seconds", "Lag.", buckets=(0.1, 1.0), registry=registry).observe(lag)
    return generate_latest(registry).decode()


def samples(text: str) -> Samples:
    """All samples of a text; those of OpenMetrics' creation times aside."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


@given(
    st.dictionaries(
        st.text(st.characters(min_codepoint=32, max_codepoint=0x2FFF), min_size=1, max_size=8),
        st.tuples(
            st.dictionaries(st.sampled_from(['a"b', "c\\", "d\n", "e"]), st.integers(0, 9)), st.floats(0, 5)
        ),
        max_size=4,
    )
)
def test_each_worker_keeps_each_of_its_samples(workers: dict[str, tuple[dict[str, int], float]]) -> None:
    texts = {worker: exposition(*content) for worker, content in workers.items()}
    expected: Samples = {
        (name, tuple(sorted((*labels, ("worker", worker))))): value
        for worker, text in texts.items()
        for (name, labels), value in samples(text).items()
    }
    assert samples(merge(texts).decode()) == expected


def test_a_family_has_one_head_whatever_the_number_of_workers() -> None:
    text = merge({"1": exposition({"a": 1}, 0), "2": exposition({"a": 2}, 0)}).decode()
    assert text.count("# TYPE x_calls_total counter") == 1
    assert text.count("# TYPE x_lag_seconds histogram") == 1
    assert 'x_calls_total{subject="a",worker="2"} 2.0' in text


def test_a_worker_can_not_speak_for_another() -> None:
    text = 'x_calls_total{worker="2"} 5\n'
    assert samples(merge({"1": text}).decode()) == {("x_calls_total", (("worker", "1"),)): 5.0}


def test_a_text_that_can_not_be_read_is_named() -> None:
    with pytest.raises(ValueError, match="worker 2 can't be read"):
        merge({"1": "x 1\n", "2": "x{ 1 1 1\n<html>"})
