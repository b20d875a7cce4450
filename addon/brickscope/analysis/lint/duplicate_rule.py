"""BS101: the same rule twice."""

from ..check.finding import Findings, Found
from ..check.survey import RuleSetView


def of_rule_set(view: RuleSetView) -> Findings:
    """Rules that mean the same as one before them."""
    for rules in (view.allowed, view.denied):
        for written in rules.written:
            first = rules.equal(written)
            if first is not None:
                yield Found.of(written, f"{written.text} is already in the list", related=[first])
