"""BS106 warning: a rule that names nothing

The service has no operation of this class, so the rule stands for none. Under `deny` it is a fence that is not there.

Mend: See which operations the service has (brickscope catalog search SERVICE) and name them.

    allow: [catalogs.list, {service: catalogs, class: execute}]

Mended:

    allow: [catalogs.list]
"""

from __future__ import annotations

from collections.abc import Iterator

from ..check.finding import Found
from ..check.survey import RuleSetView


def of_rule_set(view: RuleSetView) -> Iterator[Found]:
    """Rules that stand for no operation and no path."""
    for written in (*view.allow, *view.deny):
        if written.is_empty:
            yield Found.of(written, f"no operation is a {written.text}")
