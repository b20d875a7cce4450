"""BS101: the same rule twice."""

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
