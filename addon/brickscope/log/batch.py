"""Records that go to the operating system together, and whether they are there: what a group commit commits."""

from .error import AuditError
from .record import Record

_NOT_YET = AuditError("the record is not written yet")


class Batch:
    """Records that are written at once. ``before``: sequence number and hash of the chain's end before them. ``gaps``: those
    among them that say what is missing, of which ``noted`` had been noted before. ``waiting``: how many of them calls wait
    for; ``outcomes``: how many nobody does. ``error``: why they are not written; None once they are."""

    __slots__ = ("before", "error", "gaps", "lines", "noted", "outcomes", "waiting")

    def __init__(self, before: tuple[int, str], gaps: list[Record]) -> None:
        self.before = before
        self.gaps = gaps
        self.lines: list[bytes] = []
        self.noted = self.waiting = self.outcomes = 0
        self.error: AuditError | None = _NOT_YET

    def count(self, event: str) -> None:
        """One of them is of this event. A checkpoint is neither: no call waits for it, and it is written later."""
        if event == "outcome":
            self.outcomes += 1
        elif event != "checkpoint":
            self.waiting += 1
