"""BS505: the whole proxy in monitor mode."""

from brickscope.core.policy import Mode
from brickscope.policy.problem import Position

from ..check.finding import Findings, Found
from ..check.survey import Survey


def of_policy(survey: Survey) -> Findings:
    """The mode of the whole proxy."""
    if survey.policy.mode is Mode.MONITOR:
        text = "the whole proxy is in monitor mode; what the rules deny is sent anyway"
        yield Found(survey.written.mode or Position("policy"), text, subjects=tuple(survey.people))
