"""The capacity bench: its rows are of the product at work, and its table lands between the marks."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.bench import capacity
from lab.bench.capacity import BEGIN, DOCUMENT, END, Scale, fill, measure, table

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="the bench reads Linux's /proc"
)


def test_a_small_run_measures_every_row() -> None:
    rows = measure(quick=True, say=lambda _: None, scale=Scale(1, 0.5, 10))
    values = {each.name: each.spread.value for each in rows}
    assert values["wrong answers and errors"] == 0
    assert values["file descriptors of a connection"] == 2, "one to the client, one to the workspace"
    assert 1 < values["memory of a worker at rest"] < 10_000
    assert 500 < values["audit log, decision and outcome of a call"] < 10_000
    assert all(value > 0 for name, value in values.items() if "calls" in name)
    text = table(rows)
    assert all(f"| {name} |" in text for name in values)


def test_the_table_takes_the_place_of_the_old_one() -> None:
    old = f"before\n\n{BEGIN}\n\nold\n\n{END}\n\nafter\n"
    made = fill(old, "new")
    assert made == f"before\n\n{BEGIN}\n\nnew\n\n{END}\n\nafter\n"
    assert fill(made, "new") == made
    for broken in ("", BEGIN, END, f"{END}{BEGIN}"):
        with pytest.raises(ValueError, match="marks"):
            fill(broken, "new")


def test_the_document_has_a_table_of_every_row() -> None:
    text = DOCUMENT.read_text()
    assert fill(text, "") != text
    for name in (
        "memory of a worker at rest",
        "calls on kept connections",
        "audit log, decision and outcome of a call",
    ):
        assert f"| {name} |" in text, f"run scripts/capacity ({capacity.__name__})"
