"""Why one side of a tunnel is not read just now.

Rules: several parties stop a side for reasons of their own, and it is read again only when the last reason is gone. A plain
"paused" that one party sets and another clears would let bytes pile up in memory, which is what a client wants that sends
without reading. This is the one place that pauses and resumes transports; a test reads the source for it.
"""

import asyncio
from enum import Enum

KEPT = 64 * 1024
"""Bytes kept for one connection, sent ahead or before the host is there, from which on it is not read for a while."""
LINGER = 2.0
"""Seconds that a client has to end a connection that was ended here."""


class Why(Enum):
    """A reason not to read a side."""

    PEER_FULL = "the other side takes no more"
    AHEAD = "enough is kept that can't be passed on yet"
    HOST_FIRST = "the protocol depends on the host, which is being asked"
    CLIENT_FIRST = "the client's handshake is not complete"
    UNREAD = "it takes no more itself, and what it sends may have answers"


class Reasons:
    """The reasons not to read one transport."""

    __slots__ = ("_transport", "_why")

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._why: set[Why] = set()

    def __repr__(self) -> str:
        return f"<{', '.join(sorted(each.name for each in self._why)) or 'reading'}>"

    def attach(self, transport: asyncio.Transport) -> None:
        """These are the reasons of this transport from now on."""
        self._transport = transport
        self._pause()

    def set(self, why: Why, holds: bool) -> None:
        """A reason holds from now on, or no longer."""
        if holds is (why in self._why):
            return
        if holds:
            self._why.add(why)
            if len(self._why) == 1:
                self._pause()
        else:
            self._why.discard(why)
            self._resume()

    def clear(self) -> None:
        """None holds any more."""
        if self._why:
            self._why.clear()
            self._resume()

    def _pause(self) -> None:
        if self._why and self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def _resume(self) -> None:
        if not self._why and self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
