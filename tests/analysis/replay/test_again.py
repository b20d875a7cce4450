"""Replay agrees with the proxy: what it says of a logged call, the proxy would decide; what it can't know, it says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import orjson
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from brickscope.analysis.again import judge_again
from brickscope.analysis.facts import NotReplayable
from brickscope.analysis.judge import Told
from brickscope.audit.event import check_record
from brickscope.core.fingerprint import fingerprint
from brickscope.core.hostname import HostPatterns
from brickscope.core.pending import BodyNeeded
from brickscope.core.policy import Policy
from brickscope.core.reason import Kind, Reason
from brickscope.core.request import WireRequest
from brickscope.identity.directory import TokenDirectory
from brickscope.log.key import DigestKey
from brickscope.policy.load import load_policy
from brickscope.proxy.destination import Destinations
from brickscope.proxy.gate import Gate, Verdict
from core.wire import HOST, TOKEN, h1, h1_headers
from examples import examples
from log.written import open_writer
from reaching import reaching

KEY = DigestKey(b"k" * 32)
NAME = fingerprint(TOKEN)
OTHER = b"dapi" + b"9" * 32

RULES: list[Any] = [
    "jobs.list",
    "jobs.*",
    {"class": "read"},
    "GET /api/2.1/unity-catalog/catalogs",
    "GET /api/{version}/{rest...}",
    "POST /api/2.2/jobs/run-now",
    {"operation": "jobs.run_now", "where": {"job_id": [1012, 1013]}},
    {"operation": "jobs.run_now", "where": {"job_id": 13}, "only": ["notebook_params"]},
    {"operation": "jobs.run_now", "where": {"notebook_params": {"only": ["day"]}}},
    {"operation": "jobs.run_now", "where": {"idempotency_token": {"prefix": "ab"}}},
    {"operation": "jobs.run_now", "where": {"idempotency_token": ["abc" * 100, "x", "y"]}},
    {"operation": "jobs.run_now", "where": {"job_id": {"min": 10, "max": 20, "optional": True}}},
    {"operation": "jobs.get", "where": {"job_id": 7}},
    {"operation": "jobs.list", "where": {"limit": {"max": 25, "optional": True}}},
    {"operation": "jobs.list", "only": ["limit"]},
    {"operation": "jobs.submit", "where": {"tasks.task_key": ["a", "b"]}},
    {"operation": "catalogs.get", "where": {"name": {"prefix": "dev"}}},
    {"operation": "workspace.export", "where": {"path": {"prefix": "/Workspace/etl/"}}},
    "tables.get",
    "GET /api/2.1/unity-catalog/tables/{t}",
    {"operation": "tables.get", "where": {"full_name": {"pattern": "main.a.{table}"}}},
    {"operation": "clusters.resize", "where": {"num_workers": {"max": 4}}},
    {"operation": "libraries.install", "where": {"libraries.jar": {"prefix": "dbfs:/jars/"}}},
]
DENY: list[Any] = [
    "jobs.delete",
    "jobs.run_now",
    {"operation": "jobs.run_now", "where": {"job_id": 1012}},
    {"operation": "jobs.submit", "where": {"tasks.task_key": "b"}},
    {"operation": "workspace.export", "where": {"path": {"prefix": "/Workspace/prod/"}}},
    "GET /api/2.1/unity-catalog/catalogs",
    {"operation": "tables.get", "where": {"full_name": "main.a.pay"}},
    {"operation": "clusters.resize", "where": {"num_workers": {"min": 10}}},
]
BINDINGS: list[dict[str, Any]] = [
    {},
    {"workspaces": [HOST]},
    {"workspaces": [f"{HOST}?o=42"]},
    {"clients": ["10.0.0.0/8"]},
    {"clients": ["192.0.2.0/24"]},
    {"expires": "2020-01-01"},
    {"mode": "monitor"},
]
RUN = "/api/2.2/jobs/run-now"
SUBMIT = "/api/2.2/jobs/runs/submit"
TABLES = "/api/2.1/unity-catalog/tables/"
RESIZE, INSTALL = "/api/2.1/clusters/resize", "/api/2.0/libraries/install"
# method, target, body
CALLS: list[tuple[str, str, Any]] = [
    ("GET", "/api/2.2/jobs/list", None),
    ("GET", "/api/2.1/jobs/list?limit=20", None),
    ("GET", "/api/2.1/jobs/list?limit=30&o=42", None),
    ("GET", "/api/2.1/jobs/list?limit=20&limit=30", None),
    ("GET", "/api/2.1/jobs/list?name=x", None),
    ("GET", "/api/2.2/jobs/get?job_id=7", None),
    ("GET", "/api/2.2/jobs/get?job_id=8", None),
    ("GET", "/api/2.2/jobs/get?jobId=7", None),
    ("GET", "/api/2.1/unity-catalog/catalogs", None),
    ("GET", "/api/2.1/unity-catalog/catalogs/dev_a", None),
    ("GET", "/api/2.1/unity-catalog/catalogs/prod", None),
    ("GET", "/api/2.0/no/such/call", None),
    ("GET", "/api/2.0/workspace/export?path=/Workspace/etl/x", None),
    ("GET", "/api/2.0/workspace/export?path=/Workspace/prod/../etl/x", None),
    ("GET", "/api/2.0/workspace/export?path=/Workspace/pr%C3%B6d/x", None),
    ("GET", "/api/2.0/workspace/export?path=/etl/x/", None),
    ("GET", "/api/2.0/workspace/export?path=/prod/x", None),
    ("GET", "/api/2.0/workspace/export?path=/", None),
    ("GET", f"{TABLES}main.a.in%2Fout", None),
    ("GET", f"{TABLES}Main.A.Pay", None),
    ("GET", f"{TABLES}main.a.pay%3Fx", None),
    ("GET", f"{TABLES}main.a.t%2Fmonitor", None),
    ("GET", f"{TABLES}main.a.5%25", None),
    ("GET", "//api/2.2/jobs/list", None),
    ("GET", "/api/2.2/jobs/list?access_token=x", None),
    ("POST", RESIZE, {"cluster_id": "a", "num_workers": 3}),
    ("POST", RESIZE, {"cluster_id": "a", "num_workers": 3, "autoscale": {"max_workers": 9}}),
    ("POST", RESIZE, {"cluster_id": "a", "autoscale": {"max_workers": 9}}),
    ("POST", INSTALL, {"cluster_id": "a", "libraries": [{"jar": "dbfs:/jars/x"}, {"jar": "/jars/y"}]}),
    ("POST", INSTALL, {"cluster_id": "a", "libraries": [{"jar": "dbfs:/jars/x"}]}),
    ("POST", RUN, {"job_id": 1012}),
    ("POST", f"{RUN}?o=42", {"job_id": 13}),
    ("POST", RUN, {"job_id": "1012", "notebook_params": {"day": "x"}}),
    ("POST", RUN, {"job_id": 13, "notebook_params": {"day": "x", "night": "y"}}),
    ("POST", RUN, {"job_id": 13, "jar_params": []}),
    ("POST", RUN, {"job_id": 15, "idempotency_token": "abc"}),
    ("POST", RUN, {"idempotency_token": "abc" * 100}),
    ("POST", RUN, {"idempotency_token": "abd" * 100}),
    ("POST", RUN, {"idempotency_token": "\u00fcber"}),
    ("POST", RUN, {"idempotency_token": "dapi" + "0" * 32}),
    ("POST", RUN, {"job_id": 2**60}),
    ("POST", RUN, {"job_id": [1012, 13]}),
    ("POST", RUN, {"job_id": {"a": 1}}),
    ("POST", RUN, {"job_id": None}),
    ("POST", RUN, {"job_id": True}),
    ("POST", RUN, b'{"job_id": 1012.0}'),
    ("POST", RUN, b'{"job_id": 13, "job_id": 1012}'),
    ("POST", RUN, b"no JSON"),
    ("POST", RUN, {}),
    ("POST", SUBMIT, {"tasks": [{"task_key": "a"}, {"task_key": "b"}]}),
    ("POST", SUBMIT, {"tasks": [{"task_key": "a"}, {}]}),
    ("POST", SUBMIT, {"tasks": [{"task_key": ["a"]}, {"task_key": "a"}]}),
    ("POST", SUBMIT, {"tasks": [{"task_key": []}]}),
    ("POST", SUBMIT, {"tasks": 5}),
    ("POST", SUBMIT, {"tasks": []}),
    ("POST", SUBMIT, {"tasks": [{"task_key": str(index)} for index in range(30)]}),
    ("DELETE", "/api/2.0/permissions/../x", None),
    ("POST", "/api/2.2/jobs/delete", {"job_id": 1}),
    ("GET", "/.well-known/databricks-config", None),
]


def policy(
    folder: Path, allow: list[Any], deny: list[Any], binding: dict[str, Any], mode: str, named: bool
) -> Policy:
    token = NAME if named else f"sha256:{'1' * 64}"
    content = {
        "version": 1,
        "mode": mode,
        "tokens": {"ci": {"fingerprint": token, "rule_set": "r", **binding}},
        "rule_sets": {"r": {"allow": allow, **({"deny": deny} if deny else {})}},
    }
    file = folder / "p.yaml"
    file.write_text(json.dumps(content))
    return load_policy(file, 0).policy


@st.composite
def policies(draw: st.DrawFn) -> tuple[list[Any], list[Any], dict[str, Any], str, bool]:
    """What a policy is made of; some pairs of rules would be an error, and those are left out."""
    allow = draw(st.lists(st.sampled_from(RULES), min_size=1, max_size=5))
    deny = draw(st.lists(st.sampled_from(DENY), max_size=2))
    dead = {rule for rule in deny if isinstance(rule, str)}
    allow = [rule for rule in allow if not (isinstance(rule, str) and rule in dead)] or ["clusters.list"]
    mode = draw(st.sampled_from(["enforce", "enforce", "monitor"]))
    return allow, deny, draw(st.sampled_from(BINDINGS)), mode, draw(st.booleans() | st.just(True))


class World:
    """A gate that writes a log, and reads its last record."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.writer = open_writer(folder)

    def judge(
        self, known: Policy, call: tuple[str, str, Any], token: bytes | None
    ) -> tuple[Verdict, dict[str, Any]]:
        gate = Gate(
            Destinations(HostPatterns(["*.cloud.databricks.com"]), relay_other_hosts=False),
            self.writer,
            known,
            cast(TokenDirectory, Told({HOST: "42"})),
            KEY,
        )
        wire, body = wire_of(call, token)
        try:
            verdict = gate.commit(gate.judge(wire, "10.1.2.3"))
        except BodyNeeded:
            verdict = gate.commit(gate.judge(wire, "10.1.2.3", body=body))
        line = self.writer.path.read_bytes().splitlines()[-1]
        check_record(line)
        return verdict, orjson.loads(line)


def wire_of(call: tuple[str, str, Any], token: bytes | None) -> tuple[WireRequest, bytes]:
    method, target, content = call
    body = b"" if content is None else content if isinstance(content, bytes) else json.dumps(content).encode()
    more = [(b"Content-Length", str(len(body)).encode())] if body else []
    fields = [field for field in h1_headers(*more) if field[0] != b"Authorization"]
    if token is not None:
        fields.append((b"Authorization", b"Bearer " + token))
    return h1(method.encode(), target.encode(), fields), body


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("replay"))


FLAWS = (Reason.QUERY_NOT_CANONICAL, Reason.HEADER_FORBIDDEN, Reason.MULTIPLE_CREDENTIALS)
BEFORE_FLAWS = ("unknown_token", "expired", "client_not_allowed", "workspace_not_allowed")
COMMON = settings(max_examples=examples(600), deadline=None, suppress_health_check=list(HealthCheck))


@reaching(0.5, then=policies(), call=st.sampled_from(CALLS))
@COMMON
def test_under_the_same_revision_nothing_changes(
    then: tuple[list[Any], list[Any], dict[str, Any], str, bool], call: tuple[str, str, Any], world: World
) -> bool:
    known = policy(world.folder, *then)
    verdict, record = world.judge(known, call, TOKEN)
    try:
        again = judge_again(known, record, KEY)
    except NotReplayable:
        return False
    decision = verdict.decision
    assert (again.allow, again.sent, again.reason, again.subject, again.rule) == (
        decision.allow,
        decision.forwards,
        decision.reason.value,
        decision.subject,
        decision.rule,
    )
    return True


@reaching(0.3, then=policies(), now=policies(), call=st.sampled_from(CALLS), keyed=st.booleans())
@COMMON
def test_under_another_policy_replay_says_what_the_proxy_would_or_that_it_cannot_know(
    then: tuple[list[Any], list[Any], dict[str, Any], str, bool],
    now: tuple[list[Any], list[Any], dict[str, Any], str, bool],
    call: tuple[str, str, Any],
    keyed: bool,
    world: World,
) -> bool:
    _, record = world.judge(policy(world.folder, *then), call, TOKEN)
    candidate = policy(world.folder, *now)
    truth = world.judge(candidate, call, TOKEN)[0].decision
    try:
        again = judge_again(candidate, record, KEY if keyed else None)
    except NotReplayable:
        return False
    if truth.reason.kind is Kind.READING and not truth.allow and again.allow is False:
        return False  # denied either way; the log can't tell that its parameters had two readings
    if truth.reason in FLAWS and record["reason"] in BEFORE_FLAWS:
        return False  # the record tells the first thing that was wrong, and no query or header (docs/diff.md)
    assert (again.allow, again.sent, again.reason, again.rule) == (
        truth.allow,
        truth.forwards,
        truth.reason.value,
        truth.rule,
    )
    return True


@pytest.mark.parametrize("token", [None, OTHER])
@pytest.mark.parametrize("mode", ["enforce", "monitor"])
def test_strangers_stay_strangers(token: bytes | None, mode: str, world: World) -> None:
    known = policy(world.folder, ["jobs.list"], [], {}, mode, True)
    verdict, record = world.judge(known, CALLS[0], token)
    again = judge_again(known, record)
    assert (again.allow, again.sent, again.reason) == (
        False,
        mode == "monitor",
        verdict.decision.reason.value,
    )


def test_of_what_may_be_an_enforced_subjects_the_log_does_not_tell_enough(world: World) -> None:
    known = policy(world.folder, ["jobs.list"], [], {"mode": "enforce"}, "monitor", True)
    _, record = world.judge(known, CALLS[0], TOKEN + b"=")
    assert (record["decision"], record["enforced"], record["reason"]) == ("deny", True, "unknown_token")
    with pytest.raises(NotReplayable, match="may be an enforced subject's token"):
        judge_again(known, record)


def test_most_calls_can_be_replayed(world: World) -> None:
    known = policy(world.folder, RULES[6:], [], {}, "enforce", True)
    lost = []
    for call in CALLS:
        _, record = world.judge(known, call, TOKEN)
        try:
            judge_again(known, record, KEY)
        except NotReplayable as why:
            lost.append((call[1], str(why)))
    assert len(lost) <= 6, lost
