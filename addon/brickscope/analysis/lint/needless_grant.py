"""BS507: a service principal with grants it does not need."""

from collections.abc import Iterator

from brickscope.core.policy import Grant, Subject

from ..check.finding import Findings
from ..check.survey import Survey


def of_policy(survey: Survey) -> Findings:
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
        yield "browser_login, which returns a person's token, but the policy names no user"
    if Grant.REFRESH in grants and Grant.BROWSER_LOGIN not in grants:
        yield "refresh, without the browser_login that a refresh token comes from"
    if {Grant.CLIENT_CREDENTIALS, Grant.FEDERATION} <= grants:
        yield "both client_credentials and federation, of which one is enough"
