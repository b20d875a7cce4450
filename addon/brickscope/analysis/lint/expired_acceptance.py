"""BS901 warning: an acceptance that has run out

What it accepted is reported again. It stands there as if it were still accepted.

Mend: Look at the finding once more; then mend it, or write a new date and why.

    rule_sets:
      runner:
        allow: [jobs.run_now]
    accept:
      - {finding: BS213, rule_set: runner, reason: "first weeks, see TICKET-7", until: 2026-10-01}

Mended:

    rule_sets:
      runner:
        allow: [jobs.run_now]
    accept:
      - {finding: BS213, rule_set: runner, reason: "first weeks, see TICKET-7", until: 2027-10-01}
"""

from __future__ import annotations

from collections.abc import Iterator

from ..check.acceptance import Accepted
from ..check.finding import Found
from ..shown import moment


def of_acceptance(entry: Accepted) -> Iterator[Found]:
    """One whose day is past."""
    if entry.is_over:
        yield entry.found(f"the acceptance of {entry} ran out at {moment(entry.value.until)}")
