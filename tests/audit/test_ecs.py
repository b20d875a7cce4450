"""Each record as a document of the Elastic Common Schema."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.conformance import definitions, ecs_problems
from audit.example_records import CALLS, DENIED, FINGERPRINT, OTHERS, Record, by_reason, decision, outcome
from brickscope.audit.export.ecs import VERSION, ecs_event


def test_the_definitions_are_of_the_version_that_events_name() -> None:
    assert definitions("ecs")["version"] == VERSION


@pytest.mark.parametrize(("call", "ended"), CALLS.values(), ids=CALLS)
def test_a_call_is_a_document_of_the_schema(call: Record, ended: Record | None) -> None:
    assert ecs_problems(ecs_event(call, ended)) == []


@pytest.mark.parametrize("record", OTHERS.values(), ids=OTHERS)
def test_every_other_record_is_one_too(record: Record) -> None:
    assert ecs_problems(ecs_event(record)) == []


@pytest.mark.parametrize("record", by_reason(), ids=lambda record: f"{record['reason']}-{record['enforced']}")
def test_so_it_is_for_every_reason(record: Record) -> None:
    event = ecs_event(record)["event"]
    assert ecs_problems(ecs_event(record)) == []
    assert event["reason"] == record["reason"]
    assert ("denied" in event["type"]) is (record["decision"] == "deny" and record["enforced"])


@pytest.mark.parametrize(
    ("case", "types", "ended"),
    [
        ("allowed, and answered", ["info", "allowed"], "success"),
        ("allowed, without an outcome", ["info", "allowed"], "unknown"),
        ("allowed, refused by Databricks", ["info", "allowed"], "failure"),
        ("allowed, broken on the way", ["info", "allowed"], "failure"),
        ("denied", ["info", "denied"], "failure"),
        ("denied, not enforced", ["info", "allowed"], "success"),
        ("a read", ["access", "allowed"], "success"),
        ("a deletion", ["deletion", "allowed"], "success"),
        ("a creation", ["creation", "allowed"], "success"),
        ("an update", ["change", "allowed"], "success"),
    ],
)
def test_type_and_outcome_say_what_happened(case: str, types: list[str], ended: str) -> None:
    event = ecs_event(*CALLS[case])["event"]
    assert (event["type"], event["outcome"]) == (types, ended)


def test_what_the_schema_has_no_field_for_is_kept() -> None:
    record = decision(**DENIED, workspace="123", param_names=["job_id"])
    own = ecs_event(record)["brickscope"]
    assert own["decision"] == "deny"
    assert own["policy_revision"] == record["policy_revision"]
    assert own["fingerprint"] == FINGERPRINT
    assert (own["workspace"], own["param_names"]) == ("123", ["job_id"])


def test_every_value_of_a_record_is_in_its_document() -> None:
    for call, ended in CALLS.values():
        text = json.dumps(ecs_event(call, ended))
        for name, value in call.items():
            if isinstance(value, str) and name != "event":
                assert json.dumps(value)[1:-1] in text, name


def test_the_client_cannot_choose_the_types_of_fields() -> None:
    numbers, texts = (ecs_event(decision(params=params)) for params in ({"a": 1}, {"a": {"keys": ["b"]}}))
    assert isinstance(numbers["brickscope"]["params"], str)
    assert isinstance(texts["brickscope"]["params"], str)
    respelled = [ecs_event(decision(params_sent=sent)) for sent in ({"a": "A"}, {"a": ["A", None]})]
    assert all(isinstance(each["brickscope"]["params_sent"], str) for each in respelled)


def test_readings_and_spellings_are_in_the_document() -> None:
    own = ecs_event(*CALLS["several readings"])["brickscope"]
    assert own["readings"] == ["as it stands", "split at '/'"]
    own = ecs_event(*CALLS["an object in another spelling"])["brickscope"]
    assert json.loads(own["params_sent"]) == {"path": "/Users/me/nb"}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda each: st.lists(each), max_leaves=5
    )
)
def test_parameters_of_any_shape_make_a_document(value: Any) -> None:
    document = ecs_event(decision() | {"params": {"job_id": value}}, outcome())
    assert ecs_problems(document) == []
    assert json.loads(document["brickscope"]["params"]) == {"job_id": value}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"message": 1}, "message: 1 is no match_only_text"),
        ({"made_up": "x"}, "there is no field made_up"),
        ({"@timestamp": "yesterday"}, "@timestamp: 'yesterday' is no date"),
        ({"source": {"ip": "host"}}, "source.ip: 'host' is no ip"),
        ({"related": {"ip": "10.0.0.1"}}, "related.ip is no list"),
    ],
)
def test_the_check_itself_finds_what_is_wrong(change: Record, problem: str) -> None:
    assert ecs_problems(ecs_event(decision()) | change) == [problem]
