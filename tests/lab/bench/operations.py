"""The operations bench: decisions by operation name with few rules and with the whole catalogue, what a constraint on a
body costs beside parsing it, and how long the catalogue takes to load."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from brickscope.catalog.catalog import load_catalog, operation_table
from brickscope.core.body import read_body
from brickscope.core.constraint import Constraint, Test
from brickscope.core.decide import decide
from brickscope.core.decision import Decision
from brickscope.core.fingerprint import fingerprint
from brickscope.core.kind import KINDS
from brickscope.core.operation import OperationRule, OperationRules
from brickscope.core.path import read_target
from brickscope.core.policy import Mode, Policy, RuleSet, Subject
from brickscope.core.request import ApiRequest
from brickscope.core.rule import RuleTable
from brickscope.policy.where import parse_constraint

from .measurement import Bound, Measurement, Say, best
from .workload import HOST, SEED, token

BENCH = "operations"
CLIENT, NOW = "10.0.8.17", 1.8e9
FEW = 10
DECISION = Bound(5)
GROWTH = Bound(1.5)
BODY_MICROSECONDS = Bound(50)
JUDGING = Bound(1)
LOAD_MILLISECONDS = Bound(50)
RUN_NOW = "/api/2.2/jobs/run-now"


def measure(*, quick: bool, say: Say) -> list[Measurement]:
    """All rows of this bench."""
    rounds, amount = (7, 1000) if quick else (15, 3000)
    names = list(load_catalog().operations)
    few = random.Random(SEED).sample(names, FEW)  # noqa: S311 - the same choice in every run
    policies = {FEW: _policy(few), len(names): _policy(names)}
    requests = [_request(few[number % FEW]) for number in range(amount)]
    times: dict[int, list[float]] = {size: [] for size in policies}
    matches: dict[int, list[float]] = {size: [] for size in policies}
    for number in range(rounds):
        say(f"operations: round {number + 1} of {rounds}")
        for size, policy in policies.items():
            times[size].append(_each(partial(_decide, policy), requests))
    table = operation_table()
    for _ in range(rounds):
        matches[FEW].append(_each(lambda request: table.match(request.method, request.segments), requests))
    found = [
        Measurement(BENCH, f"decide by name, {size:,} operations allowed", "µs", best(times[size]), DECISION)
        for size in policies
    ]
    growth = min(times[len(names)]) / min(times[FEW])
    found.append(
        Measurement(BENCH, f"decide, {len(names):,} operations to {FEW}", "x", best([growth]), GROWTH)
    )
    found.append(Measurement(BENCH, "finding the operation of a call", "µs", best(matches[FEW])))
    for size in (10, 100):
        found += _body(size, rounds, say)
    found += judging(rounds, say)
    say("operations: loading")
    found.append(
        Measurement(
            BENCH, "loading the catalogue", "ms", best([_load() for _ in range(3)]), LOAD_MILLISECONDS
        )
    )
    return found


def _policy(names: Sequence[str], *rules: OperationRule, denied: Sequence[OperationRule] = ()) -> Policy:
    allowed = {name: (OperationRule(name, name),) for name in names} | {
        rule.operation: (rule,) for rule in rules
    }
    denying = {rule.operation: OperationRules(denied) for rule in denied}
    rule_set = RuleSet("bench", RuleTable(()), RuleTable(()), None, allowed, denying)
    subjects = {fingerprint(token(0).encode()): Subject("bench", rule_set)}
    return Policy(subjects, {"bench": rule_set}, Mode.ENFORCE, "bench", catalogue=operation_table())


def _request(name: str) -> ApiRequest:
    """A call of an operation."""
    method, _, path = load_catalog().operations[name].calls[0].partition(" ")
    path = re.sub(r"\{\w+=([^}]*)\}", lambda found: found[1].replace("**", "v1/v2").replace("*", "v1"), path)
    path = re.sub(r"\{\w+(?:\.\.\.)?\}", "v1", path).removeprefix("https://v1")
    authorization = f"Bearer {token(0)}".encode()
    return ApiRequest(method, HOST, path, read_target(path.encode()), None, authorization, "", None, "")


def _decide(policy: Policy, request: ApiRequest, body: bytes | None = None) -> Decision:
    return decide(policy, request, CLIENT, NOW, None, body)


def _parse(request: ApiRequest, body: bytes) -> object:
    return read_body(request, body)


def _each(run: Callable[[ApiRequest], object], requests: Sequence[ApiRequest]) -> float:
    """Microseconds a request."""
    started = time.perf_counter()
    for request in requests:
        run(request)
    return (time.perf_counter() - started) / len(requests) * 1e6


def _body(parameters: int, rounds: int, say: Say) -> list[Measurement]:
    """A constraint on ``job_id`` in a body with so many notebook parameters, beside parsing that body alone."""
    say(f"operations: a body with {parameters} parameters")
    constraint = Constraint(
        "job_id", "body", ("job_id",), Test(KINDS["integer"], one_of=frozenset({1012})), "job_id is 1012"
    )
    bound = _policy([], OperationRule("jobs.run_now", "jobs.run_now", (constraint,)))
    free = _policy(["jobs.run_now"])
    values = {f"parameter_{number}": f"value {number} of a job's run" for number in range(parameters)}
    body = json.dumps({"job_id": 1012, "notebook_params": values}).encode()
    request = _request("jobs.run_now")._replace(content_length=len(body), has_body=True, may_have_body=True)
    requests = [request] * 300
    with_it, without, parsing = [], [], []
    for _ in range(rounds):
        with_it.append(_each(partial(_decide, bound, body=body), requests))
        without.append(_each(partial(_decide, free), requests))
        parsing.append(_each(lambda each: json.loads(body), requests))
    if not _decide(bound, request, body).allow:
        raise AssertionError("the constrained call of the bench is not allowed")
    more = min(with_it) - min(without) - min(parsing)
    size = f"{len(body):,} bytes"
    return [
        Measurement(BENCH, f"parsing a body of {size}", "µs", best(parsing)),
        Measurement(
            BENCH, f"a constraint on it, beyond parsing ({size})", "µs", best([more]), BODY_MICROSECONDS
        ),
    ]


def judging(rounds: int, say: Say) -> list[Measurement]:
    """What judging a large body costs beside strictly parsing it, whatever the number of rules."""
    tasks = [
        {"task_key": f"t{number}", "notebook_task": {"notebook_path": f"/Workspace/Users/ada/n{number}"}}
        for number in range(10_000)
    ]
    paths = [{"prefix": f"/Workspace/Users/user{number}/"} for number in range(20)]
    ids = [list(range(first, first + 100)) for first in range(100_000, 102_000, 100)]
    cases: tuple[tuple[str, str, str, list[Any], dict[str, Any]], ...] = (
        ("1 MB x 20 rules", "jobs.create", "tasks.notebook_task.notebook_path", paths, {"tasks": tasks}),
        ("40,000 ids x 20 rules of 100", "jobs.run_now", "job_id", ids, {"job_id": list(range(40_000))}),
    )
    found = []
    for title, operation, parameter, written, content in cases:
        say(f"operations: judging {title}")
        rules = [_denying(operation, parameter, each) for each in written]
        policy = _policy([operation], denied=rules)
        body = json.dumps(content).encode()
        request = _request(operation)._replace(content_length=len(body), has_body=True, may_have_body=True)
        if not _decide(policy, request, body).allow:
            raise AssertionError(f"{title}: the call of the bench is not allowed")
        parsing, judged = [], []
        for _ in range(rounds):
            parsing.append(_each(partial(_parse, body=body), [request] * 3))
            judged.append(_each(partial(_decide, policy, body=body), [request] * 3))
        ratio = (min(judged) - min(parsing)) / min(parsing)
        name = f"judging {title}, to strictly parsing it"
        found.append(Measurement(BENCH, name, "x", best([ratio]), JUDGING))
    return found


def _denying(operation: str, parameter: str, written: Any) -> OperationRule:
    def fail(message: str, *_: object) -> None:
        raise AssertionError(message)

    constraint = parse_constraint(load_catalog().operations[operation], parameter, written, fail, denies=True)
    return OperationRule(operation, operation, () if constraint is None else (constraint,))


def _load() -> float:
    """Milliseconds to load the catalogue and its table in a fresh process, the package's own imports apart."""
    program = (
        "import time, orjson, brickscope.core.rule, brickscope.core.template\n"
        "from brickscope.catalog.catalog import load_catalog, operation_table\n"
        "started = time.perf_counter(); load_catalog(); operation_table()\n"
        "print((time.perf_counter() - started) * 1e3)"
    )
    return float(
        subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True).stdout
    )
