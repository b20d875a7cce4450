"""What a protocol core is told, and what it wants done: the whole vocabulary between it and ``tunnel.py``.

In: bytes of either side, the end of either side, a ruling, the host being up or unreachable (methods of the cores).
Out: the events below, in the order in which they have to be carried out. An event names everything that it needs, so a
core can be tested by its list of events alone.
"""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import TYPE_CHECKING, NamedTuple

from brickscope.core.decision import Refused
from brickscope.core.reason import Reason

from .answer import Form
from .head import Announced, Cleared, Head

if TYPE_CHECKING:
    from .exchange import Exchange


class Side(Enum):
    """Who something comes from, or goes to."""

    CLIENT = "client"
    HOST = "host"
    OWN = "own"


class Fault(StrEnum):
    """Why a call broke: a closed list. The value is what its outcome record says, unless a detail says more."""

    side: Side

    def __new__(cls, text: str, side: Side) -> Fault:
        """A member by its code and what it says."""
        member = str.__new__(cls, text)
        member._value_ = text
        member.side = side
        return member

    CLIENT_LEFT = "the client left", Side.CLIENT
    CLIENT_BROKE = "the body of the request is malformed", Side.CLIENT
    CLIENT_STUCK = "the client sent and took nothing any more", Side.CLIENT
    AHEAD = "the client sent bytes before the websocket was open", Side.CLIENT
    UNREACHED = "the host could not be reached", Side.HOST
    HOST_LEFT = "the host left before its answer was complete", Side.HOST
    HOST_BROKE = "the answer is malformed", Side.HOST
    HOST_STUCK = "the host sent and took nothing any more", Side.HOST
    REFLECTED = "the answer held the credential that was sent", Side.HOST
    UNASKED = "the host sent more than its answer", Side.HOST
    REVOKED = "it is no longer allowed", Side.OWN
    QUIET = "nothing has moved for too long", Side.OWN
    CUT = "the proxy stopped", Side.OWN
    INSIDE = "the proxy failed inside", Side.OWN


STATUS = {Fault.CLIENT_BROKE: 400, Fault.AHEAD: 400, Fault.HOST_STUCK: 504}
"""What a client is told of a call that broke; 502 of all others."""


class Way(Enum):
    """How the way to the host stands."""

    ABSENT = "absent"
    DIALLING = "dialling"
    UP = "up"
    LEAVING = "up, but for no more calls"


class Phase(Enum):
    """What a connection waits for."""

    IDLE = "for a request"
    HEAD = "for the rest of a head"
    JUDGED = "for a ruling"
    HELD = "for a body that has to be judged"
    CALL = "for the end of a call"
    OVER = "for nothing"


class How(Enum):
    """How a connection is closed."""

    GENTLY = "gently"
    """After the last byte; what still comes in is dropped for a moment, so that it can't cut the last answer off."""
    AT_ONCE = "at once"
    """So that the other side can't take what it has for the whole."""


class Judge(NamedTuple):
    """Decide on a request, record it, and give the ruling back. ``body``: its content, where a ruling asked for it.
    ``refused``: why it is denied, whatever the policy says. ``unread``: why no more of the body is waited for, so that
    nothing can allow what only a look into it would."""

    exchange: Exchange
    head: Head
    body: bytes | None = None
    refused: Refused | None = None
    unread: Refused | None = None


class Dial(NamedTuple):
    """Connect to the host."""


class ToHost(NamedTuple):
    """Send bytes of a cleared request."""

    data: bytes


class ToClient(NamedTuple):
    """Send bytes of an answer."""

    data: bytes


class Answered(NamedTuple):
    """The final head of the host's answer has come."""

    exchange: Exchange


class Ended(NamedTuple):
    """A cleared request came to its end; told once. The exchange says how."""

    exchange: Exchange


class Switched(NamedTuple):
    """The call is a websocket from now on (``websocket.py``). ``early``: what the host has sent in it already."""

    exchange: Exchange
    early: bytes


class HangUp(NamedTuple):
    """End the host's connection, on which nothing is under way; another one may be asked for."""


class Close(NamedTuple):
    """End a connection."""

    side: Side
    how: How


Event = Judge | Dial | ToHost | ToClient | Answered | Ended | Switched | HangUp | Close


class Hold(NamedTuple):
    """A ruling: the body is needed to decide; at most ``limit`` bytes of content. ``announced``: how it ends."""

    limit: int
    announced: Announced


class Denied(NamedTuple):
    """A ruling: not to be sent. ``answer``: what the client is told. ``announced``: how the body ends that may
    still come; None where that is not known, so that the connection ends with the answer. ``last``: it ends after the
    body."""

    answer: Form
    announced: Announced | None
    last: bool = False


Ruling = Cleared | Hold | Denied


def too_large(limit: int) -> Refused:
    """Why a body is not held back any longer."""
    return Refused(Reason.TOO_LARGE, f"the body has more than {limit} bytes")
