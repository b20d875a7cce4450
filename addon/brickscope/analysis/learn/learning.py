"""Learning: from the calls of a subject in the log to rules, their text and its proof."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from brickscope.analysis.again import ask, decide_again
from brickscope.analysis.facts import Facts, NotReplayable, read_facts
from brickscope.analysis.judge import known
from brickscope.analysis.sight import parts
from brickscope.analysis.way import ways
from brickscope.audit.reader import AuditLog, Progress
from brickscope.catalog.catalog import load_catalog
from brickscope.core.policy import Subject
from brickscope.core.reason import Reason
from brickscope.core.rule import Rule
from brickscope.policy.load import Loaded
from brickscope.policy.written import WrittenRule

from .draft import Draft, Proof, compile_draft, edited, new_file
from .evidence import Evidence, Group, Selector, collect, groups
from .observation import Observation, Tally
from .present import Present, find_present
from .proposal import LearnError, Proposal, Seen, Wish, propose
from .scopes import Scopes, minimal_scopes

MAX_PATHS = 5_000
"""Different calls of no known operation that are kept."""
MAX_FAILED = 5
_STEP = 500
_COVERED, _OPEN = 1, 2
"""Marks of calls, by the number of their group: allowed now, and to be allowed if that is proposed. 0: left out."""
_AGAINST = frozenset(
    (Reason.DENIED_BY_RULE, Reason.EXPIRED, Reason.CLIENT_NOT_ALLOWED, Reason.WORKSPACE_NOT_ALLOWED)
)
"""What the present policy says against a call on purpose: no rule that is added changes it."""


class Learned(NamedTuple):
    """``covered``: operations whose calls the present policy allows. ``unused``: its rules that no observed call needed.
    ``left_out``: calls that are no evidence, by why; ``not_replayable``: those of them that can't be judged again, by what
    the log does not tell. ``draft``: None where there is nothing to propose."""

    who: Selector
    name: str
    evidence: Evidence
    left_out: dict[str, int]
    not_replayable: dict[str, int]
    present: Present | None
    covered: dict[str, Tally]
    proposal: Proposal
    replaced: tuple[WrittenRule, ...]
    unused: tuple[WrittenRule, ...]
    draft: Draft | None
    proof: Proof | None
    scopes: Scopes


@dataclass
class _Sorted:
    """The calls, sorted by what the present policy makes of them. ``needed``: its rules that allow some. ``doubtful``:
    operations with calls that can't be judged again."""

    seen: Seen = field(default_factory=Seen)
    covered: dict[str, Observation] = field(default_factory=dict)
    covered_paths: bool = False
    needed: set[WrittenRule] = field(default_factory=set)
    left_out: Counter[str] = field(default_factory=Counter)
    not_replayable: Counter[str] = field(default_factory=Counter)
    doubtful: set[str] = field(default_factory=set)
    marks: bytearray = field(default_factory=bytearray)
    last_seen: datetime = datetime.min  # noqa: DTZ901 - the log's times are UTC without a zone


def learn(
    log: AuditLog,
    who: Selector,
    wish: Wish,
    policy: Loaded | None = None,
    *,
    name: str | None = None,
    drop_unused: bool = False,
    progress: Progress | None = None,
) -> Learned:
    """Learn a rule set. ``name``: of the subject and rule set where the policy has none. ``progress``: of reading the log.

    Raises LearnError, PolicyError and duckdb.Error.
    """
    present = None if policy is None else find_present(policy, who, wish)
    if policy is not None and present is None and who.by == "subject":
        raise LearnError(
            f"the policy names nobody {who.value[:64]!r}: name the token with --fingerprint, or the principal with "
            "--client-id or --sub"
        )
    evidence = collect(log, who, _part(progress, 0.0, 0.4))
    sorted_ = _sort(log, present, evidence, _part(progress, 0.4, 0.7))
    watched = {each.operation for rule in present.watching for each in rule.operations} if present else set()
    proposal = propose(sorted_.seen, wish, frozenset(watched))
    unused: tuple[WrittenRule, ...] = ()
    replaced: tuple[WrittenRule, ...] = ()
    draft: Draft | None = None
    if present is not None:
        replaced = tuple(rule for rule in present.watching if _is_learned(rule, proposal))
        unused = tuple(rule for rule in _unused(sorted_, present) if rule not in replaced)
        if drop_unused and present.shared:
            raise LearnError(
                f"the rule set {present.rule_set!r} is also that of {', '.join(present.shared[:5])}: --drop-unused could "
                "take what they need"
            )
        if proposal.entries or (drop_unused and unused):
            draft = edited(present, proposal.entries, [*replaced, *(unused if drop_unused else ())])
    elif proposal.entries:
        draft = new_file(
            name or (who.value if who.by == "subject" else "learned"), who, evidence, proposal.entries, policy
        )
    proof = None
    if draft is not None:
        told = _part(progress, 0.7, 1.0)
        proof = _prove(log, draft, policy, present, evidence, sorted_, proposal, told)
    return Learned(
        who,
        present.who.name if present is not None else name or who.value,
        evidence,
        dict(Counter(evidence.left_out) + sorted_.left_out),
        dict(sorted_.not_replayable),
        present,
        {key: each.tally for key, each in sorted(sorted_.covered.items())},
        proposal,
        replaced,
        unused,
        draft,
        proof,
        _scopes(sorted_, proposal),
    )


def _is_learned(rule: WrittenRule, proposal: Proposal) -> bool:
    """Whether a watching rule has limits in its place now. One for an operation that was not seen goes on watching, as does
    one whose parameter the log still lacks."""
    learned = {name for entry in proposal.entries for name in entry.operations}
    return _names(rule) <= learned


def _part(progress: Progress | None, begin: float, end: float) -> Progress | None:
    """The progress of one step of several."""
    return None if progress is None else lambda share: progress(begin + share * (end - begin))


def _sort(log: AuditLog, present: Present | None, evidence: Evidence, progress: Progress | None) -> _Sorted:
    found = _Sorted(marks=bytearray(evidence.groups))
    for group in _groups(log, evidence, progress):
        try:
            facts = read_facts(group.record, None, None)
            called = _called(facts)
            if present is not None and _judged(found, present, group, facts, called):
                continue
        except NotReplayable as why:
            found.left_out["not_replayable"] += group.calls
            found.not_replayable[str(why)] += group.calls
            found.doubtful.add(str(group.record["operation"]))
            continue
        found.last_seen = max(found.last_seen, group.last_seen)
        found.marks[group.number] = _OPEN
        request = facts.request
        if called is not None:
            _observe(found.seen.operations, called.text).add(group, called.template, request.segments)
            continue
        key = (request.method, request.path)
        if key in found.seen.paths or len(found.seen.paths) < MAX_PATHS:
            found.seen.paths.setdefault(key, Tally()).add(group)
        else:
            found.marks[group.number] = 0
            found.left_out["too_many_paths"] += group.calls
    return found


def _judged(found: _Sorted, present: Present, group: Group, facts: Facts, called: Rule | None) -> bool:
    """Whether the present policy settles it: it allows the call, or denies it on purpose. Raises NotReplayable."""
    subject = present.who.subject
    assert isinstance(subject, Subject)
    decision = decide_again(present.loaded.policy, subject, facts, group.record)
    found.last_seen = max(found.last_seen, group.last_seen)
    if decision.allow:
        rule = present.loaded.written.decided(decision)
        found.needed |= {rule} if rule is not None else set()
        found.marks[group.number] = _COVERED
        if called is None:
            found.covered_paths = True
        else:
            _observe(found.covered, called.text).add(group, called.template, facts.request.segments)
        return True
    if decision.reason in _AGAINST or decision.reason.kind is not Reason.NO_RULE_MATCHES.kind:
        found.left_out[f"now_{decision.reason.value}"] += group.calls
        return True
    return False


def _unused(found: _Sorted, present: Present) -> Iterator[WrittenRule]:
    """Rules that no call needed, and that no call which can't be judged again may have needed."""
    needed = found.needed | {rule for rule in present.watching if _names(rule) & found.seen.operations.keys()}
    needed |= {way.written for way in ways(present.rules) if way.operation.name in found.doubtful}
    return (rule for rule in present.rules if rule not in needed)


def _names(rule: WrittenRule) -> set[str]:
    return {each.operation for each in rule.operations}


def _groups(log: AuditLog, evidence: Evidence, progress: Progress | None) -> Iterator[Group]:
    """The calls that are evidence, if they can be judged again."""
    for number, group in enumerate(groups(log)):
        if progress is not None and number % _STEP == 0:
            progress(number / evidence.groups)
        yield group


def _observe(operations: dict[str, Observation], name: str) -> Observation:
    if name not in operations:
        operations[name] = Observation(load_catalog().operations[name])
    return operations[name]


def _prove(
    log: AuditLog,
    draft: Draft,
    policy: Loaded | None,
    present: Present | None,
    evidence: Evidence,
    found: _Sorted,
    proposal: Proposal,
    progress: Progress | None,
) -> Proof:
    """Every call that is to be covered, judged again under the draft as the loader reads it."""
    compiled = compile_draft(draft, policy, found.last_seen.replace(tzinfo=UTC).timestamp())
    everybody = known(compiled)
    before = {} if policy is None else known(policy.policy)
    who = everybody[
        present.who.name if present is not None else next(each for each in everybody if each not in before)
    ]
    calls = allowed = 0
    failed: list[str] = []
    for group in _groups(log, evidence, progress):
        mark = found.marks[group.number]
        if not mark:
            continue
        facts = read_facts(group.record, None, None)
        called, request = _called(facts), facts.request
        name = None if called is None else called.text
        if mark == _OPEN and not proposal.proposes(name, request.method, request.path):
            continue
        calls += group.calls
        decision = ask(compiled, who, facts.call, group.record)
        if decision.allow:
            allowed += group.calls
        elif len(failed) < MAX_FAILED:
            failed.append(f"{request.method} {request.path}: {decision.reason.value}, {decision.detail}")
    return Proof(calls, allowed, tuple(failed))


def _called(facts: Facts) -> Rule | None:
    """The operation of a call by the catalogue, None for an unknown one."""
    found = parts(facts.request, facts.body or b"")
    return found[0].called if found else None


def _scopes(found: _Sorted, proposal: Proposal) -> Scopes:
    """Of the calls that are allowed now or would be."""
    methods: dict[str, set[str]] = {}
    for name, observed in [*found.covered.items(), *found.seen.operations.items()]:
        if name in found.covered or proposal.proposes(name, "", ""):
            methods.setdefault(name, set()).update(observed.methods)
    paths = found.covered_paths or any(not entry.operations for entry in proposal.entries)
    return minimal_scopes(methods, paths=paths)
