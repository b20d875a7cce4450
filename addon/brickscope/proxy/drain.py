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
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mitmproxy.proxy import events

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

    async def run(self, connections: Mapping[asyncio.StreamWriter, Any]) -> None:
        """Wait until all connections have ended, and cut those that are left when time is up.

        ``connections``: with mitmproxy's handler of each (``Listener.open``); the mapping changes meanwhile.
        """
        started = time.monotonic()
        idle_since: dict[asyncio.StreamWriter, float] = {}
        grace = min(GRACE, self.seconds / 2)
        while connections and not self._hurry.is_set():
            now = time.monotonic()
            if now - started >= self.seconds:
                break
            for writer, handler in list(connections.items()):
                if await _is_busy(writer, handler, late=now - started >= grace):
                    idle_since.pop(writer, None)
                elif now - idle_since.setdefault(writer, now) >= grace:
                    _close(writer, handler)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), TICK)
        self.cut = len(connections)
        await _cut(connections)


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


async def _cut(connections: Mapping[asyncio.StreamWriter, Any]) -> None:
    """End everything, and wait until it has ended: the outcome of each call belongs into the log before ``stop``."""
    for writer, handler in list(connections.items()):
        for io in list(handler.transports.values()) if handler else ():
            if io.writer is not None and io.writer is not writer:
                io.writer.transport.abort()
        writer.transport.abort()
    deadline = time.monotonic() + SETTLE
    while connections and time.monotonic() < deadline:  # noqa: ASYNC110 - a mapping tells nobody that it is empty
        await asyncio.sleep(0.02)
