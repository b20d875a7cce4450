"""Subjects and what they are bound to: who expires, who has fewer bindings than others, whom nothing holds back (BS501 to
BS506, BS509)."""

from collections.abc import Iterator

from brickscope.core.policy import Mode, Subject
from brickscope.policy.problem import Position

from ..check.finding import Findings, Found
from ..check.survey import RuleSetView, Survey
from ..judge import Known
from ..shown import listed, moment

BINDINGS = ("workspaces", "clients", "expires")


def expired_subject(survey: Survey) -> Findings:
    """BS501: subjects whose end is past."""
    for each in survey.people.values():
        expires = each.subject.expires
        if expires is not None and expires <= survey.now:
            text = f"the {each.kind} {each.name} has expired, at {moment(expires)}"
            yield survey.about(each.name, text, "expires")


def expiring_subject(survey: Survey) -> Findings:
    """BS502: subjects whose end is near."""
    for each in survey.people.values():
        expires = each.subject.expires
        if expires is not None and survey.now < expires <= survey.soon:
            text = f"the {each.kind} {each.name} expires at {moment(expires)}"
            yield survey.about(each.name, text, "expires")


def fewer_bindings(survey: Survey) -> Findings:
    """BS503: subjects that lack a binding of most with their rule set, or have none where most of their kind have one."""
    groups: dict[tuple[str, str], list[Known]] = {}
    kinds: dict[str, list[Known]] = {}
    for each in survey.people.values():
        if isinstance(each.subject, Subject):
            groups.setdefault((each.kind, each.subject.rule_set.name), []).append(each)
            kinds.setdefault(each.kind, []).append(each)
    missing: dict[str, dict[str, str]] = {}
    for (_, rule_set), peers in groups.items():
        having = f"with the rule set {rule_set}"
        for binding in BINDINGS:
            words = f"the other one {having} has it", f"others {having} have it"
            for name, said in _lacking(peers, (binding,), *words):
                missing.setdefault(name, {})[binding] = said
    for kind, peers in kinds.items():
        words = f"the other {kind} has one", f"other {kind}s have one"
        for name, said in _lacking(peers, BINDINGS, *words):
            missing.setdefault(name, {"any binding": said})
    for name, lacks in missing.items():
        text = ", ".join(f"{binding} ({said})" for binding, said in lacks.items())
        yield survey.about(name, f"the {survey.people[name].kind} {name} lacks {text}")


def _lacking(peers: list[Known], bindings: tuple[str, ...], one: str, many: str) -> Iterator[tuple[str, str]]:
    """Who has none of these bindings where most of the others have, and in words how many."""
    bare = [peer for peer in peers if all(getattr(peer.subject, each) is None for each in bindings)]
    bound, others = len(peers) - len(bare), len(peers) - 1
    if bound * 2 > others:  # one that is not itself bound is not among them
        said = one if others == 1 else f"{bound} of {others} {many}"
        yield from ((peer.name, said) for peer in bare)


def different_bindings(view: RuleSetView) -> Findings:
    """BS504: a rule set whose subjects are bound to different workspaces or clients."""
    texts = []
    for binding in ("workspaces", "clients"):
        bound: dict[frozenset[str], str] = {}
        for holder in view.holders:
            values = getattr(holder.subject, binding)
            if values is not None:
                bound.setdefault(frozenset(map(str, values)), holder.name)
        if len(bound) > 1:
            texts.append(f"{binding} of {listed([*bound.values()], 4)}")
    if texts:
        yield Found(view.position, f"with the rule set {view.name}, {' and '.join(texts)} differ")


def monitored_proxy(survey: Survey) -> Findings:
    """BS505: the whole proxy in monitor mode."""
    if survey.policy.mode is Mode.MONITOR:
        text = "the whole proxy is in monitor mode; what the rules deny is sent anyway"
        yield Found(survey.written.mode or Position("policy"), text, subjects=tuple(survey.people))


def monitored_subject(survey: Survey) -> Findings:
    """BS506: subjects in monitor mode, and rule sets, each with the subjects that do not enforce it."""
    for name, rule_set in survey.policy.rule_sets.items():
        if rule_set.mode is Mode.MONITOR:
            place = survey.written.entries["rule_sets"][name].position("mode")
            everybody = (each for _, each in sorted(survey.people.items()) if each.rule_set == name)
            held = tuple(each.name for each in everybody if each.subject.mode is not Mode.ENFORCE)
            yield Found(place, f"the rule set {name} is in monitor mode", rule_set=name, subjects=held)
    for each in survey.people.values():
        if each.subject.mode is Mode.MONITOR:
            yield survey.about(each.name, f"the {each.kind} {each.name} is in monitor mode", "mode")


def unbound_user(survey: Survey) -> Findings:
    """BS509: users without workspaces."""
    for each in survey.people.values():
        if each.kind == "user" and each.subject.workspaces is None:
            text = f"the user {each.name} is accepted on every host under policy, including workspaces that are not yours"
            yield survey.about(each.name, text)
