"""A call that was let go on: its times, and the record of how it ended.

Rule: whatever ends a call that has left, it has one outcome on record.
"""

import time

from brickscope.log.record import printable

from .deadlines import Patience
from .gate import Gate
from .wire.events import Fault, Side
from .wire.exchange import Exchange
from .wire.head import Cleared


class Call:
    """A call that was let go on, from its ruling to its outcome; kept with its exchange. Times are monotonic seconds; None
    for what has not happened."""

    __slots__ = ("_patience", "answered", "is_over", "left", "read")

    def __init__(self) -> None:
        self._patience: Patience | None = None
        """Made when it is asked for, which most calls do not live to see."""
        self.read = time.monotonic()
        self.left: float | None = None
        self.answered: float | None = None
        self.is_over = False

    def waits_too_long(self, what: object, seconds: float, now: float) -> bool:
        """As ``Patience.is_over``."""
        if self._patience is None:
            self._patience = Patience()
        return self._patience.is_over(what, seconds, now)

    def leave(self, gate: Gate, cleared: Cleared) -> None:
        """It may be sent from now on."""
        self.left = time.monotonic()
        gate.tally.left(not cleared.announced.is_nothing, self.read, self.left)

    def end(self, gate: Gate, exchange: Exchange) -> None:
        """Record its outcome; a second time does nothing. Never raises an Exception."""
        cleared = exchange.cleared
        if self.is_over or cleared is None:
            return
        self.is_over = True
        took = time.monotonic() - cleared.started
        status = exchange.status
        if status == 401 and cleared.placed is not None:
            gate.credentials.refused(cleared.placed)
        sent, received = exchange.body.size, None if status is None else exchange.reply.size
        # In the order of their names, with room for what the writer adds.
        fields = {
            "decision_id": cleared.decision_id,
            "duration_ms": int(took * 1e6) / 1000,
            "event": "outcome",
            "instance": None,
            "policy_revision": gate.policy.revision,
            "prev_hash": None,
            "request_bytes": sent,
            "response_bytes": received,
            "schema": None,
            "seq": None,
            "status": status,
            "time": None,
        }
        if exchange.fault is not None:
            detail = f": {exchange.detail}" if exchange.detail else ""
            fields["error"] = printable(f"{exchange.fault}{detail}")[:256]
            gate.tally.broke(_cause(exchange.fault))
        gate.record_outcome(fields)
        gate.tally.ended(status, sent, received, took, self.left, self.answered)


def _cause(fault: Fault) -> str:
    """What the count of failures calls it (``tally.FAILURES``)."""
    if fault is Fault.UNREACHED:
        return "connect"
    return {Side.CLIENT: "client", Side.HOST: "upstream", Side.OWN: "proxy"}[fault.side]
