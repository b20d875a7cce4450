"""BS404: a whole service where reading may do."""

from ..check.finding import Findings, Found, classed
from ..check.survey import RuleSetView
from ..way import ways


def of_rule_set(view: RuleSetView) -> Findings:
    """Rules ``service.*``."""
    for written in view.allow:
        if written.text.endswith(".*") and not written.is_preset:
            found = view.prover.dangerous(ways([written]))
            if found:
                yield Found.proved(written, f"{written.text} includes {classed(found)}", found)
