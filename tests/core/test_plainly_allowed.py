"""Calls of official clients that a rule plainly allows, each beside one that it does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from core.judged import ALLOWED, NOT_MET, TWICE, judged, policy


class Row(NamedTuple):
    """A rule, a call that it allows, and one that it does not, with the reason."""

    rule: Any
    allowed: tuple[Any, ...]
    denied: tuple[Any, ...]
    reason: Any = NOT_MET


def where(operation: str, **conditions: Any) -> dict[str, Any]:
    return {"operation": operation, "where": conditions}


SQL = "/api/2.0/sql/statements/"
STATUS = "/api/2.0/workspace/get-status"
FILES = "/api/2.0/fs/files"
EXPORT = "/api/2.0/workspace/export"
CHAT = "/serving-endpoints/chat/completions"
CREATE, JOB, METRIC = "/api/2.1/clusters/create", "/api/2.2/jobs/create", "/api/2.0/mlflow/runs/log-metric"
UPDATE = "/api/2.1/clusters/update"
BRANCH = "/api/2.0/postgres/projects/p/branches"
USERS = "/api/2.0/preview/scim/v2/Users"
SCIM = "urn:ietf:params:scim:schemas:core:2.0:User"

ROWS = {
    "a statement with a line end behind it": Row(
        where("statement_execution.execute_statement", statement={"prefix": "SELECT "}),
        ("POST", SQL, {"statement": "SELECT 1\n", "warehouse_id": "w"}),
        ("POST", SQL, {"statement": "\nDROP TABLE t\n", "warehouse_id": "w"}),
    ),
    "a statement with blanks before it is another one to some readers": Row(
        where("statement_execution.execute_statement", statement={"prefix": "SELECT "}),
        ("POST", SQL, {"statement": "SELECT 1", "warehouse_id": "w"}),
        ("POST", SQL, {"statement": "  SELECT 1", "warehouse_id": "w"}),
    ),
    "a whole statement, as a block of YAML has it": Row(
        where("statement_execution.execute_statement", statement="SELECT 1\n"),
        ("POST", SQL, {"statement": "SELECT 1\n", "warehouse_id": "w"}),
        ("POST", SQL, {"statement": "SELECT 2\n", "warehouse_id": "w"}),
    ),
    "any path of the workspace": Row(
        where("workspace.get_status", path={"prefix": "/Workspace"}),
        ("GET", f"{STATUS}?path=/Users/ada/nb"),
        ("GET", f"{STATUS}?path=/Volumes/main/a/v"),
    ),
    "the root of the workspace": Row(
        where("workspace.get_status", path={"prefix": "/Workspace"}),
        ("GET", f"{STATUS}?path=/Workspace"),
        ("GET", f"{STATUS}?path=Workspace"),
    ),
    "any path of volumes": Row(
        where("files.download", file_path={"prefix": "/Volumes"}),
        ("GET", f"{FILES}/Volumes/main/a/v/x"),
        ("GET", f"{FILES}/Volumes2/main/a/v/x"),
    ),
    "a wheel on any volume": Row(
        where("libraries.install", **{"libraries.whl": {"prefix": "/Volumes"}}),
        ("POST", "/api/2.0/libraries/install", {"libraries": [{"whl": "dbfs:/Volumes/main/a/v/x.whl"}]}),
        ("POST", "/api/2.0/libraries/install", {"libraries": [{"whl": "/Volumes2/x.whl"}]}),
    ),
    "any file of DBFS": Row(
        where("dbfs.read", path={"prefix": "dbfs:"}),
        ("GET", "/api/2.0/dbfs/read?path=/FileStore/x"),
        ("GET", "/api/2.0/dbfs/read?path=/Volumes/main/a/v/x"),
    ),
    "a pattern with a blank in a name": Row(
        where("workspace.get_status", path={"pattern": "/Users/ada/Müller Bericht/{x...}"}),
        ("GET", f"{STATUS}?path=/Users/ada/M%C3%BCller%20Bericht/nb"),
        ("GET", f"{STATUS}?path=/Users/ada/M%C3%BCller/nb"),
    ),
    "a number with a fraction": Row(
        where("serving.chat_completions", temperature={"min": 0, "max": "0.7"}),
        ("POST", CHAT, {"model": "m", "temperature": 0.5}),
        ("POST", CHAT, {"model": "m", "temperature": 0.71}),
    ),
    "an id that the body repeats": Row(
        where("postgres.create_branch", branch_id="dev"),
        ("POST", f"{BRANCH}?branch_id=dev", {"branch_id": "dev"}),
        ("POST", f"{BRANCH}?branch_id=dev", {"branch_id": "prod"}),
        TWICE,
    ),
    "an id that the body repeats, and another before": Row(
        where("postgres.create_branch", branch_id=["dev", "test"]),
        ("POST", f"{BRANCH}?branch_id=test", {"branch_id": "test"}),
        ("POST", f"{BRANCH}?branch_id=dev&branch_id=test", {"branch_id": "test"}),
        TWICE,
    ),
    "a parameter of the body in the query as well": Row(
        where("users.create", userName="ada@example.com"),
        ("POST", USERS, {"userName": "ada@example.com"}),
        ("POST", f"{USERS}?userName=ada@example.com", {"userName": "ada@example.com"}),
        TWICE,
    ),
    "a key with dots, in an object of texts": Row(
        where("clusters.create", **{"spark_conf.spark.master": "local[*]"}),
        ("POST", CREATE, {"spark_conf": {"spark.master": "local[*]", "spark.x": "1"}}),
        ("POST", CREATE, {"spark_conf": {"spark": {"master": "local[*]"}}}),
    ),
    "a key with dots, in a list of objects": Row(
        where("jobs.create", **{"job_clusters.new_cluster.custom_tags.team.name": ["a", "b"]}),
        ("POST", JOB, {"job_clusters": [{"new_cluster": {"custom_tags": {"team.name": "a"}}}]}),
        ("POST", JOB, {"job_clusters": [{"new_cluster": {"custom_tags": {"team.name": "c"}}}]}),
    ),
    "a run, as MLflow's client names it": Row(
        where("experiments.log_metric", run_id="r1"),
        ("POST", METRIC, {"run_id": "r1", "run_uuid": "r1", "key": "loss", "value": 0.1}),
        ("POST", METRIC, {"run_id": "r1", "run_uuid": "r2", "key": "loss", "value": 0.1}),
    ),
    "a run by its old name": Row(
        where("experiments.get_run", run_id="r1"),
        ("GET", "/api/2.0/mlflow/runs/get?run_uuid=r1"),
        ("GET", "/api/2.0/mlflow/runs/get?run_uuid=r1&run_id=r2"),
    ),
    "the driver's type beside the workers'": Row(
        where("clusters.create", node_type_id=["i3.xlarge", "m5.large"]),
        ("POST", CREATE, {"node_type_id": "i3.xlarge", "driver_node_type_id": "m5.large"}),
        ("POST", CREATE, {"node_type_id": "i3.xlarge", "driver_node_type_id": "p4d.24xlarge"}),
    ),
    "the driver's type, of the clusters of a job": Row(
        where("jobs.create", **{"job_clusters.new_cluster.node_type_id": {"prefix": "m5."}}),
        (
            "POST",
            JOB,
            {"job_clusters": [{"new_cluster": {"node_type_id": "m5.a", "driver_node_type_id": "m5.b"}}]},
        ),
        (
            "POST",
            JOB,
            {"job_clusters": [{"new_cluster": {"node_type_id": "m5.a", "driver_node_type_id": "p4"}}]},
        ),
    ),
    "the driver's type alone": Row(
        where("clusters.create", node_type_id="i3.xlarge"),
        ("POST", CREATE, {"node_type_id": "i3.xlarge"}),
        ("POST", CREATE, {"driver_node_type_id": "i3.xlarge"}),
    ),
    "the driver's type, where no other parameter may be": Row(
        {**where("clusters.create", node_type_id="i3.xlarge"), "only": []},
        ("POST", CREATE, {"node_type_id": "i3.xlarge"}),
        ("POST", CREATE, {"node_type_id": "i3.xlarge", "driver_node_type_id": "i3.xlarge"}),
    ),
    "a file, not over another": Row(
        where("files.upload", file_path={"prefix": "/Volumes/main/raw/"}, overwrite=False),
        ("PUT", f"{FILES}/Volumes/main/raw/v/x?overwrite=false", b"\x89PNG"),
        ("PUT", f"{FILES}/Volumes/main/raw/v/x?overwrite=true", b'{"overwrite": false}'),
    ),
    "a file, and no other parameters": Row(
        {**where("workspace.files_import", path={"prefix": "/Workspace/etl/"}), "only": []},
        ("POST", "/api/2.0/workspace-files/import-file/Workspace%2Fetl%2Fa.py", b'{"a": 1}'),
        ("POST", "/api/2.0/workspace-files/import-file/Workspace%2Fetl%2Fa.py?overwrite=true", b"x"),
    ),
    "what databricks-sdk's workspace.download asks for": Row(
        {**where("workspace.export", path={"prefix": "/Users/ada/"}), "only": ["format", "direct_download"]},
        ("GET", f"{EXPORT}?path=%2FUsers%2Fada%2Fnb&direct_download=true&format=AUTO"),
        ("GET", f"{EXPORT}?path=%2FUsers%2Fada%2Fnb&direct_download=true&x=1"),
    ),
    "a field of a mask, and what is in it": Row(
        where("clusters.update", update_mask=["spark_conf", "custom_tags"]),
        ("POST", UPDATE, {"cluster_id": "c", "update_mask": "spark_conf.a.b,custom_tags", "cluster": {}}),
        ("POST", UPDATE, {"cluster_id": "c", "update_mask": "spark_conf.a,num_workers", "cluster": {}}),
    ),
    "several attributes of users in one text": Row(
        where("users.list", attributes=["id", "emails"]),
        ("GET", "/api/2.0/preview/scim/v2/Users?attributes=emails.value,id&count=100"),
        ("GET", "/api/2.0/preview/scim/v2/Users?attributes=id,roles"),
    ),
    "a key of the configuration": Row(
        where("workspace_conf.get_status", keys=["enableIpAccessLists", "enable-X-Frame-Options"]),
        ("GET", "/api/2.0/workspace-conf?keys=enable-X-Frame-Options"),
        ("GET", "/api/2.0/workspace-conf?keys=enableIpAccessLists,enableTokensConfig"),
    ),
    "a field of a mask, but not one that begins alike, nor all": Row(
        where("clusters.update", update_mask="spark_conf.a,spark_conf.b"),
        ("POST", UPDATE, {"cluster_id": "c", "update_mask": "spark_conf.b,spark_conf.a", "cluster": {}}),
        ("POST", UPDATE, {"cluster_id": "c", "update_mask": "spark_conf.ab", "cluster": {}}),
    ),
    "all fields of a mask": Row(
        where("clusters.update", update_mask="*"),
        ("POST", UPDATE, {"cluster_id": "c", "update_mask": "spark_conf,num_workers", "cluster": {}}),
        ("POST", UPDATE, {"cluster_id": "c", "update_mask": "spark_conf.*", "cluster": {}}),
    ),
    "a schema of SCIM": Row(
        where("users.create", schemas=[SCIM]),
        ("POST", USERS, {"schemas": [SCIM], "userName": "ada@example.com"}),
        ("POST", USERS, {"schemas": [f"{SCIM}2"], "userName": "ada@example.com"}),
    ),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_what_a_rule_plainly_says_is_allowed_and_no_more(tmp_path: Path, row: Row) -> None:
    known = policy(tmp_path, row.rule)
    decision = judged(known, *row.allowed)
    # The gate records this detail without a search for secrets, so nothing that a client sent may be in it.
    assert (decision.reason, decision.detail) == (ALLOWED, "a rule of the rule set allows it")
    assert judged(known, *row.denied).reason is row.reason


DENIED = {
    "a statement behind blanks": (
        where("statement_execution.execute_statement", statement={"prefix": "DROP "}),
        ("POST", SQL, {"statement": " \n drop table t", "warehouse_id": "w"}),
        ("POST", SQL, {"statement": "SELECT 1\n", "warehouse_id": "w"}),
    ),
    "a whole statement, without its line end": (
        where("statement_execution.execute_statement", statement="SELECT 1\n"),
        ("POST", SQL, {"statement": "SELECT 1", "warehouse_id": "w"}),
        ("POST", SQL, {"statement": "SELECT 2", "warehouse_id": "w"}),
    ),
    "any file of DBFS": (
        where("libraries.install", **{"libraries.whl": {"prefix": "dbfs:"}}),
        ("POST", "/api/2.0/libraries/install", {"libraries": [{"whl": "/x.whl"}]}),
        ("POST", "/api/2.0/libraries/install", {"libraries": [{"whl": "s3://b/x.whl"}]}),
    ),
    "a file over another": (
        where("files.upload", overwrite=True),
        ("PUT", f"{FILES}/Volumes/main/raw/v/x?overwrite=True", b"\x89PNG"),
        ("PUT", f"{FILES}/Volumes/main/raw/v/x?overwrite=false", b"\x89PNG"),
    ),
    "a key with dots, in an object of texts": (
        where("clusters.create", **{"spark_conf.spark.master": "local[*]"}),
        ("POST", CREATE, {"spark_conf": {"spark.master": "local[*]"}}),
        ("POST", CREATE, {"spark_conf": {"spark.x": "local[*]"}}),
    ),
    "a folder, beside one with a sign behind a blank": (
        where("workspace.export", path={"prefix": "/Workspace/Users/ceo/"}),
        ("GET", f"{EXPORT}?path=/Users/ceo/a%20%26%20b"),
        ("GET", f"{EXPORT}?path=/Shared/Sales%20%26%20Marketing/Report%20%231"),
    ),
    "a folder, in what stands before a sign behind a blank": (
        where("workspace.export", path="/Workspace/Users/ceo/plan"),
        ("GET", f"{EXPORT}?path=/Users/ceo/plan%20%26%20b"),
        ("GET", f"{EXPORT}?path=/Users/ceo/plans%20%26%20b"),
    ),
    "a file, beside one with a sign behind a blank": (
        where("files.download", file_path={"prefix": "/Volumes/main/secret/"}),
        ("GET", f"{FILES}/Volumes/main/secret/Report%20%231.csv"),
        ("GET", f"{FILES}/Volumes/main/raw/Report%20%231/What%20%3F/a%20%3Bb.csv"),
    ),
    "a file, in what stands before a sign behind a blank": (
        where("files.download", file_path="/Volumes/main/raw/Report"),
        ("GET", f"{FILES}/Volumes/main/raw/Report%20%231.csv"),
        ("GET", f"{FILES}/Volumes/main/raw/Reports%20%231.csv"),
    ),
    "a file, in what stands before its parameters": (
        where("files.download", file_path="/Volumes/main/raw/Report/x"),
        ("GET", f"{FILES}/Volumes/main/raw/Report%20%3Ba/x"),
        ("GET", f"{FILES}/Volumes/main/raw/Reports%20%3Ba/x"),
    ),
    "a name, in what stands before a sign behind a blank": (
        where("jobs.list", name="Sales"),
        ("GET", "/api/2.2/jobs/list?name=Sales+%23+1"),
        ("GET", "/api/2.2/jobs/list?name=Sale+%23+1"),
    ),
    "a key with dots, in a list of pairs": (
        where("clusters.create", **{"spark_conf.spark.master": "local[*]"}),
        ("POST", CREATE, {"spark_conf": [{"key": "spark.master", "value": "local[*]"}]}),
        ("POST", CREATE, {"spark_conf": {}}),
    ),
    "a file of DBFS, by its own service": (
        where("dbfs.read", path={"prefix": "dbfs:"}),
        ("GET", "/api/2.0/dbfs/read?path=/x"),
        ("GET", "/api/2.0/dbfs/list?path=/x"),
    ),
}


@pytest.mark.parametrize(("deny", "denied", "allowed"), DENIED.values(), ids=DENIED)
def test_what_a_deny_plainly_says_is_denied_and_no_more(
    tmp_path: Path, deny: Any, denied: tuple[Any, ...], allowed: tuple[Any, ...]
) -> None:
    known = policy(
        tmp_path,
        "statement_execution.*",
        "libraries.*",
        "dbfs.*",
        "clusters.*",
        "workspace.export",
        "jobs.list",
        "files.*",
        deny=[deny],
    )
    assert judged(known, *denied).reason.value == "denied_by_rule"
    assert judged(known, *allowed).reason is ALLOWED
