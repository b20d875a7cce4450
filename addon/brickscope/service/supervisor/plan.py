"""What the supervisor has to know before any worker starts; ``proxy/preparation.py`` finds it out."""

from __future__ import annotations

from typing import NamedTuple


class Plan(NamedTuple):
    """Where to listen, how long a stop may take (``stop_after``, seconds), ``scope_status`` as text (empty: nowhere), and
    whether messages are written as JSON."""

    host: str
    port: int
    stop_after: float
    status: str
    json_log: bool
