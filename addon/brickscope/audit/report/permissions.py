"""Who could do what: the policy that was given, with what of it was used."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from brickscope.audit.usage import Usage, find_usage
from brickscope.catalog.catalog import CLASSES
from brickscope.check.checker import check
from brickscope.check.finding import Finding
from brickscope.core.policy import Policy, RuleSet, Subject
from brickscope.policy.load import Loaded
from brickscope.trial.abilities import abilities
from brickscope.trial.judge import Known, known
from brickscope.trial.summary import mode_of

from .facts import Facts
from .rows import Rows

MAX_RULE_SETS = 100
MAX_RULES = 200
SOON = timedelta(days=30)
"""A subject that expires within this time of the period's end is pointed out."""


@dataclass(frozen=True)
class Permitted:
    """Somebody that the policy names. ``kind``: token, service principal, user or login. ``marks``: fingerprints, client id
    or login name by which it is known.

    ``mode``: as it holds for it. ``state``: ``expired``, ``expires soon`` or empty, at the end of the period.
    """

    name: str
    kind: str
    marks: tuple[str, ...]
    rule_set: str | None
    mode: str
    workspaces: tuple[str, ...]
    clients: tuple[str, ...]
    expires: datetime | None
    state: str
    grants: tuple[str, ...]
    calls: int
    last_seen: datetime | None


@dataclass(frozen=True)
class RuleUse:
    """A rule as it is written in the policy, and the calls that it decided. ``parts``: of a preset, how many rules it
    stands for, and ``used``, how many of these decided any call."""

    text: str
    calls: int
    last_seen: datetime | None
    parts: int
    used: int


@dataclass(frozen=True)
class Risk:
    """An operation that a rule set reaches and that can widen its holder's power, with the rule that allows it."""

    operation: str
    kind: str
    risk: str
    rule: str


@dataclass(frozen=True)
class RuleSetView:
    """A rule set. ``reach``: how many operations of each class it allows, at least for some objects."""

    name: str
    subjects: tuple[str, ...]
    allow: Rows[RuleUse]
    deny: Rows[RuleUse]
    reach: dict[str, int]
    risks: Rows[Risk]

    @property
    def unused(self) -> int:
        """How many of the rules shown, those of presets one by one, decided no call."""
        return sum(rule.parts - rule.used for rule in (*self.allow, *self.deny))


@dataclass(frozen=True)
class Permissions:
    """``in_force``: whether the revision was that of the log's last record; ``seen``: of any record. ``findings``: what
    ``brickscope check`` finds about the policy."""

    revision: str
    mode: str
    in_force: bool
    seen: bool
    subjects: Rows[Permitted]
    rule_sets: Rows[RuleSetView]
    findings: Rows[Finding]
    names: frozenset[str]

    @property
    def expiring(self) -> list[Permitted]:
        """Those that have expired, or will soon."""
        return [each for each in self.subjects if each.state]


def gather_permissions(facts: Facts, loaded: Loaded, end: datetime) -> Permissions:
    """The policy as it is now, whatever it was during the period. ``end``: of the period."""
    policy = loaded.policy
    # What `sql/unused.sql` asks of its facts, those of the report have as well: one pass over the log is enough.
    facts.log.ask("CREATE OR REPLACE TEMP VIEW audit_facts AS SELECT * FROM by_call")
    usages = find_usage(facts.log, policy)
    used = {usage.name: usage for usage in usages if usage.kind == "subject"}
    rules: dict[tuple[str | None, str | None], list[Usage]] = {}
    for usage in usages:
        if usage.kind == "rule":
            rules.setdefault((usage.rule_set, usage.list), []).append(usage)
    revisions = [
        row[0]
        for row in facts.ask(
            """SELECT policy_revision, max(last_seen) AS last FROM by_revision WHERE event IS NOT NULL
            GROUP BY policy_revision ORDER BY last"""
        )
    ]
    subjects = [_permitted(policy, who, used[who.name], end) for who in known(policy).values()]
    subjects.sort(key=lambda each: (each.rule_set or "", each.name))
    rule_sets = sorted(policy.rule_sets.values(), key=lambda rule_set: rule_set.name)
    holders: dict[str, list[str]] = {rule_set.name: [] for rule_set in rule_sets}
    for each in subjects:
        if each.rule_set is not None:
            holders[each.rule_set].append(each.name)
    findings = check(loaded, end.replace(tzinfo=UTC).timestamp(), SOON.days)
    return Permissions(
        policy.revision,
        policy.mode.value,
        bool(revisions) and revisions[-1] == policy.revision,
        policy.revision in revisions,
        Rows.of(subjects, len(subjects)),
        Rows.of(
            (_view(loaded, rule_set, holders[rule_set.name], rules) for rule_set in rule_sets),
            len(rule_sets),
            MAX_RULE_SETS,
        ),
        Rows.of(findings, len(findings)),
        frozenset(each.name for each in subjects),
    )


def _permitted(policy: Policy, who: Known, usage: Usage, end: datetime) -> Permitted:
    subject = who.subject
    expires = (
        None if subject.expires is None else datetime.fromtimestamp(subject.expires, UTC).replace(tzinfo=None)
    )
    state = ""
    if expires is not None and expires < end + SOON:
        state = "expired" if expires <= end else "expires soon"
    return Permitted(
        who.name,
        who.kind,
        who.marks,
        subject.rule_set.name if isinstance(subject, Subject) else None,
        mode_of(policy, subject).value,
        tuple(sorted(subject.workspaces or ())),
        tuple(map(str, subject.clients or ())),
        expires,
        state,
        tuple(sorted(grant.value for grant in subject.grants)),
        usage.calls,
        usage.last_seen,
    )


def _view(
    loaded: Loaded,
    rule_set: RuleSet,
    holders: list[str],
    rules: dict[tuple[str | None, str | None], list[Usage]],
) -> RuleSetView:
    allowed = abilities(rule_set, loaded.written.rules).allowed()
    classes = Counter(ability.operation.kind for ability in allowed)
    risks = [
        Risk(
            ability.operation.name,
            ability.operation.kind,
            ability.operation.risk,
            "; ".join(dict.fromkeys(way.text for way in ability.allowed)),
        )
        for ability in allowed
        if ability.operation.risk
    ]
    return RuleSetView(
        rule_set.name,
        tuple(holders),
        _uses(rules.get((rule_set.name, "allow"), [])),
        _uses(rules.get((rule_set.name, "deny"), [])),
        {kind: classes[kind] for kind in CLASSES},
        Rows.of(risks, len(risks), MAX_RULES),
    )


def _uses(rules: list[Usage]) -> Rows[RuleUse]:
    """The busiest first."""
    found = sorted(rules, key=lambda usage: (-usage.calls, usage.name))
    uses = (RuleUse(each.name, each.calls, each.last_seen, each.parts, each.used) for each in found)
    return Rows.of(uses, len(found), MAX_RULES)
