"""BS103: a limit without effect."""

from ..check.finding import Findings, Found
from ..check.survey import RuleSetView


def of_rule_set(view: RuleSetView) -> Findings:
    """Limits that a call breaks and is allowed all the same."""
    for written, broken in view.undone_limits.items():
        proof, other = next(iter(broken.values()))
        text = f"the limit on {', '.join(broken)} has no effect: {other.text} allows it without"
        yield Found.of(written, text, operations=broken, proofs=[proof], related=[other])
