"""BS511: a placeholder by which a real credential can be had."""

from ..check.escalation import find_holdings
from ..check.finding import Findings, Found, classed
from ..check.survey import RuleSetView

REAL = (
    "make_token",
    "read_secret",
    "vend_storage",
    "vend_cloud_role",
    "read_share_credential",
    "make_database_credential",
    "submit_code",
)
"""The powers (powers.yaml) by which a credential comes back, or is read by code that comes with the call."""


def exposed_credential(view: RuleSetView) -> Findings:
    """The subjects of a rule set that hold a placeholder, where the rules allow a call that gives more."""
    tokens = view.survey.policy.tokens.values()
    held = sorted({each.name for each in tokens if each.credential and each.rule_set.name == view.name})
    if not held:
        return
    holdings = find_holdings(view)
    found = [each for power in REAL for each in holdings.get(power, ())]
    if found:
        first = min(found, key=lambda each: each.order)
        operations = {each.way.operation.name: each.proof for each in found}
        text = f"a real credential can be obtained through a placeholder by {classed(sorted(operations))}"
        yield Found.of(first.way.written, text, operations=operations, proofs=[first.proof])._replace(
            subjects=tuple(held)
        )
