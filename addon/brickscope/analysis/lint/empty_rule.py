"""BS106: a rule that names nothing."""

from __future__ import annotations

from collections.abc import Iterator

from ..check.finding import Found
from ..check.survey import RuleSetView


def of_rule_set(view: RuleSetView) -> Iterator[Found]:
    """Rules that stand for no operation and no path."""
    for written in (*view.allow, *view.deny):
        if written.is_empty:
            yield Found.of(written, f"no operation is a {written.text}")
