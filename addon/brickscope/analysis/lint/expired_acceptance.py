"""BS901: an acceptance that has run out."""

from ..check.acceptance import Accepted
from ..check.finding import Findings
from ..shown import moment


def of_acceptance(entry: Accepted) -> Findings:
    """One whose day is past."""
    if entry.is_over:
        yield entry.found(f"the acceptance of {entry} expired at {moment(entry.value.until)}")
