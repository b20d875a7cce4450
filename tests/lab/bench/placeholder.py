"""What an exchange costs a call beyond one with a token: ``PYTHONPATH=addon:tests python -m lab.bench.placeholder``.

From the head's bytes to what is sent, and the look at an answer of 2,000 bytes; CPU time, without the log.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from brickscope.core.decide import decide
from brickscope.core.entrusted import Entrusted, Kind, Source
from brickscope.core.fingerprint import fingerprint
from brickscope.core.placeholder import make_placeholder
from brickscope.core.request import read_request
from brickscope.identity.store import CredentialNeeded, CredentialStore
from brickscope.policy.load import load_policy
from brickscope.proxy.wire.credential import Reflection, place
from brickscope.proxy.wire.head import Door, Head, HeadScanner
from core.wire import HOST, TOKEN, h1_headers

HELD = make_placeholder(bytes(range(32))).encode()
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nServer: x\r\nContent-Length: 2000\r\n\r\n"
BODY = b"x" * 2000
CALLS, ROUNDS = 2_000, 60


def read(token: bytes) -> Head:
    """The head of a call with a token."""
    lines = b"".join(b"%b: %b\r\n" % field for field in h1_headers()).replace(TOKEN, token)
    raw = b"GET /api/2.1/unity-catalog/catalogs HTTP/1.1\r\n" + lines + b"\r\n"
    head = HeadScanner(Door(HOST, 443, HOST, b"http/1.1")).read(raw, 0)
    assert head is not None
    return head


def measure(what: Callable[[], object]) -> float:
    """Microseconds for one."""
    begun = time.process_time()
    for _ in range(CALLS):
        what()
    return (time.process_time() - begun) / CALLS * 1e6


async def run(folder: Path) -> None:
    """Measure, and print what the best of all rounds differ by: what else the machine does only makes them longer."""
    tokens = {
        "plain": {"fingerprint": fingerprint(TOKEN), "rule_set": "r"},
        "held": {"placeholder": fingerprint(HELD), "credential": "c", "rule_set": "r"},
    }
    policy = {"version": 1, "tokens": tokens, "rule_sets": {"r": {"allow": ["catalogs.list"]}}}
    (folder / "policy.yaml").write_text(json.dumps(policy))
    known = load_policy(folder, 0).policy
    (folder / "token").write_text("dapi" + "0" * 32)
    source = Source(file=str(folder / "token"))
    store = CredentialStore({"c": Entrusted("c", Kind.TOKEN, source, frozenset({HOST}))})
    try:
        store.take("c", read_request(read(HELD).wire), None, 0)
    except CredentialNeeded as needed:
        await store.learn(needed)

    def plain() -> None:
        decide(known, read_request(read(TOKEN).wire), "10.0.0.1", 0)

    def exchanged() -> None:
        head = read(HELD)
        request = read_request(head.wire)
        decision = decide(known, request, "10.0.0.1", 0)
        secret = store.take(decision.credential or "", request, None, 0).value
        place(head, secret)
        reflection = Reflection(secret)
        reflection.begin(ANSWER)
        reflection.look(BODY, BODY, ended=True)
        reflection.give(BODY)

    rounds = [(measure(exchanged), measure(plain)) for _ in range(ROUNDS)]
    exchange, other = (min(each) for each in zip(*rounds, strict=True))
    sys.stdout.write(
        f"an exchanged call costs {exchange - other:.1f} µs more: {exchange:.1f}, not {other:.1f}\n"
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder)))
