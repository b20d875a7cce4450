"""BS903: an acceptance that runs out soon."""

from __future__ import annotations

from collections.abc import Iterator

from ..check.acceptance import Accepted
from ..check.finding import Found
from ..shown import moment


def of_acceptance(entry: Accepted) -> Iterator[Found]:
    """One that fits a finding, and whose day is near."""
    if entry.matched and entry.value.until <= entry.survey.soon:
        yield entry.found(f"the acceptance of {entry} runs out at {moment(entry.value.until)}")
