"""A made-up log to report on: some weeks of a small company, with everything in it that the report speaks of.

All is invented, and the same on every run. Times are UTC; the log ends at END.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from brickscope.analysis.way import abilities
from brickscope.log.chain import GENESIS, canonical, seal
from brickscope.log.key import SigningKey
from brickscope.policy.load import load_policy
from report.cast import AGENT, CALLERS, CREATE_TOKEN, DOCTOR, HOST, POLICY, PROBE, Call, Caller, digest

END = datetime(2026, 11, 23)  # noqa: DTZ001 - UTC, as all times of a log
KEY = SigningKey(Ed25519PrivateKey.from_private_bytes(sha256(b"a made-up key").digest()))
OLD_REVISION = "3c1f7e55a0b94d21"
Record = dict[str, Any]
Events = list[tuple[datetime, Record]]


def _weight(shape: str, when: datetime) -> float:
    hour = when.hour + when.minute / 60
    if shape == "night":
        return 24 * math.exp(-((hour - 2.2) ** 2) / 0.18) / 0.75
    if shape == "office":
        peak = math.exp(-((hour - 10.3) ** 2) / 5) + 0.9 * math.exp(-((hour - 14.8) ** 2) / 5)
        return peak * 3.1 * (1.0 if when.weekday() < 5 else 0.07)
    return 1.0


class Story(NamedTuple):
    """The files of a story: one log, and the folder of the policy it was written under."""

    log: Path
    rules: Path


def make_story(folder: Path, days: int = 21, scale: float = 1.0) -> Story:
    """Write the log and the policy. ``scale``: how many calls, 1 is about 1,500 a working day."""
    rules = folder / "rules"
    rules.mkdir(parents=True)
    (rules / "policy.yaml").write_text(POLICY)
    loaded = load_policy(rules, END.timestamp())
    policy = loaded.policy
    reached = {
        name: {
            each.operation.name: each.allowed[0].text for each in abilities(loaded.written.of(name)).allowed()
        }
        for name in policy.rule_sets
    }
    log = folder / "log" / "audit.jsonl"
    log.parent.mkdir()
    log.write_bytes(b"".join(chained(_signed_at_end(_records(policy.revision, reached, days, scale)))))
    return Story(log, rules)


def _records(
    revision: str, reached: Mapping[str, Mapping[str, str]], days: int, scale: float
) -> Iterator[tuple[datetime, Record]]:
    """The records in their order, without what the chain adds."""
    chance = random.Random(7)
    start = END - timedelta(days=days)
    events: Events = []
    for caller in CALLERS:
        for minute in range(days * 24 * 60):
            when = start + timedelta(minutes=minute)
            if not caller.first <= minute / (days * 24 * 60) <= caller.last:
                continue
            expected = caller.a_day * scale / 1440 * _weight(caller.shape, when)
            for _ in range(int(expected) + (chance.random() < expected % 1)):
                at = when + timedelta(microseconds=chance.randrange(60_000_000))
                events += _call(chance, caller, reached.get(caller.rule_set or "", {}), at)
    day = timedelta(days=days / 21)
    events += _happenings(start, day)
    events += _attempts(start, day)
    events += _upkeep(start, days)
    events += _tunnels(chance, start, days)
    events.sort(key=lambda event: event[0])
    for when, record in events:
        yield when, {"policy_revision": revision if when >= start + 10.3 * day else OLD_REVISION, **record}


def _call(chance: random.Random, caller: Caller, reached: Mapping[str, str], at: datetime) -> Events:
    """A decision, and its outcome if it was sent."""
    call = chance.choices(caller.calls, [each.weight for each in caller.calls])[0]
    number = f"{chance.getrandbits(48):012x}"
    decision = _decision(caller, call, reached, at, number, chance.choice(caller.clients))
    sent = decision["decision"] == "allow" or not decision["enforced"]
    return [(at, decision), *([_outcome(chance, call, number, at)] if sent else [])]


def _decision(
    caller: Caller, call: Call, reached: Mapping[str, str], at: datetime, number: str, client: str
) -> Record:
    denied = call.reason is not None
    return {
        "event": "decision",
        "decision_id": number,
        "decision": "deny" if denied else "allow",
        "enforced": not denied or caller.mode != "monitor",
        "mode": caller.mode,
        "reason": call.reason or "allowed_by_rule",
        "detail": call.detail or f"rule set '{caller.rule_set}' allows it",
        "subject": caller.name,
        # An OAuth token is another one every hour.
        "fingerprint": caller.fingerprint or digest(f"{caller.name}{at:%Y%m%d%H}"),
        "rule_set": caller.rule_set,
        "rule": call.rule if denied else reached[call.operation or ""],
        "operation": call.operation,
        "client_address": client,
        "server_address": HOST,
        "method": call.method,
        "path": call.path,
        "workspace": None,
        "host_workspace": None,
        "params": call.params or {},
        "param_names": None,
        "principal": caller.principal,
        "grant": None,
        "has_body": call.method in ("POST", "PUT", "PATCH"),
        "user_agent": caller.agent,
        **({"credential": caller.credential} if caller.credential else {}),
        **({"credential_fingerprint": digest("a credential")} if caller.credential and not denied else {}),
    }


def _attempts(start: datetime, day: timedelta) -> Events:
    """One evening somebody has 54 tokens made by an agent that may make none; and our own doctor is run."""
    evening = start + 18.8 * day
    tokens = [
        (
            evening + timedelta(seconds=40 * index),
            _decision(AGENT, CREATE_TOKEN, {}, evening, f"t{index}", AGENT.clients[0]),
        )
        for index in range(54)
    ]
    probes = [
        (
            start + 15.01 * day + timedelta(seconds=index),
            _decision(DOCTOR, PROBE, {}, start, f"p{index}", DOCTOR.clients[0]) | {"fingerprint": None},
        )
        for index in range(7)
    ]
    return [*tokens, *probes]


def _outcome(chance: random.Random, call: Call, number: str, at: datetime) -> tuple[datetime, Record]:
    took = round(math.exp(chance.gauss(4.2 if "statement" in (call.operation or "") else 3.4, 0.7)), 3)
    broken = chance.random() < 0.002
    outcome = {
        "event": "outcome",
        "decision_id": number,
        "status": None if broken else chance.choices((200, 404, 403, 429, 500), (960, 18, 9, 6, 3))[0],
        "request_bytes": chance.randrange(3000) if call.method != "GET" else 0,
        "response_bytes": None if broken else chance.randrange(200, 90_000),
        "duration_ms": took,
    }
    if broken:
        outcome["error"] = "the server closed the connection"
    return at + timedelta(milliseconds=took), outcome


def _happenings(start: datetime, day: timedelta) -> Events:
    """What an auditor wants to see: changes of the policy, a restart, a gap, a client that does not trust the proxy."""
    begin = {
        "event": "start",
        "version": "0.1.0",
        "engine": "mitmproxy 12.2.3",
        "mode": "enforce",
        "scope_hosts": ["*.cloud.databricks.com"],
        "scope_other_hosts": "tunnel",
        "fsync": "interval",
        "key_id": KEY.public.key_id,
        "public_key": KEY.public.base64,
        "previous": None,
    }
    monitored = {"scope": "subject", "name": "ml-training", "previous_mode": None, "mode": "monitor"}
    problem = "rules/policy.yaml:31:15: error: there is no rule set 'catalog-raeder' (did you mean 'catalog-reader'?)"
    gap = {
        "event": "gap",
        "cause": "write_failed",
        "detail": "the audit log can't be written: No space left on device",
        "since": f"{start + 16.44 * day:%Y-%m-%dT%H:%M:%SZ}",
        "denied": 14,
        "lost": 2,
    }
    refused = {
        "event": "tls_refused",
        "side": "client",
        "cause": "ca_unknown",
        "detail": f"The client does not trust the proxy's certificate for {HOST} (tlsv1 alert unknown ca)",
        "client_address": "10.0.40.2",
        "server_address": HOST,
        "server_port": 443,
    }
    return [
        (start, begin),
        (
            start + 10.3 * day,
            {"event": "reload", "loaded": True, "mode": "enforce", "previous_revision": OLD_REVISION},
        ),
        (start + 10.3 * day, {"event": "mode_change", **monitored}),
        (start + 15.4 * day, {"event": "reload", "loaded": False, "problems": [problem]}),
        (start + 13.1 * day, {"event": "stop"}),
        (start + 13.104 * day, {**begin, "version": "0.1.1"}),
        (start + 16.45 * day, gap),
        *((start + (15 + index / 7) * day, refused) for index in range(5)),
    ]


def _upkeep(start: datetime, days: int) -> Events:
    """Public keys fetched every six hours, of which one time failed, and checkpoints."""
    keys = {"event": "key_set", "url": f"https://{HOST}/oidc/jwks.json"}
    got = {**keys, "fetched": True, "key_ids": ["k-2026-10"], "detail": None}
    failed = {**keys, "fetched": False, "key_ids": [], "detail": "timed out after 5 s"}
    checkpoint = {"event": "checkpoint", "cause": "interval", "records": 0, "key_id": KEY.public.key_id}
    return [
        *(
            (start + timedelta(hours=hour, minutes=7), failed if hour == days * 24 - 30 else got)
            for hour in range(0, days * 24, 6)
        ),
        *((start + timedelta(hours=hour), checkpoint) for hour in range(1, days * 24, 12)),
    ]


def _tunnels(chance: random.Random, start: datetime, days: int) -> Events:
    found: Events = []
    for _ in range(40):
        host, allowed = chance.choice(
            (("packages.example.org", True), ("downloads.example.org", True), ("169.254.169.254", False))
        )
        tunnel = {
            "event": "tunnel",
            "decision_id": f"{chance.getrandbits(48):012x}",
            "decision": "allow" if allowed else "deny",
            "enforced": True,
            "mode": "enforce",
            "reason": "other_host" if allowed else "address_not_allowed",
            "detail": "the host is not Databricks" if allowed else "the host is an address literal",
            **dict.fromkeys(("subject", "fingerprint", "rule_set", "rule", "operation")),
            "client_address": chance.choice(("10.0.9.21", "10.0.14.2")),
            "server_address": host,
            "server_port": 443,
        }
        found.append((start + timedelta(seconds=chance.randrange(days * 86400)), tunnel))
    return found


def chained(records: Iterable[tuple[datetime, Record]]) -> Iterator[bytes]:
    """The lines of a log: numbered, chained, its checkpoints signed. A ``start`` begins another instance."""
    seq, last, runs, instance = 0, GENESIS, 0, "00000000"
    names: dict[str, str] = {}
    for when, fields in records:
        if fields["event"] == "start":
            runs += 1
            instance, seq = sha256(f"run {runs}".encode()).hexdigest()[:8], 0
        seq += 1
        record = {
            "schema": 1,
            "time": f"{when:%Y-%m-%dT%H:%M:%S}.{when.microsecond:06d}Z",
            "seq": seq,
            "instance": instance,
            **fields,
            "prev_hash": last,
        }
        number = fields.get("decision_id")
        if number is not None:
            record["decision_id"] = names.setdefault(number, f"{instance}-{len(names) + 1}")
        if fields["event"] == "checkpoint":
            record["signature"] = KEY.sign(canonical(record))
        line, last = seal(record)
        yield line


def _signed_at_end(records: Iterable[tuple[datetime, Record]]) -> Iterator[tuple[datetime, Record]]:
    for when, fields in records:
        yield when, fields
    checkpoint = {"event": "checkpoint", "cause": "interval", "records": 0, "key_id": KEY.public.key_id}
    yield when, {**checkpoint, "policy_revision": fields["policy_revision"]}
