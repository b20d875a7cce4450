"""Rules by name in policy files: what is taken, what they stand for, and what is said when they are wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from brickscope.catalog.catalog import load_catalog
from brickscope.core.policy import RuleSet
from brickscope.policy.load import Loaded, load_policy
from brickscope.policy.operations import presets
from brickscope.policy.problem import PolicyError

SHA = "sha256:" + "a" * 64


def load(folder: Path, allow: list[Any], deny: list[Any] | None = None) -> Loaded:
    content = {
        "version": 1,
        "tokens": {"t": {"fingerprint": SHA, "rule_set": "r"}},
        "rule_sets": {"r": {"allow": allow, "deny": deny or []}},
    }
    file = folder / "p.yaml"
    file.write_text(json.dumps(content, indent=1))
    return load_policy(file, 0)


def rule_set(folder: Path, *allow: Any) -> RuleSet:
    return load(folder, list(allow)).policy.rule_sets["r"]


def test_a_service_stands_for_all_its_operations(tmp_path: Path) -> None:
    names = set(rule_set(tmp_path, "jobs.*").operations)
    assert {"jobs.run_now", "jobs.list", "jobs.set_permissions"} <= names
    assert all(name.startswith("jobs.") for name in names)


def test_another_name_of_an_operation_is_the_same_rule(tmp_path: Path) -> None:
    assert set(rule_set(tmp_path, "groups_v2.list").operations) == {"groups.list"}


def test_a_class_within_a_service_and_of_all(tmp_path: Path) -> None:
    reads = rule_set(tmp_path, {"service": "secrets", "class": "read"}).operations
    assert "secrets.list_scopes" in reads
    assert "secrets.get_secret" not in reads
    every = rule_set(tmp_path, {"class": "read"}).operations
    reading = [each for each in load_catalog().operations.values() if each.kind == "read"]
    assert set(every) == {each.name for each in reading if not each.is_websocket}
    assert any(each.is_websocket for each in reading)


def test_rules_without_constraints_stand_first(tmp_path: Path) -> None:
    rules = rule_set(tmp_path, {"operation": "jobs.get", "where": {"job_id": 1}}, "jobs.get").operations[
        "jobs.get"
    ]
    assert [rule.is_bound for rule in rules] == [False, True]


WHEEL = "tasks.libraries.whl"


def test_the_revision_changes_with_every_part_of_a_rule(tmp_path: Path) -> None:
    rules: list[Any] = [
        "jobs.get",
        {"operation": "jobs.get", "where": {"job_id": 1}},
        {"operation": "jobs.get", "where": {"job_id": [1, 2]}},
        {"operation": "jobs.get", "where": {"job_id": {"one_of": [1], "optional": True}}},
        {"operation": "jobs.get", "where": {"job_id": {"min": 1}}},
        {"operation": "jobs.get", "where": {"job_id": 1}, "only": []},
        {"operation": "jobs.get", "where": {"job_id": 1}, "only": ["page_token"]},
        {"operation": "jobs.get", "where": {"job_id": {"absent": True}}},
        {"operation": "jobs.get", "where": {"job_id": {"max": 1}}},
        {"operation": "jobs.get", "where": {"job_id": {"pattern": "{x...}"}}},
        {"operation": "jobs.create", "where": {WHEEL: "/Workspace/etl/x.whl"}},
        {"operation": "jobs.create", "where": {WHEEL: "/etl/x.whl"}},  # of whichever tree
    ]
    revisions = [load(tmp_path, [rule]).policy.revision for rule in rules]
    assert len(set(revisions)) == len(rules)
    assert revisions == [load(tmp_path, [rule]).policy.revision for rule in rules]


WRONG: dict[str, tuple[Any, str]] = {
    "an operation that is none": (
        "jobs.run_nwo",
        "there is no operation 'jobs.run_nwo' (did you mean 'jobs.run_now'?)",
    ),
    "a service that is none": ("job.*", "there is no service 'job' (did you mean 'jobs'?)"),
    "a preset that is none": (
        {"preset": "readonly"},
        "there is no preset 'readonly' (did you mean 'read-only'?)",
    ),
    "a class that is none": (
        {"service": "jobs", "class": "reads"},
        "'reads' is not a class (did you mean 'read'?)",
    ),
    "a key that is none": (
        {"operation": "jobs.get", "were": {}},
        "unknown key 'were' (did you mean 'where'?)",
    ),
    "two things at once": ({"operation": "jobs.get", "preset": "dbt"}, "a rule names one thing"),
    "nothing": ({"where": {"job_id": 1}}, "a rule names one thing"),
    "a constrained preset": ({"preset": "dbt", "where": {"x": 1}}, "a preset takes no constraints"),
    "the token endpoint": ("oidc.token", "allowed by grants, never by rules"),
    "a parameter that is none": (
        {"operation": "jobs.run_now", "where": {"jobid": 1}},
        "jobs.run_now has no parameter 'jobid' (did you mean 'job_id'?)",
    ),
    "a way down in the query": (
        {"operation": "catalogs.get", "where": {"name.x": 1}},
        "'name' is not an object in the body",
    ),
    "a value that is another operation's": (
        {"operation": "permissions.set", "where": {"request_object_type": ["notebooks", "jobs"]}},
        "permissions.set never has request_object_type 'jobs': that call is jobs.set_permissions",
    ),
    "a name that lacks what the API has before it": (
        {"operation": "postgres.delete_branch", "where": {"name": ["projects/p/branches/dev", "prod"]}},
        "postgres.delete_branch never has name 'prod' (it has the form projects/*/branches/*)",
    ),
    "the name of what lies above": (
        {"operation": "postgres.delete_branch", "where": {"name": "projects/p"}},
        "never has name 'projects/p'",
    ),
    "a beginning that lacks it": (
        {"operation": "postgres.delete_branch", "where": {"name": {"prefix": "p/"}}},
        "never has name 'p/'",
    ),
    "a variable in a name": (
        {"operation": "tables.get", "where": {"full_name": ["main.a.t", "main.{schema}.t"]}},
        "the variable in 'main.{schema}.t' is for a pattern (write {pattern: 'main.{schema}.t'})",
    ),
    "a variable in a folder": (
        {"operation": "files.download", "where": {"file_path": {"prefix": "/Volumes/main/{schema}/"}}},
        "write {pattern: '/Volumes/main/{schema}/{rest...}'}",
    ),
    "a variable within a part": (
        {"operation": "tables.get", "where": {"full_name": {"pattern": "main.a.dev_{t}"}}},
        "({name} is one segment, {name...} the rest)",
    ),
    "several prefixes": (
        {"operation": "workspace.export", "where": {"path": {"prefix": ["/a/", "/b/"]}}},
        "prefix is one text (write one rule for each)",
    ),
    "several tests": (
        {"operation": "workspace.export", "where": {"path": [{"prefix": "/a/"}, {"prefix": "/b/"}]}},
        "a mapping such as {prefix: dev_} is a test; write one rule for each",
    ),
    "an object as it is in the body": (
        {"operation": "jobs.run_now", "where": {"notebook_params": {"env": "prod"}}},
        "unknown test 'env' (what is in an object has a name with a dot: notebook_params.env)",
    ),
    "only what is none": (
        {"operation": "jobs.get", "only": ["jobid"]},
        "jobs.get has no parameter 'jobid'",
    ),
    "no values": ({"operation": "jobs.get", "where": {"job_id": []}}, "the list is empty"),
    "a fraction": ({"operation": "jobs.get", "where": {"job_id": [[1]]}}, "a value is text, an integer"),
    "a test that is none": (
        {"operation": "jobs.get", "where": {"job_id": {"oneof": [1]}}},
        "unknown test 'oneof' (did you mean 'one_of'?)",
    ),
    "two tests": ({"operation": "jobs.get", "where": {"job_id": {"prefix": "a", "min": 1}}}, "is one test"),
    "no test": ({"operation": "jobs.get", "where": {"job_id": {"optional": True}}}, "is one test"),
    "absent no": ({"operation": "jobs.get", "where": {"job_id": {"absent": False}}}, "absent is true"),
    "text for a range": ({"operation": "jobs.get", "where": {"job_id": {"min": "1"}}}, "are integers"),
    "optional by a word": (
        {"operation": "jobs.get", "where": {"job_id": {"min": 1, "optional": "yes"}}},
        "optional is true or false",
    ),
    "one key, not a list": (
        {"operation": "jobs.run_now", "where": {"notebook_params": {"only": "day"}}},
        "only is a list of keys",
    ),
    "a range of words": (
        {"operation": "jobs.run_now", "where": {"performance_target": {"max": 3}}},
        "which can't be ordered",
    ),
    "a beginning that nothing has": (
        {"operation": "workspace.export", "where": {"path": {"prefix": "/Users/../"}}},
        "begins so",
    ),
    "a verb in a pattern": (
        {"operation": "workspace.export", "where": {"path": {"pattern": "/a/{name}:run"}}},
        "can't be part of a value",
    ),
    "an empty prefix": ({"operation": "jobs.get", "where": {"job_id": {"prefix": ""}}}, "prefix is text"),
    "a pattern in the middle": (
        {"operation": "files.download", "where": {"file_path": {"pattern": "/a/{x...}/b"}}},
        "the pattern can't be used",
    ),
    "a number": (7, "a rule is one line of text"),
    "where without anything": ({"operation": "jobs.get", "where": {}}, "nothing is written here"),
}


@pytest.mark.parametrize(("rule", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said_with_its_place(rule: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(PolicyError) as error:
        load(tmp_path, ["GET /x", rule])
    assert message in str(error.value)
    assert "p.yaml:" in str(error.value)


def test_an_operation_that_is_denied_as_well_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"'jobs.delete' can never allow anything"):
        load(tmp_path, ["jobs.delete"], ["jobs.*"])
    assert load(tmp_path, ["jobs.*"], ["jobs.delete"])


# preset: operations that it must allow, and that it must not
PRESETS = {
    "read-only": (
        ["jobs.list", "clusters.events", "experiments.search_runs", "catalogs.list", "current_user.me"],
        [
            "secrets.get_secret",
            "jobs.run_now",
            "tokens.create",
            "permissions.set",
            "sql.thrift",
            "recipients.list",
            "statement_execution.get_statement",
            "statement_execution.get_statement_result_chunk_n",
            "genie.get_message_query_result",
            "jobs.get_run_output",
            "workspace.list_files",
            "iceberg.load_table",
        ],
    ),
    "sql-reader": (
        [
            "statement_execution.execute_statement",
            "statement_execution.get_statement",
            "statement_execution.get_statement_result_chunk_n",
            "sql.thrift",
            "warehouses.list",
        ],
        ["warehouses.create", "warehouses.edit", "jobs.list", "queries.create", "grants.update"],
    ),
    "job-runner": (
        ["jobs.run_now", "jobs.list", "jobs.get_run", "jobs.get_run_output", "jobs.cancel_run"],
        [
            "jobs.create",
            "jobs.update",
            "jobs.reset",
            "jobs.submit",
            "jobs.delete",
            "jobs.set_permissions",
            "clusters.create",
        ],
    ),
    "catalog-browser": (
        ["catalogs.list", "tables.get", "schemas.list", "volumes.read", "lineage.get_table_lineage"],
        [
            "catalogs.create",
            "grants.update",
            "files.download",
            "temporary_table_credentials.generate_temporary_table_credentials",
        ],
    ),
    "model-serving-caller": (
        [
            "serving_endpoints.query",
            "serving_endpoints.list",
            "serving.chat_completions",
            "serving.messages",
            "serving.generate_content",
            "serving.list_models",
        ],
        [
            "serving_endpoints.create",
            "serving_endpoints.http_request",
            "jobs.run_now",
            "gateway.chat_completions",
            "mcp.call_tool",
        ],
    ),
    "model-caller": (
        ["serving.chat_completions", "gateway.messages", "gateway.generate_content", "gateway.list_models"],
        ["serving_endpoints.query", "serving.completions", "gateway.select_route", "mcp.call_tool"],
    ),
    "tool-session": (
        ["mcp.initialize", "mcp.list_tools", "mcp.notify", "mcp.listen"],
        ["mcp.call_tool", "mcp.read_resource", "mcp.get_prompt", "mcp.respond"],
    ),
    "agent-tools": (
        ["mcp.initialize", "mcp.list_tools", "mcp.call_tool", "current_user.me"],
        ["mcp.read_resource", "statement_execution.execute_statement", "serving.chat_completions"],
    ),
    "dbt": (
        [
            "sql.thrift",
            "statement_execution.execute_statement",
            "statement_execution.get_statement",
            "clusters.get",
        ],
        ["jobs.create", "command_execution.execute"],
    ),
    "terraform-plan": (
        ["jobs.get", "clusters.get", "permissions.get", "grants.get"],
        ["jobs.create", "secrets.put_secret", "tokens.create"],
    ),
    "client-startup": (
        ["current_user.me", "clients.feature_flags", "telemetry.send"],
        ["users.list", "jobs.list"],
    ),
}


def test_every_preset_is_tested_and_says_what_it_permits() -> None:
    assert set(PRESETS) == set(presets())
    for preset in presets().values():
        assert preset["description"]
        assert preset["permits"]


@pytest.mark.parametrize(("name", "cases"), PRESETS.items(), ids=PRESETS)
def test_a_preset(name: str, cases: tuple[list[str], list[str]], tmp_path: Path) -> None:
    allowed = set(rule_set(tmp_path, {"preset": name}).operations)
    must, must_not = cases
    assert [each for each in must if each not in allowed] == []
    assert [each for each in must_not if each in allowed] == []
    assert [each for each in must_not if load_catalog().find(each) is None] == []


@pytest.mark.parametrize("name", ["read-only", "catalog-browser", "terraform-plan"])
def test_a_reading_preset_holds_nothing_but_reads_and_what_clients_send_unasked(
    name: str, tmp_path: Path
) -> None:
    allowed = rule_set(tmp_path, {"preset": name}).operations
    kinds = {load_catalog().operations[each].kind for each in allowed if each != "telemetry.send"}
    assert kinds == {"read"}


@pytest.mark.parametrize(
    "denied",
    [
        {"operation": "jobs.run_now", "only": ["job_id"]},
        {"operation": "jobs.run_now", "where": {"notebook_params": {"only": ["day"]}}},
    ],
)
def test_only_has_no_place_under_deny(denied: Any, tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="evade it with one more parameter"):
        load(tmp_path, ["jobs.*"], [denied])
