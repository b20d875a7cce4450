"""What all tunnels of this process share."""

from __future__ import annotations

from .contexts import Contexts
from .deadlines import Deadlines, Limits
from .gate import Gate
from .handshake import Refusals
from .parent import Parent

HELD_OF_ALL = 8
"""So many of the largest bodies may be held back at once, to be judged; what exceeds that is denied."""


class DataPath:
    """The gate and the means. ``held``: bytes of bodies that are held back just now; ``room``: how many there may be."""

    def __init__(
        self,
        gate: Gate,
        contexts: Contexts,
        limits: Limits,
        *,
        local: str | None = None,
        parent: Parent | None = None,
    ) -> None:
        """``local``: the address that hosts are dialled from. ``parent``: the proxy that leads to them."""
        self.gate = gate
        self.contexts = contexts
        self.limits = limits
        self.local = local
        self.parent = parent
        self.deadlines = Deadlines()
        self.refusals = Refusals(gate)
        self.held = 0
        self.room = HELD_OF_ALL * gate.body_limit
