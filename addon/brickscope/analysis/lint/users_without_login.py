"""BS510: users without a login."""

from brickscope.core.policy import Grant, Login, Subject

from ..check.finding import Findings, Found
from ..check.survey import PERSONAL, Survey


def of_policy(survey: Survey) -> Findings:
    """Users where no grant of anybody lets a person in; about all of them together."""
    principals = survey.policy.principals
    everybody: list[Login | Subject] = [*principals.logins, *principals.service_principals.values()]
    if principals.users and not any(each.grants & (PERSONAL | {Grant.FEDERATION}) for each in everybody):
        names = tuple(user.name for user in principals.users.values())
        text = f"the policy names users ({', '.join(names[:4])}) but no login through which they get a token"
        yield Found(survey.place(names[0]), text, subjects=names)
