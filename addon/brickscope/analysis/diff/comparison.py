"""Two versions of a policy compared: who came and went, what each may do now, and what is newly allowed or denied.

Subjects whose rule sets changed in the same way are put together: ten thousand tokens may share one.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from brickscope.analysis.call import Call
from brickscope.analysis.judge import Known, Witness, known
from brickscope.core.policy import Issuer, Mode

from .bindings import BindingChange, compare_bindings, compare_modes
from .contrast import Contrast, shared_home
from .origin import Version
from .rule_sets import Change, Effect, Side, compare

MAX_MEMBERS = 20
"""For how many subjects with the same rules a call is tried as a proof."""


class SubjectChange(NamedTuple):
    """Somebody whose entry changed. ``status``: ``added``, ``removed`` or ``changed``. ``renamed``: the name before."""

    who: Known
    status: str
    renamed: str | None
    bindings: tuple[BindingChange, ...]


class GroupChange(NamedTuple):
    """Subjects whose rules changed in the same way: from one rule set (None: they were not there) to another."""

    subjects: tuple[str, ...]
    before: str | None
    after: str | None
    changes: tuple[Change, ...]


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
        found += [change.effect for subject in self.subjects for change in subject.bindings]
        return [*found, *(change.effect for group in self.groups for change in group.changes)]

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


Member = tuple[Known | None, Known | None]
"""Somebody under the old policy and under the new one; None where it does not name him."""


def compare_versions(old: Version, new: Version, at: float) -> Comparison:
    """Compare two versions. ``at``: when the proving calls are made, seconds since the epoch."""
    before, after = known(old.policy), known(new.policy)
    renamed = _renamed(before, after)
    subjects: list[SubjectChange] = []
    groups: dict[tuple[str | None, str | None], list[Member]] = {}
    for name in sorted({*before, *after} - set(renamed.values())):
        one, other = before.get(renamed.get(name, name)), after.get(name)
        groups.setdefault((one and one.rule_set, other and other.rule_set), []).append((one, other))
        if other is None:
            gone = BindingChange("subject", Effect.DENIED, before[name].kind, "none")
            subjects.append(SubjectChange(before[name], "removed", None, (gone,)))
            continue
        contrast = Contrast(old, one, new, other, at)
        changes = (
            _added(old, new, other) if one is None else compare_bindings(one, other, old.policy, new.policy)
        )
        bindings = tuple(change._replace(proof=contrast.prove_binding(change)) for change in changes)
        if one is None or bindings or name in renamed:
            status = "added" if one is None else "changed"
            subjects.append(SubjectChange(other, status, renamed.get(name), bindings))
    changed = (_group(old, new, members, at) for members in groups.values())
    return Comparison(
        old, new, tuple(_policy(old, new)), tuple(subjects), tuple(each for each in changed if each.changes)
    )


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


def _added(old: Version, new: Version, other: Known) -> Iterator[BindingChange]:
    """Somebody new: what its calls may do stands in its group; what tokens it may get, and monitor mode, here."""
    if other.subject.grants:
        words = ", ".join(sorted(grant.value for grant in other.subject.grants))
        yield BindingChange("grants", Effect.WIDER, "none", words)
    mode = new.policy.mode_of(other.subject)
    if mode is Mode.MONITOR and old.policy.mode is not Mode.MONITOR:
        yield BindingChange("mode", Effect.WIDER, "none", mode.value)


def _group(old: Version, new: Version, members: Sequence[Member], at: float) -> GroupChange:
    """What became of the rules of subjects that have the same ones; nothing for those who make no calls."""
    one, other = members[0]
    asked = other or one
    changes: list[Change] = []
    if asked is not None and asked.rule_set is not None:
        changes = compare(Side(old, one, at), Side(new, other, at), shared_home(one, asked))
    proved = (
        each if each.opened is None else each._replace(proof=_proof(old, new, members, each.opened, at))
        for each in changes
    )
    names = tuple(who.name for who in (now or was for was, now in members) if who is not None)
    return GroupChange(names, one and one.rule_set, other and other.rule_set, tuple(proved))


def _proof(old: Version, new: Version, members: Sequence[Member], call: Call, at: float) -> Witness | None:
    """The call as a proof for the first member for whom it is one: bindings may keep it from others."""
    proofs = (
        Contrast(old, was, new, now, at).prove(call) for was, now in members[:MAX_MEMBERS] if now is not None
    )
    return next(filter(None, proofs), None)


def _policy(old: Version, new: Version) -> Iterator[BindingChange]:
    """What concerns everybody: strangers in monitor mode, and whose tokens count where."""
    mode = compare_modes(old.policy.mode, new.policy.mode)
    if mode is not None:
        yield mode
    before, after = old.policy.principals.issuers, new.policy.principals.issuers
    for url in sorted({*before, *after}):
        one, other = before.get(url), after.get(url)
        if _issuer(one) != _issuer(other):
            effect = Effect.NARROWER if other is None else Effect.WIDER if one is None else Effect.OTHER
            yield BindingChange(f"issuer {url}", effect, _issuer(one), _issuer(other))


def _issuer(issuer: Issuer | None) -> str:
    if issuer is None:
        return "none"
    keys = "keys in a file" if issuer.keys else issuer.keys_url or "its own keys"
    digest = f" {issuer.keys.digest[:16]}" if issuer.keys else ""
    return f"counts on {', '.join(issuer.hosts.patterns)}, {keys}{digest}"
