"""The identity bench: what an OAuth token costs at its first request and at those that follow, beside a token that is
known by its fingerprint. All our hooks, as in the hooks bench; the keys are at hand."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from brickscope.core.hostname import HostPatterns
from brickscope.core.key import KeySet, read_key_set
from brickscope.core.policy import Issuer, Policy, Principals, Subject
from brickscope.identity.directory import TokenDirectory
from brickscope.log.key import DigestKey
from brickscope.log.writer import AuditWriter
from brickscope.proxy.destination import Destinations
from brickscope.proxy.gate import Gate

from .hooks import no_network, rule_pass
from .measurement import Measurement, Say, best
from .workload import HOST, Call, calls, compile_policy, rule_texts, token

BENCH = "identity"
CLIENT_ID = "6f1c2f6e-0000-4000-8000-3d1a2b4c5d6e"
ISSUER = f"https://{HOST}/oidc"
RULES = 30


def measure(*, quick: bool, say: Say) -> list[Measurement]:
    """All rows of this bench."""
    passes, amount = (5, 300) if quick else (11, 1000)
    say(f"identity: signing {amount} tokens")
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    many = [_sign(key, number) for number in range(amount)]
    texts = [rule_texts(RULES)]
    mix = calls([token(0)], texts, amount, 0)
    first = [call._replace(token=many[number]) for number, call in enumerate(mix)]
    following = [call._replace(token=many[0]) for call in mix]
    policy = _policy(texts, read_key_set(json.dumps({"keys": [_jwk(key)]}).encode()))
    found: list[Measurement] = []
    with tempfile.TemporaryDirectory(prefix="brickscope-bench-") as folder:
        writer = AuditWriter(Path(folder) / "audit.jsonl", Path(folder))
        try:
            rows: tuple[tuple[str, list[Call], bool], ...] = (
                ("a token known by fingerprint", mix, False),
                ("first request of an OAuth token", first, True),
                ("following requests of an OAuth token", following, False),
            )
            for name, chosen, fresh in rows:
                say(f"identity: {name}")
                gate = _gate(writer, policy)
                if not fresh:
                    rule_pass(gate, chosen)
                times = [rule_pass(_gate(writer, policy) if fresh else gate, chosen) for _ in range(passes)]
                found.append(Measurement(BENCH, name, "µs", best(times), note=f"best of {passes} passes"))
        finally:
            writer.close()
    return found


def _gate(writer: AuditWriter, policy: Policy) -> Gate:
    scope = HostPatterns(["*.cloud.databricks.com"])
    return Gate(
        Destinations(scope, relay_other_hosts=True),
        writer,
        policy,
        TokenDirectory(no_network),
        DigestKey(b""),
    )


def _policy(texts: Sequence[Sequence[str]], keys: KeySet) -> Policy:
    policy = compile_policy([token(0)], texts)
    issuer = Issuer(ISSUER, HostPatterns([HOST]), None, keys)
    etl = Subject("etl", next(iter(policy.rule_sets.values())))
    return policy._replace(principals=Principals({CLIENT_ID: etl}, issuers={ISSUER: issuer}))


def _jwk(key: rsa.RSAPrivateKey) -> dict[str, object]:
    return {"kid": "k", **jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)}


def _sign(key: rsa.RSAPrivateKey, number: int) -> str:
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "client_id": CLIENT_ID,
        "sub": CLIENT_ID,
        "scope": "all-apis",
        "aud": "1234567890123456",
    }
    return jwt.encode(
        {**claims, "iat": now, "exp": now + 3600, "jti": f"{number:032x}"},
        key,
        "RS256",
        {"kid": "k", "typ": "at+jwt"},
    )
