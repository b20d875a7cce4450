"""BS501 warning: a subject that has expired

It may do nothing. If something still uses it, it is broken; if not, it is left over.

Mend: Delete it, or renew the token and the date.

    tokens:
      ci:
        fingerprint: sha256:569f3c57e50aaad559fc0e076597d4f17d5c95668fa09308d1c1cb6a0607186b
        rule_set: reader
        expires: 2026-10-01
    rule_sets:
      reader:
        allow: [jobs.list]

Mended:

    tokens:
      ci:
        fingerprint: sha256:569f3c57e50aaad559fc0e076597d4f17d5c95668fa09308d1c1cb6a0607186b
        rule_set: reader
        expires: 2027-10-01
    rule_sets:
      reader:
        allow: [jobs.list]
"""

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
