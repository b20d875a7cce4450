"""A finding: what is wrong or dangerous in a policy that loads, where, whom it affects, and a request that proves it."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from brickscope.policy.problem import Position


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
    def milder(self) -> Severity:
        """One step less; a note stays one."""
        return list(Severity)[min(self.rank + 1, 2)]


class Proof(NamedTuple):
    """A request that the decision function allows. ``subject``: for whom it was asked, None for a rule set nobody has.

    ``url``: with host and query. ``body``: as it would be sent, empty for none. ``rule``: what allowed it. ``text``: all of
    the request in one printable line.
    """

    subject: str | None
    operation: str | None
    method: str
    url: str
    body: str
    rule: str
    text: str


class Acceptance(NamedTuple):
    """An entry of ``accept``: ``reason`` and ``until`` (seconds since the epoch, UTC) as written."""

    position: Position
    reason: str
    until: float


class Finding(NamedTuple):
    """One finding. ``rule_set`` or ``subject``: what it is about, neither for the whole policy.

    ``subjects``: whom it affects, as far as it is not accepted for them. ``operations``: on which it rests. ``related``:
    further places that belong to it, each with a few words. ``accepted``: by what, None while it counts.
    """

    code: str
    severity: Severity
    message: str
    position: Position
    rule_set: str | None = None
    subject: str | None = None
    subjects: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    proofs: tuple[Proof, ...] = ()
    related: tuple[tuple[Position, str], ...] = ()
    accepted: Acceptance | None = None
