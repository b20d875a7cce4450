"""A gate over a real log and a policy of one token, and what it recorded."""

from __future__ import annotations

from typing import Any

from brickscope.core.fingerprint import fingerprint
from brickscope.core.pending import NotYetKnown
from brickscope.core.policy import Mode, Policy, RuleSet, Subject
from brickscope.core.rule import RuleTable, parse_rule
from brickscope.log.key import DigestKey
from brickscope.log.writer import AuditWriter
from brickscope.proxy.gate import Gate, Verdict
from core.wire import TOKEN
from log.written import records

CATALOGS = "/api/2.1/unity-catalog/catalogs"
RULES = RuleSet("reader", RuleTable([parse_rule(f"GET {CATALOGS}")]), RuleTable([]))
POLICY = Policy({fingerprint(TOKEN): Subject("ci", RULES)}, {"reader": RULES}, Mode.ENFORCE, "rev-1")


class Directory:
    """Knows the claims of no token and the workspace of no host; says what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    def settled(self, *asked: Any) -> Directory:
        self.asked.append(asked)
        return self

    def verify(self, policy: Policy, *asked: Any) -> Any:
        self.asked.append(asked)
        raise NotYetKnown("https://keys.example")

    def workspace_of(self, *asked: Any) -> str | None:
        self.asked.append(asked)
        return "17"


def made(writer: AuditWriter, policy: Policy = POLICY, **more: Any) -> Gate:
    return Gate(None, writer, policy, Directory(), DigestKey(b"k"), **more)  # type: ignore[arg-type]


def on_record(gate: Gate, *call: Any, **more: Any) -> Verdict:
    """A verdict that is on record."""
    return gate.commit(gate.judge(*call, **more))


def decisions(gate: Gate) -> list[dict[str, Any]]:
    return [each for each in records(gate.writer.path) if each["event"] == "decision"]
