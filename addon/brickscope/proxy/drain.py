"""A graceful stop: what is under way finishes, what is idle is closed, and nothing new begins.

Each connection is asked again and again by an event that its layers pass down: a layer that carries something says so, and
HTTP/2 tells its client to open no more streams (``stream.py``). The next answer on an HTTP/1.1 connection carries
``Connection: close``, so the client opens the next one elsewhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mitmproxy.proxy import events

if TYPE_CHECKING:
    from .listener import Listener

TICK = 0.25
GRACE = 5.0
"""Seconds that a connection may stay idle before it is closed: most clients end it themselves in that time, which can't
cross a call that they are just sending."""
SETTLE = 2.0
"""Seconds for connections that were cut to end."""


@dataclass
class Draining(events.Event):
    """Asks the layers of a connection whether anything is under way. ``late``: it had its grace already."""

    late: bool
    busy: bool = False


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
        idle_since: dict[asyncio.StreamWriter, float] = {}
        grace = min(GRACE, self.seconds / 2)
        while not self._hurry.is_set():
            # First a pause: what was just accepted is not among the open ones yet.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), min(TICK, self.seconds))
            now = time.monotonic()
            if listener.is_quiet or now - started >= self.seconds:
                break
            for writer, handler in list(listener.open.items()):
                if await _is_busy(writer, handler, late=now - started >= grace):
                    idle_since.pop(writer, None)
                elif now - idle_since.setdefault(writer, now) >= grace:
                    _close(writer, handler)

    async def finish(self, listener: Listener) -> None:
        """Cut what is left, and wait until it has ended: the outcome of each call belongs into the log before ``stop``."""
        self.cut = len(listener.open)
        for writer, handler in list(listener.open.items()):
            for io in list(handler.transports.values()) if handler else ():
                if isinstance(io.writer, asyncio.StreamWriter):
                    io.writer.transport.abort()
            writer.transport.abort()
        deadline = time.monotonic() + SETTLE
        while not listener.is_quiet and time.monotonic() < deadline:  # noqa: ASYNC110 - a mapping tells nobody that it is empty
            await asyncio.sleep(0.02)


async def _is_busy(writer: asyncio.StreamWriter, handler: Any, *, late: bool) -> bool:
    """Whether a connection has something under way; tells its layers on the way that the end has begun."""
    if handler is None:
        return False  # its PROXY header is awaited
    io = handler.transports.get(handler.client)
    if io is None or io.handler is None:
        return True  # it has not begun, or is ending by itself
    event = Draining(late)
    await handler.server_event(event)
    return event.busy or writer.transport.get_write_buffer_size() > 0 or _has_unread(writer, io.reader)


def _has_unread(writer: asyncio.StreamWriter, reader: Any) -> bool:
    """Whether bytes of the client came that no layer has seen yet: a call that is just arriving."""
    if getattr(reader, "_buffer", b""):
        return True
    try:
        with contextlib.closing(writer.get_extra_info("socket").dup()) as twin:
            return bool(twin.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    except (OSError, ValueError):
        return False


def _close(writer: asyncio.StreamWriter, handler: Any) -> None:
    """End an idle connection."""
    if handler is None:
        writer.close()
        return
    io = handler.transports.get(handler.client)
    if io is not None and io.handler is not None:
        handler.close_connection(handler.client)
