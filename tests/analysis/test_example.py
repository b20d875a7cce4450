"""Examples: each operation of the catalogue has one, and one that meets each kind of constraint."""

from __future__ import annotations

from pathlib import Path

import pytest

from brickscope.analysis.example import example, path_example
from brickscope.analysis.judge import find, judge
from brickscope.analysis.sent import CallError
from brickscope.analysis.sight import parts
from brickscope.catalog.catalog import load_catalog
from brickscope.core.request import ApiRequest
from brickscope.policy.load import load_policy


def test_every_call_of_every_operation_has_an_example_that_is_that_operation() -> None:
    for operation in load_catalog().operations.values():
        for index in range(len(operation.calls)):
            if operation.name == "oidc.token":
                continue
            call = example(operation, index=index)
            assert isinstance(call.request, ApiRequest), (operation.name, call)
            found = parts(call.request, call.body)
            assert [called.text for called, _ in found] == [operation.name], call.text


RULES = [
    "operation: jobs.run_now\n        where: {job_id: 1012}",
    "operation: jobs.run_now\n        where: {job_id: [7, 8], queue.enabled: true}",
    "operation: jobs.run_now\n        where: {job_id: {min: 5, max: 7}, notebook_params: {only: [day]}}",
    "operation: jobs.run_now\n        where: {job_id: {max: 7}, jar_params: {absent: true}}",
    "operation: jobs.run_now\n        where: {job_id: 1}\n        only: [notebook_params]",
    "operation: jobs.run_now\n        only: [job_id]",
    "operation: workspace.list\n        where: {path: {prefix: /Workspace/etl/}}",
    "operation: workspace.list\n        where: {path: {pattern: '/Workspace/{team}/src/{rest...}'}}",
    'operation: tables.get\n        where: {full_name: {pattern: "main.{schema}.{table}"}}',
    "operation: files.download\n        where: {file_path: {prefix: Volumes/main/}}",
    "operation: files.download\n        where: {file_path: {pattern: 'Volumes/{catalog}/{rest...}'}}",
    "operation: permissions.update\n        where: {request_object_type: files, access_control_list.permission_level: X}",
    "operation: clusters.create\n        where: {num_workers: {max: 4, optional: true}, spark_version: {prefix: '15.'}}",
    "operation: serving.chat_completions\n        where: {temperature: 0.5}",
    "operation: serving.chat_completions\n        where: {temperature: {max: 0.7}}",
]


@pytest.mark.parametrize("rule", RULES)
def test_an_example_meets_the_rule_it_is_made_for(rule: str, tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(
        f"version: 1\ntokens:\n  t: {{fingerprint: sha256:{'0' * 64}, rule_set: r}}\n"
        f"rule_sets:\n  r:\n    allow:\n      - {rule}\n"
    )
    policy = load_policy(file, 0).policy
    (compiled,) = next(iter(policy.rule_sets["r"].operations.values()))
    operation = load_catalog().operations[compiled.operation]
    for index in range(len(operation.calls)):
        try:
            call = example(operation, compiled, index=index)
        except CallError:
            assert index > 0  # a call of another form, in which no value meets the rule
            continue
        decision = judge(policy, find(policy, "t"), call, 0)
        assert decision.allow, (call.text, decision)
        assert decision.rule == compiled.text


@pytest.mark.parametrize(
    "text",
    ["GET /a", "GET /a/{id}", "POST /a/{id}:run", "PUT /a/{path...}", "GET /api/2.0/fs/files/{file_path...}"],
)
def test_an_example_of_a_path_rule_is_matched_by_it(text: str, tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(
        f"version: 1\ntokens:\n  t: {{fingerprint: sha256:{'0' * 64}, rule_set: r}}\n"
        f"rule_sets:\n  r:\n    allow: ['{text}']\n"
    )
    policy = load_policy(file, 0).policy
    (rule,) = policy.rule_sets["r"].allow.rules
    assert judge(policy, find(policy, "t"), next(path_example(rule)), 0).rule == text
