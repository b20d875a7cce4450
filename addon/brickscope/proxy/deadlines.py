"""How long anything is waited for.

Rules: what a client has to complete by itself (CONNECT, handshake, head) has a time in all, so that a byte now and then
keeps nothing open (slowloris); what may take as long as it likes (a body, an answer) has to go on. Each limit is an
option.
"""

from collections.abc import Iterator
from typing import NamedTuple

from brickscope.log.record import printable

from .flow import LINGER
from .gate import Gate
from .wire.events import Close, Event, Fault, How, Phase, Side
from .wire.http1 import Http1
from .wire.http2 import Http2


class Limits(NamedTuple):
    """In seconds. ``handshake``: for CONNECT, for TLS, and for each address of a host. ``head``: for the head of a request.
    ``idle``: between two calls. ``stall``: within a call, without a byte that moves; ``websocket``: the same in one."""

    handshake: float = 10.0
    head: float = 30.0
    idle: float = 600.0
    stall: float = 600.0
    websocket: float = 3600.0


class Patience:
    """How long the same has been waited for."""

    __slots__ = ("_since", "_what")

    def __init__(self) -> None:
        self._what: object = None
        self._since = 0.0

    def is_over(self, what: object, seconds: float, now: float) -> bool:
        """Whether ``what`` is waited for since ``seconds`` or more. What is new is waited for from now on."""
        if what != self._what:
            self._what, self._since = what, now
            return False
        return now - self._since >= seconds


class Overdue(NamedTuple):
    """What was waited for too long. ``limit``, ``seconds``: which of the ``Limits``; empty for one that nobody has to know
    of. ``events``: what is to be done. ``decision_id``: of the call that was under way."""

    limit: str
    seconds: float
    events: list[Event]
    decision_id: str | None = None


class Watchdog:
    """Looks at what one tunnel under policy waits for."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._connection, self._head = Patience(), Patience()
        self._looked: float | None = None

    def look(
        self, core: Http1 | Http2 | None, unsent: tuple[int, int], now: float, *, client_full: bool
    ) -> Iterator[Overdue]:
        """What is over, one after the other. ``core``: None before the client's handshake is complete. ``unsent``: bytes
        that wait for the client, and for the host. ``client_full``: whether the client does not take what it is sent."""
        limits, patience = self._limits, self._connection
        leave: list[Event] = [Close(Side.CLIENT, How.AT_ONCE)]
        if core is None:
            if patience.is_over("handshake", limits.handshake, now):
                yield Overdue("handshake", limits.handshake, leave)
            return
        core.pass_time(0 if self._looked is None else now - self._looked)
        self._looked = now
        if core.phase is Phase.OVER:
            if patience.is_over(("over", unsent[0]), limits.stall if unsent[0] else LINGER, now):
                yield Overdue("", 0, leave)
        elif core.is_in_head and self._head.is_over(core.begun, limits.head, now):
            yield Overdue("head", limits.head, core.break_off(Fault.CLIENT_STUCK))
        elif core.phase is Phase.IDLE and patience.is_over(("idle", core.begun, unsent), limits.idle, now):
            yield Overdue("idle", limits.idle, core.close_idle())
        seconds = getattr(limits, core.limit)
        for exchange, progress in core.calls:
            what = progress if core.shared else (progress, unsent)
            if exchange.ticket.waits_too_long(what, seconds, now):
                is_clients = client_full or (exchange.waits_for_client and not unsent[1])
                fault = Fault.CLIENT_STUCK if is_clients else Fault.HOST_STUCK
                cleared = exchange.cleared
                decision_id = None if cleared is None else cleared.decision_id
                yield Overdue(core.limit, seconds, core.give_up(exchange, fault), decision_id)


def record_timeout(
    gate: Gate, limit: str, seconds: float, client: str, host: str, port: int, decision_id: str | None = None
) -> None:
    """Record that a limit ended a connection. ``limit``: its name in ``Limits``. ``host``: empty where none was named yet.
    ``decision_id``: of the call that was under way. Never raises an Exception of the log."""
    gate.record(
        "timeout",
        {
            "cause": limit,
            "seconds": seconds,
            "decision_id": decision_id,
            "client_address": client,
            "server_address": printable(host)[:256],
            "server_port": port,
        },
    )
