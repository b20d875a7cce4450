"""A call out of the log: what its record tells makes the same decision again; what it can't tell is said."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from backports import zstd

from analysis.policies import NOW, load
from brickscope.analysis.answer import render
from brickscope.analysis.call import read_call
from brickscope.analysis.explanation import explain, explanation_data
from brickscope.analysis.judge import address, find, home, judge
from brickscope.analysis.logged import Logged, find_record, make_again
from brickscope.analysis.sent import CallError
from brickscope.core.request import ApiRequest
from brickscope.log.key import DigestKey
from brickscope.log.record import decision_record
from brickscope.policy.load import Loaded


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return load(tmp_path_factory.mktemp("policy"))


def record(loaded: Loaded, name: str, written: str, **more: Any) -> dict[str, Any]:
    """What the proxy would log of a call."""
    who = find(loaded.policy, name)
    call = read_call(written, home(who))
    decision = judge(loaded.policy, who, call, NOW)
    assert isinstance(call.request, ApiRequest)
    return decision_record(
        decision,
        "397d7b97-3",
        address(who),
        host=call.request.host,
        method=call.request.method,
        path=call.request.path,
        workspace=None,
        has_body=None,
        user_agent="",
        secrets=(),
        key=DigestKey(b""),
    ) | {"time": "2026-09-21T14:13:20.000000Z", **more}


def made(loaded: Loaded, tells: dict[str, Any]) -> Logged:
    return make_again(tells, find(loaded.policy, tells["subject"]), loaded.policy)


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("ci", "jobs.run_now job_id=1012"),
        ("ci", "jobs.run_now job_id=7"),
        ("ci", "jobs.run_now {job_id: 1012, notebook_params: {day: mon}}"),
        ("ci", "jobs.run_now {job_id: 1012, jar_params: [a]}"),
        ("ci", "GET /api/2.0/sql/queries"),
        ("ci", "GET /api/2.0/fs/files/Volumes/main/secret%2Fx"),
        ("ci", "GET /api/2.0/fs/files/Volumes/main/a%3Bb%2Fc"),
        ("ci", "GET //api/2.2/jobs/list"),
        ("watch", "GET //api/2.2/jobs/list"),
        ("ci", "jobs.delete job_id=1"),
        ("ci", "permissions.update request_object_type=notebooks request_object_id=7"),
        ("etl", "oidc.token grant=client_credentials"),
        ("etl", "oidc.token grant=federation"),
    ],
)
def test_a_logged_call_is_decided_as_it_was(loaded: Loaded, name: str, written: str) -> None:
    logged = made(loaded, record(loaded, name, written))
    assert not any("may have said something else" in text for text in logged.unknown)
    again = judge(loaded.policy, find(loaded.policy, name), logged.call, logged.now, logged.client_address)
    assert again.reason.value == logged.record["reason"]
    assert again.rule == logged.record["rule"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, "query and body are in the log only as far as rules checked"),
        ({"path": "/api/2.0/[redacted]"}, "the path is incomplete"),
        ({"path": "[redacted]"}, None),
        ({"event": "tunnel"}, None),
        ({"time": "yesterday"}, None),
        ({"params": {"job_id": {"hmac_sha256": "0" * 64}}}, "a keyed digest only"),
        ({"params": {"job_id": {"hmac_sha256": "0" * 64}}}, "may have said something else"),
        ({"param_names": ["job_id", "secret\n"]}, "of 'secret\\x0a' the log has the name only"),
        ({"params": {}, "param_names": ["job_id"]}, "'job_id', which is not in the log"),
    ],
)
def test_what_a_record_can_not_tell_is_said(loaded: Loaded, change: dict[str, Any], told: str | None) -> None:
    tells = record(loaded, "ci", "jobs.run_now job_id=7", **change)
    if told is None:
        with pytest.raises(CallError, match=r"of no call|no time"):
            made(loaded, tells)
        return
    assert any(told in text for text in made(loaded, tells).unknown)


def test_the_reading_that_decided_then_is_told(loaded: Loaded) -> None:
    logged = made(loaded, record(loaded, "ci", "GET /api/2.0/fs/files/Volumes/main/secret%2Fx"))
    found = explain(loaded, find(loaded.policy, "ci"), logged.call, logged.now, logged.client_address)
    assert "             by the reading split at '/', of 2" in render(
        "explanation", explanation_data(found, logged)
    )
    assert explanation_data(found, logged)["logged"]["readings"] == ["split at '/'", "as it stands"]


@pytest.mark.parametrize("ending", ["jsonl", "jsonl.gz", "jsonl.zst"])
def test_a_record_is_found_by_its_id_in_files_and_folders(
    loaded: Loaded, tmp_path: Path, ending: str
) -> None:
    wanted = record(loaded, "ci", "jobs.list")
    outcome = {"event": "outcome", "decision_id": "397d7b97-3", "status": 200}
    lines = [b'{"event":"decision","decision_id":"397d7b97-33"}', b'{"event":"deci', b""]
    raw = b"\n".join([*lines, json.dumps(outcome).encode(), json.dumps(wanted).encode(), b""])
    pack = {"jsonl": bytes, "jsonl.gz": gzip.compress, "jsonl.zst": zstd.compress}[ending]
    file = tmp_path / "logs" / f"audit.{ending}"
    file.parent.mkdir()
    file.write_bytes(pack(raw))
    # `in` the bytes of a line is by the id as JSON writes it.
    assert find_record([file], "397d7b97-3") == wanted
    assert find_record([file.parent], "397d7b97-3") == wanted
    with pytest.raises(CallError, match="no decision 397d7b97-4 in 1 file"):
        find_record([file], "397d7b97-4")


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl.zst"
    file.write_bytes(b"no zstd at all")
    with pytest.raises(CallError, match="could not be read to the end"):
        find_record([file], "397d7b97-4")


@pytest.mark.parametrize("host", ["a[b", "a\ud800"])
def test_a_record_of_a_host_that_is_none_is_no_call(loaded: Loaded, host: str) -> None:
    odd = record(loaded, "ci", "GET /api/2.0/jobs/get") | {"server_address": host}
    with pytest.raises(CallError, match="no method, host or path that a call can have"):
        make_again(odd, find(loaded.policy, "ci"), loaded.policy)


def test_a_parameter_that_is_no_text_is_no_traceback(loaded: Loaded) -> None:
    odd = record(loaded, "ci", "GET /api/2.0/jobs/get") | {
        "params": {"job_id": "\ud800"},
        "operation": "jobs.get",
    }
    made = make_again(odd, find(loaded.policy, "ci"), loaded.policy)
    assert made.call.text.isprintable()
