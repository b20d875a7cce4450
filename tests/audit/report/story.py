"""A made-up log to report on: some weeks of a small company, with everything in it that the report speaks of.

All is invented, and the same on every run. Times are UTC; the log ends where it is told to.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from brickscope.audit.chain import GENESIS, canonical, seal
from brickscope.audit.key import SigningKey
from brickscope.catalog.reach import reach
from brickscope.policy.load import load_policy

END = datetime(2026, 11, 23)
HOST = "dbc-a1b2c3d4-e5f6.cloud.databricks.com"
KEY = SigningKey(Ed25519PrivateKey.from_private_bytes(sha256(b"a made-up key").digest()))


def digest(text: str) -> str:
    """The fingerprint of a made-up token."""
    return "sha256:" + sha256(text.encode()).hexdigest()


POLICY = f"""\
version: 1
tokens:
  nightly-export:
    fingerprint: {digest("nightly-export")}
    rule_set: catalog-reader
    clients: [10.0.8.0/24]
    expires: 2026-12-15
  bi-dashboards:
    fingerprint: {digest("bi-dashboards")}
    rule_set: warehouse-user
    workspaces: [{HOST}]
  ci-runner:
    fingerprint: {digest("ci-runner")}
    rule_set: deployer
    clients: [10.0.9.0/24, 10.0.10.0/24]
  ml-training:
    fingerprint: {digest("ml-training")}
    rule_set: experimenter
    mode: monitor
  old-migration:
    fingerprint: {digest("old-migration")}
    rule_set: catalog-reader
  support-agent:
    fingerprint: {digest("support-agent")}
    rule_set: support
service_principals:
  etl:
    client_id: 6f1c2f6e-0000-4000-8000-3d1a2b4c5d6e
    rule_set: job-runner
users:
  ada:
    sub: ada@example.com
    rule_set: warehouse-user
    clients: [10.0.20.0/24]
rule_sets:
  catalog-reader:
    allow:
      - GET /api/2.1/unity-catalog/catalogs
      - GET /api/2.0/preview/sql/queries
      - tables.list
      - schemas.list
  warehouse-user:
    allow:
      - statement_execution.execute_statement
      - statement_execution.get_statement
      - warehouses.list
      - {{preset: catalog-browser}}
  deployer:
    allow:
      - jobs.list
      - jobs.reset
      - operation: jobs.run_now
        where: {{job_id: [1012, 1013]}}
      - workspace.import_
      - GET /api/2.0/workspace/list
    deny:
      - jobs.delete
  experimenter:
    allow:
      - {{service: experiments, class: read}}
      - {{service: experiments, class: write}}
  job-runner:
    allow:
      - jobs.list
      - jobs.run_now
      - jobs.get_run
      - PUT /api/2.0/fs/files/Volumes/main/{{path...}}
  support:
    allow:
      - {{class: read}}
    deny:
      - {{class: secret}}
"""


class Call(NamedTuple):
    """One kind of call. ``weight``: how often among the subject's. ``reason``: why it is denied, None if allowed."""

    method: str
    path: str
    operation: str | None
    weight: float
    rule: str | None = None
    reason: str | None = None
    detail: str = ""
    params: dict[str, Any] | None = None


class Caller(NamedTuple):
    """A subject's habits. ``shape``: office hours, all day, or once a night. ``first``, ``last``: its share of the period."""

    name: str | None
    rule_set: str | None
    fingerprint: str
    clients: tuple[str, ...]
    agent: str
    a_day: float
    shape: str
    calls: tuple[Call, ...]
    mode: str = "enforce"
    principal: dict[str, str | None] | None = None
    first: float = 0.0
    last: float = 1.0


def _allow(method: str, path: str, operation: str, weight: float) -> Call:
    return Call(method, path, operation, weight)


def _no_rule(method: str, path: str, operation: str | None, weight: float, rule_set: str) -> Call:
    reason = "no_rule_matches" if operation else "unknown_operation"
    return Call(
        method, path, operation, weight, None, reason, f"rule set '{rule_set}' has no rule that allows it"
    )


CALLERS = (
    Caller(
        "nightly-export",
        "catalog-reader",
        digest("nightly-export"),
        ("10.0.8.14",),
        "databricks-sdk-py/0.162.0",
        150,
        "night",
        (
            _allow("GET", "/api/2.1/unity-catalog/catalogs", "catalogs.list", 3),
            _allow("GET", "/api/2.1/unity-catalog/tables", "tables.list", 9),
            _allow("GET", "/api/2.1/unity-catalog/schemas", "schemas.list", 4),
            _no_rule("GET", "/api/2.0/sql/warehouses", "warehouses.list", 0.5, "catalog-reader"),
        ),
    ),
    Caller(
        "bi-dashboards",
        "warehouse-user",
        digest("bi-dashboards"),
        ("10.0.30.7", "10.0.30.8"),
        "PyDatabricksSqlConnector/4.1.2",
        520,
        "office",
        (
            _allow("POST", "/api/2.0/sql/statements", "statement_execution.execute_statement", 12),
            _allow("GET", "/api/2.0/sql/statements/01ef", "statement_execution.get_statement", 17),
            _allow("GET", "/api/2.0/sql/warehouses", "warehouses.list", 2),
            _no_rule("POST", "/api/2.0/sql/warehouses/ab12/stop", "warehouses.stop", 0.12, "warehouse-user"),
        ),
    ),
    Caller(
        "ci-runner",
        "deployer",
        digest("ci-runner"),
        ("10.0.9.21", "10.0.9.22", "10.0.10.5"),
        "databricks-tf-provider/1.91.0",
        210,
        "office",
        (
            _allow("GET", "/api/2.2/jobs/list", "jobs.list", 6),
            _allow("POST", "/api/2.2/jobs/reset", "jobs.reset", 2),
            _allow("POST", "/api/2.2/jobs/run-now", "jobs.run_now", 3),
            _allow("POST", "/api/2.0/workspace/import", "workspace.import_", 4),
            _allow("GET", "/api/2.0/workspace/list", "workspace.list", 5),
            Call("POST", "/api/2.2/jobs/delete", "jobs.delete", 0.15, "jobs.delete", "denied_by_rule", "the rule 'jobs.delete' denies it"),
            Call("POST", "/api/2.2/jobs/run-now", "jobs.run_now", 0.4, None, "constraint_not_met", "no rule for jobs.run_now allows job_id 1044", {"job_id": 1044}),
            _no_rule("PATCH", "/api/2.0/permissions/jobs/1012", "permissions.update", 0.2, "deployer"),
        ),
    ),
    Caller(
        "etl",
        "job-runner",
        "",
        ("10.0.12.3",),
        "databricks-sdk-py/0.162.0",
        330,
        "all day",
        (
            _allow("POST", "/api/2.2/jobs/run-now", "jobs.run_now", 4),
            _allow("GET", "/api/2.2/jobs/runs/get", "jobs.get_run", 11),
            _allow("PUT", "/api/2.0/fs/files/Volumes/main/raw/day.parquet", "files.upload", 3),
            _no_rule("DELETE", "/api/2.0/fs/files/Volumes/main/raw/day.parquet", "files.delete", 0.3, "job-runner"),
        ),
        principal={"issuer": f"https://{HOST}/oidc", "client_id": "6f1c2f6e-0000-4000-8000-3d1a2b4c5d6e", "sub": "6f1c2f6e-0000-4000-8000-3d1a2b4c5d6e"},
    ),
    Caller(
        "ada",
        "warehouse-user",
        "",
        ("10.0.20.31",),
        "databricks-sdk-go/0.77.0 cli/0.265.0",
        45,
        "office",
        (
            _allow("POST", "/api/2.0/sql/statements", "statement_execution.execute_statement", 5),
            _allow("GET", "/api/2.1/unity-catalog/tables/main.sales.orders", "tables.get", 4),
            _no_rule("GET", "/api/2.0/secrets/get", "secrets.get_secret", 0.2, "warehouse-user"),
        ),
        principal={"issuer": f"https://{HOST}/oidc", "client_id": "databricks-cli", "sub": "ada@example.com"},
    ),
    Caller(
        "ml-training",
        "experimenter",
        digest("ml-training"),
        ("10.0.14.2", "10.0.14.9"),
        "mlflow/3.6.0",
        160,
        "all day",
        (
            _allow("POST", "/api/2.0/mlflow/runs/log-metric", "experiments.log_metric", 14),
            _allow("POST", "/api/2.0/mlflow/runs/create", "experiments.create_run", 2),
            _no_rule("POST", "/api/2.0/mlflow/registered-models/create", "model_registry.create_model", 0.8, "experimenter"),
        ),
        mode="monitor",
        first=10.3 / 21,
    ),
    Caller(
        "support-agent",
        "support",
        digest("support-agent"),
        ("10.0.40.2",),
        "python-httpx/0.28.1",
        70,
        "office",
        (
            _allow("GET", "/api/2.2/jobs/runs/list", "jobs.list_runs", 5),
            _allow("GET", "/api/2.1/clusters/events", "clusters.events", 3),
            _no_rule("POST", "/api/2.1/clusters/restart", "clusters.restart", 0.6, "support"),
            _no_rule("GET", "/api/2.0/internal/telemetry", None, 0.5, "support"),
        ),
        first=0.86,
    ),
    Caller(
        None,
        None,
        digest("somebody"),
        ("10.0.77.5",),
        "curl/8.14.1",
        9,
        "all day",
        (
            Call("GET", "/api/2.0/clusters/list", "clusters.list", 1, None, "unknown_token", f"the policy names no token with the fingerprint {digest('somebody')}"),
            Call("GET", "/api/2.0/clusters//list", None, 0.3, None, "path_not_canonical", "the path has an empty segment"),
        ),
        first=0.55,
        last=0.9,
    ),
)  # fmt: skip


def _weight(shape: str, when: datetime) -> float:
    hour = when.hour + when.minute / 60
    workday = when.weekday() < 5
    if shape == "night":
        return 24 * math.exp(-((hour - 2.2) ** 2) / 0.18) / 0.75
    if shape == "office":
        peak = math.exp(-((hour - 10.3) ** 2) / 5) + 0.9 * math.exp(-((hour - 14.8) ** 2) / 5)
        return peak * 3.1 * (1.0 if workday else 0.07)
    return 1.0


class Story(NamedTuple):
    """The files of a story: a folder with one log, and one with the policy it was written under."""

    log: Path
    rules: Path


def make_story(folder: Path, days: int = 21, scale: float = 1.0, seed: int = 7) -> Story:
    """Write the log and the policy. ``scale``: how many calls, 1 is about 1,500 a working day."""
    rules = folder / "rules"
    rules.mkdir(parents=True)
    (rules / "policy.yaml").write_text(POLICY)
    policy = load_policy(rules, END.timestamp()).policy
    reached = {name: reach(rule_set) for name, rule_set in policy.rule_sets.items()}
    log = folder / "log" / "audit.jsonl"
    log.parent.mkdir()
    log.write_bytes(b"".join(chained(story_records(policy.revision, reached, days, scale, seed))))
    return Story(log, rules)


def story_records(
    revision: str, reached: dict[str, Mapping[str, str]], days: int, scale: float, seed: int
) -> Iterator[tuple[datetime, dict[str, Any]]]:
    """The records in their order, without what the chain adds."""
    chance = random.Random(seed)
    start = END - timedelta(days=days)
    events: list[tuple[datetime, int, dict[str, Any]]] = []

    def add(when: datetime, record: dict[str, Any]) -> None:
        events.append((when, len(events), record))

    for caller in CALLERS:
        for minute in range(days * 24 * 60):
            when = start + timedelta(minutes=minute)
            share = minute / (days * 24 * 60)
            if not caller.first <= share <= caller.last:
                continue
            expected = caller.a_day * scale / 1440 * _weight(caller.shape, when)
            for _ in range(int(expected) + (chance.random() < expected % 1)):
                at = when + timedelta(microseconds=chance.randrange(60_000_000))
                _call(add, chance, caller, reached.get(caller.rule_set or '', {}), at)
    _others(add, chance, start, days, revision)
    events.sort(key=lambda event: (event[0], event[1]))
    old = "3c1f7e55a0b94d21"
    changed = start + timedelta(days=days * 10.3 / 21)
    for when, _, record in events:
        yield when, {"policy_revision": revision if when >= changed else old, **record}


def _call(add: Any, chance: random.Random, caller: Caller, reached: Mapping[str, str], at: datetime) -> None:
    call = chance.choices(caller.calls, [each.weight for each in caller.calls])[0]
    denied = call.reason is not None
    policy_reason = call.reason in ("no_rule_matches", "unknown_operation", "constraint_not_met", "denied_by_rule")
    sent = not denied or (caller.mode == "monitor" and policy_reason)
    number = f"{chance.getrandbits(48):012x}"
    fingerprint = caller.fingerprint or digest(f"{caller.name}{at:%Y%m%d%H}")
    add(
        at,
        {
            "event": "decision", "decision_id": number, "decision": "deny" if denied else "allow",
            "enforced": not (denied and sent), "mode": caller.mode,
            "reason": call.reason or "allowed_by_rule",
            "detail": call.detail or f"rule set '{caller.rule_set}' allows it",
            "subject": caller.name, "fingerprint": fingerprint, "rule_set": caller.rule_set, "rule": call.rule if denied else reached[call.operation or ""],
            "operation": call.operation, "client_address": chance.choice(caller.clients), "server_address": HOST,
            "method": call.method, "path": call.path, "workspace": None, "host_workspace": None,
            "params": call.params or {}, "param_names": None, "principal": caller.principal, "grant": None,
            "has_body": call.method in ("POST", "PUT", "PATCH"), "user_agent": caller.agent,
        },
    )  # fmt: skip
    if sent:
        slow = 4.2 if "statement" in (call.operation or "") else 3.4
        took = round(math.exp(chance.gauss(slow, 0.7)), 3)
        broken = chance.random() < 0.002
        status = None if broken else chance.choices((200, 404, 403, 429, 500), (960, 18, 9, 6, 3))[0]
        add(
            at + timedelta(milliseconds=took),
            {
                "event": "outcome", "decision_id": number, "status": status,
                "request_bytes": chance.randrange(3000) if call.method != "GET" else 0,
                "response_bytes": None if broken else chance.randrange(200, 90_000), "duration_ms": took,
                **({"error": "the server closed the connection"} if broken else {}),
            },
        )  # fmt: skip


def _others(add: Any, chance: random.Random, start: datetime, days: int, revision: str) -> None:
    """All that is not a call."""
    begin = {
        "event": "start", "version": "0.1.0", "engine": "mitmproxy 12.2.3", "mode": "enforce",
        "scope_hosts": ["*.cloud.databricks.com"], "scope_other_hosts": "tunnel", "fsync": "interval",
        "key_id": KEY.public.key_id, "public_key": KEY.public.base64, "previous": None,
    }  # fmt: skip
    day = timedelta(days=days / 21)
    add(start, dict(begin))
    add(start + 10.3 * day, {"event": "reload", "loaded": True, "mode": "enforce", "previous_revision": "3c1f7e55a0b94d21"})
    add(start + 10.3 * day, {"event": "mode_change", "scope": "subject", "name": "ml-training", "previous_mode": None, "mode": "monitor"})
    add(start + 15.4 * day, {"event": "reload", "loaded": False, "problems": ["rules/policy.yaml:31:15: error: there is no rule set 'catalog-raeder' (did you mean 'catalog-reader'?)"]})
    add(start + 13.1 * day, {"event": "stop"})
    add(start + 13.104 * day, {**begin, "version": "0.1.1"})
    add(start + 16.45 * day, {"event": "gap", "cause": "write_failed", "detail": "the audit log can't be written: No space left on device", "since": (start + 16.44 * day).isoformat() + "Z", "denied": 14, "lost": 2})
    for hour in range(0, days * 24, 6):
        add(start + timedelta(hours=hour, minutes=7), {"event": "key_set", "url": f"https://{HOST}/oidc/jwks.json", "fetched": hour != 24, "key_ids": [] if hour == 24 else ["k-2026-10"], "detail": "timed out after 5 s" if hour == 24 else None})
    for _ in range(40):
        at = start + timedelta(seconds=chance.randrange(days * 86400))
        host, verdict = chance.choice((("pypi.org", "allow"), ("files.pythonhosted.org", "allow"), ("169.254.169.254", "deny")))
        add(at, {
            "event": "tunnel", "decision_id": f"{chance.getrandbits(48):012x}", "decision": verdict, "enforced": True,
            "mode": "enforce", "reason": "other_host" if verdict == "allow" else "address_not_allowed",
            "detail": "the host is not Databricks" if verdict == "allow" else "the host is an address literal; scope_allow_addresses can allow it",
            "subject": None, "fingerprint": None, "rule_set": None, "rule": None, "operation": None,
            "client_address": chance.choice(("10.0.9.21", "10.0.14.2")), "server_address": host, "server_port": 443,
        })
    for index in range(5):
        add(start + (15 + index / 7) * day, {"event": "tls_refused", "side": "client", "detail": f"The client does not trust the proxy's certificate for {HOST} (tlsv1 alert unknown ca)", "client_address": "10.0.40.2", "server_address": HOST, "server_port": 443})
    for hour in range(1, days * 24, 12):
        add(start + timedelta(hours=hour), {"event": "checkpoint", "cause": "interval", "records": 0, "key_id": KEY.public.key_id})
# fmt: skip


def chained(records: Iterator[tuple[datetime, dict[str, Any]]]) -> Iterator[bytes]:
    """The lines of a log: numbered, chained, its checkpoints signed. A ``start`` begins another instance."""
    seq, last, runs = 0, GENESIS, 0
    instance = ""
    names: dict[str, str] = {}
    for when, fields in records:
        if fields["event"] == "start":
            runs += 1
            instance, seq = sha256(f"run {runs}".encode()).hexdigest()[:8], 0
        seq += 1
        record = {
            "schema": 1, "time": f"{when:%Y-%m-%dT%H:%M:%S}.{when.microsecond:06d}Z", "seq": seq, "instance": instance,
            **fields, "prev_hash": last,
        }  # fmt: skip
        number = fields.get("decision_id")
        if number is not None:
            record["decision_id"] = names.setdefault(number, f"{instance}-{len(names) + 1}")
        if fields["event"] == "checkpoint":
            record["signature"] = KEY.sign(canonical(record))
        line, last = seal(record)
        yield line
