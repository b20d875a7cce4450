"""The hooks bench measures what it says: calls that really are allowed or denied, and really recorded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from brickscope.proxy.gate import Gate
from lab.bench.flows import make_flow
from lab.bench.hooks import naive_rules, open_gate, rule_pass
from lab.bench.naive import Naive
from lab.bench.workload import Call, calls, rule_texts, token

TOKENS = [token(index) for index in range(3)]
TEXTS = [rule_texts(30, first=index * 30) for index in range(3)]


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    with open_gate(tmp_path, TOKENS, TEXTS) as opened:
        yield opened


def records(gate: Gate) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gate.writer.path.read_text().splitlines()]


def test_a_pass_of_the_own_path_is_recorded_call_by_call(gate: Gate) -> None:
    mix = calls(TOKENS, TEXTS, 20, 0)
    assert rule_pass(gate, mix) > 0
    made = records(gate)
    decisions = [each for each in made if each["event"] == "decision"]
    outcomes = [each for each in made if each["event"] == "outcome"]
    assert [each["path"] for each in decisions] == [call.path for call in mix]
    assert [each["decision_id"] for each in outcomes] == [each["decision_id"] for each in decisions]
    assert {each["status"] for each in outcomes} == {200}
    turns = [event for event, _ in groupby(each["event"] for each in made)]
    assert turns == ["decision", "outcome"] * 3, "in a turn some are judged and those of the turn before end"


def test_the_naive_addon_decides_alike(tmp_path: Path) -> None:
    with (tmp_path / "naive.jsonl").open("w") as log:
        naive = Naive(naive_rules(TOKENS, TEXTS), log)
        for call in calls(TOKENS, TEXTS, 200, 0.05):
            assert is_allowed_by(naive, call) is call.allowed, call


def is_allowed_by(naive: Naive, call: Call) -> bool:
    flow = make_flow(call)
    naive.request(flow)
    return flow.response is None
