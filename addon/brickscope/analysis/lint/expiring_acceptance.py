"""BS903 note: an acceptance that runs out soon

From that day on the finding counts again (30 days ahead, unless --soon says otherwise), and CI may fail.

Mend: Look at the finding in time.

    rule_sets:
      runner:
        allow: [jobs.run_now]
    accept:
      - {finding: BS213, rule_set: runner, reason: reviewed, until: 2026-11-20}

Mended:

    rule_sets:
      runner:
        allow: [jobs.run_now]
    accept:
      - {finding: BS213, rule_set: runner, reason: reviewed, until: 2027-10-01}
"""

from __future__ import annotations

from collections.abc import Iterator

from ..check.acceptance import Accepted
from ..check.finding import Found
from ..shown import moment


def of_acceptance(entry: Accepted) -> Iterator[Found]:
    """One that fits a finding, and whose day is near."""
    if entry.matched and entry.value.until <= entry.survey.soon:
        yield entry.found(f"the acceptance of {entry} runs out at {moment(entry.value.until)}")
