"""BS509: a user on every workspace."""

from ..check.finding import Findings
from ..check.survey import Survey


def of_policy(survey: Survey) -> Findings:
    """Users without workspaces."""
    for each in survey.people.values():
        if each.kind == "user" and each.subject.workspaces is None:
            text = f"the user {each.name} is accepted on every host under policy, including workspaces that are not yours"
            yield survey.about(each.name, text)
