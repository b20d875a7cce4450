"""BS508: a login that leads nowhere."""

from ..check.finding import Findings
from ..check.survey import PERSONAL, Survey


def of_policy(survey: Survey) -> Findings:
    """Logins whose tokens would be nobody's that the policy names."""
    principals = survey.policy.principals
    for login in principals.logins if not principals.users else ():
        personal = login.grants <= PERSONAL
        if personal or not principals.service_principals:
            whom = "user" if personal else "user or service principal"
            text = f"the login {login.name} gives tokens to people, but the policy names no {whom}"
            yield survey.about(login.name, text)
