"""Constraints through a real proxy: the body is held, judged, and sent as it came; or refused, bounded, and answered."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config
from databricks.sdk.errors import PermissionDenied

from e2e.gate import HOST, TOKEN, Gate, head, running_gate
from e2e.oauth_policy import answer, ask, reason
from e2e.raw_client import H1Reader, H2Client, h2_headers, open_tls, send_h1

RUN = "/api/2.2/jobs/run-now"
POLICY = f"""\
version: 1
tokens:
  ci:
    fingerprint: sha256:{sha256(TOKEN.encode()).hexdigest()}
    rule_set: runner
rule_sets:
  runner:
    allow:
      - operation: jobs.run_now
        where: {{job_id: [1012, 1013]}}
      - operation: jobs.get
        where: {{job_id: 1012}}
      - GET /api/2.0/fs/files/{{path...}}
      - PUT /api/2.0/fs/files/{{path...}}
"""


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory, proxy_authority: Path) -> Iterator[Gate]:
    folder = tmp_path_factory.mktemp("constraints")
    limit = ("--set", "scope_body_limit=1MB")
    with running_gate(folder, proxy_authority, *limit, policy=POLICY) as gate:
        yield gate


def run(body: Any, *more: str, target: str = RUN) -> bytes:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return head("POST", target, f"Content-Length: {len(raw)}", *more) + raw


CASES = {
    "the job that is named": (run({"job_id": 1012}), "forwarded"),
    "with a content type of a form": (
        run({"job_id": 1012}, "Content-Type: application/x-www-form-urlencoded"),
        "forwarded",
    ),
    "another job": (run({"job_id": 13}), "constraint_not_met"),
    "twice": (run(b'{"job_id":1012,"job_id":13}'), "body_duplicate_key"),
    "in the query as well": (run({"job_id": 1012}, target=RUN + "?job_id=13"), "parameter_twice"),
    "compressed": (run(gzip.compress(b'{"job_id":1012}'), "Content-Encoding: gzip"), "forwarded"),
    "another job, compressed": (
        run(gzip.compress(b'{"job_id":13}'), "Content-Encoding: gzip"),
        "constraint_not_met",
    ),
    "compressed in another way": (run(b'{"job_id":1012}', "Content-Encoding: br"), "body_encoded"),
    "compressed, and more behind it": (
        run(gzip.compress(b'{"job_id":1012}') + b"x", "Content-Encoding: gzip"),
        "body_encoded",
    ),
    "no JSON": (run(b"job_id=1012"), "body_not_json"),
    "too deep": (run(b'{"job_id":1012,"a":' + b"[" * 99 + b"]" * 99 + b"}"), "body_too_deep"),
    "too large": (run({"job_id": 1012, "x": "x" * 1_200_000}), "too_large"),
    "a body on GET": (
        head("GET", "/api/2.2/jobs/get?job_id=1012", "Content-Length: 13") + b'{"job_id":13}',
        "parameter_twice",
    ),
    "no body on GET": (head("GET", "/api/2.2/jobs/get?job_id=1012"), "forwarded"),
    "a call nobody knows": (head("GET", "/api/2.0/no/such/call"), "unknown_operation"),
}


@pytest.mark.parametrize(("raw", "expected"), CASES.values(), ids=CASES)
def test_a_call_is_judged_by_its_parameters(gate: Gate, raw: bytes, expected: str) -> None:
    gate.clear()
    response = ask(gate, raw)
    assert reason(response) == expected
    if expected == "forwarded":
        (request,) = gate.workspace.requests
        assert request.body == raw.partition(b"\r\n\r\n")[2]
    else:
        assert response.status == 403
        assert gate.workspace.requests == []


def test_log_and_answer_name_operation_and_parameters(gate: Gate) -> None:
    found = answer(ask(gate, run({"job_id": 13, "notebook_params": {"password": "hunter2"}})))
    assert "allows the operation jobs.run_now only where job_id is one of 1012, 1013" in found["message"]
    assert found["details"][0]["metadata"]["operation"] == "jobs.run_now"
    record = gate.proxy.audit("decision")[-1]
    assert (record["operation"], record["params"]) == ("jobs.run_now", {"job_id": 13})
    assert "hunter2" not in gate.proxy.audit_file.read_text()
    denied = answer(ask(gate, head("GET", "/api/2.2/jobs/list")))
    assert "ask the owner of the rule set for the rule jobs.list" in denied["message"]


def test_a_chunked_body_is_held_and_stays_one(gate: Gate) -> None:
    gate.clear()
    lines = head("POST", RUN, "Transfer-Encoding: chunked")
    chunks = b'5\r\n{"job\r\na\r\n_id":1012}\r\n0\r\n\r\n'
    assert ask(gate, lines + chunks).status == 200
    (request,) = gate.workspace.requests
    assert request.body == b'{"job_id":1012}'
    assert reason(ask(gate, lines + b'e\r\n{"job_id": 13}\r\n0\r\n\r\n')) == "constraint_not_met"
    big = b"%x\r\n%s\r\n" % (200_000, b"x" * 200_000)
    assert reason(ask(gate, lines + big * 6 + b"0\r\n\r\n")) == "too_large"


def test_over_http2_too_also_where_the_body_comes_unannounced(gate: Gate) -> None:
    gate.clear()
    with open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca, alpn=["h2"]) as sock:
        client = H2Client(sock)

        def call(method: str, target: str, body: bytes | None = None) -> int | None:
            return client.collect(client.request(h2_headers(method, target, HOST, TOKEN, []), body)).status

        assert call("POST", RUN, b'{"job_id":1012}') == 200
        assert call("POST", RUN, b'{"job_id":13}') == 403
        assert call("GET", "/api/2.2/jobs/get?job_id=1012") == 200
        assert call("GET", "/api/2.2/jobs/get?job_id=1012", b'{"job_id":13}') == 403
    assert len(gate.workspace.requests) == 2


def test_the_connection_stays_usable_after_a_held_body_was_refused(gate: Gate) -> None:
    with open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca, alpn=["http/1.1"]) as sock:
        reader = H1Reader(sock)
        for body, status in (
            (b'{"job_id":13}', 403),
            (b'{"job_id":1012}', 200),
            (b"{", 403),
            (b'{"job_id":1013}', 200),
        ):
            send_h1(sock, run(body))
            response = reader.read("POST")
            assert response is not None
            assert response.status == status


def test_what_no_constraint_looks_into_streams_as_before(gate: Gate) -> None:
    gate.clear()
    size = 5_000_000
    with open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca, alpn=["http/1.1"]) as sock:
        send_h1(sock, head("PUT", "/api/2.0/fs/files/Volumes/x", f"Content-Length: {size}"))
        send_h1(sock, b"x" * 1000)
        gate.proxy.wait_for(lambda: gate.workspace.requests and gate.workspace.requests[0].body_length)
        send_h1(sock, b"x" * (size - 1000))
        response = H1Reader(sock).read("PUT")
        assert response is not None
        assert response.status == 204


def test_the_official_sdk_runs_only_its_jobs(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", gate.proxy.proxy_url)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(gate.ca))
    client = WorkspaceClient(config=Config(host=f"https://{HOST}", token=TOKEN, auth_type="pat"))
    client.jobs.run_now(1012)
    with pytest.raises(PermissionDenied, match="only where job_id is one of 1012, 1013"):
        client.jobs.run_now(13)


def test_hints_can_be_switched_off(tmp_path: Path, proxy_authority: Path) -> None:
    with running_gate(tmp_path, proxy_authority, "--set", "scope_hints=off", policy=POLICY) as quiet:
        for raw, code in (
            (run({"job_id": 13}), "constraint_not_met"),
            (head("GET", "/api/2.2/jobs/list"), "no_rule_matches"),
        ):
            text = ask(quiet, raw).body.decode()
            assert f"reason {code}" in text
            assert not [word for word in ("1012", "runner", "jobs.", '"subject"') if word in text]
