"""BS503: a subject with fewer bindings than its peers."""

from __future__ import annotations

from brickscope.core.policy import Subject

from ..check.finding import Findings
from ..check.survey import Survey
from ..judge import Known

BINDINGS = ("workspaces", "clients", "expires")


def of_policy(survey: Survey) -> Findings:
    """Subjects that lack a binding of most with their rule set, or have none where most of their kind have one."""
    groups: dict[tuple[str, str], list[Known]] = {}
    kinds: dict[str, list[Known]] = {}
    for each in survey.people.values():
        if isinstance(each.subject, Subject):
            groups.setdefault((each.kind, each.subject.rule_set.name), []).append(each)
            kinds.setdefault(each.kind, []).append(each)
    missing: dict[str, dict[str, str]] = {}
    for (_, rule_set), peers in groups.items():
        for binding in BINDINGS:
            bound = sum(_has(peer, binding) for peer in peers)
            others = len(peers) - 1
            words = f"{bound} of {others} others with the rule set {rule_set} have it"
            if others == 1:
                words = f"the other one with the rule set {rule_set} has it"
            for peer in peers:
                if not _has(peer, binding) and _most(bound, len(peers) - 1):
                    missing.setdefault(peer.name, {})[binding] = words
    for kind, peers in kinds.items():
        free = [peer for peer in peers if not any(_has(peer, binding) for binding in BINDINGS)]
        bound = len(peers) - len(free)
        for peer in free if _most(bound, len(peers) - 1) else ():
            others = len(peers) - 1
            words = (
                f"{bound} of {others} other {kind}s have one" if others > 1 else f"the other {kind} has one"
            )
            missing.setdefault(peer.name, {"any binding": words})
    for name, lacks in missing.items():
        text = ", ".join(f"{binding} ({words})" for binding, words in lacks.items())
        yield survey.about(name, f"the {survey.people[name].kind} {name} lacks {text}")


def _has(who: Known, binding: str) -> bool:
    return getattr(who.subject, binding) is not None


def _most(bound: int, others: int) -> bool:
    """Whether most of the others are bound. One that is not itself bound is not among them."""
    return others > 0 and bound * 2 > others
