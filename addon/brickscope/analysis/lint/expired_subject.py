"""BS501: a subject that has expired."""

from ..check.finding import Findings
from ..check.survey import Survey
from ..shown import moment


def of_policy(survey: Survey) -> Findings:
    """Subjects whose end is past."""
    for each in survey.people.values():
        expires = each.subject.expires
        if expires is not None and expires <= survey.now:
            text = f"the {each.kind} {each.name} has expired, at {moment(expires)}"
            yield survey.about(each.name, text, "expires")
