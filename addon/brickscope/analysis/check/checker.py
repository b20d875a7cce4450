"""All lints over one policy."""

from collections.abc import Iterator

from brickscope.policy.load import Loaded

from .acceptance import apply_acceptances
from .code import Code, linted
from .escalation import escalations
from .finding import Finding, Found
from .survey import RuleSetView, Survey, survey


def check(loaded: Loaded, now: float, days: float = 30.0) -> list[Finding]:
    """Every finding about a policy that loads, those that are accepted among them, in the order of severity and place.

    ``now``: seconds since the epoch, UTC. ``days``: how far ahead something runs out soon.
    """
    surveyed = survey(loaded, now, days)
    found, accepted = apply_acceptances(_findings(surveyed), surveyed)
    found += [finding(code, said) for each in accepted for code, said in linted(each)]
    return sorted(found, key=lambda each: (each.severity.rank, each.position, each.code))


def _findings(surveyed: Survey) -> Iterator[Finding]:
    for rule_set in surveyed.policy.rule_sets.values():
        view = RuleSetView(surveyed, rule_set)
        yield from (finding(code, each, view) for code, each in (*linted(view), *escalations(view)))
    yield from (finding(code, each) for code, each in linted(surveyed))


def finding(code: Code, found: Found, view: RuleSetView | None = None) -> Finding:
    """What a lint says, with what its page and the rule set say where it left that open."""
    told = found._asdict() | {"severity": found.severity or code.severity}
    if view is not None:
        told["rule_set"] = view.name
    if found.subjects is None:
        told["subjects"] = () if view is None else view.subjects
    return Finding(code.code, **told)
