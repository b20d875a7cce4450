"""A policy that does not load (BS001)."""

from brickscope.policy.problem import PolicyError

from ..check.finding import Findings, Found


def broken_policy(error: PolicyError) -> Findings:
    """BS001: one for each problem that keeps a policy from being loaded."""
    for problem in error.problems:
        yield Found(problem.position, problem.message + (f" ({problem.hint})" if problem.hint else ""))
