"""BS509: a user on every workspace."""

from __future__ import annotations

from collections.abc import Iterator

from ..check.finding import Found
from ..check.survey import Survey


def of_policy(survey: Survey) -> Iterator[Found]:
    """Users without workspaces."""
    for each in survey.people.values():
        if each.kind == "user" and each.subject.workspaces is None:
            text = f"the user {each.name} counts on every host under policy, also on a workspace of somebody else's"
            yield survey.about(each.name, text)
