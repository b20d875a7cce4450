"""One decision function, many faces: the running proxy, explain's engine and replay say the same of the same calls."""

from __future__ import annotations

import random
import ssl
from collections.abc import Iterator
from http.client import HTTPResponse, HTTPSConnection
from pathlib import Path

import pytest

from brickscope.analysis.again import judge_again
from brickscope.analysis.call import Call, Home, read_call
from brickscope.analysis.example import example
from brickscope.analysis.facts import NotReplayable
from brickscope.analysis.judge import find, judge
from brickscope.analysis.sent import CallError
from brickscope.catalog.catalog import load_catalog
from brickscope.core.decision import Decision
from brickscope.core.fingerprint import fingerprint
from brickscope.core.request import ApiRequest
from brickscope.log.key import DigestKey
from brickscope.log.writer import DIGEST_KEY
from brickscope.policy.load import Loaded, load_policy
from e2e.gate import HOST, TOKEN, Gate, running_gate

POLICY = f"""\
version: 1
tokens:
  ci: {{fingerprint: {fingerprint(TOKEN.encode())}, rule_set: r}}
rule_sets:
  r:
    allow:
      - {{class: read}}
      - jobs.*
      - {{operation: clusters.start, where: {{cluster_id: [1012-083000-abcd1234, other]}}}}
      - {{operation: workspace.import_, where: {{path: {{prefix: /Workspace/Shared/}}}}}}
      - {{operation: statement_execution.execute_statement, only: [statement, warehouse_id]}}
      - {{operation: tables.delete, where: {{full_name: {{pattern: "main.{{schema}}.{{table}}"}}}}}}
      - POST /api/2.0/mlflow/{{what...}}
    deny:
      - jobs.delete
      - {{operation: jobs.run_now, where: {{job_id: 13}}}}
      - {{service: warehouses, class: read}}
      - GET /api/2.0/secrets/{{call...}}
"""
LIVE = 400
"""Calls that are sent through the running proxy; the engine alone is asked for all of them."""


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory, proxy_authority: Path) -> Iterator[Gate]:
    with running_gate(tmp_path_factory.mktemp("faces") / "x", proxy_authority, policy=POLICY) as running:
        yield running


def calls() -> list[Call]:
    """A call of every operation, and odd ones of those that rules look at."""
    home = Home(HOST)
    made: list[Call] = []
    for operation in load_catalog().operations.values():
        for index in range(min(2, len(operation.calls))):
            try:
                made.append(example(operation, home=home, index=index))
            except CallError:
                continue
    for written in (
        "jobs.run_now job_id=13",
        "jobs.run_now {job_id: '13'}",
        "jobs.run_now {job_id: [12, 13]}",
        "jobs.run_now {job_id: 14}",
        'POST /api/2.1/jobs/run-now {"job_id": 13.0}',
        'POST /api/2.1/jobs/run-now {"job_id": 1, "jobId": 13}',
        "clusters.start cluster_id=other",
        "clusters.start cluster_id=third",
        "clusters.start {}",
        "workspace.import_ path=/Workspace/Shared/a",
        "workspace.import_ path=/Workspace/Shared/../a",
        "statement_execution.execute_statement statement=x warehouse_id=y",
        "statement_execution.execute_statement statement=x warehouse_id=y catalog=z",
        "tables.delete full_name=main.a.b",
        "tables.delete full_name=prod.a.b",
        "GET /api/2.0/no/such/call",
        "GET /api/2.0/jobs/../x",
        "GET /ajax-api/2.0/secrets/get?scope=a&key=b",
    ):
        made.append(read_call(written, home))
    # Not those of apps, which have hosts of their own.
    return [
        call
        for call in made
        if call.asked is None and isinstance(call.request, ApiRequest) and call.request.host == HOST
    ]


def send(gate: Gate, connection: HTTPSConnection, call: Call) -> HTTPResponse:
    request = call.request
    assert isinstance(request, ApiRequest)
    target = request.path + (f"?{request.query}" if request.query else "")
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    if request.workspace is not None:
        headers["X-Databricks-Workspace-Id"] = request.workspace
    connection.request(request.method, target, call.body or None, headers)
    response = connection.getresponse()
    response.read()
    return response


def test_the_proxy_explain_and_replay_agree(gate: Gate, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(POLICY)
    loaded: Loaded = load_policy(tmp_path / "p.yaml", 0)
    policy = loaded.policy
    who = find(policy, "ci")
    every = calls()
    assert len(every) > 1500
    told: list[tuple[Call, Decision]] = [
        (call, judge(policy, who, call, 1.8e9, "127.0.0.1")) for call in every
    ]
    assert {decision.reason.value for _, decision in told} >= {
        "allowed_by_rule",
        "denied_by_rule",
        "no_rule_matches",
        "constraint_not_met",
        "unknown_operation",
        "parameter_twice",
    }
    sample = [*random.Random(7).sample(told[:-18], LIVE), *told[-18:]]
    trust = ssl.create_default_context(cafile=str(gate.ca))
    connection = HTTPSConnection("127.0.0.1", gate.proxy.port, timeout=10, context=trust)
    connection.set_tunnel(HOST, 443)
    statuses = [send(gate, connection, call).status for call, _ in sample]
    connection.close()
    records = gate.proxy.audit("decision")
    assert len(records) == len(sample)
    key = DigestKey.load_or_make(gate.proxy.folder / "confdir" / DIGEST_KEY)
    replayed = 0
    for (call, decision), record, status in zip(sample, records, statuses, strict=True):
        expected = (decision.reason.value, decision.rule, decision.operation, decision.subject)
        assert (record["reason"], record["rule"], record["operation"], record["subject"]) == expected, (
            call.text
        )
        # A denied request of JSON-RPC is answered by the protocol's own error.
        assert decision.forwards or status == (200 if decision.ids else 403), call.text
        assert not decision.forwards or status != 403, call.text
        try:
            again = judge_again(policy, record, key)
        except NotReplayable:
            continue
        replayed += 1
        assert (again.allow, again.reason, again.rule) == (
            decision.allow,
            decision.reason.value,
            decision.rule,
        )
    assert replayed > len(sample) * 0.95
