"""Rules that do nothing, hold nothing back, or are wider than they look; and those that only look so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from analysis.check.policies import codes_of, findings, load, only, rules
from brickscope.analysis.check.checker import check

# What a rule set allows and denies, and the findings of BS1xx and BS4xx with their severities.
CASES: dict[str, tuple[list[Any], list[Any], dict[str, str]]] = {
    "two different rules": (["jobs.list", "jobs.get"], [], {}),
    # -- BS101, BS102
    "a name and another name for it": (["groups.list", "groups_v2.list"], [], {"BS101": "warning"}),
    "a path that differs in the name of its variable": (
        ["GET /api/2.0/jobs/{id}", "GET /api/2.0/jobs/{job}"],
        [],
        {"BS101": "warning"},
    ),
    "a condition written in two ways": (
        [
            {"operation": "jobs.get", "where": {"job_id": 1}},
            {"operation": "jobs.get", "where": {"job_id": [1]}},
        ],
        [],
        {"BS101": "warning"},
    ),
    "a name within a preset": (["current_user.me", {"preset": "client-startup"}], [], {"BS102": "warning"}),
    "a name within a path": (
        ["warehouses.list", "GET /api/2.0/sql/warehouses", "GET /api/2.0/sql/endpoints"],
        [],
        {"BS102": "warning"},
    ),
    "a name of which the path is one version": (
        ["warehouses.list", "GET /api/2.0/sql/warehouses"],
        [],
        {"BS102": "warning"},
    ),
    "a path within a name": (["jobs.list", "GET /api/2.1/jobs/list"], [], {"BS102": "warning"}),
    "a path within no name": (["jobs.list", "GET /api/2.1/jobs/get"], [], {}),
    "a path within a limited name": (
        [{"operation": "jobs.get", "where": {"job_id": 1}}, "GET /api/2.1/jobs/get"],
        [],
        {"BS103": "error"},
    ),
    "a path within a path": (
        ["GET /api/2.0/sql/queries/{id}", "GET /api/2.0/sql/queries/7"],
        [],
        {"BS102": "warning"},
    ),
    "a path with variables within a wider one behind it": (
        ["GET /a/{x}/b", "GET /a/{x}/{y}"],
        [],
        {"BS102": "warning", "BS110": "warning"},
    ),
    "a rest within a wider one behind it": (
        ["GET /a/b/{p...}", "GET /a/{p...}"],
        [],
        {"BS102": "warning", "BS110": "warning"},
    ),
    "a narrow condition within a wide one": (
        [
            {"operation": "jobs.get", "where": {"job_id": 1}},
            {"operation": "jobs.get", "where": {"job_id": [1, 2]}},
        ],
        [],
        {"BS102": "warning"},
    ),
    "conditions that meet and do not cover": (
        [
            {"operation": "jobs.get", "where": {"job_id": [1, 3]}},
            {"operation": "jobs.get", "where": {"job_id": [1, 2]}},
        ],
        [],
        {},
    ),
    "a value that may be absent is not within one that may not": (
        [
            {"operation": "jobs.get", "where": {"job_id": {"one_of": [1], "optional": True}}},
            {"operation": "jobs.get", "where": {"job_id": [1, 2]}},
        ],
        [],
        {},
    ),
    "fewer parameters within more": (
        [
            {"operation": "jobs.list", "only": ["limit"]},
            {"operation": "jobs.list", "only": ["limit", "name"]},
        ],
        [],
        {"BS102": "warning"},
    ),
    "a deny within a deny": (
        ["jobs.list", "jobs.*"],
        ["jobs.delete", {"service": "jobs", "class": "write"}],
        {"BS102": "warning", "BS404": "warning"},
    ),
    "two classes that together hold a third rule's operations": (
        [{"service": "jobs", "class": "read"}, {"service": "jobs", "class": "write"}, "jobs.delete"],
        [],
        {"BS102": "warning"},
    ),
    # -- BS103
    "a limit beside the whole service": (
        [{"operation": "jobs.get", "where": {"job_id": 1}}, {"service": "jobs", "class": "read"}],
        [],
        {"BS103": "error"},
    ),
    "a limit on parameters beside the name": (
        [{"operation": "jobs.list", "only": ["limit"]}, "jobs.list"],
        [],
        {"BS103": "error"},
    ),
    "a limit on a path beside the path of another object": (
        [{"operation": "repos.get", "where": {"repo_id": 1}}, "GET /api/2.0/repos/2"],
        [],
        {},
    ),
    "a limit on a path beside the path of every object": (
        [{"operation": "repos.get", "where": {"repo_id": 1}}, "GET /api/2.0/repos/{id}"],
        [],
        {"BS103": "error"},
    ),
    "a limit that a deny keeps": (
        [{"operation": "repos.get", "where": {"repo_id": 1}}, "GET /api/2.0/repos/{path...}"],
        ["GET /api/2.0/repos/{id}"],
        {"BS102": "warning", "BS109": "error"},
    ),
    "two limits": (
        [
            {"operation": "jobs.get", "where": {"job_id": 1}},
            {"operation": "jobs.get", "where": {"job_id": 2}},
        ],
        [],
        {},
    ),
    # -- BS104, BS105
    "a deny of another value": (
        [{"operation": "jobs.get", "where": {"job_id": 1}}],
        [{"operation": "jobs.get", "where": {"job_id": 2}}],
        {"BS104": "note"},
    ),
    "a deny of one of the values": (
        [{"operation": "jobs.get", "where": {"job_id": [1, 2]}}],
        [{"operation": "jobs.get", "where": {"job_id": 2}}],
        {},
    ),
    "a deny by path of what a path allows": (["GET /api/2.0/repos/{id}"], ["GET /api/2.0/repos/7"], {}),
    "a deny by path of a sibling": (["GET /api/2.0/repos/7"], ["GET /api/2.0/repos/8"], {"BS104": "note"}),
    "a deny by name of what a path allows": (
        ["GET /api/2.0/repos/{id}", "jobs.list"],
        ["repos.delete"],
        {"BS104": "note"},
    ),
    "an allow by path that a name denies": (
        ["jobs.list", "POST /api/2.1/jobs/delete"],
        ["jobs.delete"],
        {"BS105": "warning"},
    ),
    "an allow by path of which a name denies a part": (
        ["jobs.list", "GET /api/2.0/fs/{path...}"],
        ["files.download"],
        {"BS401": "warning"},
    ),
    # -- BS106, BS107
    "a deny of nothing": (["jobs.list"], [{"service": "catalogs", "class": "execute"}], {"BS106": "warning"}),
    "a deny that can't be met": (
        ["jobs.delete"],
        [{"operation": "jobs.delete", "where": {"job_id": {"min": 9, "max": 1}}}],
        {"BS107": "error"},
    ),
    # -- BS109
    "a deny by path of an older version": (
        ["jobs.delete"],
        ["POST /api/2.0/jobs/delete"],
        {"BS109": "error"},
    ),
    "a deny of the one path that is allowed": (
        ["GET /api/2.1/jobs/{call}"],
        ["GET /api/2.1/jobs/get"],
        {},
    ),
    "a deny by path with a variable": (
        ["secrets.put_acl", "secrets.list_acls"],
        ["POST /api/2.0/secrets/acls/{call}"],
        {"BS109": "error"},
    ),
    "a deny by path of another object": (
        [{"operation": "repos.get", "where": {"repo_id": 7}}],
        ["GET /api/2.0/repos/8"],
        {},
    ),
    "a deny by path of one of the objects": (
        [{"operation": "repos.get", "where": {"repo_id": [7, 8]}}],
        ["GET /api/2.0/repos/8"],
        {"BS109": "error"},
    ),
    # -- BS110
    "a path of no call": (["jobs.list", "GET /api/2.1/job/list"], [], {"BS110": "warning"}),
    "a path with the wrong method": (["jobs.list", "GET /api/2.1/jobs/create"], [], {"BS110": "warning"}),
    # -- BS401 to BS404
    "everything below a version": (["GET /api/2.0/{path...}"], [], {"BS401": "error"}),
    "everything below a path that holds one service": (["GET /api/2.0/fs/files/{path...}"], [], {}),
    "everything, but what is dangerous is denied": (
        ["GET /api/2.1/unity-catalog/{path...}"],
        [{"class": "secret"}, {"class": "execute"}],
        {"BS117": "warning", "BS401": "warning"},
    ),
    "a variable for a word": (["POST /api/2.0/secrets/acls/{call}"], [], {"BS402": "warning"}),
    "a variable for a version": (["POST /api/{version}/jobs/run-now"], [], {}),
    "a class of all that grants": ([{"class": "grant"}], [], {"BS403": "error"}),
    "a service of reads": (["query_history.*"], [], {}),
    "a service without what is dangerous": (
        ["secrets.*"],
        [{"service": "secrets", "class": "grant"}, "secrets.get_secret"],
        {},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_found_of_rules(case: str, tmp_path: Path) -> None:
    allow, deny, expected = CASES[case]
    found = codes_of(findings(tmp_path, rules(allow, deny)))
    assert {code: severity for code, severity in found.items() if code[2] in "14"} == expected


def test_a_limit_without_effect_is_proved_by_a_call_that_breaks_it(tmp_path: Path) -> None:
    limit = {"operation": "jobs.run_now", "where": {"job_id": [1012, 20771]}}
    finding = only(findings(tmp_path, rules([limit, "jobs.run_now"])), "BS103")
    assert finding.operations == ("jobs.run_now",)
    assert "1012" not in finding.proofs[0].body
    assert finding.proofs[0].rule == "jobs.run_now"
    ((place, words),) = finding.related
    assert words == "jobs.run_now"
    assert place != finding.position


def test_a_way_around_a_deny_is_proved(tmp_path: Path) -> None:
    finding = only(findings(tmp_path, rules(["jobs.*"], ["POST /api/2.1/jobs/delete"])), "BS109")
    assert finding.proofs[0].url.endswith("/api/2.2/jobs/delete")
    every = ["POST /api/2.0/jobs/delete", "POST /api/2.1/jobs/delete", "POST /api/2.2/jobs/delete"]
    found = [each for each in findings(tmp_path, rules(["jobs.delete"], every)) if each.code == "BS109"]
    assert len(found) == 3
    assert {each.proofs[0].url.partition(".com")[2] for each in found} == {"/ajax-api/2.2/jobs/delete"}


def test_a_deny_that_leaves_hundreds_open_is_proved_for_a_few(tmp_path: Path) -> None:
    finding = only(findings(tmp_path, rules([{"preset": "read-only"}], ["GET /api/2.0/{path...}"])), "BS109")
    assert len(finding.operations) == 16
    assert " and others open by another spelling" in finding.message


# A rule for one operation, and why no call can meet it.
NEVER: dict[str, tuple[dict[str, Any], str]] = {
    "an empty range": (
        {"operation": "jobs.get", "where": {"job_id": {"min": 9, "max": 1}}},
        "no number is at least 9 and at most 1",
    ),
    "a path variable that is absent": (
        {"operation": "repos.get", "where": {"repo_id": {"absent": True}}},
        "a variable of the path is never absent",
    ),
    "a parameter that the API requires": (
        {"operation": "jobs.run_now", "where": {"job_id": {"absent": True}}},
        "the API requires it",
    ),
    "a parameter that only leaves out": (
        {"operation": "jobs.run_now", "only": ["queue"]},
        "only: the API requires job_id, which it leaves out",
    ),
    "slashes in one segment": (
        {"operation": "serving_endpoints.get", "where": {"name": {"prefix": "a/b"}}},
        "'name' does not fit /api/2.0/serving-endpoints/{name} (it is 1 segment of the path)",
    ),
    "a value of several segments": (
        {"operation": "serving_endpoints.get", "where": {"name": "a/b"}},
        "it is 1 segment of the path",
    ),
    "a pattern of several segments": (
        {"operation": "serving_endpoints.get", "where": {"name": {"pattern": "a/{b}"}}},
        "it is 1 segment of the path",
    ),
    "an object in the URL": (
        {"operation": "repos.get", "where": {"repo_id": {"only": ["a"]}}},
        "is text in the URL and no object",
    ),
    "something in what is absent": (
        {"operation": "jobs.update", "where": {"new_settings": {"absent": True}, "new_settings.name": "x"}},
        "new_settings must be absent",
    ),
    "a key that the object may not have": (
        {"operation": "jobs.update", "where": {"new_settings": {"only": ["tags"]}, "new_settings.name": "x"}},
        "new_settings may not have this key",
    ),
}


@pytest.mark.parametrize("case", NEVER)
def test_a_condition_that_no_call_can_meet(case: str, tmp_path: Path) -> None:
    rule, why = NEVER[case]
    finding = only(findings(tmp_path, rules([rule, "current_user.me"])), "BS107")
    assert why in finding.message
    if "only" in str(rule):
        return  # which the loader refuses under deny
    denied = only(findings(tmp_path, rules([rule["operation"]], [rule])), "BS107")
    assert denied.severity == "error"


SOMETIMES: dict[str, dict[str, Any]] = {
    "a range of one": {"operation": "jobs.get", "where": {"job_id": {"min": 1, "max": 1}}},
    "a body parameter that is absent": {
        "operation": "jobs.run_now",
        "where": {"jar_params": {"absent": True}},
    },
    "a name with a slash, which is sent encoded": {
        "operation": "tables.get",
        "where": {"full_name": "main.sales.in/out"},
    },
    "one value that can be, of two": {"operation": "serving_endpoints.get", "where": {"name": ["a/b", "c"]}},
    "a prefix of a rest with its slash": {
        "operation": "files.upload",
        "where": {"file_path": {"prefix": "/Volumes/main/"}},
    },
    "a prefix of a rest": {"operation": "files.upload", "where": {"file_path": {"prefix": "Volumes/main/"}}},
    "a prefix that ends in dots": {"operation": "workspace.import_", "where": {"path": {"prefix": "/a/.."}}},
    "a pattern of dots in one segment": {
        "operation": "tables.get",
        "where": {"full_name": {"pattern": "main.{schema}.{table}"}},
    },
    "a truth value in the URL": {"operation": "jobs.list", "where": {"expand_tasks": True}},
    "what only leaves to a path": {"operation": "repos.get", "only": []},
    "a name of several segments": {
        "operation": "postgres.get_branch",
        "where": {"name": {"pattern": "projects/a/branches/{b}"}},
    },
}


@pytest.mark.parametrize("case", SOMETIMES)
def test_a_condition_that_some_call_can_meet(case: str, tmp_path: Path) -> None:
    found = codes_of(findings(tmp_path, rules([SOMETIMES[case], "current_user.me"])))
    assert "BS107" not in found


def test_what_the_loader_warns_of_is_found_at_the_same_place(tmp_path: Path) -> None:
    policy = f"""\
tokens:
  old: {{fingerprint: sha256:{"a" * 64}, rule_set: ci, expires: 2026-01-01}}
users:
  alice: {{sub: alice@example.com, rule_set: ci}}
rule_sets:
  unused: {{allow: [jobs.list]}}
  ci: {{allow: [jobs.get]}}
"""
    loaded = load(tmp_path, policy)
    assert len(loaded.warnings) == 3
    found = {finding.position for finding in check(loaded, 1_793_491_200.0)}
    assert {problem.position for problem in loaded.warnings} <= found
