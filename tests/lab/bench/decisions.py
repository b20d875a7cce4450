"""The decisions bench: one decision at policies of many sizes, and what compiling and sharing them costs.

A decision is the token's fingerprint, its look-up, and the matching of the call (``core.decide.decide``). Every answer
is compared with what is known of the call: a fast wrong answer is no measurement.
"""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Sequence
from typing import NamedTuple

from brickscope.core.decide import decide
from brickscope.core.path import read_target
from brickscope.core.policy import Policy
from brickscope.core.request import ApiRequest
from brickscope.core.rule import RuleTable, parse_rule

from .measurement import Bound, Measurement, Say, best
from .workload import DENIED_SHARE, HOST, Call, calls, compile_policy, rule_texts, token

BENCH = "decisions"
CLIENT, NOW = "10.0.8.17", 1.8e9

MICROSECONDS = Bound(3)
GROWTH = Bound(1.5)
COMPILE_SECONDS = Bound(0.5)
MANY_RULES = 30_000
MANY_TOKENS = 10_000


class Size(NamedTuple):
    """A policy's size. The tokens share ``rule_sets`` sets of ``rules`` rules each."""

    tokens: int
    rules: int
    rule_sets: int

    def __str__(self) -> str:
        return f"{self.tokens:,} x {self.rules:,}"


SMALL = Size(10, 30, 10)
LARGE = Size(1, MANY_RULES, 1)
SIZES = (SMALL, Size(1, 300, 1), Size(1, 3_000, 1), LARGE, Size(MANY_TOKENS, 30, 20))


class Prepared(NamedTuple):
    """A policy and calls to decide on."""

    policy: Policy
    mix: list[Call]
    requests: list[ApiRequest]


class WrongAnswer(Exception):
    """A decision was not what is known of the call."""


def measure(*, quick: bool, say: Say) -> list[Measurement]:
    """All rows of this bench."""
    rounds, amount = (7, 1000) if quick else (15, 3000)
    say("decisions: compiling")
    prepared = {size: prepare(size, amount) for size in SIZES}
    decided: dict[Size, list[float]] = {size: [] for size in SIZES}
    matched: dict[Size, list[float]] = {size: [] for size in SIZES}
    for number in range(rounds):
        # All sizes in each round, so that a busy moment meets them alike.
        say(f"decisions: round {number + 1} of {rounds}")
        for size in SIZES:
            decided[size].append(decide_pass(prepared[size]))
            matched[size].append(match_pass(prepared[size]))
    note = f"best of {rounds} passes"
    found = []
    for size in SIZES:
        bound = MICROSECONDS if size is SMALL else None
        found.append(
            Measurement(BENCH, f"decide, tokens x rules {size}", "µs", best(decided[size]), bound, note=note)
        )
    for size in SIZES:
        found.append(
            Measurement(BENCH, f"match alone, tokens x rules {size}", "µs", best(matched[size]), note=note)
        )
    growth = min(decided[LARGE]) / min(decided[SMALL])
    found.append(Measurement(BENCH, f"decide, {LARGE} to {SMALL}", "x", best([growth]), GROWTH))
    say("decisions: compiling many rules")
    found.append(
        Measurement(
            BENCH,
            f"compiling {MANY_RULES:,} rules",
            "s",
            best([compile_pass() for _ in range(3)]),
            COMPILE_SECONDS,
        )
    )
    say("decisions: sharing")
    found += measure_sharing()
    return found


def prepare(size: Size, amount: int) -> Prepared:
    """Compile a policy and check each answer once. Raises WrongAnswer."""
    tokens = [token(index) for index in range(size.tokens)]
    texts = [rule_texts(size.rules, first=index * size.rules) for index in range(size.rule_sets)]
    policy = compile_policy(tokens, texts)
    mix = calls(tokens, texts, amount, DENIED_SHARE)
    prepared = Prepared(policy, mix, [as_request(call) for call in mix])
    check(prepared)
    return prepared


def as_request(call: Call) -> ApiRequest:
    """The call as the reading gives it to the decision."""
    readings = read_target(call.path.encode())
    return ApiRequest(call.method, HOST, call.path, readings, None, call.authorization, "", None, "")


def check(prepared: Prepared) -> None:
    """Compare every decision with what is known. Raises WrongAnswer."""
    for call, request in zip(prepared.mix, prepared.requests, strict=True):
        if decide(prepared.policy, request, CLIENT, NOW).allow is not call.allowed:
            raise WrongAnswer(f"{call.method} {call.path} is not {'allowed' if call.allowed else 'denied'}")


def decide_pass(prepared: Prepared) -> float:
    """Microseconds a decision."""
    policy, requests = prepared.policy, prepared.requests
    started = time.perf_counter()
    for request in requests:
        decide(policy, request, CLIENT, NOW)
    return (time.perf_counter() - started) / len(requests) * 1e6


def match_pass(prepared: Prepared) -> float:
    """Microseconds a look-up in the rule table alone."""
    policy = prepared.policy
    found = [
        (policy.tokens[decide(policy, request, CLIENT, NOW).fingerprint or ""].rule_set.allow, request)
        for request in prepared.requests
    ]
    work = [(table.match, request.method, request.segments) for table, request in found]
    started = time.perf_counter()
    for match, method, segments in work:
        match(method, segments)
    return (time.perf_counter() - started) / len(work) * 1e6


def compile_pass() -> float:
    """Seconds from 30,000 rule texts to a table."""
    texts = rule_texts(MANY_RULES)
    gc.collect()
    started = time.perf_counter()
    RuleTable(map(parse_rule, texts))
    return time.perf_counter() - started


def measure_sharing() -> list[Measurement]:
    """What 10,000 tokens weigh when they share rule sets, and that they do share them."""
    size = SIZES[-1]
    texts = [rule_texts(size.rules, first=index * size.rules) for index in range(size.rule_sets)]
    one_each = allocated(texts, size.rule_sets)
    all_tokens = allocated(texts, size.tokens)
    each = (all_tokens - one_each) / (size.tokens - size.rule_sets)
    return [
        Measurement(BENCH, f"memory of a policy, tokens x rules {size}", "MB", best([all_tokens / 1e6])),
        Measurement(BENCH, "memory of one more token, its rule set shared", "bytes", best([each])),
    ]


def allocated(texts: Sequence[Sequence[str]], amount: int) -> int:
    """Bytes that a policy with so many tokens holds."""
    tokens = [token(index) for index in range(amount)]
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        policy = compile_policy(tokens, texts)
        gc.collect()
        held = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert_shared(policy, len(texts))
    return held


def assert_shared(policy: Policy, rule_sets: int) -> None:
    """Raises AssertionError unless all tokens use the same few rule tables, by identity."""
    tables = {id(subject.rule_set.allow) for subject in policy.tokens.values()}
    if len(tables) > rule_sets:
        raise AssertionError(f"{len(policy.tokens)} tokens hold {len(tables)} rule tables, not {rule_sets}")
