"""BS108: a rule set that allows nothing."""

from ..check.finding import Findings, Found
from ..check.survey import RuleSetView


def of_rule_set(view: RuleSetView) -> Findings:
    """A rule set all of whose rules are idle."""
    if all(map(view.is_idle, view.allow)):
        yield Found(view.position, f"no rule of {view.name} allows anything")
