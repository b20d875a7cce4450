"""BS501: a subject that has expired."""

from __future__ import annotations

from collections.abc import Iterator

from ..check.finding import Found
from ..check.survey import Survey
from ..shown import moment


def of_policy(survey: Survey) -> Iterator[Found]:
    """Subjects whose end is past."""
    for each in survey.people.values():
        expires = each.subject.expires
        if expires is not None and expires <= survey.now:
            text = f"the {each.kind} {each.name} has expired, at {moment(expires)}"
            yield survey.about(each.name, text, "expires")
