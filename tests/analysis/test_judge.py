"""Judging by name says what the proxy says: the same decision function, asked in the same way."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brickscope.analysis.call import read_call
from brickscope.analysis.judge import ANYWHERE, Told, address, find, home, judge, known
from brickscope.analysis.sent import CallError
from brickscope.core.decide import decide
from brickscope.core.decision import Refused
from brickscope.core.fingerprint import fingerprint
from brickscope.core.pending import BodyNeeded
from brickscope.core.reason import Reason
from brickscope.core.request import ApiRequest
from brickscope.policy.load import Loaded, load_policy
from examples import examples

TOKEN = b"dapi0123456789abcdef0123456789abcdef"
POLICY = f"""\
version: 1
tokens:
  ci:
    fingerprint: {fingerprint(TOKEN)}
    rule_set: runner
  bound:
    fingerprint: [sha256:{"1" * 64}, sha256:{"2" * 64}]
    rule_set: runner
    workspaces: ["acme.databricks.com?o=123", dbc-z.cloud.databricks.com]
    clients: [10.0.8.0/24, 192.0.2.7]
    expires: 2027-03-01
service_principals:
  etl:
    client_id: 6f1c2f6e-0000-4000-8000-3d1a2b4c5d6e
    rule_set: runner
users:
  alice:
    sub: alice@example.com
    rule_set: runner
    workspaces: [dbc-a.cloud.databricks.com]
logins:
  people:
    client_id: databricks-cli
    grants: [browser_login]
rule_sets:
  runner:
    allow:
      - GET /api/2.0/jobs/{{id}}
      - operation: jobs.run_now
        where: {{job_id: [1012, 1013]}}
      - operation: files.upload
        where: {{file_path: {{prefix: Volumes/main/}}}}
      - preset: client-startup
    deny:
      - GET /api/2.0/jobs/13
      - jobs.delete
"""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    file = tmp_path_factory.mktemp("policy") / "p.yaml"
    file.write_text(POLICY)
    return load_policy(file, 0)


@pytest.mark.parametrize(
    ("name", "written", "reason"),
    [
        ("ci", "jobs.run_now job_id=1012", Reason.ALLOWED_BY_RULE),
        ("ci", "jobs.run_now job_id=7", Reason.CONSTRAINT_NOT_MET),
        ("ci", "GET /api/2.0/jobs/7", Reason.ALLOWED_BY_RULE),
        ("ci", "GET /api/2.0/jobs/13", Reason.DENIED_BY_RULE),
        ("ci", "GET /api/2.0/nothing", Reason.UNKNOWN_OPERATION),
        ("ci", "clusters.list", Reason.NO_RULE_MATCHES),
        ("ci", "GET /a/../b", Reason.PATH_NOT_CANONICAL),
        ("ci", "PUT /api/2.0/fs/files/Volumes/main/x no json", Reason.ALLOWED_BY_RULE),
        ("ci", "POST /api/2.2/jobs/run-now no json", Reason.BODY_NOT_JSON),
        ("ci", "GET /.well-known/databricks-config", Reason.NO_RULE_MATCHES),
        ("bound", "GET /api/2.0/jobs/7", Reason.ALLOWED_BY_RULE),
        ("bound", "GET https://dbc-z.cloud.databricks.com/api/2.0/jobs/7", Reason.ALLOWED_BY_RULE),
        ("bound", "GET https://acme.databricks.com/api/2.0/jobs/7", Reason.WORKSPACE_NOT_ALLOWED),
        ("etl", "oidc.token grant=client_credentials", Reason.ALLOWED_BY_GRANT),
        ("etl", "oidc.token grant=federation", Reason.GRANT_NOT_ALLOWED),
        ("people", "oidc.token grant=browser_login", Reason.ALLOWED_BY_GRANT),
        ("people", "oidc.token grant=refresh", Reason.GRANT_NOT_ALLOWED),
        ("alice", "oidc.token grant=refresh", Reason.UNKNOWN_CLIENT),
        ("alice", "current_user.me", Reason.ALLOWED_BY_RULE),
    ],
)
def test_a_call_is_judged_by_name(loaded: Loaded, name: str, written: str, reason: Reason) -> None:
    who = find(loaded.policy, name)
    decision = judge(loaded.policy, who, read_call(written, home(who)), 0)
    assert decision.reason is reason, decision
    assert decision.policy_revision == loaded.policy.revision


def test_bindings_are_judged_at_the_given_time_and_address(loaded: Loaded) -> None:
    who = find(loaded.policy, "bound")
    call = read_call("GET /api/2.0/jobs/7", home(who))
    assert judge(loaded.policy, who, call, 2e9).reason is Reason.EXPIRED
    assert judge(loaded.policy, who, call, 0, "10.1.0.1").reason is Reason.CLIENT_NOT_ALLOWED
    chosen = read_call("GET https://dbc-z.cloud.databricks.com/api/2.0/jobs/7?o=5")
    assert judge(loaded.policy, who, chosen, 0).reason is Reason.WORKSPACE_NOT_ALLOWED
    assert judge(loaded.policy, who, chosen, 0, directory=Told({"dbc-z.cloud.databricks.com": "5"})).allow


def test_everybody_is_known_by_name(loaded: Loaded) -> None:
    everybody = known(loaded.policy)
    assert {who.name: who.kind for who in everybody.values()} == {
        "ci": "token",
        "bound": "token",
        "etl": "service principal",
        "alice": "user",
        "people": "login",
    }
    assert len(everybody["bound"].marks) == 2
    assert address(everybody["bound"]) == "10.0.8.1"
    assert address(everybody["ci"]) == ANYWHERE
    with pytest.raises(CallError, match="did you mean 'alice'"):
        find(loaded.policy, "alise")
    with pytest.raises(CallError, match="is a login"):
        judge(loaded.policy, everybody["people"], read_call("GET /a"), 0)


def test_a_decision_leads_to_the_line_of_its_rule(loaded: Loaded) -> None:
    who = find(loaded.policy, "ci")
    lines = POLICY.splitlines()
    for written, text in (
        ("GET /api/2.0/jobs/7", "- GET /api/2.0/jobs/{id}"),
        ("jobs.run_now job_id=1012", "- operation: jobs.run_now"),
        ("current_user.me", "- preset: client-startup"),
        ("GET /api/2.0/jobs/13", "- GET /api/2.0/jobs/13"),
        ("jobs.delete job_id=1", "- jobs.delete"),
    ):
        rule = loaded.written.decided(judge(loaded.policy, who, read_call(written), 0))
        assert rule is not None, written
        assert lines[rule.position.line - 1].strip() == text
    denied = judge(loaded.policy, who, read_call("clusters.list"), 0)
    assert loaded.written.decided(denied) is None
    assert lines[loaded.written.subjects["people"].line - 1].strip() == "people:"
    assert lines[loaded.written.rule_sets["runner"].line - 1].strip() == "runner:"


def test_of_two_rules_with_one_text_the_one_that_decided_is_named(tmp_path: Path) -> None:
    """Found back by its text, a decision would be the first's."""
    (tmp_path / "policy.yaml").write_text(
        f"""\
version: 1
tokens:
  ci: {{fingerprint: sha256:{"a" * 64}, rule_set: reader}}
rule_sets:
  reader:
    allow:
      - {{service: jobs, class: read}}
      - jobs.get_run
      - {{operation: jobs.run_now, where: {{job_id: 7}}}}
      - {{operation: jobs.run_now, where: {{job_id: 8}}}}
"""
    )
    loaded = load_policy(tmp_path, 0)
    who = find(loaded.policy, "ci")
    for written, entry in (
        ("jobs.run_now job_id=8", 3),
        ("jobs.run_now job_id=7", 2),
        ("jobs.get_run run_id=1", 0),
    ):
        decision = judge(loaded.policy, who, read_call(written), 0)
        assert decision.entry == entry
        assert loaded.written.decided(decision) is loaded.written.rules[entry]
    denied = judge(loaded.policy, who, read_call("jobs.create"), 0)
    assert (denied.entry, loaded.written.decided(denied)) == (-1, None)


def test_all_written_rules_are_there_with_what_they_stand_for(loaded: Loaded) -> None:
    rules = loaded.written.rules
    assert [(rule.part, rule.text) for rule in rules] == [
        ("allow", "GET /api/2.0/jobs/{id}"),
        ("allow", 'jobs.run_now where {"job_id":[1012,1013]}'),
        ("allow", 'files.upload where {"file_path":{"prefix":"Volumes/main/"}}'),
        ("allow", "preset client-startup"),
        ("deny", "GET /api/2.0/jobs/13"),
        ("deny", "jobs.delete"),
    ]
    assert "preset client-startup: current_user.me" in {each.text for each in rules[3].operations}
    assert [{each.entry for each in (*rule.paths, *rule.operations)} for rule in rules] == [
        *({0}, {1}, {2}, {3}),
        *({0}, {1}),
    ]
    assert all(rule.rule_set == "runner" and rule.position.column for rule in rules)


_PATHS = st.sampled_from(
    [
        "/api/2.0/jobs/7",
        "/api/2.0/jobs/13",
        "/api/2.2/jobs/run-now",
        "/api/2.1/jobs/run-now/",
        "/api/2.0/fs/files/Volumes/main/x",
        "/api/2.0/jobs/delete",
        "/.well-known/databricks-config",
        "/oidc/v1/token",
        "/a/../b",
        "/a//b",
    ]
)
_BODIES = st.sampled_from(
    ["", '{"job_id": 1012}', '{"job_id": 7}', '{"job_id": 1, "jobId": 2}', "x", "[]", "{"]
)


@settings(max_examples=examples(400))
@given(
    st.sampled_from(["GET", "POST", "PUT", "get"]), _PATHS, st.sampled_from(["", "?o=5", "?x=1&x=2"]), _BODIES
)
def test_it_agrees_with_the_proxys_decision(
    loaded: Loaded, method: str, path: str, query: str, body: str
) -> None:
    written = f"{method} https://dbc-a.cloud.databricks.com{path}{query} {body}"
    call = read_call(written)
    ours = judge(loaded.policy, find(loaded.policy, "ci"), call, 0)
    if isinstance(call.request, ApiRequest):
        request = call.request._replace(authorization=b"Bearer " + TOKEN)
        try:
            theirs = decide(loaded.policy, request, ANYWHERE, 0)
        except BodyNeeded:
            theirs = decide(loaded.policy, request, ANYWHERE, 0, body=body.encode())
    else:
        assert isinstance(call.request, Refused)
        theirs = call.request.decision(loaded.policy.revision)
    assert ours == theirs
