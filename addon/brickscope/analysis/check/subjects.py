"""Subjects: what has run out or will, who is bound less than others, and what is in monitor mode: BS501 to BS506, BS509."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from brickscope.analysis.judge import Known
from brickscope.analysis.shown import moment
from brickscope.core.policy import Mode, Subject
from brickscope.policy.problem import Position

from .code import codes
from .finding import Finding
from .survey import Survey

BINDINGS = ("workspaces", "clients", "expires")


def subject_findings(survey: Survey) -> Iterator[Finding]:
    """The findings about subjects, their bindings and modes."""
    yield from _expiries(survey)
    yield from _fewer_bindings(survey)
    yield from _different_bindings(survey)
    yield from _monitored(survey)
    for each in survey.people.values():
        if each.kind == "user" and each.subject.workspaces is None:
            text = f"the user {each.name} counts on every host under policy, also on a workspace of somebody else's"
            yield about("BS509", each.name, survey.place(each.name), text)


def _expiries(survey: Survey) -> Iterator[Finding]:
    for each in survey.people.values():
        expires = each.subject.expires
        if expires is None or expires > survey.soon:
            continue
        place = survey.place(each.name, "expires")
        if expires <= survey.now:
            yield about(
                "BS501", each.name, place, f"the {each.kind} {each.name} has expired, at {moment(expires)}"
            )
        else:
            yield about(
                "BS502", each.name, place, f"the {each.kind} {each.name} expires at {moment(expires)}"
            )


def _fewer_bindings(survey: Survey) -> Iterator[Finding]:
    missing: dict[str, dict[str, str]] = {}
    groups: dict[tuple[str, str], list[Known]] = {}
    kinds: dict[str, list[Known]] = {}
    for each in survey.people.values():
        if isinstance(each.subject, Subject):
            groups.setdefault((each.kind, each.subject.rule_set.name), []).append(each)
            kinds.setdefault(each.kind, []).append(each)
    for (_, rule_set), peers in groups.items():
        for binding in BINDINGS:
            bound = Counter(_has(peer, binding) for peer in peers)[True]
            for peer in peers:
                if not _has(peer, binding) and _most(bound, len(peers) - 1):
                    words = f"{bound} of {len(peers) - 1} others with the rule set {rule_set} have it"
                    missing.setdefault(peer.name, {})[binding] = words
    for kind, peers in kinds.items():
        bound = sum(any(_has(peer, binding) for binding in BINDINGS) for peer in peers)
        for peer in peers:
            free = not any(_has(peer, binding) for binding in BINDINGS)
            if free and peer.name not in missing and _most(bound, len(peers) - 1):
                words = f"{bound} of {len(peers) - 1} other {kind}s have one"
                missing[peer.name] = {"any binding": words}
    for name, lacks in missing.items():
        each = survey.people[name]
        text = ", ".join(f"{binding} ({words})" for binding, words in lacks.items())
        yield about("BS503", name, survey.place(name), f"the {each.kind} {name} lacks {text}")


def _has(who: Known, binding: str) -> bool:
    return getattr(who.subject, binding) is not None


def _most(bound: int, others: int) -> bool:
    """Whether most of the others are bound. One that is not itself bound is not among them."""
    return others > 0 and bound * 2 > others


def _different_bindings(survey: Survey) -> Iterator[Finding]:
    for view in survey.rule_sets:
        texts = []
        for binding in BINDINGS[:2]:
            bound: dict[frozenset[str], str] = {}
            for holder in view.holders:
                values = getattr(holder.subject, binding)
                if values is not None:
                    bound.setdefault(frozenset(map(str, values)), holder.name)
            if len(bound) > 1:
                texts.append(f"{binding} of {_some(list(bound.values()))}")
        if texts:
            yield Finding(
                "BS504",
                codes()["BS504"].severity,
                f"with the rule set {view.name}, {' and '.join(texts)} differ",
                view.position,
                rule_set=view.name,
                subjects=view.subjects,
            )


def _monitored(survey: Survey) -> Iterator[Finding]:
    if survey.policy.mode is Mode.MONITOR:
        place = survey.written.mode or Position("policy")
        text = "the whole proxy is in monitor mode; nothing that the rules deny is held back"
        yield Finding("BS505", codes()["BS505"].severity, text, place, subjects=tuple(survey.people))
    for view in survey.rule_sets:
        if view.rule_set.mode is Mode.MONITOR:
            place = survey.written.entries["rule_sets"][view.name].position("mode")
            held = [each for each in view.holders if each.subject.mode is not Mode.ENFORCE]
            yield Finding(
                "BS506",
                codes()["BS506"].severity,
                f"the rule set {view.name} is in monitor mode",
                place,
                rule_set=view.name,
                subjects=tuple(each.name for each in held),
            )
    for each in survey.people.values():
        if each.subject.mode is Mode.MONITOR:
            text = f"the {each.kind} {each.name} is in monitor mode"
            yield about("BS506", each.name, survey.place(each.name, "mode"), text)


def about(code: str, name: str, place: Position, text: str) -> Finding:
    """A finding about one subject."""
    return Finding(code, codes()[code].severity, text, place, subject=name, subjects=(name,))


def _some(names: Sequence[str]) -> str:
    more = len(names) - 4
    return ", ".join(names[:4]) + (f" and {more} more" if more > 0 else "")
