"""A policy with one subject as a literal: what it may read, and how it is bound."""

from __future__ import annotations

from brickscope.core.fingerprint import fingerprint
from brickscope.core.policy import Mode, Policy, RuleSet, Subject
from brickscope.core.rule import RuleTable, parse_rule
from core.wire import TOKEN

MONITOR, ENFORCE = Mode.MONITOR, Mode.ENFORCE
CATALOGS, QUERIES, WAREHOUSES = (
    b"/api/2.1/unity-catalog/catalogs",
    b"/api/2.0/preview/sql/queries",
    b"/api/2.0/sql/warehouses",
)


def rule_set(mode: Mode | None = None) -> RuleSet:
    allow = ["GET " + CATALOGS.decode(), "GET " + QUERIES.decode(), "GET /api/2.0/jobs/{id}"]
    return RuleSet(
        "reader", RuleTable(map(parse_rule, allow)), RuleTable([parse_rule("GET /api/2.0/jobs/13")]), mode
    )


def policy(mode: Mode = ENFORCE, rules: RuleSet | None = None, **bindings: object) -> Policy:
    subject = Subject("ci", rules or rule_set(), **bindings)  # type: ignore[arg-type]
    return Policy({fingerprint(TOKEN): subject}, {"reader": subject.rule_set}, mode, "rev")
