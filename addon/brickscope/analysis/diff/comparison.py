"""Two versions of a policy compared: who came and went, what each may do now, and what is newly allowed or denied.

Subjects whose rule sets changed in the same way are put together: ten thousand tokens may share one.
"""

from __future__ import annotations

from typing import NamedTuple

from brickscope.analysis.call import Call
from brickscope.analysis.judge import Known, known
from brickscope.analysis.summary import mode_of
from brickscope.analysis.witness import Witness
from brickscope.core.policy import Issuer, Mode, Subject

from .bindings import BindingChange, compare_bindings
from .contrast import Contrast, decision_of, shared_home
from .origin import Version
from .rule_sets import Effect, OperationChange, PathChange, RuleSetChange, Side, compare

MAX_MEMBERS = 20
"""For how many subjects with the same rules a call is tried as a proof."""


class SubjectChange(NamedTuple):
    """Somebody whose entry changed. ``status``: ``added``, ``removed`` or ``changed``. ``renamed``: the name before.

    ``bindings``: each with a proof, where it opens something and one was found.
    """

    who: Known
    status: str
    renamed: str | None
    bindings: tuple[tuple[BindingChange, Witness | None], ...]


class GroupChange(NamedTuple):
    """Subjects whose rules changed in the same way: from one rule set (None: they were not there) to another.

    ``proofs``: of what is newly allowed, by operation or path rule; ``denials``: calls that are newly denied.
    """

    subjects: tuple[str, ...]
    before: str | None
    after: str | None
    change: RuleSetChange
    proofs: dict[str, Witness]
    denials: dict[str, Call]


class Comparison(NamedTuple):
    """All that changed. ``policy``: of the whole proxy (mode, issuers), with the effect."""

    old: Version
    new: Version
    policy: tuple[BindingChange, ...]
    subjects: tuple[SubjectChange, ...]
    groups: tuple[GroupChange, ...]

    def effects(self) -> list[Effect]:
        """What became of everything that changed."""
        found = [change.effect for change in self.policy]
        for subject in self.subjects:
            found += [change.effect for change, _ in subject.bindings]
        for group in self.groups:
            found += [each.effect for each in group.change.operations]
            found += [each.effect for each in group.change.paths]
        return found

    @property
    def opens(self) -> bool:
        """Whether anything may be newly allowed."""
        return any(effect.opens for effect in self.effects())

    @property
    def closes(self) -> bool:
        """Whether anything is newly denied."""
        return any(effect.closes for effect in self.effects())

    @property
    def is_empty(self) -> bool:
        """Whether nothing changed in meaning."""
        return not self.subjects and all(effect is Effect.SAME for effect in self.effects())


def compare_versions(old: Version, new: Version, at: float) -> Comparison:
    """Compare two versions. ``at``: when the proving calls are made, seconds since the epoch."""
    before, after = known(old.policy), known(new.policy)
    renamed = _renamed(before, after)
    subjects: list[SubjectChange] = []
    pairs: dict[tuple[str | None, str | None], list[tuple[Known | None, Known | None]]] = {}
    for name in sorted({*before, *after} - set(renamed.values())):
        one, other = before.get(renamed.get(name, name)), after.get(name)
        pairs.setdefault((_rule_set(one), _rule_set(other)), []).append((one, other))
        change = _subject(old, one, new, other, at, renamed.get(name))
        if change is not None:
            subjects.append(change)
    groups = [
        group for (_, _), members in pairs.items() if (group := _group(old, new, members, at)) is not None
    ]
    return Comparison(old, new, tuple(_policy(old, new)), tuple(subjects), tuple(groups))


def _renamed(before: dict[str, Known], after: dict[str, Known]) -> dict[str, str]:
    """Who has another name now, by the marks: new name to old."""
    gone = {mark: who for who in before.values() if who.name not in after for mark in who.marks}
    found: dict[str, str] = {}
    for who in after.values():
        if who.name not in before:
            for mark in who.marks:
                if mark in gone and gone[mark].name not in found.values() and gone[mark].kind == who.kind:
                    found.setdefault(who.name, gone[mark].name)
    return found


def _rule_set(who: Known | None) -> str | None:
    return who.subject.rule_set.name if who is not None and isinstance(who.subject, Subject) else None


def _subject(
    old: Version, one: Known | None, new: Version, other: Known | None, at: float, renamed: str | None
) -> SubjectChange | None:
    if one is None and other is not None:
        return SubjectChange(other, "added", None, tuple(_added(old, new, other, at)))
    if other is None and one is not None:
        gone = BindingChange("subject", Effect.DENIED, one.kind, "none")
        return SubjectChange(one, "removed", None, ((gone, None),))
    if one is None or other is None:
        return None
    contrast = Contrast(old, one, new, other, at)
    found = [
        (change, contrast.prove_binding(change))
        for change in compare_bindings(one, other, old.policy, new.policy)
    ]
    if not found and renamed is None:
        return None
    return SubjectChange(other, "changed", renamed, tuple(found))


def _added(old: Version, new: Version, other: Known, at: float) -> list[tuple[BindingChange, Witness | None]]:
    """Somebody new: what its calls may do stands in its group; what tokens it may get, and monitor mode, here."""
    found = []
    if other.subject.grants:
        words = ", ".join(sorted(grant.value for grant in other.subject.grants))
        found.append(BindingChange("grants", Effect.WIDER, "none", words))
    mode = mode_of(new.policy, other.subject)
    if mode is Mode.MONITOR and old.policy.mode is not Mode.MONITOR:
        found.append(BindingChange("mode", Effect.WIDER, "none", mode.value))
    contrast = Contrast(old, None, new, other, at)
    return [(change, contrast.prove_binding(change)) for change in found]


def _group(
    old: Version, new: Version, members: list[tuple[Known | None, Known | None]], at: float
) -> GroupChange | None:
    one, other = members[0]
    asked = other or one
    if asked is None or not isinstance(asked.subject, Subject):
        return None

    change = compare(_side(old, one, at), _side(new, other, at), shared_home(one, asked))
    if not change.operations and not change.paths:
        return None
    proofs: dict[str, Witness] = {}
    denials: dict[str, Call] = {}
    for name, each in _changes(change):
        if each.closed is not None:
            denials[name] = each.closed
        proof = None if each.opened is None else _first_proof(old, new, members, each.opened, at)
        if proof is not None:
            proofs[name] = proof
    names = tuple(who.name for who in (now or was for was, now in members) if who is not None)
    return GroupChange(names, _rule_set(one), _rule_set(other), change, proofs, denials)


def _first_proof(
    old: Version, new: Version, members: list[tuple[Known | None, Known | None]], call: Call, at: float
) -> Witness | None:
    """The call as a proof for the first member for whom it is one: bindings may keep it from others."""
    for was, now in members[:MAX_MEMBERS]:
        proof = None if now is None else Contrast(old, was, new, now, at).prove(call)
        if proof is not None:
            return proof
    return None


def _side(version: Version, who: Known | None, at: float) -> Side:
    """Somebody's rules in one version; those of nobody allow nothing."""
    subject = None if who is None else who.subject
    rule_set = subject.rule_set if isinstance(subject, Subject) else None
    return Side(rule_set, version.written, lambda call: decision_of(version, who, call, at))


def _changes(change: RuleSetChange) -> list[tuple[str, OperationChange | PathChange]]:
    """Each difference by the name that proofs have."""
    return [(each.operation.name, each) for each in change.operations] + [
        (each.rule, each) for each in change.paths
    ]


def _policy(old: Version, new: Version) -> list[BindingChange]:
    """What concerns everybody: strangers in monitor mode, and whose tokens count where."""
    found = []
    if old.policy.mode is not new.policy.mode:
        effect = Effect.WIDER if new.policy.mode is Mode.MONITOR else Effect.NARROWER
        found.append(BindingChange("mode", effect, old.policy.mode.value, new.policy.mode.value))
    before, after = old.policy.principals.issuers, new.policy.principals.issuers
    for url in sorted({*before, *after}):
        one, other = before.get(url), after.get(url)
        if _issuer(one) != _issuer(other):
            effect = Effect.NARROWER if other is None else Effect.WIDER if one is None else Effect.OTHER
            found.append(BindingChange(f"issuer {url}", effect, _issuer(one), _issuer(other)))
    return found


def _issuer(issuer: Issuer | None) -> str:
    if issuer is None:
        return "none"
    keys = "keys in a file" if issuer.keys else issuer.keys_url or "its own keys"
    digest = f" {issuer.keys.digest[:16]}" if issuer.keys else ""
    return f"counts on {', '.join(issuer.hosts.patterns)}, {keys}{digest}"
