"""A graceful stop: what is under way finishes, what is idle is closed, and nothing new begins.

Each connection is asked again and again whether anything is under way. The next answer on an HTTP/1.1 connection carries
``Connection: close``, and HTTP/2 tells its client to open no more streams (``wire/http2.py``), so the client opens the
next one elsewhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .datapath import Connection
    from .listener import Listener

TICK = 0.25
GRACE = 5.0
"""Seconds that a connection may stay idle before it is closed: most clients end it themselves in that time, which can't
cross a call that they are just sending."""
SETTLE = 2.0
"""Seconds for connections that were cut to end."""


class Drain:
    """The end of this process's work. ``cut``: connections that had to be cut."""

    def __init__(self, seconds: float) -> None:
        """``seconds``: how long calls may take to finish."""
        self.seconds = seconds
        self.cut = 0
        self._hurry = asyncio.Event()

    def hurry(self) -> None:
        """Wait no longer."""
        self._hurry.set()

    async def wait(self, listener: Listener) -> None:
        """Wait until all connections have ended, or time is up; afterwards nothing that is open is waited for any more."""
        started = time.monotonic()
        idle_since: dict[Connection, float] = {}
        grace = min(GRACE, self.seconds / 2)
        while not self._hurry.is_set():
            # First a pause: what was just accepted is not among the open ones yet.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), min(TICK, self.seconds))
            now = time.monotonic()
            if listener.is_quiet or now - started >= self.seconds:
                break
            for connection in list(listener.open.values()):
                if await connection.is_busy(late=now - started >= grace):
                    idle_since.pop(connection, None)
                elif now - idle_since.setdefault(connection, now) >= grace:
                    connection.close_idle()

    async def finish(self, listener: Listener) -> None:
        """Cut what is left, and wait until it has ended: the outcome of each call belongs into the log before ``stop``."""
        self.cut = len(listener.open)
        for connection in list(listener.open.values()):
            connection.abort()
        deadline = time.monotonic() + SETTLE
        while not listener.is_quiet and time.monotonic() < deadline:  # noqa: ASYNC110 - a mapping tells nobody that it is empty
            await asyncio.sleep(0.02)
