"""BS502 warning: a subject that expires soon

From that moment on its calls are denied (30 days ahead, unless --soon says otherwise).

Mend: Renew the token and the date, or tell those who use it.

    tokens:
      ci:
        fingerprint: sha256:569f3c57e50aaad559fc0e076597d4f17d5c95668fa09308d1c1cb6a0607186b
        rule_set: reader
        expires: 2026-11-20
    rule_sets:
      reader:
        allow: [jobs.list]

Mended:

    tokens:
      ci:
        fingerprint: sha256:569f3c57e50aaad559fc0e076597d4f17d5c95668fa09308d1c1cb6a0607186b
        rule_set: reader
        expires: 2027-06-01
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
    """Subjects whose end is near."""
    for each in survey.people.values():
        expires = each.subject.expires
        if expires is not None and survey.now < expires <= survey.soon:
            yield survey.about(
                each.name, f"the {each.kind} {each.name} expires at {moment(expires)}", "expires"
            )
