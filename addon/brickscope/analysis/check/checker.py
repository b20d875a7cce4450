"""All lints over one policy."""

from collections.abc import Iterator

from brickscope.policy.load import Loaded

from ..judge import known
from .acceptance import apply_acceptances
from .code import Code, lints
from .escalation import escalations
from .finding import Finding, Found
from .survey import RuleSetView, Survey

DAY = 86400.0


def check(loaded: Loaded, now: float, days: float = 30.0) -> list[Finding]:
    """Every finding about a policy that loads, those that are accepted among them, in the order of severity and place.

    ``now``: seconds since the epoch, UTC. ``days``: how far ahead something runs out soon.
    """
    surveyed = Survey(loaded.policy, loaded.written, known(loaded.policy), now, now + days * DAY)
    found, accepted = apply_acceptances(_findings(surveyed), surveyed)
    for lint in lints():
        found += [_finding(lint.code, said) for each in accepted for said in lint.find(each)]
    return sorted(found, key=lambda finding: (finding.severity.rank, finding.position, finding.code))


def _findings(surveyed: Survey) -> Iterator[Finding]:
    for rule_set in surveyed.policy.rule_sets.values():
        view = RuleSetView(surveyed, rule_set)
        for lint in lints():
            yield from (_finding(lint.code, each, view) for each in lint.find(view))
        yield from (_finding(code, each, view) for code, each in escalations(view))
    for lint in lints():
        yield from (_finding(lint.code, each) for each in lint.find(surveyed))


def _finding(code: Code, found: Found, view: RuleSetView | None = None) -> Finding:
    """What a lint says, with what its page and the rule set say where it left that open."""
    told = found._asdict() | {"severity": found.severity or code.severity}
    if view is not None:
        told["rule_set"] = view.name
    if found.subjects is None:
        told["subjects"] = () if view is None else view.subjects
    return Finding(code.code, **told)
