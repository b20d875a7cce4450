"""Escalation: what limits a power, what undoes the limit, and that nothing is claimed that is not allowed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from analysis.check.policies import codes_of, findings, only, rules
from brickscope.analysis.check import prover
from brickscope.core.decision import Decision
from brickscope.core.reason import Reason
from brickscope.policy.operations import presets

_RUN_ONE = {"operation": "jobs.run_now", "where": {"job_id": [1012, 1013]}}
_IMPORT_SOME = {"operation": "workspace.import_", "where": {"path": {"prefix": "/Workspace/etl/"}}}

# What a rule set allows and denies, and the escalation findings with their severities.
CASES: dict[str, tuple[list[Any], list[Any], dict[str, str]]] = {
    "reads are none": (["jobs.get", "clusters.list", {"class": "read"}], [], {}),
    "one operation": (["tokens.create"], [], {"BS201": "error"}),
    "a path, as the operation that it is": (["POST /api/2.0/token/create"], [], {"BS201": "error"}),
    "an older path of the same": (["POST /api/2.0/jobs/runs/submit"], [], {"BS208": "error"}),
    "the mirror of the web interface": (["POST /ajax-api/2.0/token/create"], [], {"BS201": "error"}),
    "a path with a variable": (["POST /api/2.0/token/{call}"], [], {"BS201": "error"}),
    "a whole service": (
        ["secrets.*"],
        [],
        {"BS203": "error", "BS215": "error", "BS307": "error"},
    ),
    "a deny by name takes it away": (["tokens.*"], ["tokens.create", "tokens.update"], {}),
    "a deny by path takes one spelling away": (
        ["tokens.create"],
        ["POST /api/2.0/token/create"],
        {"BS201": "error"},
    ),
    "a deny by all paths takes it away": (
        ["tokens.create"],
        ["POST /api/2.0/token/create", "POST /ajax-api/2.0/token/create"],
        {},
    ),
    "a deny with a condition leaves the rest": (
        ["jobs.run_now"],
        [{"operation": "jobs.run_now", "where": {"job_id": 1012}}],
        {"BS213": "warning"},
    ),
    "fixed jobs are less": ([_RUN_ONE], [], {"BS213": "note"}),
    "a job that may be any of many is not fixed": (
        [{"operation": "jobs.run_now", "where": {"job_id": {"min": 1}}}],
        [],
        {"BS213": "warning"},
    ),
    "a job that may be absent is not fixed": (
        [{"operation": "jobs.run_now", "where": {"job_id": {"one_of": [1], "optional": True}}}],
        [],
        {"BS213": "warning"},
    ),
    "fixed jobs whose notebooks can be replaced are not": (
        [_RUN_ONE, "workspace.import_"],
        [],
        {"BS212": "warning", "BS213": "warning", "BS301": "error"},
    ),
    "an import below one folder makes it less": (
        [_RUN_ONE, _IMPORT_SOME],
        [],
        {"BS212": "note", "BS213": "warning", "BS301": "warning"},
    ),
    "the same by a free rule besides": (
        [_RUN_ONE, _IMPORT_SOME, "workspace.import_"],
        [],
        {"BS212": "warning", "BS213": "warning", "BS301": "error"},
    ),
    "other jobs are changed than are run": (
        [{"operation": "jobs.update", "where": {"job_id": 7}}, _RUN_ONE],
        [],
        {"BS209": "warning", "BS213": "warning"},
    ),
    "the same jobs": (
        [{"operation": "jobs.update", "where": {"job_id": [7, 1012]}}, _RUN_ONE],
        [],
        {"BS209": "warning", "BS213": "warning", "BS304": "warning"},
    ),
    "one object of a path": (["PATCH /api/2.0/repos/12"], [], {"BS212": "note"}),
    "a folder of a path": (["PUT /api/2.0/fs/files/Volumes/main/raw/{path...}"], [], {"BS212": "note"}),
    "a folder of a path and a job": (
        ["PUT /api/2.0/fs/files/Volumes/main/raw/{path...}", "jobs.run_now"],
        [],
        {"BS212": "note", "BS213": "warning", "BS303": "warning"},
    ),
    "a secret by name is less": (
        [{"operation": "secrets.get_secret", "where": {"scope": "etl", "key": "password"}}],
        [],
        {"BS203": "warning"},
    ),
    "a scope alone is not one secret": (
        [{"operation": "secrets.get_secret", "where": {"scope": "etl"}}],
        [],
        {"BS203": "error"},
    ),
    "a secret by name, and the list of who may read": (
        [
            {"operation": "secrets.get_secret", "where": {"scope": "etl", "key": "password"}},
            {"operation": "secrets.put_acl", "where": {"scope": "etl"}},
        ],
        [],
        {"BS203": "error", "BS215": "warning", "BS307": "warning"},
    ),
    "an owner can't be sent": (
        [{"operation": "catalogs.update", "where": {"name": "main"}, "only": ["comment"]}],
        [],
        {},
    ),
    "an owner must be absent": (
        [{"operation": "catalogs.update", "where": {"owner": {"absent": True}}}],
        [],
        {},
    ),
    "an owner can be sent": (
        [{"operation": "catalogs.update", "where": {"name": "main"}}],
        [],
        {"BS218": "error"},
    ),
    "permissions of one job": (
        [
            {
                "operation": "permissions.update",
                "where": {"request_object_type": "notebooks", "request_object_id": "1012"},
            }
        ],
        [],
        {"BS215": "warning"},
    ),
    "permissions by path reach who may have tokens": (
        ["PATCH /api/2.0/permissions/{type}/{id}"],
        [],
        {"BS202": "error", "BS215": "error"},
    ),
    "one alone is no combination": (
        ["lakeview.create_schedule"],
        [],
        {"BS214": "warning", "BS223": "warning"},
    ),
    "a group and a secret of a service principal": (
        ["groups.patch", "service_principal_secrets_proxy.create"],
        [],
        {"BS201": "error", "BS216": "error", "BS320": "error"},
    ),
    "a service principal's token by name is less": (
        [
            {
                "operation": "token_management.create_obo_token",
                "where": {"application_id": "2d4b6c8e-0a1b-4c3d-8e5f-001122334455"},
            }
        ],
        [],
        {"BS201": "warning"},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_a_rule_set_lets_its_holder_become(case: str, tmp_path: Path) -> None:
    allow, deny, expected = CASES[case]
    found = findings(tmp_path, rules(allow, deny))
    escalation = {code: severity for code, severity in codes_of(found).items() if code[2] in "23"}
    assert escalation == expected


# What the issue names, each with the rules that make it up.
TOGETHER: dict[str, tuple[list[Any], str]] = {
    "import a file and run a job": (["workspace.files_import", "jobs.run_now"], "BS301"),
    "workspace import and an existing pipeline": (["workspace.import_", "pipelines.start_update"], "BS301"),
    "repos update and run": (["repos.update", "jobs.run_now"], "BS302"),
    "a file on DBFS and a job": (["dbfs.put", "jobs.repair_run"], "BS303"),
    "jobs.create and run_now": (["jobs.create", "jobs.run_now"], "BS304"),
    "pipelines": (["pipelines.create", "pipelines.start_update"], "BS305"),
    "permissions.update and a cluster": (["permissions.update", "clusters.start"], "BS306"),
    "permissions on warehouses and SQL": (["warehouses.set_permissions", "sql.thrift"], "BS306"),
    "permissions on jobs and a job": (["jobs.set_permissions", "jobs.run_now"], "BS306"),
    "secrets.put_acl and code": (["secrets.put_acl", "command_execution.execute"], "BS307"),
    "cluster policy and cluster": (["cluster_policies.create", "clusters.create"], "BS308"),
    "instance profile and a job": (["instance_profiles.add", "jobs.submit"], "BS309"),
    "an init script and a restart": (["workspace.import_", "clusters.restart"], "BS310"),
    "a library of its own": (["files.upload", "libraries.install"], "BS310"),
    "create a query and schedule it": (["queries_legacy.create", "alerts_legacy.create"], "BS311"),
    "a dashboard and its schedule": (["lakeview.update", "lakeview.create_schedule"], "BS311"),
    "git credentials": (["git_credentials.create", "repos.create"], "BS312"),
    "grants and SQL": (["grants.update", "sql.sessions"], "BS313"),
    "ownership and temporary credentials": (
        ["schemas.update", "temporary_table_credentials.generate_temporary_table_credentials"],
        "BS313",
    ),
    "a connection and its HTTP requests": (["connections.create", "serving_endpoints.http_request"], "BS314"),
    "a serving endpoint with a secret in its environment": (
        ["serving_endpoints.update_config", "serving.chat_completions"],
        "BS315",
    ),
    "apps deploy": (["repos.update", "apps.deploy"], "BS316"),
    "a share and a recipient": (["shares.update_permissions", "recipients.rotate_token"], "BS317"),
    "an external location and a job": (["external_locations.create", "jobs.submit"], "BS318"),
    "database instances": (
        ["database.create_database_instance_role", "database.generate_database_credential"],
        "BS319",
    ),
    "a service principal and its secret": (
        ["service_principals.create", "service_principal_secrets_proxy.create"],
        "BS320",
    ),
    "who may have tokens, and a token": (["users.set_permissions", "tokens.create"], "BS321"),
    "a model version and an endpoint": (
        ["model_registry.create_model_version", "serving_endpoints.create"],
        "BS322",
    ),
    "a policy that is enforced": (
        ["cluster_policies.edit", "policy_compliance_for_clusters.enforce_compliance"],
        "BS323",
    ),
    "a webhook and a job": (["model_registry.create_webhook", "jobs.create"], "BS324"),
    "a federation policy and a group": (
        ["account.service_principal_federation_policy.create", "groups.patch"],
        "BS325",
    ),
}


@pytest.mark.parametrize("case", TOGETHER)
def test_two_powers_are_more_than_either(case: str, tmp_path: Path) -> None:
    (first, second), code = TOGETHER[case]
    both = only(findings(tmp_path, rules([first, second])), code)
    assert set(both.operations) == {first, second}
    assert [each.operation for each in both.proofs] == [first, second]
    for one in (first, second):
        assert code not in codes_of(findings(tmp_path, rules([one])))


def _on(*kinds: str) -> dict[str, Any]:
    return {"operation": "permissions.update", "where": {"request_object_type": list(kinds)}}


# Rights on objects and something to run, and what of it BS306 speaks of.
RIGHTS: dict[str, tuple[list[Any], set[str]]] = {
    "on dashboards, and SQL": ([_on("dashboards"), "sql.thrift"], set()),
    "on dashboards, by path, and SQL": (["PATCH /api/2.0/permissions/dashboards/{id}", "sql.thrift"], set()),
    "on dashboards of the first API, and SQL": (["dbsql_permissions.set", "sql.thrift"], set()),
    "on queries and alerts, and jobs": ([_on("queries", "alertsv2"), "jobs.run_now"], set()),
    "on experiments, and jobs": (["experiments.set_permissions", "jobs.run_now"], set()),
    "on jobs, and SQL": (["jobs.set_permissions", "sql.thrift"], set()),
    "on dashboards or notebooks, and jobs": (
        [_on("dashboards", "notebooks"), "jobs.run_now"],
        {"permissions.update", "jobs.run_now"},
    ),
    "on warehouses, by path, and SQL": (
        ["PATCH /api/2.0/permissions/warehouses/7", "sql.thrift"],
        {"warehouses.update_permissions", "sql.thrift"},
    ),
    "on warehouses, SQL and jobs": (
        ["warehouses.set_permissions", "sql.thrift", "jobs.run_now"],
        {"warehouses.set_permissions", "sql.thrift"},
    ),
    "on anything, SQL and jobs": (
        ["permissions.set", "sql.thrift", "jobs.run_now"],
        {"permissions.set", "sql.thrift", "jobs.run_now"},
    ),
    "on anything and on dashboards": (
        ["permissions.set", "dbsql_permissions.set", "sql.thrift"],
        {"permissions.set", "sql.thrift"},
    ),
}


@pytest.mark.parametrize("case", RIGHTS)
def test_rights_count_for_what_they_are_worth(case: str, tmp_path: Path) -> None:
    allow, expected = RIGHTS[case]
    found = [each for each in findings(tmp_path, rules(allow)) if each.code == "BS306"]
    assert {name for each in found for name in each.operations} == expected


def test_a_limit_is_said_with_its_reason(tmp_path: Path) -> None:
    alone = only(findings(tmp_path, rules([_RUN_ONE])), "BS213")
    assert alone.message == (
        "runs what exists with others' rights: jobs.run_now (only the jobs that the rule names, and nothing here "
        "changes what they run)"
    )
    undone = only(findings(tmp_path, rules([_RUN_ONE, "workspace.import_"])), "BS213")
    assert undone.message == (
        "runs what exists with others' rights: jobs.run_now (limited, but workspace.import_ undoes that)"
    )


def test_the_proof_is_for_somebody_who_may_act(tmp_path: Path) -> None:
    policy = f"""\
tokens:
  old: {{fingerprint: sha256:{"a" * 64}, rule_set: ci, expires: 2026-01-01}}
  zeta:
    fingerprint: sha256:{"b" * 64}
    rule_set: ci
    workspaces: [dbc-x.cloud.databricks.com]
    clients: [10.0.8.0/24]
{rules(["tokens.create"])}"""
    finding = only(findings(tmp_path, policy.replace('"rule_sets"', "rule_sets")), "BS201")
    assert finding.subjects == ("old", "zeta")
    assert finding.proofs[0].subject == "zeta"
    assert finding.proofs[0].url == "https://dbc-x.cloud.databricks.com/api/2.0/token/create"


def test_calls_of_the_account_go_to_its_host(tmp_path: Path) -> None:
    finding = only(findings(tmp_path, rules(["account.groups.patch"])), "BS216")
    assert finding.proofs[0].url.startswith("https://accounts.cloud.databricks.com/api/2.0/accounts/")


def test_nothing_is_claimed_that_the_decision_function_does_not_allow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deny(*_: object, **__: object) -> Decision:
        return Decision(False, Reason.NO_RULE_MATCHES, "", operation="tokens.create")

    assert "BS201" in codes_of(findings(tmp_path, rules(["tokens.create"])))
    monkeypatch.setattr(prover, "judge", deny)
    assert "BS201" not in codes_of(findings(tmp_path, rules(["tokens.create"])))


# What `check` says of each preset, as docs/check.md has it.
PRESETS = {
    "read-only": {"BS403": "note"},
    "sql-reader": {"BS214": "warning"},
    "job-runner": {"BS213": "warning"},
    "catalog-browser": {},
    "model-serving-caller": {"BS224": "note"},
    "model-caller": {},
    "tool-session": {},
    "agent-tools": {},
    "dbt": {"BS214": "warning"},
    "terraform-plan": {"BS403": "note"},
    "client-startup": {},
}


def test_no_preset_is_an_escalation_that_its_description_does_not_tell(tmp_path: Path) -> None:
    assert set(PRESETS) == set(presets())
    for name, expected in PRESETS.items():
        assert codes_of(findings(tmp_path, rules([{"preset": name}]))) == expected, name
