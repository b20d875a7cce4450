"""What rules look at in a body: names that could be taken for others, maps that come as lists, what it costs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from brickscope.core import parameters
from brickscope.core.constraint import Constraint
from brickscope.core.constraint import Test as Wanted
from brickscope.core.look import MAX_FOREIGN, Gathered, looks_of
from brickscope.core.reason import Reason
from brickscope.core.values import MAX_COMPARED, ODD, PLAIN, Effort
from core.judged import ALLOWED, NOT_MET, ONE, RUN, TWICE, judged, policy, run_now

DENIED, COMPLEX = Reason.DENIED_BY_RULE, Reason.TOO_COMPLEX
CREATE, CLUSTER = "/api/2.2/jobs/create", "/api/2.1/clusters/create"
NOTEBOOK = "tasks.notebook_task.notebook_path"
FORM = (b"Content-Type", b"application/x-www-form-urlencoded")

# A further name beside the one that is limited.
NAMES: dict[str, tuple[str, Reason]] = {
    "cut at a NUL": ("job_id\0x", TWICE),
    "with a NUL in it": ("job\0_id", TWICE),
    "with a NUL in front": ("\0job_id", TWICE),
    "behind a NUL": ("x\0job_id", TWICE),
    "130 lines below": ("_" * 130 + "job_id", TWICE),
    "of signs only": ("_-.", ALLOWED),
    "longer": ("job_id_2", ALLOWED),
    "with blanks": ("the job", ALLOWED),
    "of another standard": ("urn:ietf:params:scim:schemas:core:2.0:User", ALLOWED),
    "in other letters": ("\uff4aob_\uff49d", TWICE),
    "in other letters, cut at a NUL": ("\uff4aob_id\0x", TWICE),
    "in another language": ("\u30b8\u30e7\u30d6", ALLOWED),
}


@pytest.mark.parametrize("case", NAMES)
def test_a_name_beside_the_limited_one(case: str, tmp_path: Path) -> None:
    name, reason = NAMES[case]
    known = policy(tmp_path, ONE)
    assert judged(known, "POST", RUN, {"job_id": 1012, name: 13}).reason is reason
    many = {f"x{index}": 1 for index in range(50)}
    assert judged(known, "POST", RUN, {**many, name: 13, "job_id": 1012}).reason is reason
    denying = policy(tmp_path, "jobs.run_now", deny=[run_now({"job_id": 13})])
    assert judged(denying, "POST", RUN, {name: 13}).reason is reason


def test_names_beyond_ascii_are_folded_up_to_a_bound(tmp_path: Path) -> None:
    known = policy(tmp_path, ONE)
    letters = [chr(0x4E00 + index) for index in range(MAX_FOREIGN)]
    assert judged(known, "POST", RUN, {"job_id": 1012, **dict.fromkeys(letters, 1)}).reason is ALLOWED
    assert (
        judged(known, "POST", RUN, {"job_id": 1012, **dict.fromkeys([*letters, "\xe4"], 1)}).reason is COMPLEX
    )
    # Where no rule looks, no name is folded.
    assert judged(
        known, "POST", RUN, {"job_id": 1012, "python_named_params": {name * 3: 1 for name in letters}}
    ).allow


# Fields that a form's reader finds in JSON of that type (curl's -d sends it), further than the first.
FIELDS: dict[str, tuple[str, tuple[bytes, bytes] | None, Reason]] = {
    "a field": ("a&job_id=13", FORM, TWICE),
    "an encoded field": ("a&job%5Fid=13", FORM, TWICE),
    "a field behind a semicolon": ("a;Job-Id=13;b", FORM, TWICE),
    "another field": ("a&job_id_2=13", FORM, ALLOWED),
    "no type": ("a&job_id=13", None, ALLOWED),
}


@pytest.mark.parametrize("case", FIELDS)
def test_a_field_of_a_form_inside_json(case: str, tmp_path: Path) -> None:
    text, content_type, reason = FIELDS[case]
    more = () if content_type is None else (content_type,)
    decision = judged(policy(tmp_path, ONE), "POST", RUN, {"job_id": 1012, "note": text}, *more)
    assert decision.reason is reason


TAG = {"custom_tags.team": "etl"}
# A map, and a list of pairs, which some services take in its place. tags, allowed, allowed by an optional rule, denied
MAPS: dict[str, tuple[Any, bool, bool, bool]] = {
    "the value": ({"team": "etl"}, True, True, True),
    "another value": ({"team": "ml"}, False, False, False),
    "nothing": ({}, False, True, False),
    "a list of pairs": ([{"key": "team", "value": "ml"}], False, False, True),
    "an empty list": ([], False, False, True),
    "a list of maps": ([{"team": "etl"}], False, False, True),
}


@pytest.mark.parametrize("case", MAPS)
def test_a_map_that_may_come_as_a_list_of_pairs(case: str, tmp_path: Path) -> None:
    tags, allowed, optional, denied = MAPS[case]
    body = {"spark_version": "15", "custom_tags": tags}
    rule = {"operation": "clusters.create", "where": TAG}
    assert judged(policy(tmp_path, rule), "POST", CLUSTER, body).allow is allowed
    rule = {
        "operation": "clusters.create",
        "where": {"custom_tags.team": {"one_of": ["etl"], "optional": True}},
    }
    assert judged(policy(tmp_path, rule), "POST", CLUSTER, body).allow is optional
    denying = policy(tmp_path, "clusters.create", deny=[{"operation": "clusters.create", "where": TAG}])
    assert (judged(denying, "POST", CLUSTER, body).reason is DENIED) is denied


# Tasks of a call; whether a rule allows them that names the notebooks where there are any, and whether a deny meets them.
OWN, ELSEWHERE = "/Workspace/Users/ada/x", "/Workspace/Users/eve/x"
TASKS: dict[str, tuple[list[Any], bool, bool]] = {
    "none": ([], False, False),
    "the one that is named": ([{"notebook_task": {"notebook_path": OWN}}], True, False),
    "another": ([{"notebook_task": {"notebook_path": ELSEWHERE}}], False, True),
    "one without": ([{"notebook_task": {}}], True, False),
    "no such task": ([{"task_key": "a"}], True, False),
    "null": ([{"notebook_task": None}], True, False),
    "null in its place": ([None], False, True),
    "the one that is named, and no such task": (
        [{"notebook_task": {"notebook_path": OWN}}, {"task_key": "a"}],
        True,
        False,
    ),
    "another, and no such task": (
        [{"notebook_task": {"notebook_path": ELSEWHERE}}, {"task_key": "a"}],
        False,
        True,
    ),
    "no such task, and another": (
        [{"task_key": "a"}, {"notebook_task": {"notebook_path": ELSEWHERE}}],
        False,
        True,
    ),
    "one without, and another": (
        [{"notebook_task": {}}, {"notebook_task": {"notebook_path": ELSEWHERE}}],
        False,
        True,
    ),
    "null, and another": (
        [{"notebook_task": None}, {"notebook_task": {"notebook_path": ELSEWHERE}}],
        False,
        True,
    ),
    "a text in its place": ([{"notebook_task": "x"}], False, True),
    "a text in the place of a task": (["x"], False, True),
    "a text beside the one that is named": (
        [{"notebook_task": {"notebook_path": OWN}}, {"notebook_task": "x"}],
        False,
        True,
    ),
    "a text beside a list in its place": (["x", {"notebook_task": [{"notebook_path": OWN}]}], False, True),
    "a list in its place": ([{"notebook_task": [{"notebook_path": OWN}]}], True, False),
    "a list with another": (
        [{"notebook_task": [{"notebook_path": OWN}, {"notebook_path": ELSEWHERE}]}],
        False,
        True,
    ),
    "a list in the list": ([[{"notebook_task": {"notebook_path": OWN}}]], False, True),
    "an empty list in its place": ([{"notebook_task": []}], False, False),
}


@pytest.mark.parametrize("case", TASKS)
def test_what_a_list_of_objects_has(case: str, tmp_path: Path) -> None:
    tasks, allowed, denied = TASKS[case]
    limited = {"operation": "jobs.create", "where": {NOTEBOOK: {"one_of": [OWN], "optional": True}}}
    assert judged(policy(tmp_path, limited), "POST", CREATE, {"tasks": tasks}).allow is allowed
    deny = {"operation": "jobs.create", "where": {NOTEBOOK: ELSEWHERE}}
    denying = policy(tmp_path, "jobs.create", deny=[deny])
    assert judged(denying, "POST", CREATE, {"tasks": tasks}).reason is (DENIED if denied else ALLOWED)


def test_below_what_can_not_be_compared_nothing_can() -> None:
    keys = ("a", "b", "c")
    looks = looks_of([Constraint("a.b.c", "body", keys, Wanted(), "")])
    for body, odd in (
        ({"a": [{"b": [{"c": 1}]}]}, False),
        ({"a": ["x", {"b": {"c": 1}}]}, True),
        ({"a": ["x", {"b": [{"c": 1}]}]}, True),
        ({"a": [{"b": "x"}, {"b": {"c": [1]}}]}, True),
        ({"a": [[{"b": {"c": 1}}]]}, True),
        ({"a": "x"}, True),
        ({"a": None}, False),
    ):
        assert bool(Gathered(looks, body).values[keys].odd) is odd, body


def test_below_an_empty_list_something_is_missing() -> None:
    keys = ("a", "b", "c")
    looks = looks_of([Constraint("a.b.c", "body", keys, Wanted(), "")])
    for body in ({"a": []}, {"a": [{"b": []}, {"b": [{"c": 1}]}]}, {"a": {"b": {"c": []}}}):
        assert Gathered(looks, body).values[keys].hollow, body
    assert not Gathered(looks, {"a": [{"b": [{"c": 1}]}]}).values[keys].hollow


def test_a_body_is_read_once_for_all_readings_and_rules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[bytes] = []
    read_body = parameters.read_body
    monkeypatch.setattr(
        parameters, "read_body", lambda request, body: reads.append(body) or read_body(request, body)
    )
    update = "entity_tag_assignments.update"
    allowed = {"operation": update, "where": {"tag_key": "a;b?c", "tag_value": "x"}}
    denied = {"operation": update, "where": {"tag_key": "a", "tag_value": "y"}}
    target = "/api/2.1/unity-catalog/entity-tag-assignments/tables/main.a.t/tags/a;b%3Fc"
    decision = judged(policy(tmp_path, allowed, deny=[denied]), "PATCH", target, {"tag_value": "x"})
    assert decision.reason is ALLOWED
    assert decision.readings is not None
    assert len(decision.readings) == 4
    assert reads == [b'{"tag_value": "x"}']


def task(path: str) -> dict[str, Any]:
    return {"task_key": "t", "notebook_task": {"notebook_path": path}}


@pytest.mark.parametrize(
    ("count", "spelling", "reason"),
    [
        (10_000, "/Workspace/Users/ada/{}", ALLOWED),
        (10_000, "/Users/ada/.bundle/{}", ALLOWED),
        (MAX_COMPARED // ODD - 10, "/Users/ada/{}#1", ALLOWED),
        (MAX_COMPARED // ODD + 1, "/Users/ada/{}#1", COMPLEX),
    ],
)
def test_what_many_values_cost(count: int, spelling: str, reason: Reason, tmp_path: Path) -> None:
    """Not measured but counted: scripts/bench holds the time."""
    denied = [
        {"operation": "jobs.create", "where": {NOTEBOOK: {"prefix": f"/Users/u{index}/"}}}
        for index in range(20)
    ]
    known = policy(tmp_path, "jobs.create", deny=denied)
    body = json.dumps({"tasks": [task(spelling.format(index)) for index in range(count)]}).encode()
    assert judged(known, "POST", CREATE, body).reason is reason
    assert count <= MAX_COMPARED * PLAIN


def test_patterns_are_held_against_a_bounded_number_of_values(tmp_path: Path) -> None:
    denied = [
        {"operation": "jobs.create", "where": {NOTEBOOK: {"pattern": f"/Users/ada/{{x}}/{index}"}}}
        for index in range(11)
    ]
    body = {"tasks": [task(f"/Users/ada/x{index}/y") for index in range(10_000)]}
    few = policy(tmp_path, "jobs.create", deny=denied[:9])
    assert judged(few, "POST", CREATE, body).reason is ALLOWED
    decision = judged(policy(tmp_path, "jobs.create", deny=denied), "POST", CREATE, body)
    assert decision.reason is COMPLEX
    assert (
        decision.detail
        == f"comparing with the rules would take more than {MAX_COMPARED:,} comparisons for the call's values"
    )
    narrow = policy(
        tmp_path, {"operation": "jobs.create", "where": {NOTEBOOK: {"pattern": "/Users/ada/{x}/z"}}}
    )
    assert judged(narrow, "POST", CREATE, body).reason is NOT_MET


def test_what_all_values_of_a_body_cost_counts_together() -> None:
    looks = looks_of(Constraint(way, "body", (*way.split("."),), Wanted(absent=True), way) for way in WAYS)
    effort = Effort()
    found = Gathered(looks, {"here": 1, "list": [{"name": 1}], "object": {"name": 1}}, effort=effort)
    assert set(found.values) == {(*way.split("."),) for way in WAYS}
    assert {id(values.effort) for values in found.values.values()} == {id(effort)}


WAYS = ("here", "lacking", "list.name", "object.name", "object.lacking")
