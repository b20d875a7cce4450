"""A policy as SQL: what the queries of ``sql/lakehouse/`` ask beside the log, for Databricks or Spark.

The other files there are as they are shipped; tests hold those that follow from the log's schema against it.
"""

import json
from collections.abc import Sequence

from brickscope.core.policy import Policy

from .usage import policy_rows


def policy_sql(policy: Policy) -> str:
    """Statements that fill ``audit_policy`` and ``governed_identities`` anew from a policy, for Spark SQL.

    Whose token a fingerprint is, or an object id of Entra ID, no policy says: these subjects are named in a comment, for
    somebody who knows, and what was filled in for them is kept.
    """
    known = policy.principals
    identities = [
        (subject.name, identity)
        for subjects in (known.service_principals, known.users)
        for identity, subject in subjects.items()
    ]
    identities += [
        (subject.name, key.application_id)
        for key, subject in known.entra.items()
        if key.application_id is not None and key.application_id not in known.service_principals
    ]
    named = {name for name, _ in identities}
    unsaid = (*policy.tokens.values(), *known.entra.values())
    tokens = sorted({subject.name for subject in unsaid} - named)
    unknown = "".join(f" {json.dumps(name)}" for name in tokens) or " none"
    return f"""\
-- The policy of revision {policy.revision}.
TRUNCATE TABLE audit_policy;
{_insert("audit_policy", policy_rows(policy))}
DELETE FROM governed_identities WHERE subject NOT IN ({", ".join(map(literal, tokens)) or "''"});
{_insert("governed_identities", identities)}
-- Subjects with a token. Add for each, once, whose token it is: INSERT INTO governed_identities VALUES ('NAME', 'USER');
--{unknown}
"""  # noqa: S608 - texts are quoted by literal


def _insert(table: str, rows: Sequence[Sequence[str | None]]) -> str:
    if not rows:
        return f"-- nothing for {table}"
    values = ",\n".join(f"  ({', '.join(map(literal, row))})" for row in rows)
    return f"INSERT INTO {table} VALUES\n{values};"


def literal(value: str | None) -> str:
    """A text in Spark SQL, where a backslash escapes."""
    if value is None:
        return "NULL"
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
