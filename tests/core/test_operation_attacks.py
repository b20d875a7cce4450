"""Rules by name under attack: denials in doubt, and what attacks on constraints have found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from brickscope.core.reason import Reason
from core.judged import ALLOWED, NOT_MET, ONE, RUN, TWICE, judged, policy, run_now

DENIED = Reason.DENIED_BY_RULE
# A deny that is in doubt denies. where, body, reason
DENY: dict[str, tuple[Any, Any, Reason]] = {
    "what a deny names": ({"job_id": 13}, {"job_id": 13}, DENIED),
    "what it does not": ({"job_id": 13}, {"job_id": 14}, ALLOWED),
    "nothing of it": ({"job_id": 13}, {}, ALLOWED),
    "its number as text": ({"job_id": 13}, {"job_id": "13"}, DENIED),
    "its number as a fraction": ({"job_id": 1012}, b'{"job_id": 1012.0}', DENIED),
    "its number with an exponent": ({"job_id": 1012}, b'{"job_id": 1.012e3}', DENIED),
    "its number with a zero before it": ({"job_id": 13}, {"job_id": "013"}, DENIED),
    "its number with a sign": ({"job_id": 13}, {"job_id": "+13"}, DENIED),
    "its number with a space": ({"job_id": 13}, {"job_id": " 13"}, DENIED),
    "in a list with others": ({"job_id": 13}, {"job_id": [14, 13]}, DENIED),
    "in a list in a list": ({"job_id": 13}, {"job_id": [[13]]}, DENIED),
    "in an object": ({"job_id": 13}, {"job_id": {"value": 13}}, DENIED),
    "in camel case": ({"job_id": 13}, {"jobId": 13}, TWICE),
    "in another case": ({"idempotency_token": "Prod"}, {"idempotency_token": "PROD"}, DENIED),
    "in full-width letters": ({"idempotency_token": "prod"}, {"idempotency_token": "\uff50rod"}, DENIED),
    "truth as a word": ({"queue.enabled": True}, {"queue": {"enabled": "True"}}, DENIED),
    "below what is no object": ({"queue.enabled": True}, {"queue": 5}, DENIED),
    "no JSON": ({"job_id": 13}, b"x", Reason.BODY_NOT_JSON),
}


@pytest.mark.parametrize(("where", "body", "reason"), DENY.values(), ids=DENY)
def test_a_deny_with_constraints(where: Any, body: Any, reason: Reason, tmp_path: Path) -> None:
    known = policy(tmp_path, "jobs.run_now", deny=[{"operation": "jobs.run_now", "where": where}])
    assert judged(known, "POST", RUN, body).reason is reason


# operation, where, method, target, reason
DENY_ELSEWHERE: dict[str, tuple[str, Any, str, str, Reason]] = {
    "a path with dots": (
        "workspace.export",
        {"path": {"prefix": "/Workspace/prod/"}},
        "GET",
        "/api/2.0/workspace/export?path=/Workspace/dev/../prod/x",
        DENIED,
    ),
    "a path with a slash too many": (
        "workspace.export",
        {"path": {"prefix": "/Workspace/prod/"}},
        "GET",
        "/api/2.0/workspace/export?path=//Workspace/prod/x",
        DENIED,
    ),
    "the folder itself": (
        "workspace.export",
        {"path": {"prefix": "/Workspace/prod/"}},
        "GET",
        "/api/2.0/workspace/export?path=/Workspace/prod",
        DENIED,
    ),
    "a path beside it": (
        "workspace.export",
        {"path": {"prefix": "/Workspace/prod/"}},
        "GET",
        "/api/2.0/workspace/export?path=/Workspace/product",
        ALLOWED,
    ),
    "a name in another case": (
        "catalogs.get",
        {"name": "prod"},
        "GET",
        "/api/2.1/unity-catalog/catalogs/PROD",
        DENIED,
    ),
    "a pattern in another case": (
        "tables.get",
        {"full_name": {"pattern": "prod.{schema}.{table}"}},
        "GET",
        "/api/2.1/unity-catalog/tables/Prod.a.b",
        DENIED,
    ),
    "a number with an exponent": (
        "jobs.list",
        {"limit": {"min": 26}},
        "GET",
        "/api/2.2/jobs/list?limit=1e3",
        DENIED,
    ),
    "a number with a zero": (
        "jobs.list",
        {"limit": {"min": 26}},
        "GET",
        "/api/2.2/jobs/list?limit=026",
        DENIED,
    ),
    "no number": ("jobs.list", {"limit": {"min": 26}}, "GET", "/api/2.2/jobs/list?limit=many", DENIED),
    "a smaller number": ("jobs.list", {"limit": {"min": 26}}, "GET", "/api/2.2/jobs/list?limit=25", ALLOWED),
    "a file, written with its slash": (
        "files.download",
        {"file_path": {"prefix": "/Volumes/secret/"}},
        "GET",
        "/api/2.0/fs/files/Volumes/secret/a.csv",
        DENIED,
    ),
}


@pytest.mark.parametrize(
    ("operation", "where", "method", "target", "reason"), DENY_ELSEWHERE.values(), ids=DENY_ELSEWHERE
)
def test_a_deny_in_path_and_query(
    operation: str, where: Any, method: str, target: str, reason: Reason, tmp_path: Path
) -> None:
    known = policy(tmp_path, operation, deny=[{"operation": operation, "where": where}])
    assert judged(known, method, target).reason is reason


SUBMIT = "/api/2.0/jobs/runs/submit"
TASKS = {
    "operation": "jobs.submit",
    "where": {"tasks.notebook_task.notebook_path": {"prefix": "/Workspace/etl/"}},
}
GOOD_TASK = {"notebook_task": {"notebook_path": "/Workspace/etl/a"}}
FILES = "/api/2.0/fs/files/Volumes/main/a.csv"
INSTANCE = {"operation": "database.update_database_instance", "where": {"name": "x", "capacity": "CU_1"}}
HISTORY: dict[str, Any] = {"operation": "query_history.list", "only": ["filter_by", "max_results"]}
# Found by attacks on the first version. rule, method, target, body, reason
ATTACKS: dict[str, tuple[Any, str, str, Any, Reason]] = {
    "a query that somebody decodes twice before splitting it": (
        {"operation": "workspace.export", "where": {"path": "/Users/ada/x"}},
        "GET",
        "/api/2.0/workspace/export?path=/Users/ada/x&a=%26path%253D/Users/bob/x",
        None,
        TWICE,
    ),
    "the tasks that are named": (TASKS, "POST", SUBMIT, {"tasks": [GOOD_TASK]}, ALLOWED),
    "one task in the old form beside them": (
        TASKS,
        "POST",
        SUBMIT,
        {"tasks": [GOOD_TASK], "notebook_task": {"notebook_path": "/evil"}, "existing_cluster_id": "c"},
        NOT_MET,
    ),
    "one task in the old form only": (
        TASKS,
        "POST",
        SUBMIT,
        {"notebook_task": {"notebook_path": "/evil"}},
        NOT_MET,
    ),
    "the old form below settings": (
        {"operation": "jobs.reset", "where": {"new_settings.tasks.task_key": "a"}},
        "POST",
        "/api/2.0/jobs/reset",
        {"job_id": 1, "new_settings": {"tasks": [{"task_key": "a"}], "spark_python_task": {}}},
        NOT_MET,
    ),
    "the old form, as a rule may name it": (
        {"operation": "jobs.submit", "where": {"notebook_task.notebook_path": "/a"}},
        "POST",
        SUBMIT,
        {"notebook_task": {"notebook_path": "/a"}},
        ALLOWED,
    ),
    "a model in the body, another endpoint in the path": (
        {"operation": "serving.responses", "where": {"model": "cheap"}},
        "POST",
        "/serving-endpoints/secret-agent/invocations/responses",
        {"model": "cheap", "input": "x"},
        Reason.NO_RULE_MATCHES,
    ),
    "a file by a prefix with its slash": (
        {"operation": "files.download", "where": {"file_path": {"prefix": "/Volumes/main/"}}},
        "GET",
        FILES,
        None,
        ALLOWED,
    ),
    "a file by its name with the slash": (
        {"operation": "files.download", "where": {"file_path": "/Volumes/main/a.csv"}},
        "GET",
        FILES,
        None,
        ALLOWED,
    ),
    "another file": (
        {"operation": "files.download", "where": {"file_path": {"prefix": "/Volumes/dev/"}}},
        "GET",
        FILES,
        None,
        NOT_MET,
    ),
    "a body that repeats the path": (
        INSTANCE,
        "PATCH",
        "/api/2.0/database/instances/x",
        {"name": "x", "capacity": "CU_1"},
        ALLOWED,
    ),
    "a body that contradicts the path": (
        INSTANCE,
        "PATCH",
        "/api/2.0/database/instances/x",
        {"name": "y", "capacity": "CU_1"},
        TWICE,
    ),
    "a repetition, where only some are let in": (
        {"operation": "apps.update", "only": ["description"]},
        "PATCH",
        "/api/2.0/apps/a",
        {"name": "a", "description": "d"},
        ALLOWED,
    ),
    "members of an object in the query": (
        HISTORY,
        "GET",
        "/api/2.0/sql/history/queries?filter_by.statuses=FAILED&max_results=5",
        None,
        ALLOWED,
    ),
    "a member that is named": (
        {"operation": "query_history.list", "where": {"filter_by.statuses": "FAILED"}},
        "GET",
        "/api/2.0/sql/history/queries?filter_by.statuses=FAILED",
        None,
        ALLOWED,
    ),
    "a member, and the object in one piece": (
        {"operation": "query_history.list", "where": {"filter_by.statuses": "FAILED"}},
        "GET",
        "/api/2.0/sql/history/queries?filter_by.statuses=FAILED&filter_by=x",
        None,
        TWICE,
    ),
    "a dotless i": (ONE, "POST", RUN, {"job_id": 1012, "job_\u0131d": 13}, TWICE),
    "nothing in a list": (
        run_now({"jar_params": {"one_of": ["a"], "optional": True}}),
        "POST",
        RUN,
        {"jar_params": [None]},
        NOT_MET,
    ),
    "one more than the largest": (
        run_now({"job_id": {"max": 9007199254740992}}),
        "POST",
        RUN,
        {"job_id": 9007199254740993},
        NOT_MET,
    ),
    "a word in a path": (
        {"operation": "catalogs.get", "where": {"name": "true"}},
        "GET",
        "/api/2.1/unity-catalog/catalogs/true",
        None,
        ALLOWED,
    ),
    "more names than any call has": (
        ONE,
        "POST",
        RUN,
        {"job_id": 1012, **{f"a{index}": 1 for index in range(5000)}},
        ALLOWED,
    ),
    "validation that tries roles is no reading": (
        {"preset": "read-only"},
        "POST",
        "/api/2.1/unity-catalog/validate-storage-credentials",
        {"url": "s3://any"},
        Reason.NO_RULE_MATCHES,
    ),
    "permissions of a query": ("permissions.get", "GET", "/api/2.0/permissions/sql/queries/1", None, ALLOWED),
}


@pytest.mark.parametrize(("rule", "method", "target", "body", "reason"), ATTACKS.values(), ids=ATTACKS)
def test_what_attacks_have_found(
    rule: Any, method: str, target: str, body: Any, reason: Reason, tmp_path: Path
) -> None:
    assert judged(policy(tmp_path, rule), method, target, body).reason is reason


@pytest.mark.parametrize(
    ("attack", "name"),
    [("a member, and the object in one piece", "filter_by.statuses"), ("a dotless i", "job_id")],
)
def test_the_parameter_that_is_in_doubt_is_named(attack: str, name: str, tmp_path: Path) -> None:
    rule, method, target, body, _ = ATTACKS[attack]
    detail = judged(policy(tmp_path, rule), method, target, body).detail
    assert detail == f"a name could be mistaken for the parameter {name!r}"


def test_no_name_costs_more_than_its_size(tmp_path: Path) -> None:
    # Normalising combining marks takes time by the square of their number: 14 minutes for this one, in the event loop.
    name = "a" + "\u0300\u0316" * 100_000
    known = policy(tmp_path, ONE, deny=[run_now({"idempotency_token": "x"})])
    body = json.dumps({"job_id": 1012, name: 1, "idempotency_token": name}, ensure_ascii=False).encode()
    assert judged(known, "POST", RUN, body).reason is Reason.TOO_COMPLEX
    body = json.dumps({"job_id": 1012, "idempotency_token": name}, ensure_ascii=False).encode()
    assert judged(known, "POST", RUN, body).reason is DENIED


@pytest.mark.parametrize("source", ["u = 'https://h/a?x=1&path=/b'", "x=1;path=2", "&path=3"])
def test_the_text_of_an_uploaded_file_is_no_parameter(source: str, tmp_path: Path) -> None:
    known = policy(tmp_path, {"operation": "workspace.import_", "where": {"path": "/Workspace/team/r.py"}})
    parts = ['name="path"\r\n\r\n/Workspace/team/r.py', f'name="content"; filename="r.py"\r\n\r\n{source}']
    form = "".join(f"--xyz\r\nContent-Disposition: form-data; {part}\r\n" for part in parts) + "--xyz--\r\n"
    kind = (b"Content-Type", b"multipart/form-data; boundary=xyz")
    assert judged(known, "POST", "/api/2.0/workspace/import", form.encode(), kind).reason is ALLOWED


def test_many_rules_read_a_call_once(tmp_path: Path) -> None:
    known = policy(tmp_path, *(run_now({"job_id": index, "jar_params": ["x"]}) for index in range(300)))
    body = {"job_id": 299, "jar_params": ["x"], **{f"a{index}": "b" * 400 for index in range(1900)}}
    assert judged(known, "POST", RUN, body).reason is ALLOWED


@pytest.mark.parametrize(
    ("charset", "reason"),
    [
        ('application/json; charset="utf-8"', ALLOWED),
        ("application/json; charset= utf-8", ALLOWED),
        ("application/json; charset\t=utf-16", Reason.BODY_NOT_JSON),
        ("application/json; charset*=utf-8''utf-7", Reason.BODY_NOT_JSON),
    ],
)
def test_character_sets(charset: str, reason: Reason, tmp_path: Path) -> None:
    more = (b"Content-Type", charset.encode())
    assert judged(policy(tmp_path, ONE), "POST", RUN, {"job_id": 1012}, more).reason is reason


RUNS, CREATE = "/api/2.0/mlflow/runs/get", "/api/2.1/clusters/create"
PERMISSIONS, WHEEL = "/api/2.0/preview/permissions/sql", "libraries.whl"
CEO = {"prefix": "/Workspace/Users/ceo/"}
GEMINI = "/serving-endpoints/gemini/v1beta/models"
# Operation, where, method, target, body; the reason where the rule allows, where it denies.
SECOND: dict[str, tuple[str, Any, str, str, Any, Reason, Reason]] = {
    "the old name of a run beside the new one": (
        *("experiments.get_run", {"run_id": "a"}, "GET", f"{RUNS}?run_id=b&run_uuid=a", None),
        *(NOT_MET, DENIED),
    ),
    "the old name of another run beside the new one": (
        *("experiments.get_run", {"run_id": "a"}, "GET", f"{RUNS}?run_id=b&run_uuid=c", None),
        *(NOT_MET, ALLOWED),
    ),
    "workers by their number, beside a range": (
        *("clusters.create", {"num_workers": 9}, "POST", CREATE, {"num_workers": 1, "autoscale": {"max_workers": 9}}),
        *(NOT_MET, DENIED),
    ),
    "a number where the map has text": (
        *("clusters.create", {"spark_conf.k": "5"}, "POST", CREATE, {"spark_conf": {"k": 5}}),
        *(ALLOWED, DENIED),
    ),
    "a fraction where the map has text": (
        *("clusters.create", {"spark_conf.k": "5"}, "POST", CREATE, b'{"spark_conf": {"k": 5.0}}'),
        *(NOT_MET, DENIED),
    ),
    "the preview of an older path": (
        *("warehouses.set_permissions", {"warehouse_id": "1"}, "PUT", f"{PERMISSIONS}/endpoints/1", {}),
        *(ALLOWED, DENIED),
    ),
    "an empty list for a truth value": (
        *("workspace.delete", {"path": CEO}, "POST", "/api/2.0/workspace/delete", {"path": "/Users", "recursive": []}),
        *(NOT_MET, DENIED),
    ),
    "a path with backslashes where any tree may be": (
        *("libraries.install", {WHEEL: CEO}, "POST", "/api/2.0/libraries/install"),
        *({"libraries": [{"whl": "\\Users\\ceo\\x.whl"}]}, NOT_MET, DENIED),
    ),
    "a moment in another zone": (
        *("secrets_uc.create_secret", {"expire_time": "2027-01-01T00:00:00Z"}, "POST", "/api/2.1/unity-catalog/secrets"),
        *({"expire_time": "2027-01-01T02:00:00.0+02:00"}, ALLOWED, DENIED),
    ),
    "a field below the one that is limited": (
        *("clusters.update", {"update_mask": "autoscale"}, "POST", "/api/2.1/clusters/update"),
        *({"cluster_id": "c", "update_mask": "autoscale.max_workers"}, ALLOWED, DENIED),
    ),
    "a field whose name only begins like the one that is limited": (
        *("clusters.update", {"update_mask": "autoscale"}, "POST", "/api/2.1/clusters/update"),
        *({"cluster_id": "c", "update_mask": "autoscaler"}, NOT_MET, ALLOWED),
    ),
    "a field below one that fits the pattern": (
        *("clusters.update", {"update_mask": {"pattern": "autoscale.{x}"}}, "POST", "/api/2.1/clusters/update"),
        *({"cluster_id": "c", "update_mask": "autoscale.a.b"}, NOT_MET, DENIED),
    ),
    "a field in another case": (
        *("clusters.update", {"update_mask": "autoscale"}, "POST", "/api/2.1/clusters/update"),
        *({"cluster_id": "c", "update_mask": "AutoScale.x"}, NOT_MET, DENIED),
    ),
    "a key of the configuration among others": (
        *("workspace_conf.get_status", {"keys": "enableIpAccessLists"}, "GET"),
        *("/api/2.0/workspace-conf?keys=enableTokensConfig,enableIpAccessLists", None, NOT_MET, DENIED),
    ),
    "a key of the configuration behind a blank": (
        *("workspace_conf.get_status", {"keys": "enableIpAccessLists"}, "GET"),
        *("/api/2.0/workspace-conf?keys=enableTokensConfig,+enableIpAccessLists", None, NOT_MET, DENIED),
    ),
    "an attribute of users in another case, among others": (
        *("users.list", {"attributes": "roles"}, "GET"),
        *("/api/2.0/preview/scim/v2/Users?attributes=id,ROLES", None, NOT_MET, DENIED),
    ),
    "no key of the configuration that is denied": (
        *("workspace_conf.get_status", {"keys": "enableIpAccessLists"}, "GET"),
        *("/api/2.0/workspace-conf?keys=enableTokensConfig,enable-X-Frame-Options", None, NOT_MET, ALLOWED),
    ),
    "a user whose at sign is full-width": (
        *("schemas.update", {"owner": "ada@x.org"}, "PATCH", "/api/2.1/unity-catalog/schemas/main.a"),
        *({"owner": "ada\uff20x.org"}, NOT_MET, DENIED),
    ),
    "the model of the path, which the API has in the body too": (
        *("serving.generate_content", {"model": "m"}, "POST", f"{GEMINI}/m:generateContent", {"model": "m"}),
        *(ALLOWED, DENIED),
    ),
    "another model in the body than in the path": (
        *("serving.generate_content", {"model": "m"}, "POST", f"{GEMINI}/m:generateContent", {"model": "x"}),
        *(TWICE, TWICE),
    ),
    "one file of a set of files that is limited": (
        *("pipelines.create", {"libraries.glob.include": "/Users/ceo/**"}, "POST", "/api/2.0/pipelines"),
        *({"libraries": [{"glob": {"include": "/Workspace/Users/ceo/x"}}]}, NOT_MET, DENIED),
    ),
    "the driver's pool beside that of the workers": (
        *("clusters.create", {"instance_pool_id": "p1"}, "POST", CREATE),
        *({"instance_pool_id": "p2", "driver_instance_pool_id": "p1"}, NOT_MET, DENIED),
    ),
    "another pool for the driver": (
        *("clusters.create", {"instance_pool_id": "p1"}, "POST", CREATE),
        *({"instance_pool_id": "p1", "driver_instance_pool_id": "p2"}, NOT_MET, DENIED),
    ),
    "the workers' pool, which is the driver's where that is unset": (
        *("clusters.create", {"driver_instance_pool_id": "p1"}, "POST", CREATE, {"instance_pool_id": "p1"}),
        *(NOT_MET, DENIED),
    ),
    "a driver of another size": (
        *("clusters.create", {"node_type_id": "p4d.24xlarge"}, "POST", CREATE),
        *({"node_type_id": "m5.large", "driver_node_type_id": "p4d.24xlarge"}, NOT_MET, DENIED),
    ),
    "a raw colon, which begins a verb whatever the name may hold": (
        *("tables.get", {"full_name": {"prefix": "main.a."}}, "GET", "/api/2.1/unity-catalog/tables/main.a.x:y", None),
        *(Reason.UNKNOWN_OPERATION, Reason.UNKNOWN_OPERATION),
    ),
    "a name with a letter that capitals make another's": (
        *("tables.get", {"full_name": "main.a.t"}, "GET", "/api/2.1/unity-catalog/tables/ma%C4%B1n.a.t", None),
        *(NOT_MET, DENIED),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SECOND)
def test_a_second_way_to_say_what_a_rule_limits(case: str, tmp_path: Path) -> None:
    operation, where, method, target, body, allowing, denying = SECOND[case]
    rule = {"operation": operation, "where": where}
    assert judged(policy(tmp_path, rule), method, target, body).reason is allowing
    wide = [operation, "permissions.*", "PUT /{path...}"]
    assert judged(policy(tmp_path, *wide, deny=[rule]), method, target, body).reason is denying
