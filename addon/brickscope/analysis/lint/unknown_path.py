"""BS110: a path that is no known call."""

from ..check.finding import Findings, Found
from ..check.survey import RuleSetView
from ..reach import reach


def of_rule_set(view: RuleSetView) -> Findings:
    """Path rules that reach no call of the catalogue."""
    for written in (*view.allow, *view.deny):
        unknown = [path.text for path in written.paths if not reach(path)]
        if unknown:
            yield Found(written.position, f"{unknown[0]} is not a call in the catalogue")
