"""BS105: an allow of what is denied."""

from ..check.finding import Findings, Found
from ..check.survey import RuleSetView


def of_rule_set(view: RuleSetView) -> Findings:
    """Rules under ``allow`` of which the denies leave nothing."""
    for written in view.allow:
        if not (written.is_empty or view.never(written)) and view.is_idle(written):
            yield Found.of(written, f"all that {written.text} allows is denied")
