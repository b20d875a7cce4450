"""A finding: what is wrong or dangerous in a policy that loads, where, whom it affects, and a request that proves it."""

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple, Self

from brickscope.catalog.catalog import load_catalog
from brickscope.policy.entry import Entry
from brickscope.policy.problem import Position
from brickscope.policy.written import WrittenRule

from ..judge import Witness
from ..shown import MOST, listed


class Severity(StrEnum):
    """How bad a finding is, by which CI fails or not."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return list(Severity).index(self)

    @property
    def milder(self) -> "Severity":
        """One step less; a note stays one."""
        return list(Severity)[min(self.rank + 1, 2)]


class Found(NamedTuple):
    """What a lint says. What it leaves open (severity, whom it affects) is its page's, or that of what it looked at.

    The fields mean what they do in ``Finding``.
    """

    position: Position
    message: str
    severity: Severity | None = None
    rule_set: str | None = None
    subject: str | None = None
    subjects: tuple[str, ...] | None = None
    operations: tuple[str, ...] = ()
    proofs: tuple[Witness, ...] = ()
    related: tuple[tuple[Position, str], ...] = ()

    @classmethod
    def of(
        cls,
        written: WrittenRule,
        message: str,
        *,
        severity: Severity | None = None,
        operations: Iterable[str] = (),
        proofs: Iterable[Witness] = (),
        related: Iterable[WrittenRule] = (),
    ) -> Self:
        """About a rule. ``related``: other rules that belong to it."""
        places = {other.position: other.text for other in related}
        return cls(
            written.position,
            message,
            severity,
            operations=tuple(sorted(operations)),
            proofs=tuple(proofs),
            related=tuple(places.items()),
        )


Findings = Iterator[Found]
"""What a lint has to say, one after the other."""


class Finding(NamedTuple):
    """One finding. ``rule_set`` or ``subject``: what it is about, neither for the whole policy.

    ``subjects``: whom it affects, as far as it is not accepted for them. ``operations``: on which it rests. ``related``:
    further places that belong to it, each with a few words. ``accepted``: by which entry of ``accept``, None while it
    counts.
    """

    code: str
    severity: Severity
    message: str
    position: Position
    rule_set: str | None = None
    subject: str | None = None
    subjects: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    proofs: tuple[Witness, ...] = ()
    related: tuple[tuple[Position, str], ...] = ()
    accepted: Entry | None = None


def classed(names: Iterable[str]) -> str:
    """Operations in words, with their class."""
    operations: Sequence[str] = [f"{name} ({load_catalog().operations[name].kind})" for name in names]
    return listed(operations, MOST)
