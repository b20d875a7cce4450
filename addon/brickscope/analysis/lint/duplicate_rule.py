"""BS101 warning: the same rule twice

Whoever deletes one of them believes to have taken something away.

Mend: Delete one.

    allow: [jobs.list, jobs.list]

Mended:

    rule_sets: {reader: {allow: [jobs.list]}}
"""

from __future__ import annotations

from collections.abc import Iterator

from ..check.finding import Found
from ..check.survey import RuleSetView


def of_rule_set(view: RuleSetView) -> Iterator[Found]:
    """Rules that mean the same as one before them."""
    for rules in view.lists:
        for written in rules.written:
            first = rules.equal(written)
            if first is not None:
                yield Found.of(written, f"{written.text} stands there already", related=[first])
