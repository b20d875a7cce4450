"""BS001 error: the policy does not load

The proxy would not take it either - at start it would end, and at a reload it would keep the last good one. Nothing
else is looked at. Each error of the load is one finding, and none can be accepted.

Mend: As the message says; `docs/policy.md` has what is an error.

    allow: [jobs.lsit]

Mended:

    rule_sets: {reader: {allow: [jobs.list]}}
"""

from __future__ import annotations

from brickscope.policy.problem import PolicyError

from ..check.finding import Found


def of_errors(error: PolicyError) -> list[Found]:
    """One for each problem that keeps a policy from being loaded."""
    return [
        Found(problem.position, problem.message + (f" ({problem.hint})" if problem.hint else ""))
        for problem in error.problems
    ]
