"""A log as a stream of events: every record once, every call with its outcome, nothing of what is not ours."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from audit.conformance import ecs_problems, ocsf_problems
from audit.example_records import decision, outcome
from audit.made_log import line, made_records, write_log
from brickscope.audit.export.content import uid
from brickscope.audit.export.stream import FORMATS, EventStream, period_to_read
from brickscope.audit.period import Period, read_moment
from brickscope.audit.reader import AuditLog

PROBLEMS = {"ecs": ecs_problems, "ocsf": ocsf_problems}


def export(
    paths: list[Path], form: str = "ecs", period: Period | None = None
) -> tuple[list[Any], EventStream]:
    period = period or Period()
    with AuditLog(paths, period_to_read(period)) as log:
        stream = EventStream(log, FORMATS[form], period.until, None)
        return list(stream), stream


def written(folder: Path, *records: dict[str, Any]) -> list[Path]:
    (folder / "audit.jsonl").write_bytes(b"".join(map(line, records)))
    return [folder]


@pytest.mark.parametrize("form", FORMATS)
def test_every_event_of_a_whole_log_is_one_of_the_schema(form: str, tmp_path: Path) -> None:
    records = list(made_records(3000))
    write_log(tmp_path, records)
    events, stream = export([tmp_path], form)
    assert [problem for event in events for problem in PROBLEMS[form](event)] == []
    left_out = Counter(record["event"] for record in records if record["event"] in ("checkpoint", "key_set"))
    assert stream.unmapped == (left_out if form == "ocsf" else {})
    assert stream.foreign == 0


def test_every_record_but_an_outcome_is_one_event(tmp_path: Path) -> None:
    records = list(made_records(2000))
    write_log(tmp_path, records)
    events, _ = export([tmp_path])
    assert sorted(event["event"]["id"] for event in events) == sorted(
        uid(record) for record in records if record["event"] != "outcome"
    )


def test_every_outcome_is_with_its_call(tmp_path: Path) -> None:
    records = list(made_records(2000))
    write_log(tmp_path, records)
    events, _ = export([tmp_path])
    told = {
        event["transaction"]["id"]: event["brickscope"]["outcome"]["seq"]
        for event in events
        if "outcome" in event["brickscope"]
    }
    assert told == {each["decision_id"]: each["seq"] for each in records if each["event"] == "outcome"}


def test_the_same_log_twice_is_exported_once(tmp_path: Path) -> None:
    records = [decision(), outcome()]
    (tmp_path / "copy.jsonl").write_bytes(b"".join(map(line, records)))
    events, _ = export(written(tmp_path, *records))
    assert len(events) == 1


def test_periods_that_follow_each_other_hold_each_call_once_and_whole(tmp_path: Path) -> None:
    late = outcome(time="2026-11-23T21:03:00.000000Z")
    paths = written(tmp_path, decision(), late)
    hour = read_moment("2026-11-23T21:00", datetime.now(UTC))
    before, _ = export(paths, period=Period(hour - timedelta(hours=1), hour))
    after, _ = export(paths, period=Period(hour, hour + timedelta(hours=1)))
    assert [event["http"]["response"]["status_code"] for event in before] == [200]
    assert after == []


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "field", ["reason", "enforced", "decision", "decision_id", "hash", "detail", "schema"]
)
def test_a_record_without_what_ours_have_costs_itself_only(field: str, form: str, tmp_path: Path) -> None:
    paths = written(tmp_path, decision() | {"seq": 5, field: None}, decision(), outcome())
    events, stream = export(paths, form)
    assert len(events) + stream.foreign == 2
    assert [problem for event in events for problem in PROBLEMS[form](event)] == []


@pytest.mark.parametrize("form", FORMATS)
def test_columns_of_an_odd_shape_cost_themselves_only(form: str, tmp_path: Path) -> None:
    """Whoever can write the log can put anything under ``params``: a list, a number, a text."""
    odd = [decision(seq=number) | {"params": value} for number, value in enumerate(([1], 7, "x", {}), 1)]
    events, stream = export(written(tmp_path, *odd), form)
    assert (len(events), stream.foreign) == (4, 0)
    assert json.dumps(events)
