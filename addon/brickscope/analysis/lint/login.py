"""Ways to get tokens that lead nowhere, or that nobody needs (BS507, BS508, BS510)."""

from collections.abc import Iterator

from brickscope.core.policy import Grant, Login, Subject

from ..check.finding import Findings, Found
from ..check.survey import Survey

PERSONAL = frozenset({Grant.BROWSER_LOGIN, Grant.REFRESH})
"""Grants that end in a person's token."""


def needless_grant(survey: Survey) -> Findings:
    """BS507: service principals with a grant that leads nowhere, or two where one will do."""
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


def login_without_users(survey: Survey) -> Findings:
    """BS508: logins whose tokens would be nobody's that the policy names."""
    principals = survey.policy.principals
    for login in principals.logins if not principals.users else ():
        personal = login.grants <= PERSONAL
        if personal or not principals.service_principals:
            whom = "user" if personal else "user or service principal"
            text = f"the login {login.name} gives tokens to people, but the policy names no {whom}"
            yield survey.about(login.name, text)


def users_without_login(survey: Survey) -> Findings:
    """BS510: users where no grant of anybody lets a person in; about all of them together."""
    principals = survey.policy.principals
    everybody: list[Login | Subject] = [*principals.logins, *principals.service_principals.values()]
    if principals.users and not any(each.grants & (PERSONAL | {Grant.FEDERATION}) for each in everybody):
        names = tuple(user.name for user in principals.users.values())
        text = f"the policy names users ({', '.join(names[:4])}) but no login through which they get a token"
        yield Found(survey.place(names[0]), text, subjects=names)
