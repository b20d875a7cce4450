"""BS102: a rule that others make superfluous."""

from ..check.finding import Findings, Found
from ..check.survey import RuleSetView


def of_rule_set(view: RuleSetView) -> Findings:
    """Rules that others of their list cover. A limit that another rule undoes is BS103, and said once."""
    for rules in (view.allowed, view.denied):
        for written in rules.written:
            wider = rules.wider(written)
            if wider and rules.equal(written) is None and written not in view.undone_limits:
                names = " and ".join(dict.fromkeys(each.text for each in wider))
                yield Found.of(written, f"{written.text} is part of {names} already", related=wider)
