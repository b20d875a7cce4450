"""What of a policy is used: its subjects, rule sets and rules, held against the log by ``sql/unused.sql``."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from brickscope.core.policy import Policy, RuleSet

from .queries import query
from .reader import AuditLog


class PolicyRow(NamedTuple):
    """A row of ``audit_policy``, the table that ``sql/unused.sql`` reads beside the log.

    A record has the rule's text and no index of it: an index means something in one revision of the policy only, and a log
    is of many. So a rule is known by its text, and one that was written anew begins at no calls.
    """

    kind: str
    subject: str | None
    rule_set: str | None
    list: str | None
    rule: str | None


class Usage(NamedTuple):
    """How much one thing of a policy is used. ``name``: of a rule its text. ``parts``: of a preset, how many rules it stands
    for, and ``used`` how many of these were."""

    kind: str
    name: str
    rule_set: str | None
    list: str | None
    calls: int
    first_seen: datetime | None
    last_seen: datetime | None
    parts: int
    used: int


def policy_rows(policy: Policy) -> list[PolicyRow]:
    """Everything of a policy that can be used, each once."""
    return list(dict.fromkeys(_rows(policy)))


def _rows(policy: Policy) -> Iterator[PolicyRow]:
    for subject in policy.subjects:
        yield PolicyRow("subject", subject.name, subject.rule_set.name, None, None)
    for login in policy.principals.logins:
        yield PolicyRow("subject", login.name, None, None, None)
    for rule_set in policy.rule_sets.values():
        yield PolicyRow("rule_set", None, rule_set.name, None, None)
        for decision, rule in _rules(rule_set):
            yield PolicyRow("rule", None, rule_set.name, decision, rule)


def _rules(rule_set: RuleSet) -> Iterator[tuple[str, str]]:
    for decision, table, operations in (
        ("allow", rule_set.allow, rule_set.operations),
        ("deny", rule_set.deny, rule_set.denied_operations),
    ):
        for rule in table.rules:
            yield decision, rule.text
        for rules in operations.values():
            for each in rules:
                yield decision, each.text


def find_usage(log: AuditLog, policy: Policy) -> list[Usage]:
    """How much everything of a policy is used. ``log``: with its facts made."""
    keep_policy(log, policy)
    return [Usage(*row) for row in log.ask(query("duckdb/usage").format(query("unused"))).fetchall()]


def keep_policy(log: AuditLog, policy: Policy | None) -> None:
    """Make the table ``audit_policy``; without a policy it is empty."""
    rows = [] if policy is None else policy_rows(policy)
    columns = dict.fromkeys(PolicyRow._fields, "VARCHAR")
    log.make_table("audit_policy", columns, [row._asdict() for row in rows])


def unused(usages: Iterable[Usage], before: datetime) -> list[Usage]:
    """What was not used since ``before``. Of a rule set that was not used, the rules are not told one by one."""
    stale = [usage for usage in usages if usage.last_seen is None or usage.last_seen < before]
    sets = {usage.name for usage in stale if usage.kind == "rule_set"}
    return [usage for usage in stale if usage.kind != "rule" or usage.rule_set not in sets]
