"""What of a policy is used."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

from audit.made_log import START, made_policy, made_records, write_log
from brickscope.audit.reader import AuditLog
from brickscope.audit.usage import Usage, find_usage, policy_rows, unused

RECORDS = list(made_records(4000))


def usages(folder: Path) -> list[Usage]:
    write_log(folder, RECORDS)
    with AuditLog([folder]) as log:
        log.make_facts()
        return find_usage(log, made_policy())


def test_everything_of_the_policy_is_told_once_with_its_calls(tmp_path: Path) -> None:
    found = usages(tmp_path)
    decisions = [record for record in RECORDS if record["event"] == "decision"]
    subjects = Counter(record["subject"] for record in decisions)
    rules = Counter((record["rule_set"], record["decision"], record["rule"]) for record in decisions)
    assert {each.name: each.calls for each in found if each.kind == "subject"} == {
        name: subjects[name]
        for name in ("alice", "dashboard", "etl", "nightly-export", "old-script", "retired")
    }
    plain = [each for each in found if each.kind == "rule" and each.parts == 1]
    assert len(plain) == len({(each.rule_set, each.list, each.name) for each in plain})
    for each in plain:
        assert each.calls == rules[each.rule_set, each.list, each.name], each
    assert ("job-runner", "deny", "jobs.delete") in {(each.rule_set, each.list, each.name) for each in plain}


def test_a_preset_is_one_line_of_the_policy(tmp_path: Path) -> None:
    presets = [each for each in usages(tmp_path) if each.name.startswith("preset")]
    assert [each.name for each in presets] == ["preset catalog-browser"]
    whole = [
        row for row in policy_rows(made_policy()) if (row.rule or "").startswith("preset catalog-browser: ")
    ]
    assert (presets[0].parts, presets[0].used) == (len(whole), 1)
    assert presets[0].calls == sum(
        (record.get("rule") or "").startswith("preset catalog-browser: ") for record in RECORDS
    )


def test_what_is_unused_is_told_at_its_highest_level_only(tmp_path: Path) -> None:
    found = {(each.kind, each.name) for each in unused(usages(tmp_path), START.replace(tzinfo=None))}
    assert found == {
        ("subject", "retired"),
        ("rule_set", "retired"),
        ("rule", "clusters.list"),
        ("rule", "statement_execution.get_statement"),
    }


def test_what_was_used_long_ago_is_unused(tmp_path: Path) -> None:
    late = datetime.fromisoformat(RECORDS[-1]["time"][:-1]) + timedelta(days=1)
    found = unused(usages(tmp_path), late)
    assert {each.name for each in found if each.kind == "rule_set"} == set(made_policy().rule_sets)
    assert not [each for each in found if each.kind == "rule"]
