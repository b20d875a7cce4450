"""BS104: a deny of what nothing allows."""

from __future__ import annotations

from collections.abc import Iterator

from ..check.finding import Found
from ..check.survey import RuleSetView


def of_rule_set(view: RuleSetView) -> Iterator[Found]:
    """Denies that no allow meets."""
    for written in view.deny:
        if not (written.is_empty or view.never(written) or view.allowed.meets(written)):
            yield Found.of(written, f"nothing allows what {written.text} denies")
