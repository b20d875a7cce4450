"""What the report counts is what stands in the log: every number is counted once more by hand."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from audit.made_log import placeholder_lines
from brickscope.audit.period import Period
from brickscope.audit.reader import AuditLog
from brickscope.policy.load import load_policy
from brickscope.report.block import Cell
from brickscope.report.report import EmptyLogError, Report, gather
from report.conftest import SINCE
from report.rows import badges, points, rows, table
from report.story import END, OLD_REVISION, Story, chained

Record = dict[str, Any]


def _time(record: Record) -> datetime:
    return datetime.fromisoformat(record["time"]).replace(tzinfo=None)


def _of(records: list[Record], event: str, begin: datetime = SINCE) -> list[Record]:
    return [record for record in records if record["event"] == event and _time(record) >= begin]


def _counts(calls: list[Record]) -> tuple[int, int, int]:
    """All, denied, denied and sent."""
    kinds = Counter("allow" if each["decision"] == "allow" else each["enforced"] for each in calls)
    return len(calls), kinds[True], kinds[False]


def _said(row: Any) -> tuple[int, int, int]:
    return row["Calls"], row["Denied"], row["Would be denied"]


def _by(calls: list[Record], *keys: str) -> dict[Any, list[Record]]:
    found: dict[Any, list[Record]] = defaultdict(list)
    for call in calls:
        found[call[keys[0]] if len(keys) == 1 else tuple(call[key] for key in keys)].append(call)
    return found


def _ends(records: list[Record], calls: list[Record]) -> tuple[int, int | None]:
    """How many of these calls failed, and the bytes of their answers."""
    outcomes = {record["decision_id"]: record for record in _of(records, "outcome")}
    ended = [outcomes[call["decision_id"]] for call in calls if call["decision_id"] in outcomes]
    failed = sum("error" in each or each["status"] is None or each["status"] >= 400 for each in ended)
    sizes = [each["response_bytes"] for each in ended if each["response_bytes"] is not None]
    return failed, sum(sizes) if sizes else None


def _whole(log: Path, **more: Any) -> Report:
    with AuditLog([log]) as opened:
        return gather(opened, **{"made": END, "period": Period(), "stale_days": 30, **more})


def test_all_calls_are_counted(report: Report, records: list[Record]) -> None:
    calls, inside = _of(records, "decision"), [each for each in records if _time(each) >= SINCE]
    count, denied, sent = _counts(calls)
    assert report.tiles == {
        "Calls": count,
        "Allowed": count - denied - sent,
        "Denied": denied,
        "Would be denied (monitor)": sent,
        "Subjects": len({call["subject"] for call in calls} - {None}),
        "Operations": len({call["operation"] for call in calls} - {None}),
        "Client addresses": len({call["client_address"] for call in calls}),
        "Policy revisions": len({each["policy_revision"] for each in inside}),
    }
    kinds = {row["Event"]: row["Records"] for row in rows(report, "kinds")}
    assert kinds == Counter(record["event"] for record in inside)
    first, last = (
        moment.isoformat(" ", "seconds") for moment in (min(map(_time, inside)), max(map(_time, inside)))
    )
    assert report.period == f"{first} to {last} UTC · asked for from 2026-11-13 00:00:00"


def test_each_subject_has_its_own_calls(report: Report, records: list[Record]) -> None:
    by_subject = _by(_of(records, "decision"), "subject")
    found = rows(report, "subjects")
    assert {row["Subject"] for row in found} == set(by_subject)
    for row in found:
        calls = by_subject[row["Subject"]]
        assert _said(row) == _counts(calls)
        assert row["Operations"] == len({call["operation"] for call in calls} - {None})
        assert row["Clients"] == len({call["client_address"] for call in calls})
        assert (row["First call"], row["Last call"]) == (min(map(_time, calls)), max(map(_time, calls)))
        assert sum(row["Over time"]) == len(calls)
        assert set(row["Rule set"] or ()) == {call["rule_set"] for call in calls} - {None}
        assert (row["Failed"], row["Received"]) == _ends(records, calls)
    assert [row["Calls"] for row in found] == sorted(map(len, by_subject.values()), reverse=True)


def test_each_operation_has_its_calls_and_how_they_ended(report: Report, records: list[Record]) -> None:
    by_operation = _by(_of(records, "decision"), "operation")
    outcomes = {record["decision_id"]: record["duration_ms"] for record in _of(records, "outcome")}
    found = rows(report, "operations")
    assert {row["Operation"] for row in found} == set(by_operation)
    for row in found:
        calls = by_operation[row["Operation"]]
        assert _said(row) == _counts(calls)
        assert (row["Failed"], row["Received"]) == _ends(records, calls)
        assert row["Longest"] == max(
            (outcomes[call["decision_id"]] for call in calls if call["decision_id"] in outcomes), default=None
        )
    classes = {row["Operation"]: row["Class"] for row in found}
    assert (classes["jobs.run_now"], classes["tokens.create"], classes[None]) == (
        "execute",
        "secret",
        None,
    )


def test_what_each_subject_called_has_every_call_in_one_row(report: Report, records: list[Record]) -> None:
    by_pair = _by(_of(records, "decision"), "subject", "operation")
    found = rows(report, "pairs")
    assert {(row["Subject"], row["Operation"]) for row in found} == set(by_pair)
    for row in found:
        calls = by_pair[row["Subject"], row["Operation"]]
        assert _said(row) == _counts(calls)
        assert (row["Failed"], row["Received"]) == _ends(records, calls)


def test_the_steps_of_the_timeline_hold_every_call_once(report: Report, records: list[Record]) -> None:
    calls, found = _of(records, "decision"), rows(report, "calls")
    step = found[1]["From (UTC)"] - found[0]["From (UTC)"]
    for row in found:
        inside = [call for call in calls if row["From (UTC)"] <= _time(call) < row["From (UTC)"] + step]
        assert _said(row) == _counts(inside)
        assert row["Allowed"] == row["Calls"] - row["Denied"] - row["Would be denied"]
    assert sum(row["Calls"] for row in found) == len(calls)


def test_reasons_and_denials(report: Report, records: list[Record]) -> None:
    denied = [call for call in _of(records, "decision") if call["decision"] == "deny"]
    by_reason = _by(denied, "reason")
    assert {row["Reason"]: row["Denied"] + row["Would be denied"] for row in rows(report, "reasons")} == {
        reason: len(calls) for reason, calls in by_reason.items()
    }
    assert all("does not know" not in row["What it means"] for row in rows(report, "reasons"))
    tunnels = [each for each in _of(records, "tunnel") if each["decision"] == "deny"]
    found = rows(report, "denials")
    assert sum(row["Calls"] for row in found) == len(denied) + len(tunnels)
    assert sum(row["Sent"] for row in found) == sum(not call["enforced"] for call in denied)


def test_outcomes(report: Report, records: list[Record]) -> None:
    outcomes = _of(records, "outcome")
    sent = [call for call in _of(records, "decision") if call["decision"] == "allow" or not call["enforced"]]
    found = rows(report, "endings")
    assert {(row["Status"], row["Calls"]) for row in found} == {
        (None if status is None else str(status), count)
        for status, count in Counter(each["status"] for each in outcomes).items()
    }
    assert sum(row["Sent"] for row in found) == sum(each["request_bytes"] for each in outcomes)
    assert max(row["Longest"] for row in found) == max(each["duration_ms"] for each in outcomes)
    broken = sum("error" in each for each in outcomes)
    assert sum(row["Calls"] for row in found if row["Interrupted"] == "yes") == broken > 0
    assert any(point.startswith(f"{broken} calls were interrupted (") for point in points(report))
    (text,) = (
        block.text for section in report.sections if section.id == "outcomes" for block in section.blocks[:1]
    )
    assert text.startswith(f"{len(sent):,} calls sent; {len(outcomes):,} outcomes in the log.")


def test_new_is_what_was_not_seen_before_the_period(report: Report, records: list[Record]) -> None:
    calls = [record for record in records if record["event"] == "decision" and record["subject"] is not None]
    before = [call for call in calls if _time(call) < SINCE]
    after = [call for call in calls if _time(call) >= SINCE]
    old_tokens = {call["fingerprint"] for call in before if call["principal"] is None}
    new_tokens = {call["fingerprint"] for call in after if call["principal"] is None} - old_tokens
    marked = zip(rows(report, "credentials"), badges(report, "credentials", "Token"), strict=True)
    assert {row["Token"] for row, badge in marked if badge == "new"} == new_tokens
    assert new_tokens
    old_addresses = {call["client_address"] for call in before}
    marked = zip(rows(report, "clients"), badges(report, "clients", "Client"), strict=True)
    assert {row["Client"] for row, badge in marked if badge == "new address"} == {
        call["client_address"] for call in after
    } - old_addresses


def test_oauth_tokens_of_one_principal_are_one_row(report: Report) -> None:
    (row,) = (row for row in table(report, "credentials").rows if row[1] == "etl")
    assert row[2] == Cell("6f1c2f6e-0000-4000-8000-3d1a2b4c5d6e", ["OAuth"], None)


def test_without_an_earlier_log_nothing_is_called_new(story: Story) -> None:
    found = _whole(story.log)
    assert {*badges(found, "credentials", "Token"), *badges(found, "clients", "Client")} == {None}
    assert not any("new" in point for point in points(found))


def test_an_address_that_another_subject_used_is_new_for_it(tmp_path: Path) -> None:
    def call(minute: int, subject: str, address: str) -> tuple[datetime, Record]:
        decision = {
            "event": "decision", "decision": "allow", "enforced": True, "decision_id": str(minute), "policy_revision": "r",
            "subject": subject, "client_address": address, "fingerprint": "f", "principal": None,
        }  # fmt: skip
        return END - timedelta(minutes=minute), decision

    from brickscope.report.counts import gather_earlier

    calls = [
        call(9, "a", "10.0.0.1"),
        call(8, "b", "10.0.0.2"),
        call(5, "b", "10.0.0.1"),
        call(4, "b", "10.0.0.3"),
    ]
    file, middle = tmp_path / "audit.jsonl", END - timedelta(minutes=6)
    file.write_bytes(b"".join(chained(calls)))
    with AuditLog([file], Period(None, middle)) as before:
        earlier = gather_earlier(before)
    with AuditLog([file], Period(middle)) as log:
        found = gather(log, made=END, period=Period(middle), stale_days=30, earlier=earlier)
    said = [row["Client"] for row in rows(found, "clients")]
    assert dict(zip(said, badges(found, "clients", "Client"), strict=True)) == {
        "10.0.0.1": "new for it", "10.0.0.3": "new address",
    }  # fmt: skip
    assert "2 new client addresses, of b." in points(found)


def test_stale_are_subjects_of_policy_and_log(report: Report, story: Story) -> None:
    assert rows(report, "stale") == [
        {"Subject": "old-migration", "Last call": None, "Days ago": None, "In the policy": "yes"}
    ]
    assert rows(_whole(story.log), "stale") == []
    period = Period(None, END + timedelta(days=90))
    with AuditLog([story.log], period) as log:
        late = gather(log, made=END + timedelta(days=80), period=period, stale_days=30)
    found = rows(late, "stale")
    assert {row["Subject"] for row in found} == {
        "ada", "bi-dashboards", "ci-runner", "etl", "ml-training", "nightly-export", "orders-agent",
        "support-agent",
    }  # fmt: skip
    assert all(row["In the policy"] == "not asked" and row["Days ago"] >= 80 for row in found)


def test_an_unknown_token_is_one_row(report: Report, records: list[Record]) -> None:
    calls = [call for call in _of(records, "decision") if call["subject"] is None and call["fingerprint"]]
    row, doctor = rows(report, "strangers")
    assert doctor["Known by"] is None
    assert (row["Known by"], row["Clients"]) == (calls[0]["fingerprint"], ["10.0.77.5"])
    assert row["Calls"] == len(calls)
    unknown = [row for row in rows(report, "denials") if row["Why"] == "unknown_token"]
    assert len(unknown) == 1


def test_a_credential_that_was_used_itself_is_pointed_out(report: Report, tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    log.write_bytes(b"".join(placeholder_lines()))
    found = _whole(log)
    names = ("Credential", "Subjects", "Calls", "Bypassed")
    assert [tuple(row[name] for name in names) for row in rows(found, "placeholders")] == [
        ("vault", ["agent", "etl"], 5, 1),
        ("file", ["etl"], 1, 0),
    ]
    assert "The credential vault was used instead of its placeholder: it has left its store." in points(found)
    assert not any("instead of its placeholder" in point for point in points(report))


def test_changes_gaps_and_runs(report: Report) -> None:
    assert Counter(row["What happened"] for row in rows(report, "timeline")) == Counter(
        (
            "Policy changed",
            "Mode of subject ml-training: monitor",
            "Proxy stopped",
            "Proxy started in enforce mode",
            "Policy edit refused",
            "The log could not be written",
        )
    )
    (gap,) = rows(report, "gaps")
    assert "14 calls denied meanwhile" in gap["Details"]
    assert "catalog-raeder" in next(
        row["Details"] for row in rows(report, "timeline") if "refused" in row["What happened"]
    )
    assert [row["Ended"] for row in rows(report, "runs")] == [
        "stopped gracefully (began before)",
        "no stop record",
    ]


def test_whole_log_has_every_change(story: Story) -> None:
    found = _whole(story.log)
    assert len(rows(found, "timeline")) == 7
    assert "1 policy edit did not load and changed nothing." in points(found)
    assert "Denials ceased to be enforced for subject ml-training." in points(found)
    assert [(row["Ended"], row["Version"]) for row in rows(found, "runs")] == [
        ("stopped gracefully", "0.1.0"),
        ("no stop record", "0.1.1"),
    ]
    assert rows(found, "revisions")[0]["Revision"] == OLD_REVISION


def test_permissions_are_those_of_the_policy(report: Report) -> None:
    by_name = {row["Subject"]: row for row in rows(report, "permitted")}
    states = dict(zip(by_name, badges(report, "permitted", "Expires"), strict=True))
    assert states["nightly-export"] == "expires soon"
    assert by_name["nightly-export"]["From clients"] == ("10.0.8.0/24",)
    assert by_name["ml-training"]["Mode"] == "monitor"
    assert by_name["etl"]["Kind"] == "service principal"
    assert {row["Subject"] for row in rows(report, "credentials")} <= set(by_name)
    reach = {row["Rule set"]: row for row in rows(report, "reach")}
    assert [reach["deployer"][kind] for kind in ("read", "write", "execute", "grant", "secret")] == [
        2,
        2,
        1,
        0,
        0,
    ]
    at = sorted(reach).index("deployer")
    assert {row["Operation"] for row in rows(report, f"rule-set-{at}-risks")} == {
        "jobs.reset",
        "jobs.run_now",
        "workspace.import_",
    }
    rules = [*rows(report, f"rule-set-{at}-allow"), *rows(report, f"rule-set-{at}-deny")]
    decided = sum(rule["Calls decided"] for rule in rules)
    calls, denied, _ = _said(next(row for row in rows(report, "subjects") if row["Subject"] == "ci-runner"))
    assert calls - denied < decided < calls  # denials for want of a rule were decided by none


def test_a_policy_that_was_never_in_force_is_said_so(story: Story, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(
        (story.rules / "policy.yaml").read_text().replace("      - jobs.reset\n", "")
    )
    found = _whole(story.log, loaded=load_policy(tmp_path, END.timestamp()))
    assert any("never in the period" in point for point in points(found))


def test_the_summary_says_it_in_a_sentence(report: Report) -> None:
    first, second, last = report.sentences
    calls, denied, sent = (report.tiles[name] for name in ("Calls", "Denied", "Would be denied (monitor)"))
    assert first.startswith(f"{calls:,} calls by 8 subjects in 10 days; {denied + sent:,} denied (")
    assert first.endswith(f"for {len(rows(report, 'reasons'))} reasons.")
    assert second.startswith(f"{sent:,} of the denied calls were sent anyway")
    assert last.startswith(
        "The log is complete and unaltered as far as the checkpoint of 2026-11-22 23:46:13"
    )
    assert last.endswith("It records 1 gap.")


def test_what_to_look_at_first_begins_with_what_is_serious(report: Report) -> None:
    weights = [point.weight for point, _ in report.points]
    assert weights == sorted(weights, key=("serious", "look", "note").index)
    texts = " ".join(points(report))
    for said in (
        "1 gap",
        "no regular reading",
        "monitor mode",
        "new token",
        "old-migration",
        "nightly-export",
        "denied calls that return or create credentials, secrets or signed links: support-agent 54 (tokens.create)",
        "denied calls that change who may act or from where: ci-runner",
        "denied calls that run code, SQL or compute: ci-runner",
    ):
        assert said in texts
    assert "--public-key" in texts


def test_a_changed_byte_makes_the_report_say_damaged(story: Story, tmp_path: Path) -> None:
    from brickscope.audit.series import verify_logs
    from brickscope.audit.verify import Verifier

    content = bytearray(story.log.read_bytes())
    at = content.find(b'"decision":"deny"')
    content[at : at + 17] = b'"decision":"allow"'[:17]
    file = tmp_path / "audit.jsonl"
    file.write_bytes(content)
    found = _whole(file, evidence=verify_logs([file], lambda _: Verifier()))
    assert found.status == "damaged"
    assert found.sentences[-1].startswith("The log is not as it was written")
    assert found.points[0][0].weight == "serious"
    assert rows(found, "findings-0")[0]["What"] == "altered"


def test_lines_that_are_no_records_are_counted_and_named(tmp_path: Path) -> None:
    begin = {"event": "stop", "policy_revision": None}
    file = tmp_path / "audit.jsonl"
    file.write_bytes(b"".join(chained([(END, begin)])) + b"no record\n" * 30)
    found = _whole(file)
    assert found.unreadable == table(found, "faults").total == 30
    assert [row["Line"] for row in rows(found, "faults")][:2] == [2, 3]
    assert "30 lines of the log could not be read" in points(found)[0]


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
    found = rows(_whole(file), "calls")
    assert found[1]["From (UTC)"] - found[0]["From (UTC)"] == timedelta(seconds=step)
    assert 1 < len(found) <= 64


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
        "response_bytes": 1,
        "policy_revision": "r",
    }
    base = {"schema": 1, "time": "2026-11-01T00:00:00Z", "instance": "i"}
    lines = [json.dumps({**base, "seq": n, **(decision, outcome)[n % 2]}) for n in range(40_000)]
    file = tmp_path / "audit.jsonl"
    file.write_text("\n".join(lines))
    assert rows(_whole(file), "operations")[0]["Received"] == 20_000


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
    found = _whole(file)
    for name in (
        "subjects",
        "operations",
        "pairs",
        "denials",
        "clients",
        "credentials",
        "hosts",
        "revisions",
        "reasons",
    ):
        assert (len(table(found, name).rows), table(found, name).total) == (500, 1200), name


def test_credentials_models_and_tools_have_their_calls(report: Report, records: list[Record]) -> None:
    calls = [call for call in _of(records, "decision") if call.get("credential")]
    sent = [call for call in calls if call["decision"] == "allow"]
    (row,) = rows(report, "placeholders")
    assert (row["Credential"], row["Subjects"]) == ("orders", ["orders-agent"])
    assert (row["Calls"], row["Exchanged"]) == (len(calls), len(sent))
    assert row["Fingerprint"] == [sent[0]["credential_fingerprint"]]
    assert 0 < len(sent) < len(calls)
    by_target = Counter(call["params"].get("tool") or call["params"]["model"] for call in calls)
    found = rows(report, "models")
    assert {row["Model or tool"]: row["Calls"] for row in found} == by_target
    assert {row["Model or tool"]: row["Denied"] for row in found if row["Denied"]} == {
        "drop_orders": by_target["drop_orders"]
    }
    assert {row["Server"] for row in found} == {None, "functions/main/tools"}


def test_denied_calls_that_are_powerful_come_before_all_else(report: Report) -> None:
    ranked = [point.text.partition(" that ")[2] for point, _ in report.points][:3]
    assert [text.partition(":")[0] for text in ranked] == [
        "return or create credentials, secrets or signed links",
        "change who may act or from where",
        "run code, SQL or compute",
    ]
