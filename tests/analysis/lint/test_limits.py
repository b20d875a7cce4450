"""Limits that hold less or more than they seem to (BS113, BS114); objects not named as the API does (BS115, BS116)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from analysis.check.policies import findings, load, rules
from analysis.check.test_check_codes import assert_proved

SQL, CODE = "statement_execution.execute_statement", "command_execution.execute"
TASK = "tasks.notebook_task.notebook_path"


def on(operation: str, where: dict[str, Any]) -> dict[str, Any]:
    return {"operation": operation, "where": where}


# What is allowed and denied, the code, and what the message says; None where nothing is said.
CASES: dict[str, tuple[list[Any], list[Any], str, str | None]] = {
    # -- BS113
    "a prefix of SQL": ([on(SQL, {"statement": {"prefix": "SELECT "}})], [], "BS113", "statement is a program"),
    "a pattern of SQL": ([on(SQL, {"statement": {"pattern": "{all...}"}})], [], "BS113", "statement is a program"),
    "one statement": ([on(SQL, {"statement": "SELECT 1"})], [], "BS113", None),
    "a deny of one statement": ([SQL], [on(SQL, {"statement": "DROP TABLE t"})], "BS113", "statement is a program"),
    "a deny of code": ([CODE], [on(CODE, {"command": {"prefix": "import os"}})], "BS113", "command is a program"),
    "a deny of SQL that is not allowed": (["jobs.list"], [on(SQL, {"statement": "DROP TABLE t"})], "BS113", None),
    "a beginning of JSON": (
        [on("cluster_policies.create", {"definition": {"prefix": "{"}})],
        [],
        "BS113",
        "definition is JSON",
    ),
    "a line of requirements": (
        ["pipelines.create"],
        [on("pipelines.create", {"environment.dependencies": "evil"})],
        "BS113",
        "environment.dependencies is a line of requirements",
    ),
    "text that must be absent": ([on(SQL, {"statement": {"absent": True}})], [], "BS113", None),
    "a name": ([on("jobs.create", {"name": {"prefix": "dev_"}})], [], "BS113", None),
    # -- BS114
    "the number of workers": (
        [on("clusters.create", {"num_workers": {"max": 4}})],
        [],
        "BS114",
        "beside or in place of num_workers, autoscale, is_single_node",
    ),
    "the number of workers, and what stands in for it": (
        [on("clusters.create", {"num_workers": {"max": 4}, "autoscale": {"absent": True}, "is_single_node": False})],
        [],
        "BS114",
        None,
    ),
    "a deny of many workers": (
        ["clusters.create"],
        [on("clusters.create", {"num_workers": {"min": 10}})],
        "BS114",
        "also denies calls that have, in place of num_workers, autoscale",
    ),
    "parameters of a run that may be absent": (
        [on("jobs.run_now", {"job_id": 7, "notebook_params": {"absent": True}})],
        [],
        "BS114",
        "dbt_commands, jar_params, job_parameters",
    ),
    "parameters of a run": ([on("jobs.run_now", {"job_id": 7})], [], "BS114", None),
    # -- BS115
    "a root in small letters": (
        [on("workspace.export", {"path": {"prefix": "/workspace/Users/ada/"}})],
        [],
        "BS115",
        "no tree has workspace, but Workspace",
    ),
    "home folders in small letters, denied": (
        ["workspace.export"],
        [on("workspace.export", {"path": "/users/ceo/plan"})],
        "BS115",
        "no tree has users, but Users",
    ),
    "volumes in small letters": (
        [on("workspace.export", {"path": {"prefix": "/volumes/main/"}})],
        [],
        "BS115",
        "no tree has volumes, but Volumes",
    ),
    "a pattern of DBFS": (
        [on("dbfs.read", {"path": {"pattern": "/filestore/{p...}"}})],
        [],
        "BS115",
        "no tree has filestore, but FileStore",
    ),
    "a wildcard in a name": (
        [on("tables.get", {"full_name": "main.hr.*"})],
        [],
        "BS115",
        "* is no wildcard in a value; write {prefix: main.hr.}",
    ),
    "a wildcard in a path, denied": (
        ["workspace.export"],
        [on("workspace.export", {"path": "/Users/ceo/*"})],
        "BS115",
        "write {prefix: /Workspace/Users/ceo/}",
    ),
    "a wildcard in a prefix": (
        [on("tables.get", {"full_name": {"prefix": "main.hr.*"}})],
        [],
        "BS115",
        "write {prefix: main.hr.}",
    ),
    "a wildcard in a name without parts, denied": (
        ["serving_endpoints.query"],
        [on("serving_endpoints.query", {"name": "databricks-*"})],
        "BS115",
        "write {prefix: databricks-}",
    ),
    "a star in a statement": (
        [on("statement_execution.execute_statement", {"statement": "SELECT *"})],
        [],
        "BS115",
        None,
    ),
    "a folder of one's own": ([on("workspace.export", {"path": {"prefix": "/Applications/x/"}})], [], "BS115", None),
    "a prefix within a name": (
        [on("workspace.export", {"path": {"prefix": "/Users/me"}})],
        [],
        "BS115",
        "path may also be /Workspace/Users/me2",
    ),
    "a prefix within a schema's name": (
        [on("tables.get", {"full_name": {"prefix": "main.hr"}})],
        [],
        "BS115",
        "full_name may also be main.hr2; end the prefix with '.'",
    ),
    "a prefix of a bucket": (
        [on("external_locations.create", {"url": {"prefix": "s3://bucket"}})],
        [],
        "BS115",
        "url may also be s3://bucket2",
    ),
    "all of the tree": ([on("workspace.export", {"path": {"prefix": "/Workspace"}})], [], "BS115", None),
    "a prefix that ends within the tree's name": (
        [on("workspace.export", {"path": {"prefix": "/Workspac"}})],
        [],
        "BS115",
        "write {prefix: /Workspace/} for all",
    ),
    "a prefix of names": ([on("workspace.export", {"path": {"prefix": "/Shared/dev_"}})], [], "BS115", None),
    "a prefix within a name, denied": (
        ["workspace.export"],
        [on("workspace.export", {"path": {"prefix": "/Users/ceo"}})],
        "BS115",
        None,
    ),
    "a prefix of a name without parts": ([on("jobs.list", {"name": {"prefix": "dev"}})], [], "BS115", None),
    # -- BS116
    "one segment for a table": (["GET /api/2.1/unity-catalog/tables/{t}"], [], "BS116", "tables.get"),
    "the rest for a table": (["GET /api/2.1/unity-catalog/tables/{t...}"], [], "BS116", None),
    "one segment beside the rest": (
        ["GET /api/2.1/{all...}", "GET /api/2.1/unity-catalog/tables/{t}"],
        [],
        "BS116",
        None,
    ),
    "one table": (["GET /api/2.1/unity-catalog/tables/main.a.t"], [], "BS116", None),
    "one segment for a job": (["GET /api/2.0/repos/{id}"], [], "BS116", None),
    "the mirror": (["GET /ajax-api/2.1/unity-catalog/volumes/{name}"], [], "BS116", "volumes.read"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_is_said_of_a_limit(case: str, tmp_path: Path) -> None:
    allow, deny, code, said = CASES[case]
    loaded = load(tmp_path, rules(allow, deny))
    found = [each for each in findings(tmp_path, rules(allow, deny)) if each.code == code]
    assert len(found) == (0 if said is None else 1)
    for finding in found:
        assert said in finding.message  # type: ignore[operator]
        assert_proved(loaded.policy, finding)
        if code == "BS113":
            assert finding.proofs


def test_a_statement_that_does_more_proves_that_a_prefix_is_no_limit(tmp_path: Path) -> None:
    (finding,) = (
        each
        for each in findings(tmp_path, rules([on(SQL, {"statement": {"prefix": "SELECT "}})]))
        if each.code == "BS113"
    )
    assert "SELECT 1; DROP TABLE" in finding.proofs[0].body


def test_rules_that_take_no_names_with_separators_are_one_finding(tmp_path: Path) -> None:
    allow = [f"GET /api/2.1/unity-catalog/{kind}/{{name}}" for kind in ("tables", "volumes", "functions")]
    (finding,) = (each for each in findings(tmp_path, rules(allow)) if each.code == "BS116")
    assert finding.operations == ("functions.get", "tables.get", "volumes.read")
    assert [words for _, words in finding.related] == allow[1:]
