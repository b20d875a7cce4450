"""Who could do what: the policy that was given, with what of it was used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from brickscope.catalog.catalog import CLASSES, load_catalog
from brickscope.catalog.reach import reach
from brickscope.core.operation import OperationRule
from brickscope.core.policy import Login, Policy, RuleSet, Subject

from .facts import Facts
from .rows import Rows

MAX_RULE_SETS = 100
MAX_RULES = 200
SOON = timedelta(days=30)
"""A subject that expires within this time of the period's end is pointed out."""


@dataclass(frozen=True)
class Permitted:
    """Somebody that the policy names. ``kind``: token, service principal, user or login. ``identity``: what it is known by.

    ``mode``: as it holds for it. ``state``: ``expired``, ``expires soon`` or empty, at the end of the period.
    """

    name: str
    kind: str
    identity: str
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
    """A rule as it is written in the policy (or stands in the log, for a preset), and the calls that it decided."""

    text: str
    calls: int
    last_seen: datetime | None


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
        """How many of the rules shown decided no call."""
        return sum(not rule.calls for rule in (*self.allow, *self.deny))


@dataclass(frozen=True)
class Permissions:
    """``in_force``: whether the revision was that of the log's last record; ``seen``: of any record."""

    revision: str
    mode: str
    in_force: bool
    seen: bool
    subjects: Rows[Permitted]
    rule_sets: Rows[RuleSetView]
    names: frozenset[str]

    @property
    def expiring(self) -> list[Permitted]:
        """Those that have expired, or will soon."""
        return [each for each in self.subjects if each.state]


def gather_permissions(facts: Facts, policy: Policy, end: datetime) -> Permissions:
    """The policy as it is now, whatever it was during the period. ``end``: of the period."""
    used = {
        subject: (calls, last)
        for subject, calls, last in facts.ask(
            """SELECT subject, CAST(sum(records) AS BIGINT), max(last_seen) FROM by_call
            WHERE event = 'decision' AND subject IS NOT NULL GROUP BY subject"""
        )
    }
    revisions = [
        row[0]
        for row in facts.ask(
            """SELECT policy_revision, max(last_seen) AS last FROM by_revision WHERE event IS NOT NULL
            GROUP BY policy_revision ORDER BY last"""
        )
    ]
    subjects = [_permitted(policy, *each, used, end) for each in _named(policy)]
    subjects.sort(key=lambda each: (each.rule_set or "", each.name))
    rule_sets = sorted(policy.rule_sets.values(), key=lambda rule_set: rule_set.name)
    holders: dict[str, list[str]] = {rule_set.name: [] for rule_set in rule_sets}
    for each in subjects:
        if each.rule_set is not None:
            holders[each.rule_set].append(each.name)
    use = _use(facts)
    return Permissions(
        policy.revision,
        policy.mode.value,
        bool(revisions) and revisions[-1] == policy.revision,
        policy.revision in revisions,
        Rows.of(subjects, len(subjects)),
        Rows.of(
            (_view(rule_set, holders[rule_set.name], use) for rule_set in rule_sets),
            len(rule_sets),
            MAX_RULE_SETS,
        ),
        frozenset(each.name for each in subjects),
    )


def _named(policy: Policy) -> Iterator[tuple[Subject | Login, str, str]]:
    """Everybody in the policy, with what kind it is and what it is known by."""
    known = policy.principals
    yield from ((subject, "token", fingerprint) for fingerprint, subject in policy.tokens.items())
    yield from (
        (each, "service principal", client_id) for client_id, each in known.service_principals.items()
    )
    yield from ((each, "user", sub) for sub, each in known.users.items())
    yield from ((login, "login", login.client_id or "no client id") for login in known.logins)


def _permitted(
    policy: Policy,
    subject: Subject | Login,
    kind: str,
    identity: str,
    used: dict[str, tuple[int, datetime]],
    end: datetime,
) -> Permitted:
    rule_set = subject.rule_set if isinstance(subject, Subject) else None
    mode = subject.mode or (rule_set and rule_set.mode) or policy.mode
    expires = (
        None if subject.expires is None else datetime.fromtimestamp(subject.expires, UTC).replace(tzinfo=None)
    )
    state = ""
    if expires is not None and expires < end + SOON:
        state = "expired" if expires <= end else "expires soon"
    calls, last = used.get(subject.name, (0, None))
    return Permitted(
        subject.name,
        kind,
        identity,
        rule_set.name if rule_set else None,
        mode.value,
        tuple(sorted(subject.workspaces or ())),
        tuple(map(str, subject.clients or ())),
        expires,
        state,
        tuple(sorted(grant.value for grant in subject.grants)),
        calls,
        last,
    )


_Use = dict[tuple[str, str, str], tuple[int, datetime]]


def _use(facts: Facts) -> _Use:
    """Calls and the last of them, by rule set, decision and rule."""
    return {
        (rule_set, decision, rule): (calls, last)
        for rule_set, decision, rule, calls, last in facts.ask(
            """SELECT rule_set, decision, rule, CAST(sum(records) AS BIGINT), max(last_seen) FROM by_call
            WHERE event = 'decision' AND rule_set IS NOT NULL AND rule IS NOT NULL GROUP BY ALL"""
        )
    }


def _view(rule_set: RuleSet, holders: list[str], use: _Use) -> RuleSetView:
    reached = reach(rule_set)
    operations = load_catalog().operations
    classes = Counter(operations[name].kind for name in reached)
    risks = [
        Risk(name, operations[name].kind, operations[name].risk, rule)
        for name, rule in reached.items()
        if operations[name].risk
    ]
    allow = [rule.text for rule in rule_set.allow.rules] + _texts(rule_set.operations.values())
    deny = [rule.text for rule in rule_set.deny.rules] + _texts(rule_set.denied_operations.values())
    return RuleSetView(
        rule_set.name,
        tuple(holders),
        _uses(rule_set.name, "allow", allow, use),
        _uses(rule_set.name, "deny", deny, use),
        {kind: classes[kind] for kind in CLASSES},
        Rows.of(risks, len(risks), MAX_RULES),
    )


def _texts(rules: Iterable[tuple[OperationRule, ...]]) -> list[str]:
    return [rule.text for each in rules for rule in each]


def _uses(rule_set: str, decision: str, texts: list[str], use: _Use) -> Rows[RuleUse]:
    """Each rule once: ``jobs.*`` stands for many operations."""
    once = list(dict.fromkeys(texts))
    found = (RuleUse(text, *use.get((rule_set, decision, text), (0, None))) for text in once)
    return Rows.of(found, len(once), MAX_RULES)
