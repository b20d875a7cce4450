"""BS404: a whole service where reading may do."""

from __future__ import annotations

from collections.abc import Iterator

from brickscope.catalog.catalog import load_catalog

from ..check.finding import Found, classed
from ..check.proof import Way
from ..check.survey import RuleSetView


def of_rule_set(view: RuleSetView) -> Iterator[Found]:
    """Rules ``service.*``."""
    operations = load_catalog().operations
    for written in view.allow:
        if written.text.endswith(".*") and not written.is_preset:
            found = view.prover.dangerous(
                Way(written, operations[rule.operation], rule) for rule in written.operations
            )
            if found:
                yield Found.proved(written, f"{written.text} includes {classed(found)}", found)
