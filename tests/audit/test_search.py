"""One filter in two forms: what SQL finds on disk is what Python finds in lines as they come."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.made_log import Record, made_records, write_log
from brickscope.audit.reader import AuditLog
from brickscope.audit.search import Filter, search_sql

RECORDS = list(made_records(1500, runs=2))
CALLS = [record for record in RECORDS if record["event"] in ("decision", "tunnel")]
OUTCOMES = {record["decision_id"]: record for record in RECORDS if record["event"] == "outcome"}


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AuditLog]:
    folder = tmp_path_factory.mktemp("log")
    write_log(folder, RECORDS)
    with AuditLog([folder]) as opened:
        yield opened


def found(log: AuditLog, wanted: Filter, limit: int = 0) -> list[dict[str, Any]]:
    result = log.ask(*search_sql(wanted, limit))
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def keys(rows: list[Record] | list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(row["instance"], row["seq"]) for row in rows]


def values(name: str) -> st.SearchStrategy[tuple[str, ...]]:
    there = sorted({str(record[name]) for record in CALLS if record.get(name) is not None})
    odd = [
        "",
        "*",
        "'",
        "%",
        "_",
        "[a-z]*",
        "\\d+",
        "$x",
        "*.run_now",
        "jobs.*",
        "/api/2.?/*",
        "10.0.*",
        "*\n*",
    ]
    return st.lists(st.sampled_from(there + odd), max_size=2).map(tuple)


FILTERS = st.builds(
    Filter,
    subject=values("subject"),
    operation=values("operation"),
    reason=values("reason"),
    client_address=values("client_address"),
    method=values("method"),
    path=values("path"),
    decision=st.lists(st.sampled_from(["allow", "deny", "sent"]), max_size=2).map(tuple),
    status=st.lists(st.sampled_from(["200", "404", "4xx", "5xx", "none"]), max_size=2).map(tuple),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(FILTERS)
def test_both_forms_find_the_same(log: AuditLog, wanted: Filter) -> None:
    expected = [
        record
        for record in CALLS
        if wanted.matches(record)
        and (
            not wanted.status
            or (
                record["decision_id"] in OUTCOMES
                and wanted.matches_status(OUTCOMES[record["decision_id"]]["status"])
            )
        )
    ]
    assert keys(found(log, wanted)) == keys(expected)


def test_calls_come_with_how_they_ended(log: AuditLog) -> None:
    for row in found(log, Filter()):
        outcome = OUTCOMES.get(row["decision_id"], {})
        for name in ("status", "duration_ms", "request_bytes", "response_bytes", "error"):
            assert row[name] == outcome.get(name)


def test_the_last_ones_in_the_order_of_time(log: AuditLog) -> None:
    assert keys(found(log, Filter(), 7)) == keys(CALLS[-7:])


def test_records_of_a_kind(log: AuditLog) -> None:
    expected = [record for record in RECORDS if record["event"] in ("reload", "start")]
    assert keys(found(log, Filter(event=("reload", "start")))) == keys(expected)
    broken = [record for record in OUTCOMES.values() if record["status"] is None]
    assert keys(found(log, Filter(event=("*",), status=("none",)))) == keys(broken)


@pytest.mark.parametrize("status", ["abc", "600", "4x", "", "-1", "20000", "404 OR 1=1"])
def test_what_is_no_status(status: str) -> None:
    with pytest.raises(ValueError, match="write 404, 4xx or none"):
        Filter(status=(status,)).check()
