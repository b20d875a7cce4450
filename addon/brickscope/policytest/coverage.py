"""Which rules, as written, the tests have exercised: those by which some call was decided."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from brickscope.policy.written import Written, WrittenRule

from .run import Result


class Covered(NamedTuple):
    """A rule and how many cells it decided."""

    rule: WrittenRule
    cells: int


def coverage(written: Written, results: Iterable[Result]) -> list[Covered]:
    """Every rule of a policy in the order of the files, with the number of cells that it decided."""
    counts: dict[int, int] = {}
    for result in results:
        if result.rule is not None:
            counts[id(result.rule)] = counts.get(id(result.rule), 0) + 1
    rules = sorted(written.rules, key=lambda rule: rule.position)
    return [Covered(rule, counts.get(id(rule), 0)) for rule in rules]
