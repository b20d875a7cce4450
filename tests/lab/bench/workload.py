"""The workload of all benches: tokens, rule sets, and calls of which it is known how they must be answered."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterator, Sequence
from itertools import count, islice
from typing import NamedTuple

from brickscope.core.fingerprint import fingerprint
from brickscope.core.policy import Mode, Policy, RuleSet, Subject
from brickscope.core.rule import RuleTable, parse_rule

from .templates import TEMPLATES

HOST = "dbc-bench.cloud.databricks.com"
DENIED_SHARE = 0.05
SEED = 20260101
STRIDE = 7919

FILE = "/api/2.0/fs/files/Volumes/main/bench/raw/data.bin"
EVENTS = "/serving-endpoints/bench/invocations"
STREAM_RULES = ("GET /api/2.0/fs/files/{path...}", "PUT /api/2.0/fs/files/{path...}", f"POST {EVENTS}")
"""What the bodies and event streams of the end-to-end bench need."""

_VARIABLE = re.compile(r"\{(\w+)(\.\.\.)?\}")
# `{x...}` in a path would match what a variant of another template names, and a denied call could be allowed.
_PLAIN = [text for text in TEMPLATES if "..." not in text]


class Call(NamedTuple):
    """One call and whether the policy allows it."""

    token: str
    method: str
    path: str
    allowed: bool

    @property
    def authorization(self) -> bytes:
        """The value of its Authorization header."""
        return f"Bearer {self.token}".encode()


def token(index: int) -> str:
    """A token in the form of Databricks' own, which opens nothing."""
    return "dapi" + hashlib.sha256(f"bench {index}".encode()).hexdigest()[:32]


def rule_texts(amount: int, first: int = 0) -> list[str]:
    """Different rules: the templates, and then the same ones for single objects. ``first`` shifts the choice."""
    return list(islice(_variants(first), amount))


def _variants(first: int) -> Iterator[str]:
    size = len(_PLAIN)
    for number in count(first):
        yield _variant(_PLAIN[number % size], number // size)


def _variant(text: str, series: int) -> str:
    if series == 0:
        return text
    variables = list(_VARIABLE.finditer(text))
    if not variables:
        return f"{text}-{series}"
    last = variables[-1]
    return f"{text[: last.start()]}main.sales.t{series:05d}{text[last.end() :]}"


def concrete(text: str, number: int) -> tuple[str, str]:
    """Method and path of a call that a rule matches."""
    method, _, path = text.partition(" ")
    return method, _VARIABLE.sub(lambda found: f"{found[1]}_{number}", path)


def denied_path(text: str) -> tuple[str, str]:
    """Method and path of a call near a rule, which no rule of a workload matches."""
    method, path = concrete(text, 0)
    return method, f"{path}/no/such/call"


def calls(tokens: Sequence[str], texts: Sequence[Sequence[str]], amount: int, denied: float) -> list[Call]:
    """A shuffled mix of calls. ``texts``: the rules of each token's rule set; ``denied``: the share that is denied."""
    chance = random.Random(SEED)  # noqa: S311 - the same mix in every run
    made: list[Call] = []
    refused = round(amount * denied)
    for number in range(amount):
        owner = (number * STRIDE) % len(tokens)  # many tokens, not the first few
        rules = texts[owner % len(texts)]
        text = rules[chance.randrange(len(rules))]
        allowed = number >= refused
        method, path = concrete(text, number) if allowed else denied_path(text)
        made.append(Call(tokens[owner], method, path, allowed))
    chance.shuffle(made)
    return made


def compile_policy(tokens: Sequence[str], texts: Sequence[Sequence[str]]) -> Policy:
    """The policy, compiled without files: token ``i`` has the rule set ``i`` modulo their number, shared."""
    sets = [
        RuleSet(f"set-{index}", RuleTable(map(parse_rule, rules)), RuleTable(()))
        for index, rules in enumerate(texts)
    ]
    subjects = {
        fingerprint(text.encode()): Subject(f"token-{index}", sets[index % len(sets)])
        for index, text in enumerate(tokens)
    }
    return Policy(subjects, {each.name: each for each in sets}, Mode.ENFORCE, "bench")


def policy_file(tokens: Sequence[str], texts: Sequence[Sequence[str]]) -> str:
    """The same policy as an operator would write it (YAML)."""
    lines = ["version: 1", "tokens:"]
    for index, text in enumerate(tokens):
        lines += [
            f"  token-{index}:",
            f"    fingerprint: {fingerprint(text.encode())}",
            f"    rule_set: set-{index % len(texts)}",
        ]
    lines.append("rule_sets:")
    for index, rules in enumerate(texts):
        lines += [f"  set-{index}:", "    allow:", *(f'      - "{rule}"' for rule in rules)]
    return "\n".join(lines) + "\n"
