"""What real clients send (../shared/real_traffic.md): names that need an escape, and objects with two paths."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from brickscope.core.reason import Reason
from core.judged import ALLOWED, judged, policy

DENIED, NOT_CANONICAL, NOT_MET = Reason.DENIED_BY_RULE, Reason.PATH_NOT_CANONICAL, Reason.CONSTRAINT_NOT_MET
NO_RULE = Reason.NO_RULE_MATCHES
WIDE = [f"{method} /{{p...}}" for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")]
TABLES, FUNCTIONS = "/api/2.1/unity-catalog/tables/", "/api/2.1/unity-catalog/functions/"
VOLUMES, FILES = "/api/2.1/unity-catalog/volumes/", "/api/2.0/fs/files/Volumes/main/raw/"
IMPORT_FILE = "/api/2.0/workspace-files/import-file/"

# Legal names, escaped once (K1): how a rule by name limits the name that is meant. operation, where, method, target
NAMES: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "a function with a hash": (
        "functions.get",
        {"name": "main.a.f#one"},
        "GET",
        f"{FUNCTIONS}main.a.f%23one",
    ),
    "a table with a slash": ("tables.get", {"full_name": "main.a.in/out"}, "GET", f"{TABLES}main.a.in%2Fout"),
    "a table with a slash, by pattern": (
        "tables.get",
        {"full_name": {"pattern": "main.a.{table}"}},
        "GET",
        f"{TABLES}main.a.in%2Fout",
    ),
    "a table with a percent sign": ("tables.get", {"full_name": "main.a.5%"}, "GET", f"{TABLES}main.a.5%25"),
    "a file with a percent sign before letters": (
        "files.download",
        {"file_path": "/Volumes/main/raw/in/50%ab.csv"},
        "GET",
        f"{FILES}in/50%25ab.csv",
    ),
    "a file with a question mark": (
        "files.download",
        {"file_path": {"prefix": "/Volumes/main/raw/in/"}},
        "GET",
        f"{FILES}in/what%3F.csv",
    ),
    "a table with an encoded colon": (
        "tables.get",
        {"full_name": "main.a.x:y"},
        "GET",
        f"{TABLES}main.a.x%3Ay",
    ),
    "a volume with a semicolon": ("volumes.read", {"name": "main.a.x;y"}, "GET", f"{VOLUMES}main.a.x%3By"),
    "a file whose tilde is encoded": (
        "files.download",
        {"file_path": "/Volumes/main/raw/Q1~old.csv"},
        "GET",
        f"{FILES}Q1%7Eold.csv",
    ),
    "a file with a raw semicolon": (
        "files.download",
        {"file_path": {"prefix": "/Volumes/main/raw/"}},
        "GET",
        f"{FILES}a;b.csv",
    ),
    "a file with a hash": (
        "files.upload",
        {"file_path": {"prefix": "/Volumes/main/raw/"}},
        "PUT",
        f"{FILES}no%231.csv?overwrite=true",
    ),
    "a file with an encoded plus and comma": (
        "files.download",
        {"file_path": "/Volumes/main/raw/a+b,c.csv"},
        "GET",
        f"{FILES}a%2Bb%2Cc.csv",
    ),
    "a file with an encoded colon": (
        "files.download",
        {"file_path": "/Volumes/main/raw/10:30.csv"},
        "GET",
        f"{FILES}10%3A30.csv",
    ),
    "a file of the CLI's sync, whole path in one segment": (
        "workspace.files_import",
        {"path": {"prefix": "/Workspace/proj/"}},
        "POST",
        f"{IMPORT_FILE}Workspace%2Fproj%2Fa.py?overwrite=true",
    ),
    "a lock file of the CLI, in the short form": (
        "workspace.files_import",
        {"path": {"prefix": "/Workspace/Users/ada/"}},
        "POST",
        f"{IMPORT_FILE}Users%2Fada%2Fx.lock",
    ),
    "a notebook with an umlaut and a blank": (
        "workspace.export",
        {"path": {"prefix": "/Users/ada/"}},
        "GET",
        "/api/2.0/workspace/export?path=%2FUsers%2Fada%2FM%C3%BCller+Bericht",
    ),
    "a query value with an escape in it": (
        "workspace.export",
        {"path": {"prefix": "/Workspace/a"}},
        "GET",
        "/api/2.0/workspace/export?path=%2FWorkspace%2Fa%2523b",
    ),
    "a tag key with a slash": (
        "entity_tag_assignments.get",
        {"tag_key": "cost/center"},
        "GET",
        "/api/2.1/unity-catalog/entity-tag-assignments/tables/main.a.t/tags/cost%2Fcenter",
    ),
}


@pytest.mark.parametrize("case", NAMES)
def test_a_legal_name_is_allowed_by_name_and_by_path(case: str, tmp_path: Path) -> None:
    operation, where, method, target = NAMES[case]
    body = b"x" if method in ("POST", "PUT") else None
    by_name = judged(policy(tmp_path, {"operation": operation, "where": where}), method, target, body)
    assert (by_name.reason, by_name.operation) == (ALLOWED, operation), by_name.detail
    assert judged(policy(tmp_path, *WIDE), method, target, body).reason is ALLOWED
    denied = policy(tmp_path, *WIDE, deny=[{"operation": operation, "where": where}])
    assert judged(denied, method, target, body).reason is DENIED


# What a wide rule set must not let through all the same.
REFUSED = {
    "a way out behind an encoded slash": "/api/2.0/x%2F%2E%2E%2Fother",
    "a way out in a file's path": f"{FILES}in%2F..%2F..%2Fother",
    "a way out behind two encodings": f"{FILES}in%252F..%252Fother",
    "a backslash": f"{FILES}a%5Cb.csv",
    "a control byte": f"{FILES}a%00b.csv",
    "an empty segment inside a name": f"{TABLES}main.a.x%2F%2Fy",
    "an empty segment of a host with a slash at its end": "//api/2.0/jobs/list",
    "IIS encoding": "/api/2.0/%u002e%u002e/x",
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_stays_refused(case: str, tmp_path: Path) -> None:
    assert judged(policy(tmp_path, *WIDE), "GET", REFUSED[case]).reason is NOT_CANONICAL


# A reading that is another operation, or meets a deny, counts whatever the catalogue knows of names. allow, deny, target
OTHER_READINGS: dict[str, tuple[list[Any], list[Any], str, Reason]] = {
    "a path rule with one segment does not take two": (
        [f"GET {TABLES}{{t}}"],
        [],
        f"{TABLES}main.a.in%2Fout",
        Reason.UNKNOWN_OPERATION,
    ),
    "a path rule for the rest takes all readings": (
        [f"GET {TABLES}{{t...}}"],
        [],
        f"{TABLES}main.a.in%2Fout",
        ALLOWED,
    ),
    "a name whose split is another operation": (
        ["tables.get"],
        [],
        f"{TABLES}main.a.t%2Fmonitor",
        NO_RULE,
    ),
    "both operations allowed": (
        ["tables.get", "quality_monitors.get"],
        [],
        f"{TABLES}main.a.t%2Fmonitor",
        ALLOWED,
    ),
    "a deny by path meets the split": (
        WIDE,
        [f"GET {TABLES}main.a.in/out"],
        f"{TABLES}main.a.in%2Fout",
        DENIED,
    ),
    "a deny by name meets the cut": (
        WIDE,
        [{"operation": "tables.get", "where": {"full_name": "main.hr.pay"}}],
        f"{TABLES}main.hr.pay%3Fx",
        DENIED,
    ),
    "a deny by name meets the parameters dropped": (
        WIDE,
        [{"operation": "tables.get", "where": {"full_name": "main.hr.pay"}}],
        f"{TABLES}main.hr.pay;v=1",
        DENIED,
    ),
    "a deny by path meets what is decoded twice": (
        WIDE,
        ["GET /api/2.0/sql/warehouses"],
        "/api/2.0/sql%252Fwarehouses",
        DENIED,
    ),
    "a deny by path meets a needless escape": (
        WIDE,
        ["GET /api/2.0/sql/warehouses"],
        "/api/2.0/sql/%77arehouses",
        DENIED,
    ),
    "a deny by path meets a blank at the end": (
        WIDE,
        ["GET /api/2.0/sql/warehouses"],
        "/api/2.0/sql/warehouses%20",
        DENIED,
    ),
    "a verb behind an encoded colon is no variable": (
        ["GET /api/2.0/x/{id}"],
        [],
        "/api/2.0/x/a%3Arun",
        Reason.UNKNOWN_OPERATION,
    ),
    "a rule by path is for literals as they are sent": (
        ["GET /api/2.0/sql/warehouses"],
        [],
        "/api/2.0/sql/%77arehouses",
        Reason.UNKNOWN_OPERATION,
    ),
    "a rule for all takes them however they are sent": (WIDE, [], "/api/2.0/sql/%77arehouses", ALLOWED),
    "what is no literal of the API may be escaped": (
        [f"GET {FILES}Q1~old.csv"],
        [],
        f"{FILES}Q1%7Eold.csv",
        ALLOWED,
    ),
    "a needless escape is no literal to a server that compares what is sent": (
        ["jobs.list"],
        [],
        "/api/2.2/%6Aobs/list",
        Reason.UNKNOWN_OPERATION,
    ),
}


@pytest.mark.parametrize("case", OTHER_READINGS)
def test_every_reading_is_judged(case: str, tmp_path: Path) -> None:
    allow, deny, target, reason = OTHER_READINGS[case]
    decision = judged(policy(tmp_path, *allow, deny=deny), "GET", target)
    assert decision.reason is reason, (decision.detail, decision.readings)
    assert decision.readings is not None
    assert len(decision.readings) > 1


# What a rule names, as only some server would read a call of another name. target
NEIGHBOURS = {
    "with parameters behind it": f"{TABLES}main.a.t;v=1",
    "with an encoded semicolon": f"{TABLES}main.a.t%3Bv",
    "with an encoded question mark": f"{TABLES}main.a.t%3Fx",
    "with an encoded hash": f"{TABLES}main.a.t%23x",
    "with a blank behind it": f"{TABLES}main.a.t%20",
    "in full-width letters": f"{TABLES}main.a.%EF%BD%94",
    "with an encoded percent sign": f"{TABLES}main.a.%2574",
    "with a verb": f"{TABLES}main.a.t:run",
}


@pytest.mark.parametrize("case", NEIGHBOURS)
def test_a_name_is_not_allowed_by_what_another_server_makes_of_it(case: str, tmp_path: Path) -> None:
    known = policy(tmp_path, {"operation": "tables.get", "where": {"full_name": "main.a.t"}})
    decision = judged(known, "GET", NEIGHBOURS[case])
    assert decision.reason in (NOT_MET, Reason.UNKNOWN_OPERATION), decision


EXPORT, LIST = "/api/2.0/workspace/export?path=", "/api/2.0/workspace/list?path="
# One object, two paths (K0). denied operation, where, method, target, body, reason
ALIASES: dict[str, tuple[str, dict[str, Any], str, str, Any, Reason]] = {
    "the short form beside a deny on the long one": (
        "workspace.export",
        {"path": {"prefix": "/Workspace/Users/cfo/"}},
        "GET",
        f"{EXPORT}/Users/cfo/plan",
        None,
        DENIED,
    ),
    "the short form in a body": (
        "workspace.delete",
        {"path": {"prefix": "/Workspace/Shared/prod/"}},
        "POST",
        "/api/2.0/workspace/delete",
        {"path": "/Shared/prod/nb"},
        DENIED,
    ),
    "the long form beside a deny on the short one": (
        "workspace.import_",
        {"path": {"prefix": "/Repos/release/"}},
        "POST",
        "/api/2.0/workspace/import",
        {"path": "/Workspace/Repos/release/app/x", "content": "eA=="},
        DENIED,
    ),
    "the long form in a query": (
        "workspace.list",
        {"path": {"prefix": "/Users/boss/"}},
        "GET",
        f"{LIST}/Workspace/Users/boss/notes",
        None,
        DENIED,
    ),
    "a path of DBFS with its scheme": (
        "dbfs.read",
        {"path": {"prefix": "/FileStore/keys/"}},
        "GET",
        "/api/2.0/dbfs/read?path=dbfs:/FileStore/keys/k",
        None,
        DENIED,
    ),
    "the root twice": (
        "workspace.export",
        {"path": {"prefix": "/Workspace/Users/cfo/"}},
        "GET",
        f"{EXPORT}/Workspace/Workspace/Users/cfo/plan",
        None,
        DENIED,
    ),
    "doubled slashes": (
        "workspace.export",
        {"path": {"prefix": "/Workspace/Users/cfo/"}},
        "GET",
        f"{EXPORT}//Users//cfo/plan",
        None,
        DENIED,
    ),
    "dot segments": (
        "workspace.export",
        {"path": {"prefix": "/Workspace/Users/cfo/"}},
        "GET",
        f"{EXPORT}/Users/me/../cfo/plan",
        None,
        DENIED,
    ),
    "without the first slash": (
        "workspace.export",
        {"path": {"prefix": "/Workspace/Users/cfo/"}},
        "GET",
        f"{EXPORT}Users/cfo/plan",
        None,
        DENIED,
    ),
    "a blank round a segment": (
        "workspace.export",
        {"path": {"prefix": "/Workspace/Users/cfo/"}},
        "GET",
        f"{EXPORT}/Users/%20cfo/plan",
        None,
        DENIED,
    ),
    "lookalike slashes": (
        "workspace.export",
        {"path": {"prefix": "/Workspace/Users/cfo/"}},
        "GET",
        f"{EXPORT}/Users%E2%88%95cfo/plan",
        None,
        DENIED,
    ),
    "an escape in the value": (
        "workspace.export",
        {"path": {"prefix": "/Workspace/Users/cfo/"}},
        "GET",
        f"{EXPORT}/Users/%2563fo/plan",
        None,
        DENIED,
    ),
    "the folder above, which is exported with all that is in it": (
        "workspace.export",
        {"path": {"prefix": "/Workspace/Users/cfo/"}},
        "GET",
        f"{EXPORT}/Workspace/Users",
        None,
        DENIED,
    ),
    "the root, which is exported with all that is in it": (
        "workspace.export",
        {"path": "/Workspace/Users/cfo/plan"},
        "GET",
        f"{EXPORT}/",
        None,
        DENIED,
    ),
    "the folder above, deleted with all that is in it": (
        "workspace.delete",
        {"path": {"prefix": "/Workspace/Shared/prod/"}},
        "POST",
        "/api/2.0/workspace/delete",
        {"path": "/Shared", "recursive": True},
        DENIED,
    ),
    "the folder above, deleted only if it is empty": (
        "workspace.delete",
        {"path": {"prefix": "/Workspace/Shared/prod/"}},
        "POST",
        "/api/2.0/workspace/delete",
        {"path": "/Shared", "recursive": False},
        ALLOWED,
    ),
    "another folder that begins alike": (
        "workspace.export",
        {"path": {"prefix": "/Workspace/Users/cfo/"}},
        "GET",
        f"{EXPORT}/Users/cfo2/plan",
        None,
        ALLOWED,
    ),
    "another case is another folder": (
        "workspace.export",
        {"path": {"prefix": "/Workspace/Users/cfo/"}},
        "GET",
        f"{EXPORT}/Users/CFO/plan",
        None,
        ALLOWED,
    ),
    "a notebook of a task in the short form": (
        "jobs.submit",
        {"tasks.notebook_task.notebook_path": {"prefix": "/Workspace/Users/cfo/"}},
        "POST",
        "/api/2.2/jobs/runs/submit",
        {"tasks": [{"notebook_task": {"notebook_path": "/Users/cfo/nb"}}]},
        DENIED,
    ),
    "a name of Unity Catalog in another case": (
        "tables.get",
        {"full_name": "main.hr.salaries"},
        "GET",
        f"{TABLES}Main.HR.Salaries",
        None,
        DENIED,
    ),
    "a grant on the catalog of a schema": (
        "grants.update",
        {"full_name": {"prefix": "main.hr."}},
        "PATCH",
        "/api/2.1/unity-catalog/permissions/catalog/main",
        {"changes": []},
        DENIED,
    ),
    "a secret scope in another case": (
        "secrets.get_secret",
        {"scope": "prod"},
        "GET",
        "/api/2.0/secrets/get?scope=PROD&key=k",
        None,
        DENIED,
    ),
    "permissions of a warehouse under another type": (
        "warehouses.set_permissions",
        {"warehouse_id": "1"},
        "PUT",
        "/api/2.0/permissions/sql/endpoints/1",
        {"access_control_list": []},
        DENIED,
    ),
}


@pytest.mark.parametrize("case", ALIASES)
def test_a_deny_is_for_the_object_however_it_is_named(case: str, tmp_path: Path) -> None:
    operation, where, method, target, body, reason = ALIASES[case]
    known = policy(tmp_path, *WIDE, deny=[{"operation": operation, "where": where}])
    decision = judged(known, method, target, body)
    assert decision.reason is reason, decision


# An allow is for the object as well, and for nothing that might be another one.
ALLOWS: dict[str, tuple[str, dict[str, Any], str, Reason]] = {
    "the short form of what the long one allows": (
        "workspace.export",
        {"path": {"prefix": "/Workspace/Users/me/"}},
        f"{EXPORT}/Users/me/nb",
        ALLOWED,
    ),
    "the long form of what the short one allows": (
        "workspace.export",
        {"path": "/Users/me/nb"},
        f"{EXPORT}/Workspace/Users/me/nb",
        ALLOWED,
    ),
    "a slash at the end": (
        "workspace.list",
        {"path": "/Users/me"},
        f"{LIST}/Users/me/",
        ALLOWED,
    ),
    "another folder that begins alike": (
        "workspace.export",
        {"path": {"prefix": "/Users/me/"}},
        f"{EXPORT}/Workspace/Users/me2/nb",
        NOT_MET,
    ),
    "doubled slashes": (
        "workspace.export",
        {"path": {"prefix": "/Users/me/"}},
        f"{EXPORT}/Users/me//nb",
        NOT_MET,
    ),
    "a way out": (
        "workspace.export",
        {"path": {"prefix": "/Users/me/"}},
        f"{EXPORT}/Users/me/../cfo/nb",
        NOT_MET,
    ),
    "a table in another case": ("tables.get", {"full_name": "main.a.t"}, f"{TABLES}MAIN.A.T", ALLOWED),
    "a table in backticks": ("tables.get", {"full_name": "main.a.t"}, f"{TABLES}%60main%60.a.t", NOT_MET),
    "the name of a volume's catalog in another case": (
        "files.download",
        {"file_path": {"prefix": "/Volumes/main/raw/in/"}},
        "/api/2.0/fs/files/Volumes/MAIN/Raw/In/a.csv",
        ALLOWED,
    ),
    "a file of a volume in another case": (
        "files.download",
        {"file_path": "/Volumes/main/raw/in/a.csv"},
        "/api/2.0/fs/files/Volumes/main/raw/in/A.csv",
        NOT_MET,
    ),
}


@pytest.mark.parametrize("case", ALLOWS)
def test_an_allow_is_for_the_object(case: str, tmp_path: Path) -> None:
    operation, where, target, reason = ALLOWS[case]
    decision = judged(policy(tmp_path, {"operation": operation, "where": where}), "GET", target)
    assert decision.reason is reason, decision


def test_the_decision_has_the_object_and_the_spelling(tmp_path: Path) -> None:
    known = policy(tmp_path, {"operation": "workspace.export", "where": {"path": {"prefix": "/Users/me/"}}})
    decision = judged(known, "GET", f"{EXPORT}/Users/me/nb")
    assert (decision.params, decision.sent) == ({"path": "/Workspace/Users/me/nb"}, {"path": "/Users/me/nb"})
    decision = judged(known, "GET", f"{EXPORT}/Workspace/Users/me/nb")
    assert (decision.params, decision.sent) == ({"path": "/Workspace/Users/me/nb"}, {})


@pytest.mark.parametrize(("count", "shown"), [(20, "/Workspace/Users/me/{}"), (21, "/Users/me/{}")])
def test_of_a_long_list_the_decision_has_the_spelling_alone(count: int, shown: str, tmp_path: Path) -> None:
    name = "tasks.notebook_task.notebook_path"
    known = policy(tmp_path, {"operation": "jobs.create", "where": {name: {"prefix": "/Users/me/"}}})
    sent = [f"/Users/me/{number}" for number in range(count)]
    tasks = [{"notebook_task": {"notebook_path": path}} for path in sent]
    decision = judged(known, "POST", "/api/2.2/jobs/create", {"tasks": tasks})
    assert decision.params == {name: [shown.format(number) for number in range(count)]}
    assert decision.sent == ({name: sent} if count == 20 else {})
