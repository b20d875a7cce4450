"""Ways to get tokens that nobody needs, or that lead nowhere: BS507, BS508, BS510."""

from __future__ import annotations

from collections.abc import Iterator

from brickscope.core.policy import Grant, Login, Subject

from .finding import Finding
from .subjects import about
from .survey import Survey

_PERSONAL = frozenset({Grant.BROWSER_LOGIN, Grant.REFRESH})
"""Grants that end in a person's token."""


def login_findings(survey: Survey) -> Iterator[Finding]:
    """The findings about grants and logins."""
    principals = survey.policy.principals
    for subject in principals.service_principals.values():
        whys = list(_needless(subject, users=bool(principals.users)))
        if whys:
            text = f"the service principal {subject.name} may use {'; '.join(whys)}"
            yield about("BS507", subject.name, survey.place(subject.name, "grants"), text)
    for login in principals.logins:
        if not principals.users and (login.grants <= _PERSONAL or not principals.service_principals):
            whom = "user" if login.grants <= _PERSONAL else "user or service principal"
            text = f"the login {login.name} gives tokens to people, and the policy names no {whom}"
            yield about("BS508", login.name, survey.place(login.name), text)
    everybody: list[Login | Subject] = [*principals.logins, *principals.service_principals.values()]
    entrance = _PERSONAL | {Grant.FEDERATION}
    if principals.users and not any(each.grants & entrance for each in everybody):
        names = [user.name for user in principals.users.values()]
        text = f"the policy names users ({', '.join(names[:4])}) and no login through which they get a token"
        place = survey.place(names[0])
        yield about("BS510", names[0], place, text)._replace(subject=None, subjects=tuple(names))


def _needless(subject: Subject, *, users: bool) -> Iterator[str]:
    grants = subject.grants
    if Grant.BROWSER_LOGIN in grants and not users:
        yield "browser_login, which ends in a person's token, and the policy names no user"
    if Grant.REFRESH in grants and Grant.BROWSER_LOGIN not in grants:
        yield "refresh, without the browser_login that a refresh token comes from"
    if {Grant.CLIENT_CREDENTIALS, Grant.FEDERATION} <= grants:
        yield "client_credentials beside federation, of which one is enough"
