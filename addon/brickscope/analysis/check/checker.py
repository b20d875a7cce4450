"""All lints over one policy."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from brickscope.policy.load import Loaded

from .acceptance import apply_acceptances
from .breadth import breadth
from .escalation import escalations
from .finding import Finding
from .idle import idle_rules
from .limit import weak_limits
from .logins import login_findings
from .naming import misnamed
from .overlap import overlaps
from .proof import Prover
from .sibling import passed_denies
from .spelling import open_spellings
from .subjects import subject_findings
from .survey import RuleSetView, Survey, survey
from .unclassed import unclassed_calls

_OF_RULE_SETS: tuple[Callable[[RuleSetView, Prover], Iterator[Finding]], ...] = (
    overlaps,
    open_spellings,
    passed_denies,
    weak_limits,
    misnamed,
    unclassed_calls,
    escalations,
    breadth,
)


def check(loaded: Loaded, now: float, days: float = 30.0) -> list[Finding]:
    """Every finding about a policy that loads, those that are accepted among them, in the order of severity and place.

    ``now``: seconds since the epoch, UTC. ``days``: how far ahead something runs out soon.
    """
    surveyed = survey(loaded, now, days)
    found = apply_acceptances(_findings(surveyed), surveyed)
    return sorted(found, key=lambda finding: (finding.severity.rank, finding.position, finding.code))


def _findings(surveyed: Survey) -> Iterator[Finding]:
    for view in surveyed.rule_sets:
        prover = Prover(surveyed, view)
        yield from idle_rules(view)
        for lint in _OF_RULE_SETS:
            yield from lint(view, prover)
    yield from subject_findings(surveyed)
    yield from login_findings(surveyed)
