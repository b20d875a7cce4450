"""One request and its answer: where each of them stands; and what every protocol is that has such.

Rules: the two sides are two tables, each step a row; a step without a row is a fault of ours, and ends both sides.
``BROKEN`` is never left again. That a message ended, that a side has nothing more to say, and that something broke are
three facts: a client that takes one for another believes half an answer, or sends its request twice.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from brickscope.core.decision import Refused

from .answer import Form, failure
from .credential import Reflection
from .events import STATUS, Event, Fault, Hold, Judge
from .framing import NOTHING, Body, Chunked
from .head import Cleared, Head


class _Key(Enum):
    """A member is itself and no other; Enum would hash its name anew at each look into a table, a dozen times a call."""

    __hash__ = object.__hash__


class Asking(_Key):
    """Where the request stands."""

    JUDGED = "a ruling is due"
    HELD = "its body is collected to be judged"
    SENDING = "its body goes to the host"
    DROPPING = "its body is dropped"
    ENDED = "it is complete"
    BROKEN = "it will not be complete"


class Answering(_Key):
    """Where the answer stands."""

    UNASKED = "nothing was sent that could be answered"
    AWAITED = "the final head is due"
    BODY = "its body goes to the client"
    ENDED = "it is complete"
    BROKEN = "it will not be complete"


class Step(_Key):
    """What can happen to either."""

    CLEARED = "may be sent"
    DENIED = "may not be sent"
    HOLD = "can't be judged without its body"
    HELD = "the body is there, or will not be looked at"
    ASKED = "was given to the host"
    INTERIM = "a head that is not the final one"
    HEAD = "the final head"
    OWN = "was given by us"
    BODY_ENDED = "the body is complete"
    UNFRAMED = "may be sent, though nobody knows where its body ends"
    """In no row."""


REQUEST: dict[tuple[Asking, Step], Asking] = {
    (Asking.JUDGED, Step.CLEARED): Asking.SENDING,
    (Asking.JUDGED, Step.DENIED): Asking.DROPPING,
    (Asking.JUDGED, Step.HOLD): Asking.HELD,
    (Asking.HELD, Step.HELD): Asking.JUDGED,
    (Asking.SENDING, Step.BODY_ENDED): Asking.ENDED,
    (Asking.DROPPING, Step.BODY_ENDED): Asking.ENDED,
}
ANSWER: dict[tuple[Answering, Step], Answering] = {
    (Answering.UNASKED, Step.ASKED): Answering.AWAITED,
    (Answering.UNASKED, Step.OWN): Answering.ENDED,
    (Answering.AWAITED, Step.INTERIM): Answering.AWAITED,
    (Answering.AWAITED, Step.HEAD): Answering.BODY,
    (Answering.BODY, Step.BODY_ENDED): Answering.ENDED,
}


class WrongStep(Exception):
    """A step that the tables do not have: a fault of this program."""


@dataclass(slots=True, eq=False, repr=False)
class Exchange:
    """The state of one request and its answer.

    ``cleared``: the leave to send it, None before and for a denial. ``body``, ``reply``: what counts off the two bodies.
    ``status``: of the final answer, None without one. ``passed``: whether a byte of it went to the client.
    ``reflection``: what looks for a credential that was placed, in the answer; None where none was.
    ``last``: whether its connection ends with it.
    ``fault``, ``detail``: why it broke, None and empty if it did not. ``ticket``: what the owner of the core keeps with it.
    """

    head: Head
    asking: Asking = Asking.JUDGED
    answering: Answering = Answering.UNASKED
    cleared: Cleared | None = None
    reflection: Reflection | None = None
    body: Body = NOTHING
    reply: Body = NOTHING
    status: int | None = None
    passed: bool = False
    last: bool = field(init=False)
    fault: Fault | None = None
    detail: str = ""
    ticket: Any = None
    interims: int = 0
    told_to_go_on: bool = False
    """Whether we ourselves told the client to send the body that it held back."""
    unframed: bool = False
    """Whether the body broke while it was held back: where the request ends is not known."""
    limit: int = 0
    held: bytearray | None = None
    """The body as it came, while and after it was held back."""

    def __post_init__(self) -> None:
        self.last = self.head.closes

    def __repr__(self) -> str:
        fault = "" if self.fault is None else f", {self.fault.name}"
        return f"<{self.asking.name} {self.body.size}, {self.answering.name} {self.reply.size}{fault}>"

    def clear(self, cleared: Cleared) -> None:
        """It may be sent. Raises WrongStep."""
        self.say(Step.UNFRAMED if self.unframed else Step.CLEARED)
        self.hear(Step.ASKED)
        self.cleared = cleared
        if cleared.placed is not None:
            self.reflection = Reflection(cleared.placed)

    def say(self, step: Step) -> None:
        """The request goes a step on. Raises WrongStep."""
        new = REQUEST.get((self.asking, step))
        if new is None:
            self._wrong(step)
        else:
            self.asking = new

    def hear(self, step: Step) -> None:
        """The answer goes a step on. Raises WrongStep."""
        new = ANSWER.get((self.answering, step))
        if new is None:
            self._wrong(step)
        else:
            self.answering = new

    def hold(self, hold: Hold) -> None:
        """It can't be judged without its body, which is collected. Raises WrongStep."""
        self.say(Step.HOLD if self.held is None else Step.HELD)
        self.limit = hold.limit
        self.held = bytearray()

    def judge(
        self, content: bytes | None = None, refused: Refused | None = None, unread: Refused | None = None
    ) -> Judge:
        """What has to be decided, now that the body is there or will not be. Raises WrongStep."""
        self.say(Step.HELD)
        return Judge(self, self.head, content, refused, unread)

    def release(self) -> None:
        """The body is no longer held back."""
        self.held = None
        if isinstance(self.body, Chunked):
            self.body.content = None

    def _wrong(self, step: Step) -> None:
        was = repr(self)
        self.broke(Fault.INSIDE)
        raise WrongStep(f"{step.name} in {was}")

    def broke(self, fault: Fault, detail: str = "") -> None:
        """It will not be complete. The first fault counts; what broke stays broken."""
        if self.fault is None:
            self.fault, self.detail = fault, detail
        self.asking, self.answering = Asking.BROKEN, Answering.BROKEN

    @property
    def is_answered(self) -> bool:
        """Whether the host's answer is due, or on its way."""
        return self.answering in (Answering.AWAITED, Answering.BODY)

    @property
    def waits_for_client(self) -> bool:
        """Whether it is the client that keeps it from going on."""
        return self.asking in (Asking.SENDING, Asking.DROPPING, Asking.HELD)

    def failure(self) -> Form:
        """What the client is told, where nothing of the host's answer went to it. Of what was cleared and broke."""
        assert self.cleared is not None
        assert self.fault is not None
        status = STATUS.get(self.fault, 502)
        return failure(status, self.fault, self.cleared.decision_id, head=self.head.is_head)

    @property
    def content(self) -> bytes:
        """The content of a body that was held back."""
        if isinstance(self.body, Chunked):
            return bytes(self.body.content or b"")
        return bytes(self.held or b"")


class Core:
    """What the protocols of a tunnel have in common. ``draining``: the proxy is about to stop. ``begun``: how many requests
    have begun to come.

    Methods take what happened and return what has to be done, in order. After a ``Close`` nothing more comes.
    """

    shared = False
    """Whether calls go on side by side, so that what moves on the connection says nothing of one of them."""
    limit = "stall"
    """How long a call may wait, by its name in ``Limits``."""

    def __init__(self) -> None:
        self.draining = False
        self.begun = 0
        self._over = False

    def awaits(self, exchange: Exchange) -> bool:
        """Whether a ruling on it is still of use."""
        return not self._over and exchange.asking is Asking.JUDGED

    def begin(self) -> list[Event]:
        """The client is there."""
        return []

    def drain(self, *, late: bool) -> list[Event]:
        """Asked from time to time while the proxy stops. ``late``: for long enough."""
        self.draining = True
        return []

    def pass_time(self, seconds: float) -> None:
        """So much time has passed."""
