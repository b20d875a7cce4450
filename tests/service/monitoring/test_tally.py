"""Counts: bounded by the policy and the closed lists, and never in the way."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickscope.core.decision import Decision
from brickscope.core.policy import Mode, Policy, RuleSet, Subject
from brickscope.core.reason import Reason
from brickscope.core.rule import RuleTable
from brickscope.service.monitoring.tally import MAX_SUBJECTS, OTHER, UNKNOWN, Distribution, Tally

NOTHING = RuleTable(())


def policy(*names: str) -> Policy:
    """A policy that names these."""
    rule_set = RuleSet("r", NOTHING, NOTHING)
    return Policy({f"sha256:{name}": Subject(name, rule_set) for name in names}, {}, Mode.ENFORCE, "rev")


def tally_of(*names: str) -> Tally:
    """A tally that knows these subjects."""
    tally = Tally()
    tally.know(policy(*names))
    return tally


def denied(subject: str | None, reason: Reason = Reason.NO_RULE_MATCHES) -> Decision:
    """A denial."""
    return Decision(False, reason, "no", subject=subject)


def by_subject(tally: Tally) -> dict[str, int]:
    """Decisions by what is shown as their subject."""
    found: dict[str, int] = {}
    for (subject, *_), cell in tally.decisions.items():
        found[subject] = found.get(subject, 0) + cell[0]
    return found


def test_a_subject_of_the_policy_has_its_name_and_all_others_have_none() -> None:
    tally = tally_of("ci")
    for subject in ("ci", "ci", None, "dapi0123456789abcdef0123456789abcdef", "CI"):
        tally.decided(denied(subject), 0.001)
    assert by_subject(tally) == {"ci": 2, UNKNOWN: 3}
    assert tally.errors == 0


@given(st.lists(st.text(max_size=40), max_size=60))
def test_what_the_policy_does_not_name_makes_no_series_and_takes_no_memory(subjects: list[str]) -> None:
    tally = tally_of("ci")
    for subject in subjects:
        tally.decided(denied(subject), 0.0)
    assert set(by_subject(tally)) <= {"ci", UNKNOWN}
    assert len(tally._cells) <= 2


def test_beyond_the_cap_subjects_are_counted_together() -> None:
    names = [f"s{index}" for index in range(MAX_SUBJECTS + 50)]
    tally = tally_of(*names)
    for _ in range(2):
        for name in names:
            tally.decided(denied(name), 0.0)
    found = by_subject(tally)
    assert len(found) == MAX_SUBJECTS + 2  # and nobody
    assert found[OTHER] == 100
    assert found["s0"] == 2
    # Another policy does not give room for more.
    tally.know(policy("new"))
    tally.decided(denied("new"), 0.0)
    assert by_subject(tally)[OTHER] == 101


def test_a_name_that_an_edit_takes_away_is_nobodys_and_keeps_what_it_had() -> None:
    tally = tally_of("ci")
    tally.decided(denied("ci"), 0.0)
    tally.know(policy("etl"))
    tally.decided(denied("ci"), 0.0)
    assert by_subject(tally) == {"ci": 1, UNKNOWN: 1}


def test_every_reason_can_be_counted() -> None:
    tally = tally_of()
    for reason in Reason:
        tally.decided(denied(None, reason), 0.0)
        tally.tunnelled(denied(None, reason))
    assert {key[2] for key in tally.decisions} == {reason.value for reason in Reason}
    assert {key[1] for key in tally.tunnels} == {reason.value for reason in Reason}
    assert tally.errors == 0


NONSENSE: dict[str, tuple[str, tuple[Any, ...]]] = {
    "a decision that is none": ("decided", (None, 0.0)),
    "a reason that is none": ("decided", (Decision(False, "dapi0123", "x"), 0.0)),  # type: ignore[arg-type]
    "a time that is none": ("decided", (denied(None), "soon")),
    "a tunnel that is none": ("tunnelled", (None,)),
    "a status that is none": ("ended", ("x", 0, 0, 0.0, None, None)),
    "a side that is none": ("refused_tls", ("dapi0123",)),
    "a reload that is none": ("reloaded", ("x",)),
    "a delay that is none": ("left", (False, None, 1.0)),
}


@pytest.mark.parametrize(("method", "arguments"), NONSENSE.values(), ids=NONSENSE)
def test_a_count_that_fails_is_said_once_and_counted(
    method: str, arguments: tuple[Any, ...], caplog: pytest.LogCaptureFixture
) -> None:
    tally = tally_of()
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            getattr(tally, method)(*arguments)
    assert tally.errors == 3
    assert len(caplog.records) == 1
    assert "dapi" not in caplog.text + repr(tally.decisions) + repr(tally.tunnels)


def test_an_unknown_cause_is_the_proxys() -> None:
    tally = tally_of()
    tally.broke("dapi0123456789abcdef0123456789abcdef")
    assert tally.failures == {"connect": 0, "upstream": 0, "client": 0, "proxy": 1}


@pytest.mark.parametrize(
    ("status", "shown"),
    [(200, "2xx"), (101, "1xx"), (599, "5xx"), (None, "none"), (600, "none"), (99, "none")],
)
def test_statuses_are_classes(status: int | None, shown: str) -> None:
    tally = tally_of()
    tally.left(False, 0.5, 1.0)
    tally.ended(status, 1, None, 0.1, 1.0, 1.5)
    assert [name for name, count in tally.outcomes.items() if count] == [shown]
    assert tally.in_flight == 0
    assert tally.upstream_s.total == 0.5


@given(st.lists(st.floats(0, 1e6)), st.lists(st.floats(1e-6, 1e5), min_size=1, unique=True).map(sorted))
def test_a_bucket_holds_what_is_not_above_its_end(values: list[float], bounds: list[float]) -> None:
    distribution = Distribution(bounds)
    for value in values:
        distribution.add(value)
    for end, count in distribution.buckets():
        assert count == sum(value <= float(end) for value in values)
    assert distribution.total == pytest.approx(sum(values))


def test_a_clock_that_was_set_back_counts_as_no_time() -> None:
    distribution = Distribution((0.1,))
    distribution.add(-3600)
    assert distribution.total == 0
    assert distribution.buckets() == [("0.1", 1.0), ("+Inf", 1.0)]
