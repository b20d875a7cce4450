"""The hooks bench: what it costs to judge and log one call, without sockets and TLS.

A call is ruled on (decision and audit record) and has its outcome recorded; of an addon it passes the hooks. Heads and
flows are made beforehand and are no part of the time; the audit log is a real file. Times are of the processor.
"""

from __future__ import annotations

import gc
import json
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from mitmproxy import http

from brickscope.core.fingerprint import fingerprint
from brickscope.core.head import check_head
from brickscope.core.hostname import HostPatterns
from brickscope.identity.directory import TokenDirectory
from brickscope.identity.fetch import FetchError
from brickscope.log.key import DigestKey
from brickscope.log.writer import AuditWriter, Keeping
from brickscope.proxy.call import Call as OwnCall
from brickscope.proxy.destination import Destinations
from brickscope.proxy.gate import Gate, Verdict
from brickscope.proxy.ruling import ask, rule
from brickscope.proxy.wire.exchange import Exchange
from brickscope.proxy.wire.head import Cleared, Door, HeadScanner

from .flows import make_flow, make_response
from .measurement import Bound, Measurement, Say, best, ratios
from .messages import head_bytes
from .naive import Naive
from .workload import HOST, Call, calls, compile_policy, rule_texts, token

BENCH = "hooks"
TO_NAIVE = Bound(1.25)
TOKENS, RULES = 10, 30
CLIENT = "127.0.0.1"
TURN = 5
"""Calls that are judged in one turn of the event loop: all that is said of them is written together. Of 16 connections under
load there are 5.2 allowed calls to a write to the log (``syscw`` of /proc/PID/io), and 7.9 denied ones."""

Hook = Callable[[http.HTTPFlow], object]


class Chain(NamedTuple):
    """The hooks of one addon, in the order of a call's way."""

    name: str
    before: Hook
    headers: Hook
    after: Hook


class Empty:
    """An addon that does nothing: the cost of the measuring loop itself."""

    def hook(self, flow: http.HTTPFlow) -> None:
        """Do nothing."""


def measure(*, quick: bool, say: Say) -> list[Measurement]:
    """All rows of this bench."""
    passes, amount = (7, 1000) if quick else (15, 3000)
    tokens = [token(index) for index in range(TOKENS)]
    texts = [rule_texts(RULES, first=index * RULES) for index in range(TOKENS)]
    allowed = calls(tokens, texts, amount, 0)
    found: list[Measurement] = []
    with (
        tempfile.TemporaryDirectory(prefix="brickscope-bench-") as folder,
        open_gate(Path(folder), tokens, texts) as gate,
    ):
        own: list[float] = []
        others: list[float] = []
        with (Path(folder) / "naive.jsonl").open("a") as log:
            naive = Naive(naive_rules(tokens, texts), log)
            nothing = Empty().hook
            rows: tuple[tuple[str, Chain, list[Call], Bound | None], ...] = (
                (
                    "naive addon, allowed call",
                    Chain("naive", naive.request, nothing, naive.response),
                    allowed,
                    None,
                ),
                ("empty addon", Chain("empty", nothing, nothing, nothing), allowed, None),
            )
            say("hooks: own path")
            for _ in range(passes):
                own.append(rule_pass(gate, allowed))
                others.append(run_pass(rows[0][1], allowed))
            found.append(Measurement(BENCH, "judge and log, allowed call", "µs", best(own)))
            name = "judge and log, allowed call, to the naive addon"
            found.append(Measurement(BENCH, name, "x", ratios(own, others), TO_NAIVE))
            for name, chain, mix, bound in rows:
                say(f"hooks: {name}")
                spread = best([run_pass(chain, mix) for _ in range(passes)])
                found.append(Measurement(BENCH, name, "µs", spread, bound, note=f"best of {passes} passes"))
        say("hooks: beside the hooks")
        heads = best([_head_pass(allowed) for _ in range(passes)])
        found.append(Measurement(BENCH, "beside the hooks: checking the raw head", "µs", heads))
    return found


@contextmanager
def open_gate(
    folder: Path, tokens: Sequence[str], texts: Sequence[Sequence[str]], keeping: Keeping | None = None
) -> Iterator[Gate]:
    """A gate with a policy and an audit log in ``folder``."""
    writer = AuditWriter(folder / "audit.jsonl", folder, keeping)
    scope = HostPatterns(["*.cloud.databricks.com"])
    try:
        policy = compile_policy(tokens, texts)
        yield Gate(
            Destinations(scope, relay_other_hosts=True),
            writer,
            policy,
            TokenDirectory(no_network),
            DigestKey(b""),
        )
    finally:
        writer.close()


async def no_network(url: str) -> bytes | None:
    """A fetch that fails: benches measure what is at hand."""
    raise FetchError(f"{url} is not fetched here")


def naive_rules(tokens: Sequence[str], texts: Sequence[Sequence[str]]) -> dict[str, list[str]]:
    """The policy as the naive addon wants it."""

    def pattern(text: str) -> str:
        return re.sub(
            r"\\\{\w+(\\\.\\\.\\\.)?\\\}", lambda found: ".+" if found[1] else "[^/]+", re.escape(text)
        )

    return {
        fingerprint(text.encode()).removeprefix("sha256:"): [
            pattern(rule) for rule in texts[index % len(texts)]
        ]
        for index, text in enumerate(tokens)
    }


def run_pass(chain: Chain, mix: Sequence[Call]) -> float:
    """Microseconds a call, over fresh flows. A denied flow keeps the response that the addon gave it."""
    flows = [(make_flow(call), make_response()) for call in mix]
    before, headers, after = chain.before, chain.headers, chain.after
    with _settled():
        started = time.process_time()
        for flow, response in flows:
            before(flow)
            if flow.response is None:
                flow.response = response
            headers(flow)
            after(flow)
        elapsed = time.process_time() - started
    return elapsed / len(flows) * 1e6


def rule_pass(gate: Gate, mix: Sequence[Call]) -> float:
    """Microseconds a call on the own path, from its head to its outcome. Every call has to be allowed. In one turn of the
    event loop some calls are judged and those of the turn before end."""
    door = Door(HOST, 443, HOST, b"http/1.1")
    heads = [head for call in mix if (head := HeadScanner(door).read(head_bytes(call), 0)) is not None]
    turns = [heads[at : at + TURN] for at in range(0, len(heads), TURN)]
    due: list[Callable[[], None]] = []
    gate.soon = due.append
    with _settled():
        started = time.process_time()
        under_way: list[Exchange] = []
        for turn in [*turns, []]:
            judged = [(head, ask(gate, head, CLIENT)) for head in turn]
            for exchange in under_way:
                exchange.status = 200
                exchange.ticket.end(gate, exchange)
            under_way = []
            while due:
                due.pop()()
            for head, asked in judged:
                exchange = Exchange(head)
                exchange.ticket = call = OwnCall()
                assert isinstance(asked, Verdict)
                ruling = rule(gate, head, asked)
                assert isinstance(ruling, Cleared)
                exchange.cleared = ruling
                call.leave(gate, ruling)
                under_way.append(exchange)
        elapsed = time.process_time() - started
    return elapsed / len(heads) * 1e6


@contextmanager
def _settled() -> Iterator[None]:
    """Without the collector's walks over what was prepared; what the hooks themselves allocate is collected."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _head_pass(mix: Sequence[Call]) -> float:
    heads = [head_bytes(call) for call in mix]
    started = time.process_time()
    for head in heads:
        check_head(head)
    return (time.process_time() - started) / len(heads) * 1e6


def write_naive_config(file: Path, tokens: Sequence[str], texts: Sequence[Sequence[str]], log: Path) -> None:
    """The configuration file of the naive addon."""
    file.write_text(json.dumps({"tokens": naive_rules(tokens, texts), "log": str(log)}))
