"""Explanations: the decision is the proxy's, the rule is the right line, and what "would allow it" does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.policies import NOW, POLICY, load
from brickscope.analysis.answer import render
from brickscope.analysis.call import read_call
from brickscope.analysis.example import example
from brickscope.analysis.explanation import Explanation, explain, explanation_data
from brickscope.analysis.judge import find, home, judge
from brickscope.analysis.sent import CallError
from brickscope.catalog.catalog import load_catalog
from brickscope.core.decide import decide_for
from brickscope.core.pending import BodyNeeded
from brickscope.core.policy import Subject
from brickscope.core.request import ApiRequest
from brickscope.policy.load import Loaded
from reaching import reaching


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return load(tmp_path_factory.mktemp("policy"))


def said(loaded: Loaded, name: str, written: str, client: str | None = None) -> Explanation:
    who = find(loaded.policy, name)
    return explain(loaded, who, read_call(written, home(who)), NOW, client)


# (subject, call): (reason, line of the rule that decided, what the nearest rules lack, what would allow it)
CASES: dict[tuple[str, str], tuple[str, str | None, str | None, str | None]] = {
    ("ci", "jobs.run_now job_id=1012"): ("allowed_by_rule", "- operation: jobs.run_now", None, None),
    ("ci", "clusters.list"): ("allowed_by_rule", "- {service: clusters, class: read}", None, None),
    ("ci", "jobs.run_now job_id=7"): (
        "constraint_not_met",
        None,
        "job_id is 7 in the call; the rule holds where job_id is one of 1012, 1013",
        "where: {job_id: 7}",
    ),
    ("ci", "jobs.run_now job_id=1012 jar_params=x"): (
        "constraint_not_met",
        None,
        "the call also has 'jar_params', which 'only' does not list",
        "only: [jar_params, notebook_params]",
    ),
    ("ci", "jobs.run_now {}"): (
        "constraint_not_met",
        None,
        "job_id is absent in the call",
        "job_id: {absent: true}",
    ),
    ("ci", "GET /api/2.0/sql/warehouses"): (
        "no_rule_matches",
        None,
        "it has 'queries' where the call has 'warehouses'",
        "- warehouses.list",
    ),
    ("ci", "POST /api/2.2/jobs/list"): (
        "unknown_operation",
        None,
        "it is for GET, and the call is POST",
        "- POST /",
    ),
    ("ci", "POST /api/2.0/sql/queries"): (
        "no_rule_matches",
        None,
        "it is for GET, and the call is POST",
        "- queries.",
    ),
    ("ci", "GET /api/2.2/jobs/get"): (
        "no_rule_matches",
        None,
        "another version of the same operation",
        "- jobs.get",
    ),
    ("ci", "GET /api/2.0/fs/files/Volumes/main"): (
        "no_rule_matches",
        None,
        "the call ends before",
        "files.download",
    ),
    ("ci", "GET /api/2.0/sql/queries/x/y"): ("unknown_operation", None, "it ends before '/x/y'", "- GET /"),
    ("ci", "jobs.create"): (
        "no_rule_matches",
        None,
        "it allows jobs.list, which is another operation",
        "- jobs.create",
    ),
    ("ci", "jobs.delete job_id=1"): ("denied_by_rule", "- jobs.delete", None, None),
    ("ci", "GET /a/../b"): ("path_not_canonical", None, None, None),
    ("old", "jobs.list"): ("expired", None, None, "expires: YYYY-MM-DD"),
    ("etl", "oidc.token grant=federation"): (
        "grant_not_allowed",
        None,
        None,
        "[client_credentials, federation]",
    ),
    ("people", "oidc.token grant=refresh"): ("allowed_by_grant", None, None, None),
    ("ci", "GET https://dbc-x.cloud.databricks.com/api/2.2/jobs/list"): (
        "workspace_not_allowed",
        None,
        None,
        "dbc-x.cloud.databricks.com]",
    ),
}


@pytest.mark.parametrize(("name", "written"), CASES)
def test_a_call_is_explained(loaded: Loaded, name: str, written: str) -> None:
    reason, line, near, remedy = CASES[name, written]
    found = said(loaded, name, written)
    assert found.decision.reason == reason
    assert (None if found.rule is None else POLICY.splitlines()[found.rule.position.line - 1].strip()) == line
    if near is None:
        assert found.near == ()
    else:
        assert near in "\n".join(why for each in found.near[:1] for why in each["why"])
    assert (remedy or "") in (found.remedy.whole if found.remedy else "")
    assert bool(remedy) is bool(found.remedy and found.remedy.whole)


def test_what_a_binding_or_deny_hides_is_told(loaded: Loaded) -> None:
    assert (
        "without its bindings it would be allowed, by 'jobs.list'"
        in said(loaded, "old", "jobs.list").otherwise
    )
    elsewhere = said(loaded, "ci", "jobs.create", "10.9.9.9")
    assert elsewhere.decision.reason == "client_not_allowed"
    assert "for no_rule_matches" in elsewhere.otherwise
    assert "then be denied for no_rule_matches" in (elsewhere.remedy.note if elsewhere.remedy else "")
    secret = said(loaded, "ci", "files.download file_path=Volumes/main/secret/x").otherwise
    assert "without the deny rules it would be allowed, by 'GET /api/2.0/fs/files" in secret


def test_all_rules_that_allow_a_call_are_told(tmp_path: Path) -> None:
    two = POLICY.replace("      - jobs.list\n", "      - jobs.list\n      - {service: jobs, class: read}\n")
    found = said(load(tmp_path / "two", two), "ci", "jobs.list")
    assert [rule.text for rule in found.also] == ["jobs.* class read"]


def test_a_name_whose_parameters_make_it_another_operation_is_told(loaded: Loaded) -> None:
    found = said(loaded, "ci", "permissions.update request_object_type=jobs request_object_id=7")
    assert found.decision.operation == "jobs.update_permissions"
    assert any("the rule permissions.update does not mean it" in note for note in found.notes)


def test_what_would_allow_it_does_once_it_is_written_into_the_policy(loaded: Loaded, tmp_path: Path) -> None:
    tried = 0
    for number, (name, written) in enumerate(CASES):
        found = said(loaded, name, written)
        if found.remedy is None or not found.remedy.whole or "YYYY" in found.remedy.whole:
            continue
        merged = yaml.safe_load(POLICY)
        _merge(merged, yaml.safe_load(found.remedy.whole))
        again = load(tmp_path / str(number), yaml.safe_dump(merged))
        assert again.policy.revision != loaded.policy.revision
        assert judge(again.policy, find(again.policy, name), found.call, NOW).allow, found.remedy
        tried += 1
    assert tried >= 10


def _merge(into: dict[str, Any], what: dict[str, Any]) -> None:
    for key, value in what.items():
        if isinstance(value, dict):
            _merge(into.setdefault(key, {}), value)
        elif key == "allow":
            into[key] = into[key] + value
        else:
            into[key] = value


_OPERATIONS = [each for each in load_catalog().operations.values() if each.name != "oidc.token"]


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(_OPERATIONS),
    st.sampled_from(["ci", "old", "watch", "etl", "alice"]),
    st.sampled_from(
        [{}, {"job_id": 1012}, {"job_id": "1013"}, {"job_id": 7}, {"file_path": "Volumes/main/x"}]
    ),
)
def test_it_says_what_the_proxy_decides(
    loaded: Loaded, operation: Any, name: str, changes: dict[str, Any]
) -> None:
    who = find(loaded.policy, name)
    fitting = {key: value for key, value in changes.items() if operation.place(key)}
    call = example(operation, None, home(who), changes=fitting)
    found = explain(loaded, who, call, NOW)
    assert isinstance(call.request, ApiRequest)
    assert isinstance(who.subject, Subject)
    mark = who.marks[0] if who.kind == "token" else None
    try:
        decision = decide_for(loaded.policy, who.subject, call.request, found.client, NOW, fingerprint=mark)
    except BodyNeeded:
        decision = decide_for(
            loaded.policy, who.subject, call.request, found.client, NOW, body=call.body, fingerprint=mark
        )
    assert found.decision == decision
    assert decision.allow is (found.rule is not None) or decision.reason == "denied_by_rule"
    assert explanation_data(found)["decision"] == ("allow" if decision.allow else "deny")


@reaching(0.5, st.sampled_from(["GET /api/2.0/{}", "jobs.run_now job_id={}"]), st.text(max_size=40))
@settings(max_examples=100, deadline=None)
def test_nothing_that_was_written_forges_a_line(loaded: Loaded, form: str, text: str) -> bool:
    written = form.format(text)
    try:
        call = read_call(written if "/" in form else written.split(" ", 1))
    except CallError:
        return False
    for line in render(
        "explanation", explanation_data(explain(loaded, find(loaded.policy, "ci"), call, NOW))
    ):
        assert line.isprintable()
    return True
