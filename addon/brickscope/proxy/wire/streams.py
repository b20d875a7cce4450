"""One stream of HTTP/2: a request and its answer, each of them one direction between client and host.

Rule of flow control (RFC 9113 section 5.2), from end to end: what a side sent is acknowledged when it has left to the
other side, never before. So a side that takes nothing stops the one that sends, after at most a window, and what is kept is
bounded however slow either of them is.
"""

from dataclasses import dataclass, field

from brickscope.core.decision import Refused

from .exchange import Answering, Asking, Exchange, Step
from .frames import MAX_FRAME
from .framing import UntilClose
from .head import Fields, Head
from .peer import Peer

DROPPED = 256 * 1024
"""So many bytes of the body of a denied call are read and dropped before its stream is reset: some clients look at an answer
only when they have sent their body, and take a reset before that for a failure of the network."""


@dataclass(slots=True, eq=False, repr=False)
class Lane:
    """``body``: counts what has left. ``moved``: changes with every byte that comes or leaves. ``came``: how many have;
    ``length``: how many have to, None where the head does not say. ``ended``: nothing more comes; ``finished``: its end has
    left too."""

    body: UntilClose = field(default_factory=UntilClose)
    length: int | None = None
    moved: int = 0
    came: int = 0
    ended: bool = False
    finished: bool = False
    trailers: Fields | None = None
    _source: Peer | None = None
    """Who sends; None for us."""
    _source_number: int = 0
    _target: Peer | None = None
    _number: int = 0
    _data: bytearray = field(default_factory=bytearray)
    _owed: int = 0
    """How many of the bytes that wait, the last ones, are to be acknowledged."""

    def __repr__(self) -> str:
        return (
            f"<Lane {self.body.size}+{len(self._data)}{' ended' * self.ended}{' finished' * self.finished}>"
        )

    @property
    def waiting(self) -> int:
        """Bytes that have not left."""
        return len(self._data)

    @property
    def is_stuck(self) -> bool:
        """Whether something waits for the side that takes."""
        return self._target is not None and not self.finished and bool(self._data or self.ended)

    def come_from(self, source: Peer, number: int) -> None:
        """It is this stream whose bytes come."""
        self._source, self._source_number = source, number

    def lead_to(self, target: Peer, number: int) -> None:
        """From now on it can be sent, on this stream."""
        self._target, self._number = target, number

    def fits(self, size: int, *, ended: bool) -> bool:
        """So many more bytes came. Whether the body can be as long as its head says (RFC 9113 section 8.1.1)."""
        self.came += size
        if self.length is None:
            return True
        return self.came == self.length if ended else self.came <= self.length

    def put(self, data: bytes, *, ended: bool) -> None:
        """Bytes came. They are sent at once where nothing waits and there is room."""
        self.ended = ended
        self.moved += len(data) + ended
        target = self._target
        if target is not None and not self._data and 0 < len(data) <= target.room(self._number):
            self._send(target, data, len(data), limited=False)
        else:
            self._data += data
            self._owed += len(data)

    def put_first(self, data: bytes | bytearray) -> None:
        """Bytes that are to leave before all others, and are acknowledged already, or ours."""
        self._data[:0] = data

    def take(self) -> bytes:
        """All that waits, which is done with."""
        data, self._data = bytes(self._data), bytearray()
        owed, self._owed = self._owed, 0
        self._acknowledge(owed)
        return data

    def stop(self) -> None:
        """Send nothing more."""
        self.take()
        self._target = None

    def end(self, trailers: Fields | None = None) -> None:
        """Nothing more comes, but for trailers."""
        self.ended = True
        self.trailers = trailers
        self.moved += 1

    def step(self) -> bool:
        """Send one frame, if there is room. Whether another may follow."""
        target = self._target
        if target is None or self.finished:
            return False
        if not self._data:
            if self.ended:
                self._finish(target)
            return False
        room = target.room(self._number)
        if room <= 0:
            return False
        piece = bytes(self._data[:room])
        del self._data[:room]
        owed = max(len(piece) - (len(self._data) + len(piece) - self._owed), 0)
        self._owed -= owed
        self._send(target, piece, owed, limited=room < MAX_FRAME and bool(self._data))
        return not self.finished

    def _send(self, target: Peer, piece: bytes, owed: int, *, limited: bool) -> None:
        last = self.ended and not self._data and self.trailers is None
        target.send(self._number, piece, ended=last)
        target.glitches.earn_sent(len(piece), limited=limited)
        self.body.size += len(piece)
        self.moved += 1
        self.finished = self.body.ended = last
        self._acknowledge(owed)

    def _finish(self, target: Peer) -> None:
        if self.trailers is None:
            target.end(self._number)
        else:
            target.send_head(self._number, self.trailers, ended=True)
        self.finished = self.body.ended = True

    def _acknowledge(self, size: int) -> None:
        if self._source is not None:
            self._source.acknowledge(size, self._source_number)


class Stream(Exchange):
    """An exchange on a stream. ``number``: the client's; ``host``: the host's, None until it is sent.

    ``ask``, ``tell``: the two directions. ``weight``: bytes of a head that is not decided on. ``flaw``: why what followed
    the head can't be sent on, None where it can. ``stopped``: with which code it is given up after the whole answer, by the
    host or because no body will come, None if it is not. ``malformed``: the request is, so that the stream ends with an
    error after our answer. ``is_told``: its end was told.
    """

    __slots__ = (
        "ask",
        "flaw",
        "host",
        "is_told",
        "malformed",
        "number",
        "pieces",
        "stopped",
        "tell",
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
        self.is_told = self.malformed = False
        self.flaw: Refused | None = None
        self.stopped: int | None = None
        self.pieces = 0
        """Frames of its body."""

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
        ended = self.asking is Asking.ENDED and self.answering is Answering.ENDED
        return ended or self.answering is Answering.BROKEN or given_up
