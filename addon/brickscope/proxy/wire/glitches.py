"""How many odd things one side of an HTTP/2 connection may send.

Rule: every frame costs one, and only what is of use earns it back: the head of a request or an answer, bytes of a body.
Time earns a little. So a flood of any kind of frame ends the connection (PING, SETTINGS, empty DATA, PRIORITY, unknown
kinds), and so do streams that are opened to be reset (CVE-2023-44487): no list of bad frames has to be complete.
"""

from __future__ import annotations

FULL = 1000
"""What may be spent at once, and the most that can be saved."""
A_SECOND = 50
RESET = 10
"""What a stream costs that is opened and given up before its answer: about what the proxy's own work for it costs."""
SETTINGS = 10
"""Each can change all streams."""
HEAD = 3
DATA = 2
A_FRAME_SENT = 2
"""The side that takes DATA opens its windows for it, and measures by PING."""
SIZE_SHIFT = 9
"""And one for each 512 bytes: some clients open their windows every 4 KB, twice."""
DRIBBLE = 1024
"""A frame of less that went out because the window had no room for more earns nothing (CVE-2019-9511)."""


class TooManyGlitches(Exception):
    """A side has spent all that it had."""


class Glitches:
    """What one side has left."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = FULL

    def spend(self, cost: int = 1) -> None:
        """It did something. Raises TooManyGlitches."""
        self.left -= cost
        if self.left < 0:
            raise TooManyGlitches

    def earn(self, amount: int) -> None:
        """It was of use."""
        self.left = min(self.left + amount, FULL)

    def earn_sent(self, size: int, *, limited: bool) -> None:
        """So many bytes were sent to it; ``limited``: its window had no room for more."""
        if not limited or size >= DRIBBLE:
            self.earn(A_FRAME_SENT + (size >> SIZE_SHIFT))

    def pass_time(self, seconds: float) -> None:
        """So much time has passed."""
        self.earn(int(seconds * A_SECOND))
