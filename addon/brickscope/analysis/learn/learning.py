"""Learning: from the calls of a subject in the log to rules, their text and its proof."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from brickscope.analysis.again import ask, decide_again
from brickscope.analysis.facts import Facts, NotReplayable, read_facts
from brickscope.analysis.judge import known
from brickscope.analysis.sight import parts
from brickscope.analysis.way import ways
from brickscope.audit.reader import AuditLog, Progress
from brickscope.catalog.catalog import load_catalog
from brickscope.core.decision import Decision
from brickscope.core.policy import Subject
from brickscope.core.reason import Kind, Reason
from brickscope.core.rule import Rule
from brickscope.policy.load import Loaded
from brickscope.policy.written import WrittenRule

from .draft import Draft, Proof, compile_draft, edited, new_file
from .evidence import Evidence, Group, Selector, collect, groups
from .observation import Observation, Tally
from .present import Present, find_present
from .proposal import LearnError, Paths, Proposal, Wish, propose
from .scopes import minimal_scopes

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
    the log does not tell; ``unmet``: the first of those that the rule for them does not allow. ``draft``: None where
    there is nothing to propose."""

    who: Selector
    name: str
    evidence: Evidence
    left_out: dict[str, int]
    not_replayable: dict[str, int]
    unmet: tuple[str, ...]
    present: Present | None
    covered: dict[str, Tally]
    proposal: Proposal
    replaced: tuple[WrittenRule, ...]
    unused: tuple[WrittenRule, ...]
    draft: Draft | None
    proof: Proof | None
    scopes: dict[str, Any]


class _Calls:
    """The calls that are evidence, sorted by what the present policy makes of them: ``covered``, or ``operations`` and
    ``paths`` that it does not allow yet. ``needed``: its rules that allow some. ``doubtful``: operations with calls that
    can't be judged again, or are ``unmet``: the rule proposed for them does not allow them (by number, with why)."""

    def __init__(
        self, log: AuditLog, evidence: Evidence, present: Present | None, unmet: Mapping[int, str]
    ) -> None:
        self._log, self._evidence, self._present, self.unmet = log, evidence, present, {**unmet}
        self.operations: dict[str, Observation] = {}
        self.paths: Paths = {}
        self.covered: dict[str, Observation] = {}
        self.covered_paths = False
        self.needed: set[WrittenRule] = set()
        self.left_out: Counter[str] = Counter(evidence.left_out)
        self.not_replayable: Counter[str] = Counter()
        self.doubtful: set[str] = set()
        self._marks = bytearray(evidence.groups)
        self._last_seen = datetime.min  # noqa: DTZ901 - the log's times are UTC without a zone

    def sort(self, progress: Progress | None) -> None:
        """Look at each."""
        for group in self._groups(progress):
            if group.number in self.unmet:
                self.left_out["unmet"] += group.calls
                self.doubtful.add(str(group.record["operation"]))
                continue
            try:
                facts = read_facts(group.record, None, None)
                called = _called(facts)
                decision = self._decide(group, facts)
            except NotReplayable as why:
                self.left_out["not_replayable"] += group.calls
                self.not_replayable[str(why)] += group.calls
                self.doubtful.add(str(group.record["operation"]))
                continue
            self._last_seen = max(self._last_seen, group.last_seen)
            request = facts.request
            if decision is not None and (
                decision.reason in _AGAINST or decision.reason.kind not in (Kind.ALLOW, Kind.POLICY)
            ):
                self.left_out[f"now_{decision.reason.value}"] += group.calls
                continue
            is_covered = decision is not None and decision.allow
            if called is not None:
                observed = self.covered if is_covered else self.operations
                if called.text not in observed:
                    observed[called.text] = Observation(load_catalog().operations[called.text])
                observed[called.text].add(group, called.template, request.segments)
            elif is_covered:
                self.covered_paths = True
            elif (key := (request.method, request.path)) in self.paths or len(self.paths) < MAX_PATHS:
                self.paths.setdefault(key, Tally()).add(group)
            else:
                self.left_out["too_many_paths"] += group.calls
                continue
            self._marks[group.number] = _COVERED if is_covered else _OPEN

    def _decide(self, group: Group, facts: Facts) -> Decision | None:
        """What the present policy says of a call; None without one. Raises NotReplayable."""
        if self._present is None:
            return None
        subject = self._present.who.subject
        assert isinstance(subject, Subject)
        decision = decide_again(self._present.loaded.policy, subject, facts, group.record)
        rule = self._present.loaded.written.decided(decision) if decision.allow else None
        self.needed |= {rule} if rule is not None else set()
        return decision

    def unused(self, present: Present) -> Iterator[WrittenRule]:
        """Rules that no call needed, and that no call which can't be judged again may have needed."""
        needed = self.needed | {rule for rule in present.watching if _names(rule) & self.operations.keys()}
        needed |= {way.written for way in ways(present.rules) if way.operation.name in self.doubtful}
        return (rule for rule in present.rules if rule not in needed)

    def prove(
        self, draft: Draft, policy: Loaded | None, proposal: Proposal, progress: Progress | None
    ) -> Proof:
        """Every call that is to be covered, judged again under the draft as the loader reads it."""
        compiled = compile_draft(draft, policy, self._last_seen.replace(tzinfo=UTC).timestamp())
        everybody = known(compiled)
        before = {} if policy is None else known(policy.policy)
        name = self._present.who.name if self._present else next(iter(everybody.keys() - before))
        calls = allowed = 0
        failed: list[str] = []
        for group in self._groups(progress):
            if not self._marks[group.number]:
                continue
            facts = read_facts(group.record, None, None)
            called, request = _called(facts), facts.request
            operation = None if called is None else called.text
            if self._marks[group.number] == _OPEN and not proposal.proposes(
                operation, request.method, request.path
            ):
                continue
            calls += group.calls
            decision = ask(compiled, everybody[name], facts.call, group.record)
            if decision.allow:
                allowed += group.calls
                continue
            why = f"{request.method} {request.path}: {decision.reason.value}, {decision.detail}"
            if self._marks[group.number] == _OPEN:
                self.unmet[group.number] = why if len(self.unmet) < MAX_FAILED else ""
            elif len(failed) < MAX_FAILED:
                failed.append(why)
        return Proof(calls, allowed, tuple(failed))

    def _groups(self, progress: Progress | None) -> Iterator[Group]:
        for number, group in enumerate(groups(self._log)):
            if progress is not None and number % _STEP == 0:
                progress(number / self._evidence.groups)
            yield group

    def scopes(self, proposal: Proposal) -> dict[str, Any]:
        """Of the calls that are allowed now or would be."""
        methods: dict[str, set[str]] = {}
        for name, observed in [*self.covered.items(), *self.operations.items()]:
            if name in self.covered or proposal.proposes(name, "", ""):
                methods.setdefault(name, set()).update(observed.methods)
        paths = self.covered_paths or any(not entry.operations for entry in proposal.entries)
        return minimal_scopes(methods, paths=paths)


def learn(
    log: AuditLog,
    who: Selector,
    wish: Wish,
    policy: Loaded | None = None,
    *,
    name: str | None = None,
    drop_unused: bool = False,
    progress: Progress | None = None,
    unmet: Mapping[int, str] = {},
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
    calls = _Calls(log, evidence, present, unmet)
    calls.sort(_part(progress, 0.4, 0.7))
    watched = set().union(*map(_names, present.watching)) if present else set()
    proposal = propose(calls.operations, calls.paths, wish, frozenset(watched))
    unused: tuple[WrittenRule, ...] = ()
    replaced: tuple[WrittenRule, ...] = ()
    draft: Draft | None = None
    if present is not None:
        # A watching rule for an operation that was not seen goes on, as does one whose parameter the log still lacks.
        limited = {name for entry in proposal.entries for name in entry.operations}
        replaced = tuple(rule for rule in present.watching if _names(rule) <= limited)
        unused = tuple(rule for rule in calls.unused(present) if rule not in replaced)
        if drop_unused and present.shared:
            raise LearnError(
                f"the rule set {present.rule_set!r} is also that of {', '.join(present.shared[:5])}: --drop-unused could "
                "take what they need"
            )
        if proposal.entries or (drop_unused and unused):
            draft = edited(present, proposal.entries, [*replaced, *(unused if drop_unused else ())])
    elif proposal.entries:
        own = name or (who.value if who.by == "subject" else "learned")
        draft = new_file(own, who, evidence, proposal.entries, policy)
    proof = None if draft is None else calls.prove(draft, policy, proposal, _part(progress, 0.7, 1.0))
    if len(calls.unmet) > len(unmet):
        return learn(
            log, who, wish, policy, name=name, drop_unused=drop_unused, progress=progress, unmet=calls.unmet
        )
    return Learned(
        who,
        present.who.name if present is not None else name or who.value,
        evidence,
        dict(calls.left_out),
        dict(calls.not_replayable),
        tuple(filter(None, unmet.values())),
        present,
        {key: each.tally for key, each in sorted(calls.covered.items())},
        proposal,
        replaced,
        unused,
        draft,
        proof,
        calls.scopes(proposal),
    )


def _names(rule: WrittenRule) -> set[str]:
    return {each.operation for each in rule.operations}


def _part(progress: Progress | None, begin: float, end: float) -> Progress | None:
    """The progress of one step of several."""
    return None if progress is None else lambda share: progress(begin + share * (end - begin))


def _called(facts: Facts) -> Rule | None:
    """The operation of a call by the catalogue, None for an unknown one."""
    found = parts(facts.request, facts.body or b"")
    return found[0][0] if found else None
