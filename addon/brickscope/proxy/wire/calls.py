"""All streams that are open between one client and one host, and what is sent on them."""

from __future__ import annotations

from h2.errors import ErrorCodes

from .events import STATUS, Ended, Event, Fault, ToClient, ToHost
from .fields import own
from .own import Form, failure
from .peer import Peer
from .streams import Stream


class Calls:
    """``client``, ``host``: the two sides; None while the host is not there. ``events``: what has to be done, in order.

    ``by_client``, ``by_host``: the streams, by the numbers of either side. ``heads``: bytes of heads that are not decided
    on.
    """

    __slots__ = ("_turn", "by_client", "by_host", "client", "events", "heads", "host")

    def __init__(self) -> None:
        self.client = Peer(is_client=True)
        self.host: Peer | None = None
        self.events: list[Event] = []
        self.by_client: dict[int, Stream] = {}
        self.by_host: dict[int, Stream] = {}
        self.heads = 0
        self._turn = 0

    def __repr__(self) -> str:
        return f"{list(self.by_client.values())} {self.client}"

    def add(self, stream: Stream) -> None:
        """The client opened one."""
        self.by_client[stream.number] = stream
        self.heads += stream.weight

    def connect(self) -> None:
        """The host is there."""
        self.host = Peer(is_client=False)

    def clear(self) -> None:
        """Both connections are over."""
        self.by_client.clear()
        self.by_host.clear()
        self.host, self.heads = None, 0

    # -- what is sent ------------------------------------------------------------------------------------------

    def pump_all(self) -> None:
        """A window has become larger: go on with what waits for it, each time beginning with another stream."""
        stuck = [stream for stream in self.by_client.values() if stream.tell.is_stuck or stream.ask.is_stuck]
        if stuck:
            self._turn = (self._turn + 1) % len(stuck)
            self.pump(*stuck[self._turn :], *stuck[: self._turn])

    def pump(self, *streams: Stream) -> None:
        """Send what there is room for, a frame of each stream in turn."""
        left = list(streams)
        while left:
            left = [stream for stream in left if stream.step()]
        for stream in streams:
            self.settle(stream)

    def settle(self, stream: Stream) -> None:
        """Something has left: see whether anything is left to do."""
        if stream.settle():
            if stream.malformed:
                self.client.disown(stream.number)
            elif not stream.ask.ended:
                self.client.reset(stream.number, stream.stopped or ErrorCodes.NO_ERROR)
            self.forget(stream)

    def answer(self, stream: Stream, form: Form) -> None:
        """Answer ourselves."""
        self.client.send_head(stream.number, own(form.status, form.fields), ended=not form.body)
        stream.tell.put_first(form.body)
        stream.tell.ended = True
        stream.tell.finished = not form.body
        self.pump(stream)

    def flush(self) -> None:
        """Have sent what both sides are to be sent."""
        if self.host is not None and (data := self.host.flush()):
            self.events.append(ToHost(data))
        if data := self.client.flush():
            self.events.append(ToClient(data))

    # -- how they end ------------------------------------------------------------------------------------------

    def fail(self, stream: Stream, fault: Fault, detail: str, code: int | None = None) -> None:
        """Give a stream up on both sides. ``code``: what the client is told; None: in words, if that is still possible."""
        if code is None and stream.tell.ended and not stream.passed:
            return  # an answer of ours is on its way already: a second head would be taken for trailers
        stream.broke(fault, detail)
        cleared = stream.cleared
        if stream.host is not None and self.host is not None:
            self.host.reset(stream.host, ErrorCodes.CANCEL)
        self.leave_host(stream)
        stream.tell.take()
        if code is None and cleared is not None and not stream.passed:
            self._tell_end(stream)
            form = failure(STATUS.get(fault, 502), fault, cleared.decision_id, head=stream.head.is_head)
            self.answer(stream, form)
        else:
            self.client.reset(stream.number, ErrorCodes.INTERNAL_ERROR if code is None else code)
            self.forget(stream)

    def refuse(self, stream: Stream, detail: str) -> None:
        """Give up a stream of which surely nothing was processed: the client may send it again (RFC 9113 section 8.7)."""
        self.fail(stream, Fault.HOST_LEFT, detail, ErrorCodes.REFUSED_STREAM)

    def leave_host(self, stream: Stream) -> None:
        """Nothing more is sent to the host, which is done with the stream."""
        self.by_host.pop(stream.host or 0, None)
        stream.host = None
        stream.ask.stop()

    def forget(self, stream: Stream) -> None:
        """Nothing is left to do for it."""
        self.by_client.pop(stream.number, None)
        self.leave_host(stream)
        self.weigh(stream)
        stream.tell.stop()
        self._tell_end(stream)

    def weigh(self, stream: Stream) -> None:
        """Its head is decided on, or will not be."""
        self.heads -= stream.weight
        stream.weight = 0

    def _tell_end(self, stream: Stream) -> None:
        if stream.cleared is not None and not stream.is_told:
            stream.is_told = True
            self.events.append(Ended(stream))
