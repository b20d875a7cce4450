"""BS509: a user on every workspace."""

from __future__ import annotations

from ..check.finding import Findings
from ..check.survey import Survey


def of_policy(survey: Survey) -> Findings:
    """Users without workspaces."""
    for each in survey.people.values():
        if each.kind == "user" and each.subject.workspaces is None:
            text = f"the user {each.name} counts on every host under policy, also on a workspace of somebody else's"
            yield survey.about(each.name, text)
