"""BS507 warning: a service principal with grants it does not need

Each grant is one more way to get a token. A browser login ends in a person's token and not the service principal's; a
refresh token comes from one; where an identity provider's token is enough (federation), a secret is one more thing to
steal.

Mend: Leave the one grant by which it gets its tokens.

    service_principals:
      deploy: {client_id: 6f1c2f6e-0000-4000-8000-3d1a2b4c5d6e, rule_set: reader, grants: [client_credentials, federation]}
    rule_sets: {reader: {allow: [jobs.list]}}

Mended:

    service_principals:
      deploy: {client_id: 6f1c2f6e-0000-4000-8000-3d1a2b4c5d6e, rule_set: reader, grants: [federation]}
    rule_sets: {reader: {allow: [jobs.list]}}
"""

from __future__ import annotations

from collections.abc import Iterator

from brickscope.core.policy import Grant, Subject

from ..check.finding import Found
from ..check.survey import Survey


def of_policy(survey: Survey) -> Iterator[Found]:
    """Service principals with a grant that leads nowhere, or two where one will do."""
    principals = survey.policy.principals
    for subject in principals.service_principals.values():
        whys = list(_needless(subject, users=bool(principals.users)))
        if whys:
            text = f"the service principal {subject.name} may use {'; '.join(whys)}"
            yield survey.about(subject.name, text, "grants")


def _needless(subject: Subject, *, users: bool) -> Iterator[str]:
    grants = subject.grants
    if Grant.BROWSER_LOGIN in grants and not users:
        yield "browser_login, which ends in a person's token, and the policy names no user"
    if Grant.REFRESH in grants and Grant.BROWSER_LOGIN not in grants:
        yield "refresh, without the browser_login that a refresh token comes from"
    if {Grant.CLIENT_CREDENTIALS, Grant.FEDERATION} <= grants:
        yield "client_credentials beside federation, of which one is enough"
