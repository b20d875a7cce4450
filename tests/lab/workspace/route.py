"""Which handler answers which call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from .exchange import Exchange

Handler = Callable[[Exchange], Awaitable[None]]


class Route(NamedTuple):
    """Methods and a path, ``*`` for the rest, and who answers. The first that matches does.

    ``anonymous``: also calls without a credential, as storage behind presigned URLs takes them.
    """

    methods: tuple[bytes, ...]
    path: bytes
    handler: Handler
    anonymous: bool = False

    def matches(self, path: bytes) -> bool:
        """Whether the route is for this path (without query)."""
        if b"*" not in self.path:
            return path == self.path
        before, _, after = self.path.partition(b"*")
        inside = len(before) + len(after) < len(path)
        return inside and path.startswith(before) and path.endswith(after)

    def answers(self, exchange: Exchange) -> bool:
        """Whether the route is for this call."""
        return exchange.request.method in self.methods and self.matches(exchange.path)
