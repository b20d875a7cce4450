"""Logs to read: as a proxy would write them, made from real decisions of a real policy, a different one for each seed.

``made_records`` gives records, ``write_log`` a series of files (active, rotated, compressed), ``POLICY`` the policy that
decided. Run it for a big one: ``PYTHONPATH=addon:tests python tests/audit/made_log.py 5000000 big.jsonl``.
"""

from __future__ import annotations

import gzip
import json
import random
import sys
import tempfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from backports import zstd

from brickscope.core.decide import decide, decide_for
from brickscope.core.decision import Decision, Principal, Refused
from brickscope.core.fingerprint import fingerprint
from brickscope.core.pending import BodyNeeded
from brickscope.core.policy import Policy
from brickscope.core.request import read_request
from brickscope.policy.load import load_policy
from core.wire import HOST, h1

START = datetime(2026, 11, 1, tzinfo=UTC)
GENESIS = "0" * 64
KEY_ID = "ed25519:00112233445566ff"
ETL = "6f1c2f6e-0000-4000-8000-3d1a2b4c5d6e"
ISSUER = f"https://{HOST}/oidc"
Record = dict[str, Any]


def _token(name: str) -> str:
    return "dapi" + sha256(name.encode()).hexdigest()[:32]


POLICY = f"""\
version: 1
tokens:
  nightly-export:
    fingerprint: {fingerprint(_token("nightly-export").encode())}
    rule_set: catalog-reader
    clients: [10.0.8.0/24]
  dashboard:
    fingerprint: {fingerprint(_token("dashboard").encode())}
    rule_set: dashboards
  old-script:
    fingerprint: {fingerprint(_token("old-script").encode())}
    rule_set: catalog-reader
    expires: 2026-06-01
  retired:
    fingerprint: {fingerprint(_token("retired").encode())}
    rule_set: retired
service_principals:
  etl:
    client_id: {ETL}
    rule_set: job-runner
users:
  alice:
    sub: alice@example.com
    rule_set: analyst
    workspaces: [{HOST}]
rule_sets:
  catalog-reader:
    allow:
      - GET /api/2.1/unity-catalog/catalogs
      - GET /api/2.0/preview/sql/queries
      - schemas.list
  dashboards:
    mode: monitor
    allow:
      - queries.*
      - {{service: warehouses, class: read}}
  job-runner:
    allow:
      - jobs.list
      - jobs.get
      - operation: jobs.run_now
        where: {{job_id: [1012, 1013]}}
      - GET /api/2.0/fs/files/Volumes/main/{{path...}}
      - clusters.list
    deny:
      - jobs.delete
  analyst:
    allow:
      - preset: catalog-browser
      - statement_execution.execute_statement
      - statement_execution.get_statement
  retired:
    allow: [tables.list]
"""


class Case(NamedTuple):
    """A call that is made again and again. ``who``: a token's name, ``etl``, ``alice``, or a stranger's token."""

    weight: int
    who: str
    call: str
    clients: tuple[str, ...]
    agent: str
    body: Any = None
    bytes_back: int = 2_000
    milliseconds: float = 80.0


PY = "databricks-sdk-py/0.162.0 python/3.12.1 os/linux auth/pat"
GO = "databricks-sdk-go/0.90.0 go/1.24 os/linux auth/oauth-m2m"
SQL = "PyDatabricksSqlConnector/4.0.2 (dbt-databricks)"
EXPORT, BI, ETL_HOSTS, LAPTOP = ("10.0.8.14",), ("10.0.9.3", "10.0.9.4"), ("10.0.10.7",), ("192.168.4.20",)
CASES = (
    Case(300, "nightly-export", "GET /api/2.1/unity-catalog/catalogs", EXPORT, PY),
    Case(200, "nightly-export", "GET /api/2.1/unity-catalog/schemas", EXPORT, PY),
    Case(60, "nightly-export", "GET /api/2.0/preview/sql/queries", EXPORT, PY, None, 40_000),
    Case(9, "nightly-export", "GET /api/2.0/sql/warehouses", EXPORT, PY),
    Case(3, "nightly-export", "GET /api/2.1/unity-catalog/catalogs", LAPTOP, "curl/8.9.1"),
    Case(150, "dashboard", "GET /api/2.0/sql/queries", BI, GO),
    Case(90, "dashboard", "GET /api/2.0/sql/warehouses/1a2b3c4d5e6f7081", BI, GO),
    Case(30, "dashboard", "POST /api/2.0/sql/warehouses/1a2b3c4d5e6f7081/start", BI, GO, {}),
    Case(5, "old-script", "GET /api/2.1/unity-catalog/catalogs", EXPORT, "python-requests/2.32.3"),
    Case(250, "etl", "GET /api/2.2/jobs/list", ETL_HOSTS, GO, None, 9_000),
    Case(200, "etl", "GET /api/2.2/jobs/get?job_id=1012", ETL_HOSTS, GO),
    Case(80, "etl", "POST /api/2.2/jobs/run-now", ETL_HOSTS, GO, {"job_id": 1012}),
    Case(7, "etl", "POST /api/2.2/jobs/run-now", ETL_HOSTS, GO, {"job_id": 2099}),
    Case(4, "etl", "POST /api/2.2/jobs/run-now", ETL_HOSTS, GO, {"job_id": 2100}),
    Case(2, "etl", "POST /api/2.2/jobs/delete", ETL_HOSTS, GO, {"job_id": 1012}),
    Case(
        40,
        "etl",
        "GET /api/2.0/fs/files/Volumes/main/raw/day.parquet",
        ETL_HOSTS,
        GO,
        None,
        80_000_000,
        2100.0,
    ),
    Case(200, "alice", "POST /api/2.0/sql/statements", LAPTOP, SQL, {"statement": "SELECT 1"}, 900, 450.0),
    Case(90, "alice", "GET /api/2.1/unity-catalog/tables", LAPTOP, SQL),
    Case(6, "alice", "GET /api/2.0/secrets/list?scope=prod", LAPTOP, SQL),
    Case(4, "alice", "POST /api/2.0/lakebase/v9/import", LAPTOP, SQL, {}),
    Case(3, "alice", "GET /api/2.1/../2.0/secrets/list", LAPTOP, SQL),
    Case(8, "stranger-1", "GET /api/2.1/clusters/list", ("203.0.113.9",), "python-requests/2.32.3"),
    Case(3, "stranger-2", "GET /api/2.0/token/list", ("203.0.113.9",), "curl/8.9.1"),
    Case(2, "", "GET /api/2.0/clusters/list", ("203.0.113.10",), "Mozilla/5.0"),
    Case(4, "", "GET /.well-known/databricks-config", LAPTOP, GO),
)
_TUNNELS = (("pypi.example", True), ("169.254.169.254", False), ("telemetry.example", True))


@cache
def made_policy() -> Policy:
    """``POLICY``, compiled."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "policy.yaml"
        file.write_text(POLICY)
        return load_policy(file, START.timestamp()).policy


def decide_case(case: Case, client: str, policy: Policy | None = None) -> tuple[Decision, Record]:
    """What the core says to a call under ``POLICY`` or another one, and what the record tells of the call itself."""
    policy = policy or made_policy()
    method, _, target = case.call.partition(" ")
    raw = b"" if case.body is None else json.dumps(case.body).encode()
    headers = [(b"Host", HOST.encode()), (b"User-Agent", case.agent.encode())]
    if raw:
        headers.append((b"Content-Length", str(len(raw)).encode()))
    by_claims = {
        "etl": (policy.principals.service_principals[ETL], Principal(ISSUER, ETL, ETL)),
        "alice": (
            policy.principals.users["alice@example.com"],
            Principal(ISSUER, "databricks-cli", "alice@example.com"),
        ),
    }
    if case.who and case.who not in by_claims:
        headers.append((b"Authorization", b"Bearer " + _token(case.who).encode()))
    moment = START.timestamp()
    path = target.partition("?")[0]
    wire = h1(method.encode(), target.encode(), headers)
    fields: Record = {"method": method, "path": path, "workspace": None, "has_body": bool(raw)}
    try:
        request = read_request(wire)
    except Refused as refused:
        return refused.decision(policy.revision), fields
    for body in (None, raw):
        try:
            if case.who in by_claims:
                subject, principal = by_claims[case.who]
                name = fingerprint(f"{case.who} token".encode())
                return decide_for(
                    policy, subject, request, client, moment, None, body, name, principal
                ), fields
            return decide(policy, request, client, moment, None, body), fields
        except BodyNeeded:
            continue
    raise AssertionError(case)


def decision_record(case: Case, client: str) -> Record:
    """The fields of the decision's record, without those that every record has."""
    decision, fields = decide_case(case, client)
    return {**_decided(decision), **_facts(decision), **fields, **_ends(case, client)}


@cache
def _pool() -> tuple[list[tuple[Record, Case]], list[int]]:
    pool, weights = [], []
    for case in CASES:
        for client in case.clients:
            pool.append((decision_record(case, client), case))
            weights.append(case.weight)
    return pool, weights


def _ends(case: Case, client: str) -> Record:
    return {"client_address": client, "server_address": HOST, "user_agent": case.agent}


def _decided(decision: Decision) -> Record:
    return {
        "decision": "allow" if decision.allow else "deny",
        "enforced": decision.enforced,
        "mode": str(decision.mode),
        "reason": decision.reason.value,
        "detail": decision.detail,
        "subject": decision.subject,
        "fingerprint": decision.fingerprint,
        "rule_set": decision.rule_set,
        "rule": decision.rule,
        "operation": decision.operation,
    }


def _facts(decision: Decision) -> Record:
    exceptions: Record = {} if not decision.sent else {"params_sent": dict(decision.sent)}
    if decision.readings is not None:
        exceptions["readings"] = list(decision.readings)
    if decision.batch is not None:
        exceptions["batch"] = list(decision.batch)
    return exceptions | {
        "params": dict(decision.params),
        "param_names": None if decision.names is None else sorted(decision.names),
        "principal": None
        if decision.principal is None
        else {
            name: text
            for name, text in decision.principal._asdict().items()
            if text is not None or name not in ("tenant", "object_id", "azure_resource")
        },
        "grant": decision.grant,
        "host_workspace": decision.host_workspace,
    }


class _Run:
    """One run of one process: numbers its records, and chains them to those of the run before."""

    def __init__(self, instance: str, clock: datetime, after: Record | None) -> None:
        self.instance, self.clock, self.seq = instance, clock, 0
        self.hash = GENESIS if after is None else after["hash"]
        self.revision: str | None = made_policy().revision

    def record(self, event: str, fields: Record, later: float = 0.0) -> Record:
        self.seq += 1
        self.clock += timedelta(seconds=later)
        record = {
            "schema": 1,
            "time": f"{self.clock:%Y-%m-%dT%H:%M:%S.%f}Z",
            "seq": self.seq,
            "instance": self.instance,
            "event": event,
            "policy_revision": self.revision,
            "prev_hash": self.hash,
            **fields,
        }
        self.hash = sha256(orjson.dumps(record, option=orjson.OPT_SORT_KEYS)).hexdigest()
        return record | {"hash": self.hash}


def made_records(
    count: int, *, seed: int = 1, runs: int = 2, days: float = 14.0, start: datetime = START
) -> Iterator[Record]:
    """At least ``count`` records (a little more, to end in good order) of one proxy that was started ``runs`` times."""
    chance = random.Random(seed)
    step = days * 86_400 / max(count, 1)
    after: Record | None = None
    clock = start
    for number in range(runs):
        instance = sha256(f"{seed} {number}".encode()).hexdigest()[:8]
        run = _Run(instance, clock, after)
        for record in _run(run, chance, count // runs, step, after):
            after = record
            yield record
        clock = run.clock + timedelta(minutes=3)


def _run(run: _Run, chance: random.Random, count: int, step: float, after: Record | None) -> Iterator[Record]:
    yield run.record("start", _start(after))
    yield run.record(
        "key_set", {"url": f"{ISSUER}/jwks.json", "fetched": True, "key_ids": ["k1"], "detail": None}, 0.2
    )
    pool, weights = _pool()
    revisions = [made_policy().revision, sha256(b"other").hexdigest()[:16]]
    calls = 0
    while run.seq < count - 2:
        # The rare ones come by number, so that a short log has them too.
        calls += 1
        if calls % 97 == 20:
            yield run.record("tunnel", _tunnel(run, chance, calls), chance.expovariate(1 / step))
            continue
        if calls % 401 == 30:
            yield run.record("tls_refused", _tls_refused(), step)
            continue
        if calls % 1009 == 50:
            yield from _reload(run, revisions, step)
        fields, case = chance.choices(pool, weights)[0]
        decision_id = f"{run.instance}-{calls}"
        yield run.record("decision", {"decision_id": decision_id, **fields}, chance.expovariate(1 / step))
        if fields["decision"] == "allow" or not fields["enforced"]:
            yield run.record("outcome", _outcome(decision_id, case, chance), min(step, 0.1))
        if calls % 500 == 0:
            yield run.record("checkpoint", _checkpoint("interval", 800), 0.0)
    yield run.record("stop", {}, step)
    yield run.record("checkpoint", _checkpoint("stop", run.seq % 800), 0.0)


def _start(after: Record | None) -> Record:
    return {
        "version": "0.1.0",
        "engine": "mitmproxy 12.2.3",
        "mode": "enforce",
        "scope_hosts": ["*.cloud.databricks.com"],
        "scope_other_hosts": "tunnel",
        "fsync": "interval",
        "key_id": KEY_ID,
        "public_key": "A" * 43 + "=",
        "previous": None if after is None else {key: after[key] for key in ("instance", "seq", "hash")},
    }


def _tunnel(run: _Run, chance: random.Random, calls: int) -> Record:
    host, allowed = chance.choice(_TUNNELS)
    return {
        "decision_id": f"{run.instance}-{calls}",
        "decision": "allow" if allowed else "deny",
        "enforced": True,
        "mode": "enforce",
        "reason": "other_host" if allowed else "address_not_allowed",
        "detail": "the host is not under policy" if allowed else "the host is an address literal",
        **dict.fromkeys(("subject", "fingerprint", "rule_set", "rule", "operation")),
        "client_address": chance.choice(ETL_HOSTS + LAPTOP),
        "server_address": host,
        "server_port": 443,
    }


def _tls_refused() -> Record:
    return {
        "side": "client",
        "cause": "ca_unknown",
        "detail": "The client does not trust the proxy's certificate (tlsv1 alert unknown ca)",
        "client_address": "192.168.4.20",
        "server_address": HOST,
        "server_port": 443,
    }


def _reload(run: _Run, revisions: list[str], step: float) -> Iterator[Record]:
    """An edit with a mistake, and then the policy that was meant, with the mode of one rule set changed."""
    problem = "rules/policy.yaml:6:15: error: there is no rule set 'catalog-raeder'"
    yield run.record("reload", {"loaded": False, "problems": [problem]}, step)
    previous, run.revision = run.revision, revisions[run.revision == revisions[0]]
    yield run.record("reload", {"loaded": True, "mode": "enforce", "previous_revision": previous}, step)
    yield run.record(
        "mode_change",
        {"scope": "rule_set", "name": "dashboards", "previous_mode": None, "mode": "monitor"},
    )


def _outcome(decision_id: str, case: Case, chance: random.Random) -> Record:
    broken = chance.random() < 0.004
    status = None if broken else 200 if chance.random() < 0.97 else chance.choice((400, 404, 429, 500, 503))
    fields: Record = {
        "decision_id": decision_id,
        "status": status,
        "request_bytes": 0 if case.body is None else len(json.dumps(case.body)),
        "response_bytes": None if broken else int(chance.uniform(0.2, 2) * case.bytes_back),
        "duration_ms": round(chance.lognormvariate(0, 0.6) * case.milliseconds, 3),
    }
    return fields | ({"error": "the server closed the connection"} if broken else {})


def _checkpoint(cause: str, records: int) -> Record:
    return {"cause": cause, "records": records, "key_id": KEY_ID, "signature": "A" * 86 + "=="}


def line(record: Record) -> bytes:
    """A record as the writer spells it, with its line end."""
    body = orjson.dumps(
        {name: value for name, value in record.items() if name != "hash"}, option=orjson.OPT_SORT_KEYS
    )
    return body[:-1] + b',"hash":%b}\n' % orjson.dumps(record.get("hash"))


def placeholder_lines() -> list[bytes]:
    """Calls of subjects with placeholders, and one of somebody who had the real credential itself."""
    allowed, denied = "allowed_by_rule", "no_rule_matches"
    calls = [
        ("etl", "vault", allowed),
        ("etl", "vault", allowed),
        ("etl", "vault", denied),
        ("agent", "vault", allowed),
        ("etl", "file", allowed),
        ("plain", None, allowed),
        (None, "vault", "placeholder_bypassed"),
    ]
    records = [
        {
            "schema": 1,
            "seq": seq,
            "time": f"2026-11-01T00:00:0{seq}.000000Z",
            "instance": "i",
            "event": "decision",
            "decision_id": f"d{seq}",
            "decision": "allow" if reason == allowed else "deny",
            "enforced": True,
            "reason": reason,
            "subject": subject,
            "operation": "catalogs.list",
            "client_address": f"10.0.0.{seq}",
        }
        | ({"credential": credential} if credential else {})
        for seq, (subject, credential, reason) in enumerate(calls)
    ]
    return list(map(line, records))


def write_log(
    folder: Path,
    records: Iterable[Record],
    *,
    each: int = 0,
    compression: str = "",
    name: str = "audit",
) -> list[Path]:
    """Write a series of files with ``each`` records (0: one file) as the proxy rotates them, the closed ones
    compressed (``.zst``, ``.gz``). Gives them in order; the last is the active one."""
    folder.mkdir(parents=True, exist_ok=True)
    stream, files = iter(records), []
    while part := list(islice(stream, each or None)):
        content = b"".join(map(line, part))
        if each and len(part) == each:
            last = part[-1]
            stamp = last["time"][:19].replace("-", "").replace(":", "") + "Z"
            file = folder / f"{name}-{stamp}-{last['instance']}-{last['seq']}.jsonl{compression}"
        else:
            file = folder / f"{name}.jsonl"
        if file.suffix == ".zst":
            content = zstd.compress(content)
        elif file.suffix == ".gz":
            content = gzip.compress(content, mtime=0)
        file.write_bytes(content)
        files.append(file)
    return files


if __name__ == "__main__":
    with Path(sys.argv[2]).open("wb") as sink:
        sink.writelines(map(line, made_records(int(sys.argv[1]), days=30)))
