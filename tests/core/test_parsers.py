"""Whatever a real parser reads as a denied value is denied: protobuf's JSON, Go's, Jackson, Python's, Werkzeug's."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest

from brickscope.core.decision import Decision, Refused
from brickscope.core.policy import Policy
from core.judged import RUN, judged, policy
from core.parsers import grammar, oracle
from core.parsers.grammar import JOB, PATH, TARGET, TOKEN
from core.parsers.oracle import Reading

BODIES, QUERIES = 4000, 3000
FORM = (b"Content-Type", b"application/x-www-form-urlencoded")
SUBMIT = "/api/2.2/jobs/runs/submit"

# What is denied: operation, its target, the parameter, and how a reading says it.
DENIED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "job_id": ("jobs.run_now", RUN, {"job_id": JOB}),
    "enabled": ("jobs.run_now", RUN, {"queue.enabled": True}),
    "target": ("jobs.run_now", RUN, {"performance_target": TARGET}),
    "token": ("jobs.run_now", RUN, {"idempotency_token": TOKEN}),
    "paths": ("jobs.submit", SUBMIT, {"tasks.notebook_task.notebook_path": PATH}),
}


def _short(path: str) -> str:
    return path.removeprefix("/Workspace").rstrip("/")


def said(reading: Reading) -> set[str]:
    """What a reading says that is denied."""
    found = {
        "job_id": reading.job_id == JOB,
        "enabled": reading.enabled is True,
        "target": reading.target == TARGET,
        "token": reading.token == TOKEN,
        "paths": any(path and _short(path) == _short(PATH) for path in reading.paths),
    }
    return {field for field, is_said in found.items() if is_said}


# Readings of a field that are as good as none: what a message has where nobody set it.
UNSET: dict[str, tuple[Any, ...]] = {
    "job_id": (None, 0),
    "enabled": (None, False),
    "target": (None, "", "UNKNOWN", "NONE"),
    "token": (None, ""),
}


def says_another(field: str, reading: Reading) -> bool:
    """Whether a reading says something else than what ``DENIED`` names; in these tests that is all that is allowed."""
    if field == "paths":
        return any(_short(path) != _short(PATH) for path in reading.paths if path)
    value = getattr(reading, field)
    return value not in UNSET[field] and field not in said(reading)


@cache
def bodies() -> list[bytes]:
    random = Random(14)
    return [grammar.body(random) for _ in range(BODIES)]


@pytest.fixture(scope="module")
def denying(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Policy]:
    folder = tmp_path_factory.mktemp("policies")
    return {
        field: policy(folder, operation, deny=[{"operation": operation, "where": where}])
        for field, (operation, _, where) in DENIED.items()
    }


def decided(
    known: Policy, target: str, body: bytes, *more: tuple[bytes, bytes], method: str = "POST"
) -> Decision | None:
    try:
        return judged(known, method, target, body, *more)
    except Refused:
        return None


Policies = dict[str, Policy]


@pytest.fixture(scope="module")
def allowing(tmp_path_factory: pytest.TempPathFactory) -> Policies:
    folder = tmp_path_factory.mktemp("narrow")
    return {
        field: policy(folder, {"operation": operation, "where": where})
        for field, (operation, _, where) in DENIED.items()
    }


def hold(
    denying: Policies, allowing: Policies, read: list[list[Reading]], *more: tuple[bytes, bytes], each: int
) -> None:
    """Hold what a parser read of all bodies against the decisions: what it reads as denied is denied, and what is allowed it
    does not read as something else. So many bodies at least say something denied, and so many are allowed."""
    denied: Counter[str] = Counter()
    allowed: Counter[str] = Counter()
    for body, found in zip(bodies(), read, strict=True):
        for field in set().union(*map(said, found)):
            decision = decided(denying[field], DENIED[field][1], body, *more)
            assert decision is None or not decision.allow, (field, body)
            denied[field] += 1
        for field, known in allowing.items():
            decision = decided(known, DENIED[field][1], body, *more)
            if decision is not None and decision.allow and found:
                assert not any(says_another(field, reading) for reading in found), (field, body, found)
                allowed[field] += 1
    assert denied["job_id"] >= each, denied
    assert min(denied.values()) >= each // 4, denied
    assert allowed["job_id"] >= 50, allowed
    assert min(allowed.values()) >= 20, allowed


@pytest.mark.parametrize("parser", oracle.HERE)
def test_what_a_parser_reads_in_a_body_as_denied_is_denied(
    parser: str, denying: Policies, allowing: Policies
) -> None:
    hold(denying, allowing, [oracle.HERE[parser](body) for body in bodies()], each=80)


def test_what_go_reads_in_a_body_as_denied_is_denied(
    denying: Policies, allowing: Policies, tmp_path: Path
) -> None:
    found = oracle.run([str(oracle.go(tmp_path))], [f"b{oracle.as_line(body)}" for body in bodies()])
    hold(denying, allowing, [oracle.readings(each) for each in found], each=80)


def test_what_jackson_reads_in_a_body_as_denied_is_denied(
    denying: Policies, allowing: Policies, tmp_path: Path
) -> None:
    found = oracle.run(oracle.jackson(tmp_path), [oracle.as_line(body) for body in bodies()])
    hold(denying, allowing, [oracle.readings(each) for each in found], each=80)


def test_what_werkzeug_reads_in_a_body_as_a_form_is_denied(denying: Policies, allowing: Policies) -> None:
    hold(denying, allowing, [oracle.werkzeug_form(body) for body in bodies()], FORM, each=20)


def test_bodies_that_say_nothing_denied_are_allowed(denying: Policies) -> None:
    """The grammar is no list of what is refused anyway."""
    allowed: Counter[str] = Counter()
    for body in bodies():
        for field, known in denying.items():
            decision = decided(known, DENIED[field][1], body)
            allowed[field] += decision is not None and decision.allow
    assert min(allowed.values()) >= BODIES // 10, allowed


# -- queries -----------------------------------------------------------------------------------------------------------

ASKED: dict[str, tuple[str, str, Any]] = {
    "job_id": ("jobs.get", "/api/2.2/jobs/get", JOB),
    "path": ("workspace.export", "/api/2.0/workspace/export", PATH),
}


@cache
def queries(field: str) -> list[bytes]:
    random = Random(field)
    return [grammar.query(random, field) for _ in range(QUERIES)]


def asks(field: str, found: dict[str, list[str]]) -> bool:
    """Whether a reading of a query asks for the denied value, first, last or among others."""
    values = found.get(field, [])
    if field == "path":
        return not {PATH, PATH.removeprefix("/Workspace")}.isdisjoint(values)
    return any(_number(value) == JOB for value in values)


def _number(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


def hold_queries(field: str, read: list[list[dict[str, list[str]]]], folder: Path) -> None:
    operation, path, value = ASKED[field]
    known = policy(folder, operation, deny=[{"operation": operation, "where": {field: value}}])
    denied = allowed = 0
    for query, found in zip(queries(field), read, strict=True):
        decision = decided(known, f"{path}?{query.decode()}", b"", method="GET")
        is_allowed = decision is not None and decision.allow
        if any(asks(field, each) for each in found):
            assert not is_allowed, query
            denied += 1
        allowed += is_allowed
    assert denied >= QUERIES // 10
    assert allowed >= QUERIES // 50


@pytest.mark.parametrize("field", ASKED)
def test_what_werkzeug_reads_in_a_query_as_denied_is_denied(field: str, tmp_path: Path) -> None:
    hold_queries(field, [oracle.werkzeug_query(query) for query in queries(field)], tmp_path)


@pytest.mark.parametrize("field", ASKED)
def test_what_go_reads_in_a_query_as_denied_is_denied(field: str, tmp_path: Path) -> None:
    lines = [f"q{oracle.as_line(query)}" for query in queries(field)]
    hold_queries(field, oracle.run([str(oracle.go(tmp_path))], lines), tmp_path)
