"""BS001: the policy does not load."""

from brickscope.policy.problem import PolicyError

from ..check.finding import Found


def of_errors(error: PolicyError) -> list[Found]:
    """One for each problem that keeps a policy from being loaded."""
    return [
        Found(problem.position, problem.message + (f" ({problem.hint})" if problem.hint else ""))
        for problem in error.problems
    ]
