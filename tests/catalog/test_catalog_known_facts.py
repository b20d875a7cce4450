"""Facts about single operations that anybody can check against the API reference, and what must hold for all."""

import re
import sys
import time
from collections.abc import Iterator

import pytest

from brickscope.catalog.catalog import CLASSES, load_catalog, operation_table
from brickscope.core.path import APP

# name, its first call, the parameter that names the object and where it is, class
KNOWN = [
    ("jobs.run_now", "POST /api/2.2/jobs/run-now", {"job_id": "body"}, "execute"),
    ("jobs.get", "GET /api/2.2/jobs/get", {"job_id": "query"}, "read"),
    ("catalogs.list", "GET /api/2.1/unity-catalog/catalogs", {}, "read"),
    ("warehouses.list", "GET /api/2.0/sql/warehouses", {}, "read"),
    ("queries.list", "GET /api/2.0/sql/queries", {}, "read"),
    ("queries_legacy.list", "GET /api/2.0/preview/sql/queries", {}, "read"),
    (
        "statement_execution.execute_statement",
        "POST /api/2.0/sql/statements",
        {"warehouse_id": "body"},
        "execute",
    ),
    ("current_user.me", "GET /api/2.0/preview/scim/v2/Me", {}, "read"),
    ("secrets.get_secret", "GET /api/2.0/secrets/get", {"scope": "query", "key": "query"}, "secret"),
    ("secrets.put_acl", "POST /api/2.0/secrets/acls/put", {"scope": "body"}, "grant"),
    ("tokens.create", "POST /api/2.0/token/create", {}, "secret"),
    ("workspace.import_", "POST /api/2.0/workspace/import", {"path": "body"}, "write"),
    ("files.download", "GET /api/2.0/fs/files/{file_path...}", {"file_path": "path"}, "read"),
    ("clusters.events", "POST /api/2.1/clusters/events", {"cluster_id": "body"}, "read"),
    ("serving_endpoints.query", "POST /serving-endpoints/{name}/invocations", {"name": "path"}, "execute"),
    (
        "command_execution.destroy",
        "POST /api/1.2/contexts/destroy",
        {"clusterId": "body", "contextId": "body"},
        "execute",
    ),
    ("fs.download_url", "POST /api/2.0/fs/create-download-url", {"path": "query"}, "secret"),
    ("jobs.set_permissions", "PUT /api/2.0/permissions/jobs/{job_id}", {"job_id": "path"}, "grant"),
]

# method, path, operation: also versions, other spellings, siblings that a variable would swallow, and the web's mirror
CALLS = [
    ("POST", "/api/2.0/jobs/run-now", "jobs.run_now"),
    ("POST", "/api/2.1/jobs/run-now", "jobs.run_now"),
    ("POST", "/api/2.0/clusters/events", "clusters.events"),
    ("GET", "/api/2.0/sql/endpoints", "warehouses.list"),
    ("POST", "/api/2.0/sql/endpoints/abc/start", "warehouses.start"),
    ("GET", "/api/2.0/preview/sql/queries", "queries_legacy.list"),
    ("PUT", "/api/2.0/permissions/authorization/tokens", "token_management.set_permissions"),
    ("PUT", "/api/2.0/permissions/registered-things/1", "permissions.set"),
    ("GET", "/api/2.0/postgres/projects/p/branches/b", "postgres.get_branch"),
    ("GET", "/api/2.0/postgres/projects/p", "postgres.get_project"),
    ("POST", "/ajax-api/2.0/token/create", "tokens.create"),
    ("GET", "/api/2.0/fs/files/Volumes/main/s/v/file.csv", "files.download"),
    ("POST", "/api/2.0/fs/files/Volumes/main/s/v/file.csv", "files.multipart_upload"),
    ("PATCH", "/api/2.0/permissions/sql/warehouses/abc", "warehouses.update_permissions"),
    ("PATCH", "/api/2.0/identity/accounts/a/groups/1", "account.iam_v2.update_group"),
    ("PATCH", "/api/2.0/identity/groups/1", "workspace_iam_v2.update_group_proxy"),
    ("GET", "/api/2.0/lakewatch/catalogs/main/alertConfig", "lakewatch.get_alert_config"),
]


@pytest.mark.parametrize(("name", "call", "acted_on", "kind"), KNOWN, ids=[row[0] for row in KNOWN])
def test_a_known_operation(name: str, call: str, acted_on: dict[str, str], kind: str) -> None:
    operation = load_catalog().operations[name]
    assert operation.calls[0] == call
    assert dict(operation.object) == acted_on
    assert operation.kind == kind


@pytest.mark.parametrize(("method", "path", "name"), CALLS, ids=[f"{row[0]} {row[1]}" for row in CALLS])
def test_a_known_call(method: str, path: str, name: str) -> None:
    found = operation_table().match(method, path[1:].split("/"))
    assert found is not None
    assert found.text == name


def templates() -> Iterator[tuple[str, str]]:
    for operation in load_catalog().operations.values():
        for call in operation.calls:
            yield call, operation.name


def test_no_two_operations_share_a_call() -> None:
    owners: dict[str, str] = {}
    shared = []
    for call, name in templates():
        plain = re.sub(
            r"\{\w+\.\.\.\}", "**", re.sub(r"\{\w+\}", "*", re.sub(r"\{\w+=([^}]*)\}", r"\1", call))
        )
        plain += str(load_catalog().operations[name].messages)
        if owners.setdefault(plain, name) != name:
            shared.append((call, owners[plain], name))
    assert shared == []


def test_a_call_of_an_operation_is_found_as_that_operation() -> None:
    """However many siblings a variable could swallow: an allow or a deny by name reaches what it says."""
    lost = []
    for call, name in templates():
        method, _, path = call.partition(" ")
        path = re.sub(
            r"\{\w+=([^}]*)\}", lambda shape: shape[1].replace("**", "a/b").replace("*", "x1"), path
        )
        path = re.sub(r"\{\w+\}", "x1", re.sub(r"\{\w+\.\.\.\}", "a/b", path))
        on_app = path.startswith("https://")  # the host is a part of what is matched
        segments = [APP, *path.removeprefix("https://").split("/")] if on_app else path[1:].split("/")
        found = operation_table().match(method, segments)
        if found is None or name not in found.names:
            lost.append((call, name, found and found.text))
    assert lost == []


def test_every_operation_has_a_class_and_places_for_what_it_names() -> None:
    for operation in load_catalog().operations.values():
        assert operation.kind in CLASSES, operation.name
        assert operation.calls, operation.name
        for parameter, place in operation.object.items():
            assert operation.place(parameter) == place, (operation.name, parameter)
        for parameter in operation.required:
            assert operation.place(parameter) is not None, (operation.name, parameter)


def test_load_time(capsys: pytest.CaptureFixture[str]) -> None:
    """Printed, not asserted: the machine that runs the suite may be busy."""
    load_catalog.cache_clear()
    start = time.perf_counter()
    count = len(load_catalog().operations)
    with capsys.disabled():
        sys.stdout.write(f" catalogue: {count} operations in {(time.perf_counter() - start) * 1e3:.1f} ms ")
