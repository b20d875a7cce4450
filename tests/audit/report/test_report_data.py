"""What the report counts is what stands in the log: every number is counted once more by hand."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from audit.report.conftest import SINCE
from audit.report.story import END, OLD_REVISION, Story, chained
from brickscope.audit.period import Period
from brickscope.audit.reader import AuditLog
from brickscope.audit.report.activity import Counts
from brickscope.audit.report.attention import find_points
from brickscope.audit.report.data import EmptyLogError, Report, gather
from brickscope.audit.report.summary import sentences
from brickscope.policy.load import load_policy

Record = dict[str, Any]


def _time(record: Record) -> datetime:
    return datetime.fromisoformat(record["time"]).replace(tzinfo=None)


def _of(records: list[Record], event: str, begin: datetime = SINCE) -> list[Record]:
    return [record for record in records if record["event"] == event and _time(record) >= begin]


def _counts(calls: list[Record]) -> Counts:
    kinds = Counter("allow" if each["decision"] == "allow" else each["enforced"] for each in calls)
    return Counts(len(calls), kinds["allow"], kinds[False], kinds[True])


def _by(calls: list[Record], *keys: str) -> dict[Any, list[Record]]:
    found: dict[Any, list[Record]] = defaultdict(list)
    for call in calls:
        found[call[keys[0]] if len(keys) == 1 else tuple(call[key] for key in keys)].append(call)
    return found


def test_all_calls_are_counted(report: Report, records: list[Record]) -> None:
    calls = _of(records, "decision")
    assert report.counts == _counts(calls)
    assert report.subject_count == len({call["subject"] for call in calls} - {None})
    assert report.operation_count == len({call["operation"] for call in calls} - {None})
    assert report.client_count == len({call["client_address"] for call in calls})
    assert report.records == sum(_time(record) >= SINCE for record in records)
    assert report.kinds == Counter(record["event"] for record in records if _time(record) >= SINCE)
    assert (report.first, report.last) == (
        min(_time(each) for each in records if _time(each) >= SINCE),
        max(map(_time, records)),
    )


def test_each_subject_has_its_own_calls(report: Report, records: list[Record]) -> None:
    by_subject = _by(_of(records, "decision"), "subject")
    assert {row.name for row in report.subjects} == set(by_subject)
    for row in report.subjects:
        calls = by_subject[row.name]
        assert row.counts == _counts(calls)
        assert row.operations == len({call["operation"] for call in calls} - {None})
        assert row.clients == len({call["client_address"] for call in calls})
        assert (row.first_seen, row.last_seen) == (min(map(_time, calls)), max(map(_time, calls)))
        assert sum(row.series) == len(calls)
        assert set(row.rule_sets) == {call["rule_set"] for call in calls} - {None}
    assert [row.counts.calls for row in report.subjects] == sorted(
        map(len, by_subject.values()), reverse=True
    )


def test_each_operation_has_its_calls_and_how_they_ended(report: Report, records: list[Record]) -> None:
    by_operation = _by(_of(records, "decision"), "operation")
    outcomes = {record["decision_id"]: record for record in _of(records, "outcome")}
    assert {row.name for row in report.operations} == set(by_operation)
    for row in report.operations:
        calls = by_operation[row.name]
        assert row.counts == _counts(calls)
        ended = [outcomes[call["decision_id"]] for call in calls if call["decision_id"] in outcomes]
        assert row.endings.calls == len(ended)
        assert row.endings.failed == sum(
            "error" in each or each["status"] is None or each["status"] >= 400 for each in ended
        )
        if len(ended) % 2:
            median = sorted(each["duration_ms"] for each in ended)[len(ended) // 2]
            assert row.endings.median_ms == pytest.approx(median, rel=0.031)


def test_the_buckets_hold_every_call_once(report: Report, records: list[Record]) -> None:
    calls = _of(records, "decision")
    buckets, step = report.timeline.buckets, timedelta(seconds=report.timeline.grid.step)
    for bucket in buckets:
        inside = [call for call in calls if bucket.start <= _time(call) < bucket.start + step]
        assert (bucket.allowed, bucket.sent, bucket.denied) == (
            _counts(inside).allowed,
            _counts(inside).sent,
            _counts(inside).denied,
        )
    assert sum(bucket.calls for bucket in buckets) == len(calls)
    hours = Counter((_time(call).weekday(), _time(call).hour) for call in calls)
    assert report.timeline.week == tuple(tuple(hours[day, hour] for hour in range(24)) for day in range(7))


def test_the_map_has_every_call_in_one_cell(report: Report, records: list[Record]) -> None:
    calls = _of(records, "decision")
    heat = report.heat
    by_pair = _by(calls, "subject", "operation")
    for row, subject in zip(heat.cells, heat.subjects, strict=False):
        for cell, operation in zip(row, heat.operations, strict=False):
            inside = by_pair.get((subject, operation), [])
            assert (cell.calls, cell.denied) == (
                len(inside),
                sum(call["decision"] == "deny" for call in inside),
            )
    assert sum(cell.calls for row in heat.cells for cell in row) == len(calls)
    assert len(heat.cells[0]) == len(heat.operations) + bool(heat.other_operations)


def test_reasons_and_denials(report: Report, records: list[Record]) -> None:
    denied = [call for call in _of(records, "decision") if call["decision"] == "deny"]
    by_reason = _by(denied, "reason")
    assert {row.reason: row.calls for row in report.reasons} == {
        reason: len(calls) for reason, calls in by_reason.items()
    }
    assert all(row.kind is not None and row.sentence for row in report.reasons)
    tunnels = [each for each in _of(records, "tunnel") if each["decision"] == "deny"]
    assert sum(row.calls for row in report.denials) == len(denied) + len(tunnels)


def test_outcomes(report: Report, records: list[Record]) -> None:
    outcomes = _of(records, "outcome")
    sent = [call for call in _of(records, "decision") if call["decision"] == "allow" or not call["enforced"]]
    found = report.outcomes
    assert (found.sent, found.ended) == (len(sent), len(outcomes))
    assert found.broken == sum("error" in each for each in outcomes)
    assert found.request_bytes == sum(each["request_bytes"] for each in outcomes)
    assert {(row.status, row.calls) for row in found.endings} == set(
        Counter(each["status"] for each in outcomes).items()
    )
    durations = sorted(each["duration_ms"] for each in outcomes)
    for value, share in zip(found.values, (0.5, 0.95, 0.99), strict=True):
        assert value == pytest.approx(durations[int(share * len(durations))], rel=0.05)
    assert found.longest_ms == durations[-1]


def test_new_is_what_was_not_seen_before_the_period(report: Report, records: list[Record]) -> None:
    calls = [record for record in records if record["event"] == "decision" and record["subject"] is not None]
    before = [call for call in calls if _time(call) < SINCE]
    after = [call for call in calls if _time(call) >= SINCE]
    old_tokens = {call["fingerprint"] for call in before if call["principal"] is None}
    new_tokens = {call["fingerprint"] for call in after if call["principal"] is None} - old_tokens
    assert {row.name for row in report.presence.credentials if row.new} == new_tokens
    assert new_tokens
    old_addresses = {call["client_address"] for call in before}
    assert {row.address for row in report.presence.clients if row.new == "address"} == {
        call["client_address"] for call in after
    } - old_addresses


def test_oauth_tokens_of_one_principal_are_one_row(report: Report) -> None:
    rows = [row for row in report.presence.credentials if row.subject == "etl"]
    assert len(rows) == 1
    assert rows[0].is_oauth
    assert rows[0].new is False


def test_without_an_earlier_log_nothing_is_called_new(story: Story) -> None:
    with AuditLog([story.log]) as log:
        found = gather(log, made=END, period=Period(), stale_days=30)
    assert found.presence.new_credentials is None
    assert {row.new for row in found.presence.credentials} == {None}
    assert not any("new" in point.text for point in find_points(found))


def test_stale_are_subjects_of_policy_and_log(report: Report, story: Story) -> None:
    assert [(row.subject, row.in_policy, row.last_seen) for row in report.presence.stale] == [
        ("old-migration", True, None)
    ]
    with AuditLog([story.log]) as log:
        found = gather(log, made=END, period=Period(), stale_days=30)
    assert not found.presence.stale.rows
    with AuditLog([story.log], Period(None, END + timedelta(days=90))) as log:
        late = gather(
            log, made=END + timedelta(days=80), period=Period(None, END + timedelta(days=90)), stale_days=30
        )
    assert {row.subject for row in late.presence.stale} == {
        "ada", "bi-dashboards", "ci-runner", "etl", "ml-training", "nightly-export", "support-agent",
    }  # fmt: skip
    assert all(row.in_policy is None and row.age and row.age.days >= 80 for row in late.presence.stale)


def test_strangers_are_told_by_fingerprint_and_address(report: Report, records: list[Record]) -> None:
    calls = [call for call in _of(records, "decision") if call["subject"] is None]
    assert [(row.name, row.address, row.counts.calls) for row in report.presence.strangers] == [
        (calls[0]["fingerprint"], "10.0.77.5", len(calls))
    ]


def test_changes_gaps_and_runs(report: Report) -> None:
    assert Counter(event.kind for event in report.changes.events) == {
        "reload": 1, "mode_change": 1, "stop": 1, "start": 1, "failed_reload": 1, "gap": 1,
    }  # fmt: skip
    assert report.changes.gaps.total == 1
    assert "14 calls denied meanwhile" in next(iter(report.changes.gaps)).text
    assert [(run.started, run.stopped) for run in report.changes.runs] == [(False, True), (True, False)]


def test_whole_log_has_every_change(story: Story) -> None:
    with AuditLog([story.log]) as log:
        found = gather(log, made=END, period=Period(), stale_days=30).changes
    assert Counter(event.kind for event in found.events) == {
        "start": 2, "stop": 1, "reload": 1, "failed_reload": 1, "mode_change": 1, "gap": 1,
    }  # fmt: skip
    assert (found.failed_reloads, tuple(found.monitored)) == (1, ("subject ml-training",))
    assert [(run.started, run.stopped, run.version) for run in found.runs] == [
        (True, True, "0.1.0"),
        (True, False, "0.1.1"),
    ]
    assert next(iter(found.revisions)).revision == OLD_REVISION


def test_permissions_are_those_of_the_policy(report: Report, story: Story) -> None:
    permissions = report.permissions
    assert permissions is not None
    assert permissions.in_force
    by_name = {row.name: row for row in permissions.subjects}
    assert set(by_name) == permissions.names
    assert by_name["nightly-export"].state == "expires soon"
    assert by_name["nightly-export"].clients == ("10.0.8.0/24",)
    assert by_name["ml-training"].mode == "monitor"
    assert by_name["etl"].kind == "service principal"
    assert {row.subject for row in report.presence.credentials} <= set(by_name)
    sets = {view.name: view for view in permissions.rule_sets}
    assert sets["deployer"].reach == {"read": 2, "write": 2, "execute": 1, "grant": 0, "secret": 0}
    assert {risk.operation for risk in sets["deployer"].risks} == {
        "jobs.reset",
        "jobs.run_now",
        "workspace.import_",
    }
    decided = sum(rule.calls for rule in (*sets["deployer"].allow, *sets["deployer"].deny))
    calls = next(row for row in report.subjects if row.name == "ci-runner").counts
    assert calls.allowed < decided < calls.calls  # denials for want of a rule were decided by none


def test_a_policy_that_was_never_in_force_is_said_so(story: Story, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(
        (story.rules / "policy.yaml").read_text().replace("      - jobs.reset\n", "")
    )
    loaded = load_policy(tmp_path, END.timestamp())
    with AuditLog([story.log]) as log:
        found = gather(log, made=END, period=Period(), stale_days=30, loaded=loaded)
    assert found.permissions is not None
    assert not found.permissions.in_force
    assert not found.permissions.seen
    assert any("never in the period" in point.text for point in find_points(found))


def test_the_summary_says_it_in_a_sentence(report: Report) -> None:
    first, second, last = sentences(report)
    denied = report.counts.denied + report.counts.sent
    assert first.startswith(f"{report.counts.calls:,} calls by 7 subjects in 10 days; {denied:,} denied (")
    assert first.endswith(f"for {report.reasons.total} reasons.")
    assert second.startswith(f"{report.counts.sent:,} of the denied calls were sent all the same")
    assert last.startswith(
        "The log is complete and unaltered as far as the checkpoint of 2026-11-22 23:46:13"
    )


def test_what_to_look_at_first_begins_with_what_is_serious(report: Report) -> None:
    points = find_points(report)
    weights = [point.weight for point in points]
    assert weights == sorted(weights, key=("serious", "look", "note").index)
    texts = " ".join(point.text for point in points)
    for said in (
        "1 gap",
        "no regular reading",
        "monitor mode",
        "new token",
        "old-migration",
        "nightly-export",
    ):
        assert said in texts


def test_a_changed_byte_makes_the_report_say_damaged(story: Story, tmp_path: Path) -> None:
    from brickscope.audit.series import verify_logs
    from brickscope.audit.verify import Verifier

    content = bytearray(story.log.read_bytes())
    at = content.find(b'"decision":"deny"')
    content[at : at + 17] = b'"decision":"allow"'[:17]
    file = tmp_path / "audit.jsonl"
    file.write_bytes(content)
    with AuditLog([file]) as log:
        evidence = verify_logs([file], lambda _: Verifier())
        found = gather(log, made=END, period=Period(), stale_days=30, evidence=evidence)
    assert found.integrity.status == "damaged"
    assert sentences(found)[-1].startswith("The log is not as it was written")
    assert find_points(found)[0].weight == "serious"


def test_lines_that_are_no_records_are_counted_and_named(tmp_path: Path) -> None:
    begin = {"event": "stop", "policy_revision": None}
    file = tmp_path / "audit.jsonl"
    file.write_bytes(b"".join(chained([(END, begin)])) + b"no record\n")
    with AuditLog([file]) as log:
        found = gather(log, made=END, period=Period(), stale_days=30)
    assert found.integrity.unreadable == 1
    assert [(place.line, place.kind) for place in found.integrity.faults] == [(2, "unreadable")]
    assert "1 line of the log could not be read" in find_points(found)[0].text


def test_an_empty_period_is_said(story: Story) -> None:
    late = Period(END + timedelta(days=100))
    with AuditLog([story.log], late) as log, pytest.raises(EmptyLogError, match="no records in this period"):
        gather(log, made=END, period=late, stale_days=30)


@pytest.mark.parametrize(("minutes", "step"), [(3, 5), (100, 300), (2000, 3600), (100_000, 604_800)])
def test_a_short_log_has_fine_steps(minutes: int, step: int, tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    stop = {"event": "stop", "policy_revision": None}
    times = [END - timedelta(minutes=minutes), END]
    file.write_bytes(b"".join(chained([(time, stop) for time in times])))
    with AuditLog([file]) as log:
        found = gather(log, made=END, period=Period(), stale_days=30)
    assert found.timeline.grid.step == step
    assert 1 < len(found.timeline.buckets) <= 64


def test_one_id_a_million_times_does_not_multiply(tmp_path: Path) -> None:
    """A forged log, in which all decisions and outcomes have one id: joined each with each it would never end."""
    decision = {
        "event": "decision", "decision": "allow", "enforced": True, "decision_id": "x", "operation": "jobs.list",
        "reason": "allowed_by_rule", "policy_revision": "r", "subject": "a",
    }  # fmt: skip
    outcome = {
        "event": "outcome",
        "decision_id": "x",
        "status": 200,
        "duration_ms": 1,
        "policy_revision": "r",
    }
    base = {"schema": 1, "time": "2026-11-01T00:00:00Z", "instance": "i"}
    lines = [json.dumps({**base, "seq": n, **(decision, outcome)[n % 2]}) for n in range(40_000)]
    file = tmp_path / "audit.jsonl"
    file.write_text("\n".join(lines))
    with AuditLog([file]) as log:
        found = gather(log, made=END, period=Period(), stale_days=30)
    assert next(iter(found.operations)).endings.calls == 20_000


def test_long_tables_are_cut_and_say_so(tmp_path: Path) -> None:
    base = {
        "schema": 1,
        "time": "2026-11-01T00:00:00Z",
        "instance": "i",
        "event": "decision",
        "decision": "deny",
    }
    lines = [
        json.dumps({**base, "seq": n, "enforced": True, "reason": f"r{n}", "subject": f"s{n}", "operation": f"o{n}",
                    "path": f"/{n}", "method": "GET", "client_address": f"10.0.{n // 256}.{n % 256}",
                    "fingerprint": f"f{n}", "server_address": f"h{n}", "policy_revision": f"p{n}", "detail": "",
                    "decision_id": f"d{n}"})
        for n in range(1200)
    ]  # fmt: skip
    file = tmp_path / "audit.jsonl"
    file.write_text("\n".join(lines))
    with AuditLog([file]) as log:
        found = gather(log, made=END, period=Period(), stale_days=30)
    for rows in (found.subjects, found.operations, found.denials, found.presence.clients, found.presence.credentials,
                 found.connections.hosts, found.changes.revisions, found.reasons):  # fmt: skip
        assert (len(rows), rows.total, rows.more) == (500, 1200, 700)
    heat = found.heat
    assert (len(heat.subjects), heat.other_subjects) == (14, 1186)
    assert sum(cell.calls for row in heat.cells for cell in row) == 1200
