"""BS903: an acceptance that runs out soon."""

from ..check.acceptance import Accepted
from ..check.finding import Findings
from ..shown import moment


def of_acceptance(entry: Accepted) -> Findings:
    """One that fits a finding, and whose day is near."""
    if entry.matched and entry.value.until <= entry.survey.soon:
        yield entry.found(f"the acceptance of {entry} expires at {moment(entry.value.until)}")
