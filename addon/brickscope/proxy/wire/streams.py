"""One stream of HTTP/2: a request and its answer, each of them one direction between client and host."""

from __future__ import annotations

from .exchange import Answering, Asking, Exchange, Step
from .framing import SMALL_CHUNK, SMALL_CHUNKS
from .head import Head
from .peer import Peer
from .windows import Lane

DROPPED = 256 * 1024
"""So many bytes of the body of a denied call are read and dropped before its stream is reset: some clients look at an answer
only when they have sent their body, and take a reset before that for a failure of the network."""


class Stream(Exchange):
    """An exchange on a stream. ``number``: the client's; ``host``: the host's, None until it is sent.

    ``ask``, ``tell``: the two directions. ``weight``: bytes of a head that is not decided on. ``trailed``: headers followed
    the body of a request that was not decided on yet. ``may_have_body``: of the answer. ``stopped``: with which code the
    host gave the stream up after the whole answer, None if it did not. ``malformed``: its head is, so that the stream ends
    with an error after the denial. ``is_told``: its end was told.
    """

    __slots__ = (
        "ask",
        "host",
        "is_told",
        "malformed",
        "may_have_body",
        "number",
        "pieces",
        "stopped",
        "tell",
        "trailed",
        "weight",
    )

    def __init__(self, number: int, head: Head, client: Peer) -> None:
        super().__init__(head)
        self.number = number
        self.host: int | None = None
        self.ask = Lane()
        self.ask.come_from(client, number)
        self.tell = Lane()
        self.tell.lead_to(client, number)
        self.weight = sum(len(name) + len(value) for name, value in head.wire.headers) + len(head.wire.target)
        self.trailed = self.is_told = self.malformed = False
        self.may_have_body = True
        self.stopped: int | None = None
        self.pieces = 0
        """Frames of its body."""

    @property
    def content(self) -> bytes:
        """The content of a body that was held back."""
        return bytes(self.held or b"")

    @property
    def is_dust(self) -> bool:
        """Whether its body comes in frames that are too many and too small (``framing.SMALL_CHUNKS``)."""
        return self.pieces > SMALL_CHUNKS + (self.ask.body.size + self.ask.waiting) // SMALL_CHUNK

    @property
    def progress(self) -> object:
        """Changes with whatever moves. What waits for a client to send all of its body has a time in all."""
        if self.asking is Asking.HELD:
            return Asking.HELD
        return self.asking, self.ask.moved, self.tell.moved

    @property
    def waits_for_client(self) -> bool:
        """Whether it is the client that keeps it from going on."""
        ask = self.ask
        return (
            self.asking is Asking.HELD
            or self.tell.is_stuck
            or (self.asking in (Asking.SENDING, Asking.DROPPING) and not ask.ended and not ask.waiting)
        )

    def step(self) -> bool:
        """Send one frame either way, if there is room. Whether another may follow."""
        return self.ask.step() | self.tell.step()

    def settle(self) -> bool:
        """Take notice of what has left. Whether nothing is left to do for it."""
        if (self.asking is Asking.SENDING and self.ask.finished) or (
            self.asking is Asking.DROPPING and self.ask.ended
        ):
            self.say(Step.BODY_ENDED)
        if self.answering is Answering.BODY and self.tell.finished:
            self.hear(Step.BODY_ENDED)
        if not self.tell.finished:
            return False
        given_up = self.malformed or self.stopped is not None
        return self.is_complete or self.answering is Answering.BROKEN or given_up
