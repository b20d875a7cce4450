"""How long anything is waited for: one look a second at all connections, not a timer for each read.

Rules: what a client has to complete by itself (CONNECT, handshake, head) has a time in all, so that a byte now and then
keeps nothing open (slowloris); what may take as long as it likes (a body, an answer) has to go on. Each limit is an
option.
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple, Protocol

from brickscope.log.record import printable

from .gate import Gate

PAUSE = 1.0
"""Seconds between two looks."""


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


class Watched(Protocol):
    """A connection that is looked at."""

    def look(self, now: float) -> None:
        """See whether it waits too long. ``now``: monotonic seconds. Never raises."""


class Deadlines:
    """All connections that are open."""

    def __init__(self) -> None:
        self._watched: set[Watched] = set()

    def watch(self, each: Watched) -> None:
        """Look at it from now on."""
        self._watched.add(each)

    def forget(self, each: Watched) -> None:
        """No longer."""
        self._watched.discard(each)

    def look(self, now: float) -> None:
        """Look at all of them."""
        for each in list(self._watched):
            each.look(now)

    async def run(self) -> None:
        """Look once a second, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(PAUSE)
            self.look(loop.time())


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
