"""BS401: a path over several services."""

from ..check.finding import Findings, Found, Severity, classed
from ..check.survey import RuleSetView
from ..shown import MOST, listed


def of_rule_set(view: RuleSetView) -> Findings:
    """Path rules with ``{name...}`` that reach operations of several services."""
    for span in view.spans:
        if span.is_wide:
            found = view.prover.dangerous(span.ways)
            text = (
                f"{span.written.text} matches {len(span.names)} operations of {len(span.services)} services"
            )
            more = f"among them {classed(found)}" if found else listed(span.services, MOST)
            severity = Severity.ERROR if found else None
            yield Found.proved(span.written, f"{text}, {more}", found, severity)
