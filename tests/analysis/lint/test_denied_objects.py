"""Denies of an object that something passes: another name of it, what is above it, another operation (BS109, BS112)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from analysis.check.policies import findings, load, only, rules
from analysis.check.test_check_codes import assert_proved
from brickscope.analysis.check.finding import Finding
from brickscope.analysis.lint.denies import aliases, renamed
from brickscope.analysis.reach import reach
from brickscope.core.kind import KINDS, in_path
from brickscope.core.rule import parse_rule

WIDE = [f"{method} /{{p...}}" for method in ("GET", "POST", "PUT", "PATCH", "DELETE")]


def on(operation: str, **where: Any) -> dict[str, Any]:
    return {"operation": operation, "where": where}


CEO = {"prefix": "/Workspace/Users/ceo/"}
EVERY_TABLE = [
    f"GET /{api}/{version}/unity-catalog/tables/main.hr.pay"
    for api in ("api", "ajax-api")
    for version in ("2.0", "2.1")
]
EVERY_SCHEMA = [
    f"PATCH /{api}/{version}/unity-catalog/permissions/schema/main.hr"
    for api in ("api", "ajax-api")
    for version in ("2.0", "2.1")
]
EVERY_FILE = [
    f"GET /{api}/{version}/fs/files/Volumes/main/hr/{{p...}}"
    for api in ("api", "ajax-api")
    for version in ("2.0", "3.0")
]

# A path rule under deny in all its spellings: how it is passed, and the call that is.
AROUND: dict[str, tuple[list[str], str, str]] = {
    "a table in other letters": (
        EVERY_TABLE,
        "by another name of the object (MAIN.HR.PAY)",
        "/tables/MAIN.HR.PAY",
    ),
    "a grant on what is above a schema": (
        EVERY_SCHEMA,
        "by another name of the object (MAIN.HR)",
        "/permissions/schema/MAIN.HR",
    ),
    "a volume in other letters": (
        EVERY_FILE,
        "by another name of the object (Volumes/MAIN/HR/EXAMPLE)",
        "/fs/files/Volumes/MAIN/HR/EXAMPLE",
    ),
    "the short form of a workspace path": (
        [
            "POST /api/2.0/workspace-files/import-file/Workspace/Users/ceo/{p...}",
            "POST /ajax-api/2.0/workspace-files/import-file/Workspace/Users/ceo/{p...}",
        ],
        "by another name of the object (Users/ceo/example)",
        "/import-file/Users/ceo/example",
    ),
}


@pytest.mark.parametrize("case", AROUND)
def test_a_deny_by_path_is_passed_by_another_name_of_the_object(case: str, tmp_path: Path) -> None:
    deny, how, target = AROUND[case]
    found = [each for each in findings(tmp_path, rules(WIDE, deny)) if each.code == "BS109"]
    assert len(found) == len(deny)
    assert how in found[0].message
    assert found[0].proofs[0].url.endswith(target)


def test_what_is_above_an_object_passes_a_deny_by_path_where_the_call_acts_on_all_below() -> None:
    (grant,) = reach(parse_rule("PATCH /api/2.1/unity-catalog/permissions/schema/main.hr"))
    above = {"securable_type": "catalog", "full_name": "main"}
    assert ("by what is above the object (main)", above) in list(renamed(grant))
    (drop,) = reach(parse_rule("DELETE /api/2.1/unity-catalog/tables/main.hr.pay"))
    assert not any("above" in how for how, _ in renamed(drop))


@pytest.mark.parametrize("deny", [EVERY_TABLE, EVERY_SCHEMA], ids=["tables.get", "grants.update"])
def test_a_deny_by_name_has_no_way_around_it(deny: list[str], tmp_path: Path) -> None:
    name = (
        on("tables.get", full_name="main.hr.pay")
        if deny is EVERY_TABLE
        else on("grants.update", full_name="main.hr")
    )
    assert "BS109" not in {each.code for each in findings(tmp_path, rules(WIDE, [name]))}


@pytest.mark.parametrize(
    ("kind", "text", "other"),
    [
        ("workspace_path", "/Workspace/Users/ada/x", "/Users/ada/x"),
        ("workspace_path", "/Users/ada/x", "/Workspace/Users/ada/x"),
        ("dbfs_path", "/FileStore/x", "dbfs:/FileStore/x"),
        ("uc_name", "main.hr.pay", "MAIN.HR.PAY"),
        ("scope_name", "prod", "PROD"),
    ],
)
def test_aliases_are_read_as_the_same_object(kind: str, text: str, other: str) -> None:
    found = aliases(KINDS[kind], text)
    assert other in found
    assert text not in found
    assert all(KINDS[kind].read(each) == KINDS[kind].read(text) for each in found)


def test_what_has_one_name_has_no_alias() -> None:
    assert aliases(KINDS["text"], "Prod") == []
    assert aliases(KINDS["id"], "0101-abc") == []
    assert aliases(in_path(KINDS["volume_path"]), "volumes/../x") == []


# -- BS112 -----------------------------------------------------------------------------------------------------------------

# What is allowed and denied; the severity, and the operations that pass the deny.
PASSED: dict[str, tuple[list[Any], list[Any], str, set[str]]] = {
    "by the same path": (
        ["workspace.export", "workspace.files_read", "workspace.get_status"],
        [on("workspace.export", path=CEO)],
        "warning",
        {"workspace.files_read", "workspace.get_status"},
    ),
    "by the id of the object": (
        ["tables.get", "temporary_table_credentials.*"],
        [on("tables.get", full_name="main.hr.pay")],
        "warning",
        {"temporary_table_credentials.generate_temporary_table_credentials"},
    ),
    "by an id, of an object that has no other name": (
        ["jobs.run_now", "jobs.repair_run", "jobs.cancel_all_runs"],
        [on("jobs.run_now", job_id=7)],
        "warning",
        {"jobs.repair_run", "jobs.cancel_all_runs"},
    ),
    "by SQL": (
        ["tables.get", "statement_execution.execute_statement"],
        [on("tables.get", full_name="main.hr.pay")],
        "note",
        {"statement_execution.execute_statement"},
    ),
    "by what is above it": (
        ["tables.delete", "schemas.delete", "catalogs.delete"],
        [on("tables.delete", full_name="main.hr.pay")],
        "warning",
        {"schemas.delete", "catalogs.delete"},
    ),
    "all below a prefix": (
        ["tables.get", "tables.exists"],
        [on("tables.get", full_name={"prefix": "main.hr."})],
        "warning",
        {"tables.exists"},
    ),
    "denied by path": (
        ["tables.get", "tables.exists"],
        EVERY_TABLE,
        "warning",
        {"tables.exists"},
    ),
    "rights, by another operation of the same kind of object": (
        ["grants.update", "tables.update", "volumes.update"],
        [on("grants.update", securable_type="table", full_name="main.hr.pay")],
        "warning",
        {"tables.update"},
    ),
    "a path rule that reaches a sibling": (
        ["dbfs.read", "GET /api/2.0/dbfs/list"],
        [on("dbfs.read", path={"prefix": "/FileStore/keys/"})],
        "warning",
        {"dbfs.list"},
    ),
}


@pytest.mark.parametrize("case", PASSED)
def test_operations_that_pass_a_deny_are_named_with_a_proof(case: str, tmp_path: Path) -> None:
    allow, deny, severity, operations = PASSED[case]
    loaded = load(tmp_path, rules(allow, deny))
    found = [each for each in findings(tmp_path, rules(allow, deny)) if each.code == "BS112"]
    assert {name for finding in found for name in finding.operations} == operations
    for finding in found:
        assert finding.severity.value == severity
        assert finding.proofs
        assert_proved(loaded.policy, finding)


QUIET: dict[str, tuple[list[Any], list[Any]]] = {
    "siblings that nothing allows": (["workspace.export", "jobs.list"], [on("workspace.export", path=CEO)]),
    "siblings that are denied": (
        ["workspace.*"],
        [
            on("workspace.export", path=CEO),
            *(
                on(f"workspace.{name}", path=CEO)
                for name in (
                    "files_read",
                    "get_status",
                    "list",
                    "list_files",
                    "get_object_info",
                    "take_notebook_snapshot",
                )
            ),
        ],
    ),
    "a sibling that is denied in another spelling": (
        ["workspace.export", "workspace.files_read"],
        [
            on("workspace.export", path=CEO),
            on("workspace.files_read", path={"prefix": "/Users/ceo/"}),
        ],
    ),
    "a sibling that is allowed on other objects only": (
        ["workspace.export", on("workspace.files_read", path={"prefix": "/Workspace/Shared/"})],
        [on("workspace.export", path=CEO)],
    ),
    "what is above it denied as well": (
        ["tables.delete", "schemas.delete"],
        [on("tables.delete", full_name="main.hr.pay"), on("schemas.delete", full_name="main.hr")],
    ),
    "an object of another kind": (
        ["grants.update", "connections.update"],
        [on("grants.update", securable_type="table", full_name="main.hr.pay")],
    ),
    "a parameter that names no object": (["jobs.list", "jobs.get"], [on("jobs.list", limit=100)]),
    "a deny of all": (["workspace.files_read"], ["workspace.export"]),
}


@pytest.mark.parametrize("case", QUIET)
def test_nothing_is_said_of_a_deny_that_nothing_passes(case: str, tmp_path: Path) -> None:
    allow, deny = QUIET[case]
    assert [each for each in findings(tmp_path, rules(allow, deny)) if each.code == "BS112"] == []


def test_a_proof_is_on_the_very_object_where_the_call_says_which(tmp_path: Path) -> None:
    allow = ["workspace.*", "schemas.delete", "tables.delete", "permissions.set"]
    deny = [on("workspace.export", path=CEO), on("tables.delete", full_name="main.hr.pay")]
    found = [each for each in findings(tmp_path, rules(allow, deny)) if each.code == "BS112"]
    files, tables = found
    assert "/Users/ceo/x" in files.proofs[0].call.text
    assert "/schemas/main.hr?force=true" in tables.proofs[0].url


def test_what_passes_is_told_by_the_way_in_which_it_names_the_object(tmp_path: Path) -> None:
    finding = _only(
        findings(
            tmp_path,
            rules(
                ["workspace.*", "repos.*", "jobs.*", "command_execution.*"],
                [on("workspace.export", path=CEO)],
            ),
        )
    )
    assert "operations that read a notebook, file or folder of the workspace" in finding.message
    assert "by its name: workspace.files_read" in finding.message
    assert "by an id: repos.get" in finding.message
    assert "through another object: jobs.export_run" in finding.message
    assert "from inside: command_execution.execute" in finding.message


def _only(found: list[Finding]) -> Finding:
    return only(found, "BS112")
