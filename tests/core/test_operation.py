"""Rules by name and their constraints: one semantics for path, query and body; one place and one name a parameter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from brickscope.core.decide import decide
from brickscope.core.pending import BodyNeeded
from brickscope.core.reason import Reason
from brickscope.core.request import read_request
from core.judged import ALLOWED, MISPLACED, NOT_MET, ONE, RUN, TWICE, judged, policy, run_now
from core.wire import h1, h1_headers, h2

# rule, method, target, body, reason
CASES: dict[str, tuple[Any, str, str, Any, Reason]] = {
    "the job that is named": (ONE, "POST", RUN, {"job_id": 1012}, ALLOWED),
    "another version of the call": (ONE, "POST", "/api/2.0/jobs/run-now", {"job_id": 1012}, ALLOWED),
    "with a slash at the end": (ONE, "POST", RUN + "/", {"job_id": 1013}, ALLOWED),
    "the web's mirror": (ONE, "POST", "/ajax-api/2.2/jobs/run-now", {"job_id": 1013}, ALLOWED),
    "its number as text": (ONE, "POST", RUN, {"job_id": "1012"}, ALLOWED),
    "another job": (ONE, "POST", RUN, {"job_id": 13}, NOT_MET),
    "no job": (ONE, "POST", RUN, {}, NOT_MET),
    "no body": (ONE, "POST", RUN, None, NOT_MET),
    "null": (ONE, "POST", RUN, {"job_id": None}, NOT_MET),
    "a fraction": (ONE, "POST", RUN, b'{"job_id": 1012.0}', NOT_MET),
    "an exponent": (ONE, "POST", RUN, b'{"job_id": 1.012e3}', NOT_MET),
    "text with a space": (ONE, "POST", RUN, {"job_id": " 1012"}, NOT_MET),
    "text with a zero before it": (ONE, "POST", RUN, {"job_id": "01012"}, NOT_MET),
    "a list of allowed ones": (ONE, "POST", RUN, {"job_id": [1012]}, ALLOWED),
    "a list with another": (ONE, "POST", RUN, {"job_id": [1012, 13]}, NOT_MET),
    "an empty list": (ONE, "POST", RUN, {"job_id": []}, NOT_MET),
    "a list in a list": (ONE, "POST", RUN, {"job_id": [[1012]]}, NOT_MET),
    "an object": (ONE, "POST", RUN, {"job_id": {"value": 1012}}, NOT_MET),
    "true": (run_now({"job_id": [1]}), "POST", RUN, {"job_id": True}, NOT_MET),
    "in the query instead": (ONE, "POST", RUN + "?job_id=1012", None, MISPLACED),
    "in the query as well": (ONE, "POST", RUN + "?job_id=13", {"job_id": 1012}, TWICE),
    "twice in the body": (ONE, "POST", RUN, b'{"job_id":1012,"job_id":13}', Reason.BODY_DUPLICATE_KEY),
    "in camel case as well": (ONE, "POST", RUN, {"job_id": 1012, "jobId": 13}, TWICE),
    "in camel case instead": (ONE, "POST", RUN, {"jobId": 1012}, TWICE),
    "in capitals as well": (ONE, "POST", RUN, {"job_id": 1012, "JOB_ID": 13}, TWICE),
    "in camel case in the query": (ONE, "POST", RUN + "?jobId=13", {"job_id": 1012}, TWICE),
    "as a list in the query": (ONE, "POST", RUN + "?job_id[]=13", {"job_id": 1012}, TWICE),
    "below itself in the query": (ONE, "POST", RUN + "?job_id.value=13", {"job_id": 1012}, TWICE),
    "in full-width letters": (ONE, "POST", RUN, {"job_id": 1012, "\uff4aob_id": 13}, TWICE),
    "with a long s": (
        run_now({"jar_params": {"absent": True}}),
        "POST",
        RUN,
        {"jar_param\u017f": ["x"]},
        TWICE,
    ),
    "nested, from the query": (
        run_now({"queue.enabled": True}),
        "POST",
        RUN + "?queue.enabled=false",
        {"queue": {"enabled": True}},
        TWICE,
    ),
    "a body on GET beside a path variable": (
        {"operation": "catalogs.get", "where": {"name": "dev"}},
        "GET",
        "/api/2.1/unity-catalog/catalogs/dev",
        {"name": "prod"},
        TWICE,
    ),
    "by an encoded name in the query": (ONE, "POST", RUN + "?job%5Fid=13", {"job_id": 1012}, TWICE),
    "no JSON": (ONE, "POST", RUN, b"job_id=1012", Reason.BODY_NOT_JSON),
    "something else beside it": (ONE, "POST", RUN, {"job_id": 1012, "notebook_params": {"a": 1}}, ALLOWED),
    "something else where there may be nothing": (
        run_now({"job_id": 1012}, only=[]),
        "POST",
        RUN,
        {"job_id": 1012, "notebook_params": {}},
        NOT_MET,
    ),
    "an unknown key where there may be nothing": (
        run_now({"job_id": 1012}, only=[]),
        "POST",
        RUN,
        {"job_id": 1012, "x": 1},
        NOT_MET,
    ),
    "a query where there may be nothing": (
        run_now({"job_id": 1012}, only=[]),
        "POST",
        RUN + "?x=1",
        {"job_id": 1012},
        NOT_MET,
    ),
    "what else there may be": (
        run_now({"job_id": 1012}, only=["notebook_params"]),
        "POST",
        RUN,
        {"job_id": 1012, "notebook_params": {}},
        ALLOWED,
    ),
    "only, without where": (
        {"operation": "jobs.run_now", "only": ["job_id"]},
        "POST",
        RUN,
        {"job_id": 1, "jar_params": []},
        NOT_MET,
    ),
    "absent, and it is": (
        run_now({"jar_params": {"absent": True}}),
        "POST",
        RUN,
        {"job_id": 1},
        ALLOWED,
    ),
    "absent, and it is null": (
        run_now({"jar_params": {"absent": True}}),
        "POST",
        RUN,
        {"jar_params": None},
        ALLOWED,
    ),
    "absent, and it is not": (
        run_now({"jar_params": {"absent": True}}),
        "POST",
        RUN,
        {"jar_params": []},
        NOT_MET,
    ),
    "absent, and it comes in the query": (
        run_now({"jar_params": {"absent": True}}),
        "POST",
        RUN + "?jar_params=x",
        {},
        MISPLACED,
    ),
    "optional, and absent": (
        run_now({"job_id": 1, "performance_target": {"one_of": ["STANDARD"], "optional": True}}),
        "POST",
        RUN,
        {"job_id": 1},
        ALLOWED,
    ),
    "optional, and another": (
        run_now({"performance_target": {"one_of": ["STANDARD"], "optional": True}}),
        "POST",
        RUN,
        {"performance_target": "FAST"},
        NOT_MET,
    ),
    "a value in other letters": (
        run_now({"performance_target": "STANDARD"}),
        "POST",
        RUN,
        {"performance_target": "standard"},
        NOT_MET,
    ),
    "nested": (run_now({"queue.enabled": True}), "POST", RUN, {"queue": {"enabled": True}}, ALLOWED),
    "nested, the word for the value": (
        run_now({"queue.enabled": True}),
        "POST",
        RUN,
        {"queue": {"enabled": "true"}},
        ALLOWED,
    ),
    "nested, and there is nothing": (run_now({"queue.enabled": True}), "POST", RUN, {}, NOT_MET),
    "nested, and it is no object": (run_now({"queue.enabled": True}), "POST", RUN, {"queue": 1}, NOT_MET),
    "nested, under a second name": (
        run_now({"queue.enabled": True}),
        "POST",
        RUN,
        {"queue": {"enabled": True, "Enabled": False}},
        TWICE,
    ),
    "an object's only keys": (
        run_now({"notebook_params": {"only": ["day"]}}),
        "POST",
        RUN,
        {"notebook_params": {"day": "1"}},
        ALLOWED,
    ),
    "an object's other key": (
        run_now({"notebook_params": {"only": ["day"]}}),
        "POST",
        RUN,
        {"notebook_params": {"day": "1", "path": "x"}},
        NOT_MET,
    ),
    "through a list": (
        {
            "operation": "jobs.submit",
            "where": {"tasks.notebook_task.notebook_path": {"prefix": "/Workspace/etl/"}},
        },
        "POST",
        "/api/2.2/jobs/runs/submit",
        {"tasks": [{"notebook_task": {"notebook_path": "/Workspace/etl/a"}}]},
        ALLOWED,
    ),
    "through a list, and one is another": (
        {
            "operation": "jobs.submit",
            "where": {"tasks.notebook_task.notebook_path": {"prefix": "/Workspace/etl/"}},
        },
        "POST",
        "/api/2.2/jobs/runs/submit",
        {"tasks": [{"notebook_task": {"notebook_path": "/Workspace/etl/a"}}, {"spark_python_task": {}}]},
        NOT_MET,
    ),
    "a query parameter": (
        {"operation": "jobs.get", "where": {"job_id": 7}},
        "GET",
        "/api/2.2/jobs/get?job_id=7",
        None,
        ALLOWED,
    ),
    "another in the query": (
        {"operation": "jobs.get", "where": {"job_id": 7}},
        "GET",
        "/api/2.2/jobs/get?job_id=8",
        None,
        NOT_MET,
    ),
    "twice in the query": (
        {"operation": "jobs.get", "where": {"job_id": 7}},
        "GET",
        "/api/2.2/jobs/get?job_id=7&job_id=8",
        None,
        TWICE,
    ),
    "twice by semicolon": (
        {"operation": "jobs.get", "where": {"job_id": 7}},
        "GET",
        "/api/2.2/jobs/get?job_id=7;job_id=8",
        None,
        TWICE,
    ),
    "a body on GET that says another": (
        {"operation": "jobs.get", "where": {"job_id": 7}},
        "GET",
        "/api/2.2/jobs/get?job_id=7",
        {"job_id": 8},
        TWICE,
    ),
    "a body on GET instead": (
        {"operation": "jobs.get", "where": {"job_id": 7}},
        "GET",
        "/api/2.2/jobs/get",
        {"job_id": 7},
        MISPLACED,
    ),
    "a number range": (
        {"operation": "jobs.list", "where": {"limit": {"min": 1, "max": 25}}},
        "GET",
        "/api/2.2/jobs/list?limit=25",
        None,
        ALLOWED,
    ),
    "beyond the range": (
        {"operation": "jobs.list", "where": {"limit": {"min": 1, "max": 25}}},
        "GET",
        "/api/2.2/jobs/list?limit=26",
        None,
        NOT_MET,
    ),
    "no number": (
        {"operation": "jobs.list", "where": {"limit": {"min": 1}}},
        "GET",
        "/api/2.2/jobs/list?limit=0x19",
        None,
        NOT_MET,
    ),
    "a path variable": (
        {"operation": "catalogs.get", "where": {"name": ["main", "dev"]}},
        "GET",
        "/api/2.1/unity-catalog/catalogs/dev",
        None,
        ALLOWED,
    ),
    "another in the path": (
        {"operation": "catalogs.get", "where": {"name": ["main", "dev"]}},
        "GET",
        "/api/2.1/unity-catalog/catalogs/prod",
        None,
        NOT_MET,
    ),
    "a path variable, and a query": (
        {"operation": "catalogs.get", "where": {"name": "dev"}},
        "GET",
        "/api/2.1/unity-catalog/catalogs/dev?name=prod",
        None,
        TWICE,
    ),
    "a pattern of segments": (
        {
            "operation": "files.download",
            "where": {"file_path": {"pattern": "/Volumes/main/{schema}/raw/{path...}"}},
        },
        "GET",
        "/api/2.0/fs/files/Volumes/main/s/raw/a/b.csv",
        None,
        ALLOWED,
    ),
    "beside the pattern": (
        {
            "operation": "files.download",
            "where": {"file_path": {"pattern": "/Volumes/main/{schema}/raw/{path...}"}},
        },
        "GET",
        "/api/2.0/fs/files/Volumes/main/s/raw2/a",
        None,
        NOT_MET,
    ),
    "a pattern of dots": (
        {"operation": "tables.get", "where": {"full_name": {"pattern": "main.{schema}.{table}"}}},
        "GET",
        "/api/2.1/unity-catalog/tables/main.sales.orders",
        None,
        ALLOWED,
    ),
    "another catalog": (
        {"operation": "tables.get", "where": {"full_name": {"pattern": "main.{schema}.{table}"}}},
        "GET",
        "/api/2.1/unity-catalog/tables/prod.sales.orders",
        None,
        NOT_MET,
    ),
    "a prefix": (
        {"operation": "workspace.export", "where": {"path": {"prefix": "/Users/etl/"}}},
        "GET",
        "/api/2.0/workspace/export?path=%2FUsers%2Fetl%2Fx",
        None,
        ALLOWED,
    ),
    "a prefix that climbs": (
        {"operation": "workspace.export", "where": {"path": {"prefix": "/Users/etl/"}}},
        "GET",
        "/api/2.0/workspace/export?path=/Users/etl/../boss/x",
        None,
        NOT_MET,
    ),
    "a prefix that climbs, encoded": (
        {"operation": "workspace.export", "where": {"path": {"prefix": "/Users/etl/"}}},
        "GET",
        "/api/2.0/workspace/export?path=/Users/etl/%252e%252e/boss/x",
        None,
        NOT_MET,
    ),
    "a resource name": (
        {
            "operation": "postgres.get_branch",
            "where": {"name": {"pattern": "projects/dev/branches/{branch}"}},
        },
        "GET",
        "/api/2.0/postgres/projects/dev/branches/b1",
        None,
        ALLOWED,
    ),
    "another resource": (
        {
            "operation": "postgres.get_branch",
            "where": {"name": {"pattern": "projects/dev/branches/{branch}"}},
        },
        "GET",
        "/api/2.0/postgres/projects/prod/branches/b1",
        None,
        NOT_MET,
    ),
    "another operation": ("jobs.list", "GET", "/api/2.2/jobs/get?job_id=1", None, Reason.NO_RULE_MATCHES),
    "a sibling of a variable": (
        "permissions.set",
        "PUT",
        "/api/2.0/permissions/authorization/tokens",
        {},
        Reason.NO_RULE_MATCHES,
    ),
    "all of a service": ("jobs.*", "GET", "/api/2.2/jobs/get?job_id=1", None, ALLOWED),
    "a class of a service": (
        {"service": "jobs", "class": "read"},
        "GET",
        "/api/2.2/jobs/list",
        None,
        ALLOWED,
    ),
    "another class": (
        {"service": "jobs", "class": "read"},
        "POST",
        RUN,
        {"job_id": 1},
        Reason.NO_RULE_MATCHES,
    ),
    "no operation": ("jobs.*", "GET", "/api/2.0/no/such/call", None, Reason.UNKNOWN_OPERATION),
    "no operation, and a path rule": (
        "GET /api/2.0/no/{x}/call",
        "GET",
        "/api/2.0/no/such/call",
        None,
        ALLOWED,
    ),
    "another method": ("jobs.*", "PUT", "/api/2.2/jobs/list", None, Reason.UNKNOWN_OPERATION),
}


@pytest.mark.parametrize(("rule", "method", "target", "body", "reason"), CASES.values(), ids=CASES)
def test_a_rule_by_name(
    rule: Any, method: str, target: str, body: Any, reason: Reason, tmp_path: Path
) -> None:
    decision = judged(policy(tmp_path, rule), method, target, body)
    assert (decision.reason, decision.allow) == (reason, reason is ALLOWED)


def test_a_rule_without_constraints_settles_it_without_the_body(tmp_path: Path) -> None:
    known = policy(tmp_path, ONE, "jobs.run_now")
    request = read_request(h1(b"POST", RUN.encode(), h1_headers((b"Content-Length", b"5"))))
    assert decide(known, request, "10.0.0.1", 0).allow


def test_only_rules_that_look_into_the_body_hold_it_back(tmp_path: Path) -> None:
    length = (b"Content-Length", b"99999999999")
    rule = {"operation": "jobs.set_permissions", "where": {"job_id": 7}}
    request = read_request(h1(b"PUT", b"/api/2.0/permissions/jobs/7", h1_headers(length)))
    assert decide(policy(tmp_path, rule), request, "10.0.0.1", 0).allow
    with pytest.raises(BodyNeeded):
        decide(policy(tmp_path, rule | {"only": []}), request, "10.0.0.1", 0)
    rule = {"operation": "files.upload", "where": {"file_path": {"prefix": "Volumes/main/"}}}
    request = read_request(h1(b"PUT", b"/api/2.0/fs/files/Volumes/main/x", h1_headers(length)))
    assert decide(policy(tmp_path, rule), request, "10.0.0.1", 0).allow
    # the body of an upload is the file
    assert decide(policy(tmp_path, rule | {"only": []}), request, "10.0.0.1", 0).allow


def test_over_http2_a_body_may_come_unannounced(tmp_path: Path) -> None:
    rule = {"operation": "jobs.get", "where": {"job_id": 7}}
    request = read_request(h2(b"GET", b"/api/2.2/jobs/get?job_id=7"))
    with pytest.raises(BodyNeeded):
        decide(policy(tmp_path, rule), request, "10.0.0.1", 0)
    assert decide(policy(tmp_path, rule), request, "10.0.0.1", 0, None, b"").allow
    assert not decide(policy(tmp_path, rule), request, "10.0.0.1", 0, None, b'{"job_id": 8}').allow


def test_a_deny_by_name_covers_every_version(tmp_path: Path) -> None:
    known = policy(tmp_path, "POST /api/{version}/jobs/{call}", deny=["jobs.delete"])
    for version in ("2.0", "2.1", "2.2"):
        assert judged(known, "POST", f"/api/{version}/jobs/delete", {}).reason is Reason.DENIED_BY_RULE
        assert judged(known, "POST", f"/api/{version}/jobs/create", {}).allow


def test_the_decision_says_what_was_called_and_looked_at(tmp_path: Path) -> None:
    decision = judged(policy(tmp_path, ONE), "POST", RUN, {"job_id": 13, "notebook_params": {"secret": "x"}})
    assert (decision.operation, dict(decision.params)) == ("jobs.run_now", {"job_id": 13})
    assert (
        decision.detail
        == "rule set 'r' allows the operation jobs.run_now only where job_id is one of 1012, 1013"
    )


# What a call has for a parameter that has no other spellings, and how the decision tells it.
TOLD: dict[str, tuple[Any, Any]] = {
    "a number": ({"job_id": 1012}, 1012),
    "a number written as text": ({"job_id": "1012"}, "1012"),
    "nothing": ({}, None),
    "an object in its place": ({"job_id": {"a": 1}}, {"a": 1}),
}


@pytest.mark.parametrize(("body", "told"), TOLD.values(), ids=TOLD)
def test_how_a_parameter_is_told(body: Any, told: Any, tmp_path: Path) -> None:
    decision = judged(policy(tmp_path, ONE), "POST", RUN, body)
    assert (decision.params, decision.sent) == ({"job_id": told}, {})


# The rules, a call that meets none of them, and what the denial says of the rules: nothing that the client sent.
DENIED: dict[str, tuple[tuple[Any, ...], Any, str]] = {
    "another job": ((ONE,), {"job_id": 13}, "where job_id is one of 1012, 1013"),
    "one parameter more": (
        (run_now({"job_id": 1012}, only=[]),),
        {"job_id": 1012, "notebook_params": {"secret": "x"}},
        "where job_id is 1012, with no other parameters",
    ),
    "one more than the listed": (
        (run_now({"job_id": 1012}, only=["queue", "job_parameters"]),),
        {"job_id": 1012, "notebook_params": {}},
        "where job_id is 1012, with no other parameters than job_parameters, queue",
    ),
    "no condition but the names": (
        ({"operation": "jobs.run_now", "only": ["job_id"]},),
        {"job_id": 1, "notebook_params": {}},
        "with no other parameters than job_id",
    ),
    "two conditions": (
        (run_now({"job_id": 1012, "queue.enabled": True}),),
        {"job_id": 1012, "queue": {"enabled": False}},
        "where job_id is 1012 and queue.enabled is true",
    ),
    "two rules": (
        (run_now({"job_id": 7}, only=[]), run_now({"job_id": 8})),
        {"job_id": 7, "notebook_params": {}},
        "where job_id is 7, with no other parameters; or where job_id is 8",
    ),
    "a hundred rules": (
        tuple(run_now({"job_id": number}) for number in range(100, 200)),
        {"job_id": 7},
        "where job_id is 100; or where job_id is 101; or where job_id is 102; or where job_id is 103; "
        "or where job_id is 104; or as one of 95 rules more",
    ),
    "a hundred values": (
        (run_now({"job_id": list(range(100, 200))}),),
        {"job_id": 7},
        "where job_id is one of 100, 101, 102, 103, 104, 105, 106, 107, 108, 109 and 90 more",
    ),
}


@pytest.mark.parametrize("name", DENIED)
def test_a_denial_says_all_that_the_rules_ask_for(name: str, tmp_path: Path) -> None:
    rules, body, told = DENIED[name]
    decision = judged(policy(tmp_path, *rules), "POST", RUN, body)
    assert decision.reason is NOT_MET
    assert decision.detail == f"rule set 'r' allows the operation jobs.run_now only {told}"


def test_in_monitor_what_has_no_reading_goes_on_with_the_reason_it_would_be_denied_for(
    tmp_path: Path,
) -> None:
    known = policy(tmp_path, ONE)
    from brickscope.core.policy import Mode

    watched = known._replace(mode=Mode.MONITOR)
    assert judged(watched, "POST", RUN, {"job_id": 13}).forwards
    unread = judged(watched, "POST", RUN, b"{")
    assert (unread.allow, unread.forwards, unread.reason) == (False, True, Reason.BODY_NOT_JSON)
