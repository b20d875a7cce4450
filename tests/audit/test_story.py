"""The story of one call."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from audit.made_log import Record, line, made_records, write_log
from brickscope.audit.reader import AuditLog
from brickscope.audit.story import NEAR, find_story

RECORDS = list(made_records(4000, runs=2))
CALLS = [record for record in RECORDS if record["event"] == "decision"]
OUTCOMES = {record["decision_id"]: record for record in RECORDS if record["event"] == "outcome"}


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AuditLog]:
    folder = tmp_path_factory.mktemp("log")
    write_log(folder, RECORDS, each=900, compression=".gz")
    with AuditLog([folder]) as opened:
        yield opened


def seqs(records: list[Record]) -> list[int]:
    return [record["seq"] for record in records]


@pytest.mark.parametrize("at", [0, 1, 700, len(CALLS) - 1])
def test_a_call_with_what_is_around_it(log: AuditLog, at: int) -> None:
    call = CALLS[at]
    story = find_story(log, call["decision_id"])
    assert story is not None
    for name, value in call.items():
        if value is not None and name != "time":
            assert story.decision[name] == value
    outcome = OUTCOMES.get(call["decision_id"])
    assert (story.outcome or {}).get("seq") == (outcome or {}).get("seq")
    same = [each for each in CALLS if each["subject"] == call["subject"] and each["subject"] is not None]
    if call in same:
        place = same.index(call)
        assert (story.previous or {}).get("decision_id") == (
            same[place - 1]["decision_id"] if place else None
        )
        assert (story.next or {}).get("decision_id") == (
            same[place + 1]["decision_id"] if place + 1 < len(same) else None
        )
    policy = [
        each
        for each in RECORDS
        if each["event"] in ("start", "reload", "mode_change") and each["instance"] == call["instance"]
    ]
    assert seqs(story.before) == seqs([each for each in policy if each["seq"] < call["seq"]])[-NEAR:]
    assert seqs(story.after) == seqs([each for each in policy if each["seq"] > call["seq"]])[:NEAR]
    assert story.others == 0


def test_a_stranger_is_known_by_the_token_or_the_address(log: AuditLog) -> None:
    strangers = [each for each in CALLS if each["subject"] is None and each["fingerprint"] is not None]
    story = find_story(log, strangers[1]["decision_id"])
    assert story is not None
    same = [each for each in strangers if each["fingerprint"] == strangers[1]["fingerprint"]]
    at = same.index(strangers[1])
    assert (story.previous or {}).get("decision_id") == (same[at - 1]["decision_id"] if at else None)
    nobody = next(each for each in CALLS if each["reason"] == "missing_credential")
    assert find_story(log, nobody["decision_id"]) is not None


def test_a_tunnel_has_a_story(log: AuditLog) -> None:
    tunnel = next(each for each in RECORDS if each["event"] == "tunnel")
    story = find_story(log, tunnel["decision_id"])
    assert story is not None
    assert (story.decision["event"], story.outcome) == ("tunnel", None)


@pytest.mark.parametrize("decision_id", ["", "nobody-1", "' OR 1=1 --", "x" * 10_000, "\x00"])
def test_an_id_that_is_not_there(log: AuditLog, decision_id: str) -> None:
    assert find_story(log, decision_id) is None


def test_an_id_that_is_there_twice_is_said(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("log")
    write_log(folder, RECORDS[:200])
    call = next(each for each in RECORDS if each["event"] == "decision")
    (folder / "forged.jsonl").write_bytes(line(call | {"subject": "mallory", "hash": "f" * 64, "seq": 9_999}))
    with AuditLog([folder]) as log:
        story = find_story(log, call["decision_id"])
    assert story is not None
    assert story.others == 1
