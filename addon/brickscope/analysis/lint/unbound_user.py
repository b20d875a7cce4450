"""BS509 warning: a user on every workspace

Anybody can make a Databricks workspace, and in it a user called like this one. Its tokens are genuine there, and pass
to that workspace: a way out for data.

Mend: Name the workspaces.

    users:
      alice: {sub: alice@example.com, rule_set: reader}
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
from ..check.survey import Survey


def of_policy(survey: Survey) -> Iterator[Found]:
    """Users without workspaces."""
    for each in survey.people.values():
        if each.kind == "user" and each.subject.workspaces is None:
            text = f"the user {each.name} counts on every host under policy, also on a workspace of somebody else's"
            yield survey.about(each.name, text)
