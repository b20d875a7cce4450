"""BS106: a rule that names nothing."""

from ..check.finding import Findings, Found
from ..check.survey import RuleSetView


def of_rule_set(view: RuleSetView) -> Findings:
    """Rules that stand for no operation and no path."""
    for written in (*view.allow, *view.deny):
        if written.is_empty:
            yield Found.of(written, f"no operation is a {written.text}")
