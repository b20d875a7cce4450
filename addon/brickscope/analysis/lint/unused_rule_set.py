"""BS111: a rule set that nobody has."""

from ..check.finding import Findings, Found
from ..check.survey import RuleSetView


def of_rule_set(view: RuleSetView) -> Findings:
    """A rule set without subjects."""
    if not view.holders:
        yield Found(view.position, f"no subject has the rule set {view.name}")
