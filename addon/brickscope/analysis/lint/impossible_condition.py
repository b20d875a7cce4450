"""BS107 warning: a condition that no call can meet

No value of the parameter can pass the test: a range that is empty, a path variable that must be absent, a prefix with
a slash for what is one segment. Under `allow` the rule allows nothing. Under `deny` it denies nothing, which is an
error.

Mend: Write the value as the call carries it; `brickscope explain` shows what a rule sees of a call.

    allow:
      - jobs.list
      - {operation: serving_endpoints.get, where: {name: {prefix: team/}}}

Mended:

    allow:
      - jobs.list
      - {operation: repos.get, where: {repo_id: [7, 8]}}
"""

from __future__ import annotations

from collections.abc import Iterator

from ..check.finding import Found, Severity
from ..check.survey import RuleSetView


def of_rule_set(view: RuleSetView) -> Iterator[Found]:
    """Rules whose conditions no call meets."""
    for written in (*view.allow, *view.deny):
        whys = view.never(written)
        if whys:
            denies = written.part == "deny"
            text = f"so it {'denies' if denies else 'allows'} nothing ({'; '.join(whys)})"
            yield Found.of(
                written,
                f"no call can meet {written.text}, {text}",
                severity=Severity.ERROR if denies else None,
            )
