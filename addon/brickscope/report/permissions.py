"""Who could do what: the policy that was given, with what of it was used."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from brickscope.analysis.check.checker import check
from brickscope.analysis.check.finding import Finding
from brickscope.analysis.judge import Known, known
from brickscope.analysis.shown import place
from brickscope.analysis.way import abilities
from brickscope.audit.usage import Usage, find_usage
from brickscope.catalog.catalog import CLASSES
from brickscope.core.policy import RuleSet, Subject
from brickscope.policy.load import Loaded

from .block import LIMIT, Cell, Fold, Point, Section, Table, Text
from .counts import Given
from .text import counted, day, names, shown

SOON = timedelta(days=30)
"""A subject that expires within this time of the period's end is pointed out."""
_TITLE = "Who could do what"


def permissions_section(given: Given) -> Section:
    """The policy as it is now, whatever it was during the period: subjects, what rule sets reach, rules by use."""
    if given.loaded is None:
        text = "No policy was given, so this report does not say who could do what. --rules FOLDER adds it."
        return Section("permissions", _TITLE, _TITLE, (Text(text),))
    policy, counts = given.loaded.policy, given.counts
    # What `sql/unused.sql` asks of its facts, those of the report have as well: one pass over the log is enough.
    counts.log.ask("CREATE OR REPLACE TEMP VIEW audit_facts AS SELECT * FROM by_call")
    used: dict[Any, list[Usage]] = {}
    for usage in find_usage(counts.log, policy):
        used.setdefault(usage.name if usage.kind == "subject" else (usage.rule_set, usage.list), []).append(
            usage
        )
    everybody = sorted(known(policy).values(), key=lambda who: (who.rule_set or "", who.name))
    holders = Counter(who.rule_set for who in everybody)
    sets = sorted(policy.rule_sets.values(), key=lambda rule_set: rule_set.name)
    ids = {rule_set.name: f"rule-set-{index}" for index, rule_set in enumerate(sets[:LIMIT])}
    views = [_view(given.loaded, each, holders[each.name], used, ids.get(each.name)) for each in sets]
    findings = check(given.loaded, given.end.replace(tzinfo=UTC).timestamp(), SOON.days)
    revisions = [
        revision
        for revision, _ in counts.ask(
            "SELECT policy_revision, max(last_seen) FROM by_revision WHERE event IS NOT NULL GROUP BY ALL ORDER BY 2"
        )
    ]
    in_force = "at the end of the period" if revisions[-1:] == [policy.revision] else ""
    in_force = in_force or (
        "only earlier in the period" if policy.revision in revisions else "never in the period"
    )
    intro = (
        f"By the policy of revision {policy.revision}, which was in force {in_force}. The proxy as a whole is in "
        f"{policy.mode.value} mode. What no rule allows is denied."
    )
    subjects = [_subject(given, given.loaded, who, used[who.name][0], ids) for who in everybody]
    blocks = (
        Text(intro),
        Table.written("permitted", subjects),
        Table.written("reach", [row for row, _ in views]),
        Table.written("check", map(_finding, findings)),
        *(fold for _, fold in views[:LIMIT]),
    )
    points = list(_points(given.end, everybody, findings))
    if not in_force.startswith("at"):
        text = f"The policy given here (revision {policy.revision}) was in force {in_force}."
        points.append(Point("look", text))
    return Section("permissions", _TITLE, _TITLE, blocks, points)


def _expires(who: Known, end: datetime) -> tuple[str, str]:
    """The day, and whether that is over or near."""
    if who.subject.expires is None:
        return "never", ""
    at = datetime.fromtimestamp(who.subject.expires, UTC).replace(tzinfo=None)
    return day(at), "expired" if at <= end else "expires soon" if at < end + SOON else ""


def _subject(given: Given, loaded: Loaded, who: Known, usage: Usage, ids: dict[str, str]) -> Sequence[Any]:
    subject, rule_set = who.subject, who.rule_set
    expires, state = _expires(who, given.end)
    grants = sorted(grant.value for grant in subject.grants)
    notes = [f"grants: {', '.join(grants)}"] if grants else []
    if isinstance(subject, Subject) and subject.credential is not None:
        notes.append(f"a placeholder for the credential {subject.credential}")
    return (
        who.name,
        who.kind,
        Cell(rule_set, href=ids.get(rule_set or "")),
        loaded.policy.mode_of(subject).value,
        tuple(map(str, subject.clients or ())),
        sorted(subject.workspaces or ()),
        Cell(expires, badge=state),
        usage.calls,
        usage.last_seen,
        Cell(who.marks, notes),
    )


def _view(
    loaded: Loaded,
    rule_set: RuleSet,
    holders: int,
    used: dict[Any, list[Usage]],
    id: str | None,  # noqa: A002
) -> tuple[Sequence[Any], Fold]:
    """What a rule set reaches, and its rules with what of it can widen its holder's power."""
    name = shown(rule_set.name)
    allowed = abilities(loaded.written.of(rule_set.name)).allowed()
    reach = Counter(ability.operation.kind for ability in allowed)
    risks = [
        (
            each.operation.name,
            each.operation.kind,
            each.operation.risk,
            "; ".join(dict.fromkeys(way.text for way in each.allowed)),
        )
        for each in allowed
        if each.operation.risk
    ]
    rules = {
        part: sorted(used.get((rule_set.name, part), []), key=lambda usage: (-usage.calls, usage.name))
        for part in ("allow", "deny")
    }
    unused = sum(usage.parts - usage.used for usages in rules.values() for usage in usages)
    tables = [
        Table.written("rules", map(_use, rules[part]), 0, f"{id}-{part}", f"{name} {words}")
        for part, words in (("allow", "allows"), ("deny", "denies, whatever allows it"))
        if rules[part]
    ]
    if risks:
        caption = f"Operations of {name} that can widen the holder's power"
        tables.append(Table.written("risks", risks, 0, f"{id}-risks", caption))
    sizes = [counted(len(rules[part]), f"{part} rule") for part in rules]
    row = (Cell(rule_set.name, href=id), holders, *(reach[kind] for kind in CLASSES), len(risks), unused)
    return row, Fold(id or "", f"{name}: {', '.join(sizes)}, {counted(holders, 'subject')}", tables)


def _use(usage: Usage) -> Sequence[Any]:
    parts = [f"{counted(usage.parts, 'rule')}, {usage.used:,} used"] if usage.parts > 1 else ()
    return Cell(usage.name, parts), usage.calls, usage.last_seen


def _finding(each: Finding) -> Sequence[Any]:
    accepted = each.accepted and each.accepted.value.reason
    return (
        each.severity.value,
        each.rule_set or each.subject,
        each.message,
        accepted,
        each.code,
        place(each.position),
    )


def _points(end: datetime, everybody: list[Known], findings: list[Finding]) -> Iterator[Point]:
    counting = [each for each in findings if each.severity == "error" and each.accepted is None]
    errors = [each.rule_set or each.subject or "the policy" for each in counting]
    if errors:
        text = f"brickscope check finds {counted(len(errors), 'error')} in the policy, about {names(errors)}."
        yield Point("look", text)
    states: dict[str, list[str]] = {}
    for who in everybody:
        states.setdefault(_expires(who, end)[1], []).append(who.name)
    if "expired" in states:
        yield Point("note", f"Expired, and still in the policy: {names(states['expired'])}.")
    if "expires soon" in states:
        yield Point(
            "note", f"Expires within {SOON.days} days of the period's end: {names(states['expires soon'])}."
        )
