"""BS402: a path with more behind its variables."""

from ..check.finding import Findings, Found, classed
from ..check.survey import RuleSetView


def of_rule_set(view: RuleSetView) -> Findings:
    """Path rules behind whose variables the API has words of its own."""
    for span in view.spans:
        if not span.is_wide and len(span.names) > 1:
            found = view.prover.dangerous(way for way in span.ways if way.reach and way.reach.hidden)
            if found:
                yield Found.proved(span.written, f"{span.written.text} also matches {classed(found)}", found)
