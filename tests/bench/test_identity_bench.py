"""The identity bench measures calls that really are verified and allowed."""

from __future__ import annotations

from lab.bench import identity


def test_every_row_is_measured() -> None:
    rows = identity.measure(quick=True, say=lambda text: None)
    assert [row.name for row in rows] == [
        "a token known by fingerprint",
        "first request of an OAuth token",
        "following requests of an OAuth token",
    ]


def test_a_call_of_the_bench_is_allowed(tmp_path: object) -> None:
    import json
    import time

    from cryptography.hazmat.primitives.asymmetric import rsa

    from brickscope.core.fingerprint import fingerprint
    from brickscope.core.key import read_key_set
    from brickscope.identity.directory import TokenDirectory
    from lab.bench.workload import HOST, rule_texts

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    policy = identity._policy(
        [rule_texts(3)], read_key_set(json.dumps({"keys": [identity._jwk(key)]}).encode())
    )
    token = identity._sign(key, 1).encode()
    directory = TokenDirectory(identity.no_network)
    claims = directory.verify(policy, token, fingerprint(token), HOST, time.time())
    assert claims.client_id in policy.principals.service_principals
