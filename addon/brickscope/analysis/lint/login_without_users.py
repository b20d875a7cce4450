"""BS508 warning: a login that leads nowhere

The login lets people ask for tokens, but the policy names no user (and, for federation, no service principal) whose
rules they would have. Every call with such a token is denied.

Mend: Name the users, or delete the login.

    logins:
      people: {client_id: databricks-cli, grants: [browser_login, refresh]}
    rule_sets: {reader: {allow: [jobs.list]}}

Mended:

    users:
      alice: {sub: alice@example.com, rule_set: reader, workspaces: [dbc-a1b2c3d4-e5f6.cloud.databricks.com]}
    logins:
      people: {client_id: databricks-cli, grants: [browser_login, refresh]}
    rule_sets: {reader: {allow: [jobs.list]}}
"""

from __future__ import annotations

from collections.abc import Iterator

from ..check.finding import Found
from ..check.survey import PERSONAL, Survey


def of_policy(survey: Survey) -> Iterator[Found]:
    """Logins whose tokens would be nobody's that the policy names."""
    principals = survey.policy.principals
    for login in principals.logins if not principals.users else ():
        personal = login.grants <= PERSONAL
        if personal or not principals.service_principals:
            whom = "user" if personal else "user or service principal"
            text = f"the login {login.name} gives tokens to people, and the policy names no {whom}"
            yield survey.about(login.name, text)
