"""BS104: a deny of what nothing allows."""

from ..check.finding import Findings, Found
from ..check.survey import RuleSetView


def of_rule_set(view: RuleSetView) -> Findings:
    """Denies that no allow meets."""
    for written in view.deny:
        if not (written.is_empty or view.never(written) or view.allowed.meets(written)):
            yield Found.of(written, f"nothing allows what {written.text} denies")
