"""BS503: a subject with fewer bindings than its peers."""

from collections.abc import Iterator

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
