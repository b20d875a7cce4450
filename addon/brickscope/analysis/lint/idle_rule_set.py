"""BS108 warning: a rule set that allows nothing

Each of its rules is denied, names nothing or can't be met. Its subjects may do nothing at all.

Mend: Write what they may do, or delete the subjects.

    allow: [{service: secrets, class: read}]
    deny: [secrets.*]

Mended:

    allow: [{service: secrets, class: read}]
"""

from __future__ import annotations

from collections.abc import Iterator

from ..check.finding import Found
from ..check.survey import RuleSetView


def of_rule_set(view: RuleSetView) -> Iterator[Found]:
    """A rule set all of whose rules are idle."""
    if all(map(view.is_idle, view.allow)):
        yield Found(view.position, f"no rule of {view.name} allows anything")
