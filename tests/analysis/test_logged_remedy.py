"""What would allow a denied call: it does, it is no wider than it has to be, and nothing hostile gets into it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from audit.made_log import CASES, ETL_HOSTS, POLICY, Case, decide_case, decision_record
from brickscope.analysis.logged_remedy import logged_remedy
from brickscope.analysis.remedy import Remedy
from brickscope.core.policy import Policy
from brickscope.core.reason import Reason
from brickscope.policy.load import load_policy
from core.entra_tokens import PERSON, V1
from lab.workspace.entra import APPLICATION, OBJECT, TENANT

HOST = "dbc-a1b2c3d4-e5f6.cloud.databricks.com"
SUBJECTS = ("tokens", "service_principals", "users", "logins")
DENIED = [case for case in CASES if decision_record(case, case.clients[0])["decision"] == "deny"]


def applied(remedy: Remedy, folder: Path) -> Policy:
    """``POLICY`` with the lines that were proposed pasted in, as text of YAML."""
    policy = yaml.safe_load(POLICY)
    assert remedy.yaml is not None
    pasted = yaml.safe_load(remedy.yaml.replace("RULE-SET", "analyst"))
    if remedy.place[0] in ("rule_sets", "tokens", "users", "service_principals"):
        at: Any = policy
    else:
        at = next(policy[kind] for kind in SUBJECTS if remedy.place[0] in policy.get(kind, {}))
    for key in remedy.place:
        at = at.setdefault(key, [] if isinstance(pasted, list) else {})
    at.extend(pasted) if isinstance(pasted, list) else at.update(pasted)
    file = folder / "policy.yaml"
    file.write_text(yaml.safe_dump(policy))
    return load_policy(file, 0).policy


@pytest.mark.parametrize("case", DENIED, ids=lambda case: f"{case.who or 'nobody'}: {case.call}"[:60])
def test_what_is_proposed_allows_the_call_and_what_can_not_be_allowed_is_said(
    case: Case, tmp_path: Path
) -> None:
    client = case.clients[0]
    record = decision_record(case, client)
    remedy = logged_remedy(record)
    if remedy.yaml is None:
        assert remedy.note
        assert record["reason"] in ("expired", "denied_by_rule", "path_not_canonical", "missing_credential")
        return
    decision, _ = decide_case(case, client, applied(remedy, tmp_path))
    if record["reason"] == "unknown_token":
        assert decision.subject == "NEW-NAME"
    else:
        assert decision.allow, (record, remedy, decision)


TABLES = "GET /api/2.1/unity-catalog/tables"
# A call that could be read in several ways, and what is proposed.
READINGS = {
    f"{TABLES}/main.a.in%2Fout": "- operation: tables.get\n  where: {full_name: main.a.in/out}",
    f"{TABLES}/main.a.t%2Fmonitor": "- operation: tables.get\n  where: {full_name: main.a.t/monitor}\n"
    "- operation: quality_monitors.get\n  where: {table_name: main.a.t}",
    "GET /api/2.0/new/a%2Fb": "- 'GET /api/2.0/new/{name...}'",
    "GET /api/2.0/new/a;b": "- 'GET /api/2.0/new/{name...}'",
}


@pytest.mark.parametrize("call", READINGS)
def test_what_is_proposed_allows_all_readings(call: str, tmp_path: Path) -> None:
    case = Case(1, "etl", call, ETL_HOSTS, "x")
    remedy = logged_remedy(decision_record(case, ETL_HOSTS[0]))
    assert remedy.yaml == READINGS[call]
    assert ("all that is below" in remedy.note) is ("..." in READINGS[call])
    assert decide_case(case, ETL_HOSTS[0], applied(remedy, tmp_path))[0].allow


DELETE = {
    "reason": "no_rule_matches",
    "operation": "tables.delete",
    "method": "DELETE",
    "server_address": HOST,
    "rule_set": "r",
}


def test_a_rule_by_name_is_for_the_objects_of_the_calls(tmp_path: Path) -> None:
    first, *more = [
        DELETE | {"path": f"/api/2.1/unity-catalog/tables/main.a.t{number}"} for number in range(60)
    ]
    assert logged_remedy(first).item == [{"operation": "tables.delete", "where": {"full_name": "main.a.t0"}}]
    both = logged_remedy(first, more[:1])
    assert both.item == [{"operation": "tables.delete", "where": {"full_name": ["main.a.t0", "main.a.t1"]}}]
    many = logged_remedy(first, more)
    assert many.item == ["tables.delete"]
    assert "where: can limit it" in many.note


def _run(body: dict[str, Any]) -> Case:
    return Case(1, "etl", "POST /api/2.2/jobs/run-now", ETL_HOSTS, "x", body)


def test_a_rule_for_other_values_allows_these_and_no_others(tmp_path: Path) -> None:
    record = decision_record(_run({"job_id": 2099}), ETL_HOSTS[0])
    remedy = logged_remedy(record, [record | {"params": {"job_id": "2100"}}])
    assert remedy.place == ("rule_sets", "job-runner", "allow")
    assert remedy.yaml == "- operation: jobs.run_now\n  where:\n    job_id: [2099, 2100]"
    policy = applied(remedy, tmp_path)
    verdicts = {
        job: decide_case(_run({"job_id": job}), ETL_HOSTS[0], policy)[0].allow
        for job in (2099, 2100, 2101, 1012)
    }
    assert verdicts == {2099: True, 2100: True, 2101: False, 1012: True}


ONE: dict[str, Any] = {
    "reason": "constraint_not_met",
    "operation": "jobs.run_now",
    "method": "POST",
    "path": "/api/2.2/jobs/run-now",
    "server_address": HOST,
    "rule_set": "r",
    "subject": "s",
}


@pytest.mark.parametrize(
    ("params", "names", "expected"),
    [
        ([{"job_id": None}], None, [{"operation": "jobs.run_now", "where": {"job_id": {"absent": True}}}]),
        ([{"queue.enabled": True}], None, [{"operation": "jobs.run_now", "where": {"queue.enabled": True}}]),
        (
            [{"notebook_params": {"keys": ["day", "hour"]}}],
            None,
            [{"operation": "jobs.run_now", "where": {"notebook_params": {"only": ["day", "hour"]}}}],
        ),
        ([{"only": ["a", "b"]}], None, [{"operation": "jobs.run_now", "where": {"only": ["a", "b"]}}]),
        (
            [{"job_id": 7}],
            ["job_id", "queue"],
            [{"operation": "jobs.run_now", "where": {"job_id": 7}, "only": ["queue"]}],
        ),
        ([{}], ["queue"], [{"operation": "jobs.run_now", "only": ["queue"]}]),
        ([{"job_id": {"hmac_sha256": "ab"}}], None, None),  # a value that the log does not have
        ([{"job_id": {"text": "x", "hmac_sha256": "ab"}}], None, None),
        (  # two pairs, not four
            [{"job_id": 1, "idempotency_token": "a"}, {"job_id": 2, "idempotency_token": "b"}],
            None,
            [
                {"operation": "jobs.run_now", "where": {"job_id": 1, "idempotency_token": "a"}},
                {"operation": "jobs.run_now", "where": {"job_id": 2, "idempotency_token": "b"}},
            ],
        ),
        ([{"job_id": 1.5}], None, None),
        ([{"no_such_parameter": 1}], None, None),
        ([{}], None, None),
        ([None], None, None),
        ([[1]], None, None),
    ],
)
def test_where_is_written_from_the_values_of_the_log(params: list[Any], names: Any, expected: Any) -> None:
    first, *more = [ONE | {"param_names": names, "params": each} for each in params]
    remedy = logged_remedy(first, more)
    assert remedy.item == expected
    assert remedy.note


@pytest.mark.parametrize(
    ("method", "path", "rule"),
    [
        ("POST", "/api/2.0/new/thing", "POST /api/2.0/new/thing"),
        ("GET", "/api/2.0/new/thing/", "GET /api/2.0/new/thing"),
        ("GET", "/api/2.0/a%20b", "GET /api/2.0/a b"),
        ("GET", "/api/2.0/a:%20b", "GET /api/2.0/a: b"),  # in YAML a key, without quotes
        ("GET", "/api/2.0/a%20/b", None),
        ("GET", "/api/2.0/%C3%BC", "GET /api/2.0/\u00fc"),
        ("GET", "/api/2.0/x" + "y" * 3000 + "...", None),  # clipped by the log
        ("GET", "[redacted]", None),
        ("GET", "/api/{id}", None),  # would be a variable: any segment
        ("GET", "/api/%7Bid%7D", None),
        ("GET", "/api/../x", None),
        ("BREW", "/api/x", None),
        ("GET", "/api/x: y # z\n- jobs.*", None),
        ("GET", None, None),
    ],
)
def test_a_path_rule_is_the_very_path_or_none(method: str, path: str | None, rule: str | None) -> None:
    denial = {
        "reason": "unknown_operation",
        "method": method,
        "path": path,
        "server_address": HOST,
        "rule_set": "r",
        "operation": None,
    }
    remedy = logged_remedy(denial)
    assert remedy.item == (None if rule is None else [rule])
    if rule is not None:
        assert yaml.safe_load(str(remedy.yaml)) == [rule]


@pytest.mark.parametrize(
    ("denial", "place", "item"),
    [
        (
            {"reason": "workspace_not_allowed", "subject": "s", "server_address": HOST, "workspace": "123"},
            ("s", "workspaces"),
            [f"{HOST}?o=123"],
        ),
        (
            {"reason": "workspace_not_allowed", "subject": "s", "server_address": HOST},
            ("s", "workspaces"),
            [HOST],
        ),
        ({"reason": "grant_not_allowed", "subject": "s", "grant": "refresh"}, ("s", "grants"), ["refresh"]),
        (
            {"reason": "unknown_principal", "principal": {"client_id": "c", "sub": "c"}},
            ("service_principals",),
            {"NEW-NAME": {"client_id": "c", "rule_set": "RULE-SET"}},
        ),
        (
            {
                "reason": "unknown_principal",
                "principal": {"client_id": "cli", "sub": "a@b.c"},
                "server_address": HOST,
            },
            ("users",),
            {"NEW-NAME": {"sub": "a@b.c", "rule_set": "RULE-SET", "workspaces": [HOST]}},
        ),
        ({"reason": "unknown_principal", "principal": None}, (), None),
        (
            {"reason": "unknown_client", "principal": {"client_id": "c", "sub": None}},
            ("service_principals",),
            {"NEW-NAME": {"client_id": "c", "rule_set": "RULE-SET"}},
        ),
        ({"reason": "unknown_client", "principal": {"client_id": None}}, (), None),
    ],
)
def test_bindings_and_newcomers(denial: dict[str, Any], place: tuple[str, ...], item: Any) -> None:
    remedy = logged_remedy(denial)
    assert (remedy.place, remedy.item) == (place, item)


@pytest.mark.parametrize("reason", [reason for reason in Reason if not reason.value.startswith("allowed")])
def test_every_reason_has_an_answer(reason: Reason) -> None:
    remedy = logged_remedy({"reason": reason.value, "subject": "s", "rule_set": "r"})
    assert remedy.yaml or remedy.note


FIELDS = (
    "operation", "method", "path", "rule", "rule_set", "subject", "fingerprint", "client_address", "server_address",
    "workspace", "grant", "principal", "params", "param_names",
)  # fmt: skip
REGULAR = {key: ONE[key] for key in ("operation", "method", "path", "server_address")}
HOSTILE = st.one_of(
    st.none(),
    st.text(),
    st.sampled_from(
        [
            "\x1b[31m",
            "x: y",
            "- a",
            "'\"",
            "=cmd()",
            "a\nb",
            "\u202e",
            "jobs.run_now",
            "GET",
            "/a/b",
            "{x...}",
        ]
    ),
    st.integers(),
    st.floats(),
    st.dictionaries(st.text(), st.one_of(st.text(), st.integers(), st.lists(st.text()))),
    st.lists(st.text()),
)


@given(
    st.sampled_from([reason.value for reason in Reason] + ["no such"]),
    st.fixed_dictionaries(
        dict.fromkeys(FIELDS, HOSTILE)
        | {name: st.one_of(HOSTILE, st.just(value)) for name, value in REGULAR.items()}
    ),
)
def test_hostile_fields_stay_values(reason: str, fields: dict[str, Any]) -> None:
    remedy = logged_remedy({"reason": reason, **fields})
    assert isinstance(remedy.note, str)
    if remedy.yaml is not None:
        assert remedy.yaml.replace("\n", "").isascii()
        assert remedy.yaml.replace("\n", "").isprintable()
        assert yaml.safe_load(remedy.yaml) == remedy.item


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param({"params": 1}, id="parameters that are a number"),
        pytest.param({"param_names": 0}, id="names that are a number"),
        pytest.param({"param_names": "a"}, id="names that are a text"),
        pytest.param({"params_sent": ["a"]}, id="what was sent as a list"),
    ],
)
@pytest.mark.parametrize(
    "operation", [None, ONE["operation"]], ids=["of no operation", "of a known operation"]
)
def test_parameters_of_no_records_form_are_said(odd: dict[str, Any], operation: str | None) -> None:
    denial = {**REGULAR, "reason": "no_rule_matches", "operation": operation}
    remedy = logged_remedy({**denial, **odd})
    assert remedy.item is None
    assert remedy.note == "a rule for it can't be proposed: the record has parameters that no record has"


ENTRA = {"issuer": V1, "client_id": APPLICATION, "sub": OBJECT, "tenant": TENANT, "object_id": OBJECT}


def test_somebody_of_entra_id_is_named_by_the_object_id() -> None:
    record = {"reason": "unknown_principal", "principal": ENTRA, "fingerprint": "sha256:" + "a" * 64}
    remedy = logged_remedy(record)
    assert remedy.place == ("service_principals",)
    assert remedy.item == {"NEW-NAME": {"tenant": "TENANT", "object_id": OBJECT, "rule_set": "RULE-SET"}}
    assert TENANT in remedy.note
    person = logged_remedy({**record, "principal": {**ENTRA, "sub": "l3_roI", "object_id": PERSON}})
    assert (person.place, person.item["NEW-NAME"]["object_id"]) == (("users",), PERSON)


@pytest.mark.parametrize("reason", ["unknown_principal", "wrong_tenant", "wrong_audience", "bad_signature"])
def test_the_fingerprint_of_an_oauth_token_is_no_advice(reason: str) -> None:
    remedy = logged_remedy({"reason": reason, "principal": None, "fingerprint": "sha256:" + "a" * 64})
    assert remedy.yaml is None
    assert remedy.note
    assert "sha256" not in remedy.note
