"""Each record as an event of OCSF."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.conformance import definitions, ocsf_problems
from audit.example_records import CALLS, CLIENT_ID, FINGERPRINT, OTHERS, Record, by_reason, decision, outcome
from brickscope.audit.export.ocsf import VERSION, ocsf_event

CLASSES = {
    "a tunnel": 4001,
    "a refused tunnel": 4001,
    "a start": 6002,
    "a stop": 6002,
    "a reload": 3004,
    "a reload that failed": 3004,
    "a change of mode": 3004,
    "a failed handshake": 4001,
    "a failed handshake of nobody": 4001,
    "keys": None,
    "keys that can't be had": None,
    "a gap": 6008,
    "a checkpoint": None,
}


def event_of(record: Record, ended: Record | None = None) -> dict[str, Any]:
    event = ocsf_event(record, ended)
    assert event is not None
    return event


def test_the_definitions_are_of_the_version_that_events_name() -> None:
    assert definitions("ocsf")["version"] == VERSION


@pytest.mark.parametrize(("call", "ended"), CALLS.values(), ids=CALLS)
def test_a_call_is_api_activity(call: Record, ended: Record | None) -> None:
    event = event_of(call, ended)
    assert event["class_uid"] == 6003
    assert ocsf_problems(event) == []


def test_readings_and_spellings_are_kept() -> None:
    assert event_of(*CALLS["several readings"])["unmapped"]["readings"] == ["as it stands", "split at '/'"]
    event = event_of(*CALLS["an object in another spelling"])
    assert event["unmapped"]["params_sent"] == {"path": "/Users/me/nb"}
    assert event["api"]["request"]["data"] == {"path": "/Workspace/Users/me/nb"}


@pytest.mark.parametrize("case", OTHERS)
def test_every_other_record_is_of_its_class_or_left_out(case: str) -> None:
    event = ocsf_event(OTHERS[case])
    assert (event and event["class_uid"]) == CLASSES[case]
    if event is not None:
        assert ocsf_problems(event) == []


@pytest.mark.parametrize("record", by_reason(), ids=lambda record: f"{record['reason']}-{record['enforced']}")
def test_so_it_is_for_every_reason(record: Record) -> None:
    event = event_of(record)
    assert ocsf_problems(event) == []
    assert event["status_code"] == record["reason"]
    assert event["severity_id"] > 0


@pytest.mark.parametrize(
    ("case", "disposition", "status", "activity"),
    [
        ("allowed, and answered", "Allowed", "Success", "Execute"),
        ("allowed, without an outcome", "Allowed", "Unknown", "Execute"),
        ("allowed, refused by Databricks", "Allowed", "Failure", "Execute"),
        ("allowed, broken on the way", "Allowed", "Failure", "Execute"),
        ("denied", "Blocked", "Failure", "Execute"),
        ("denied, not enforced", "Logged", "Success", "Execute"),
        ("a read", "Allowed", "Success", "Read"),
        ("a creation", "Allowed", "Success", "Create"),
        ("an update", "Allowed", "Success", "Update"),
        ("a deletion", "Allowed", "Success", "Delete"),
        ("no operation", "Allowed", "Success", "Unknown"),
    ],
)
def test_it_says_what_was_done_and_how_it_ended(
    case: str, disposition: str, status: str, activity: str
) -> None:
    event = event_of(*CALLS[case])
    assert (event["disposition"], event["status"], event["activity_name"]) == (disposition, status, activity)


def test_who_called_is_the_subject_with_its_credential() -> None:
    user = event_of(*CALLS["a service principal"])["actor"]["user"]
    assert user == {"name": "etl", "uid": CLIENT_ID, "credential_uid": FINGERPRINT}
    nobody = event_of(*CALLS["an unknown token"])["actor"]["user"]
    assert nobody == {"uid": FINGERPRINT, "credential_uid": FINGERPRINT}


def test_the_object_of_a_call_is_its_resource() -> None:
    assert event_of(decision())["resources"] == [
        {"type": "jobs", "uid": "1012", "data": {"parameter": "job_id"}}
    ]
    assert "resources" not in event_of(decision(params={"job_id": {"hmac_sha256": "00"}}))


def test_an_answer_without_a_status_is_no_answer() -> None:
    assert "http_response" not in event_of(*CALLS["allowed, broken on the way"])


def test_a_reason_that_is_not_known_yet_has_no_severity() -> None:
    event = event_of(decision() | {"reason": "moon_is_full", "decision": "deny"})
    assert ocsf_problems(event) == []
    assert event["severity"] == "Unknown"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda each: st.lists(each), max_leaves=5
    )
)
def test_parameters_of_any_shape_make_an_event(value: Any) -> None:
    event = event_of(decision() | {"params": {"job_id": value}}, outcome())
    assert ocsf_problems(event) == []
    assert event["api"]["request"]["data"] == {"job_id": value}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"made_up": 1}, "event.made_up is no attribute of API Activity"),
        ({"severity_id": 7}, "event.severity_id: 7 is no number of it"),
        ({"severity": "High"}, "event.severity_id: the caption of 1 is 'Informational'"),
        ({"type_uid": 600301}, "type_uid is 600301, not 600399"),
        ({"actor": {}}, "has none of"),
        ({"api": {"operation": "x", "request": {}}}, "event.api.request.uid is required"),
        ({"metadata": {"version": "1", "product": {"name": "x"}}}, "attributes of a profile"),
    ],
)
def test_the_check_itself_finds_what_is_wrong(change: Record, problem: str) -> None:
    (found,) = ocsf_problems(event_of(decision()) | change)
    assert problem in found
