"""BS103 error: a limit without effect

The rule limits an operation by `where` or `only`, and another rule of the set allows the same operation without it.
The limit holds nothing back.

Mend: Narrow the other rule, or deny the operation there and allow it here alone.

    allow:
      - {operation: jobs.run_now, where: {job_id: 1012}}
      - jobs.*

Mended:

    allow:
      - {operation: jobs.run_now, where: {job_id: 1012}}
      - {service: jobs, class: read}
"""

from __future__ import annotations

from collections.abc import Iterator

from ..check.finding import Found
from ..check.survey import RuleSetView


def of_rule_set(view: RuleSetView) -> Iterator[Found]:
    """Limits that a call breaks and is allowed all the same."""
    for written, broken in view.undone_limits:
        proof, other = next(iter(broken.values()))
        text = f"the limit on {', '.join(broken)} holds nothing back: {other.text} allows it without"
        yield Found.of(written, text, operations=broken, proofs=[proof], related=[other])
