"""BS502: a subject that expires soon."""

from ..check.finding import Findings
from ..check.survey import Survey
from ..shown import moment


def of_policy(survey: Survey) -> Findings:
    """Subjects whose end is near."""
    for each in survey.people.values():
        expires = each.subject.expires
        if expires is not None and survey.now < expires <= survey.soon:
            yield survey.about(
                each.name, f"the {each.kind} {each.name} expires at {moment(expires)}", "expires"
            )
