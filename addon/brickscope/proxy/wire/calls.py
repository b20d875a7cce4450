"""All streams that are open between one client and one host: what either side says on them, and what is sent.

Rules: a body that is kept is bounded by a window, and one that is held back to be judged by its limit; what is denied is
read on and dropped for a moment; a request has no headers after its body; a stream that is given up before its answer costs.
An answer is passed on as it came, but for what ``fields.py`` takes out; one that is not regular is reset and never ended, so
that no part of it passes for the whole; a reset of either side goes to the other with its code.
"""

from h2.errors import ErrorCodes
from h2.events import (
    DataReceived,
    InformationalResponseReceived,
    RequestReceived,
    ResponseReceived,
    StreamReset,
    TrailersReceived,
)

from brickscope.core.decision import Refused
from brickscope.core.reason import Reason

from .answer import MAX_INTERIMS, Form
from .credential import Reflected, Reflection
from .events import Answered, Denied, Ended, Event, Fault, Hold, Judge, ToClient, ToHost, too_large
from .exchange import Asking, Step
from .fields import length_of, own, pass_on, read_answer, read_request
from .framing import SMALL_CHUNK, SMALL_CHUNKS, Broken
from .head import Door
from .peer import DATA, HEAD, MAX_STREAMS, RESET, Peer
from .streams import DROPPED, Stream

Said = ResponseReceived | InformationalResponseReceived | DataReceived | TrailersReceived | StreamReset
"""What a host says on a stream."""
_TRAILED = Refused(Reason.TRAILERS_REFUSED, "headers follow the body")
_MISFIT = Refused(Reason.MALFORMED_BODY, "the body is not as long as its head says")
_DUST = Refused(Reason.MALFORMED_BODY, "the frames are too many and too small")
_SHORT = "its body is not as long as its head says"


class Calls:
    """``client``, ``host``: the two sides; None while the host is not there. ``events``: what has to be done, in order.

    ``by_client``, ``by_host``: the streams, by the numbers of either side. ``heads``: bytes of heads that are not decided
    on.
    """

    __slots__ = ("_door", "_turn", "by_client", "by_host", "client", "events", "heads", "host")

    def __init__(self, door: Door) -> None:
        self._door = door
        self.client = Peer(is_client=True)
        self.host: Peer | None = None
        self.events: list[Event] = []
        self.by_client: dict[int, Stream] = {}
        self.by_host: dict[int, Stream] = {}
        self.heads = 0
        self._turn = 0

    def __repr__(self) -> str:
        return f"{list(self.by_client.values())} {self.client}"

    def clear(self) -> None:
        """Both connections are over."""
        self.by_client.clear()
        self.by_host.clear()
        self.host, self.heads = None, 0

    # -- what the client says ----------------------------------------------------------------------------------

    def open(self, request: RequestReceived, *, last: bool) -> None:
        """It opened a stream. ``last``: no more are served."""
        number, client = request.stream_id or 0, self.client
        if last or len(self.by_client) >= MAX_STREAMS:
            client.reset(number, ErrorCodes.REFUSED_STREAM)
            client.glitches.spend(0 if last else RESET)
            return
        client.glitches.earn(HEAD)
        ended = request.stream_ended is not None
        head, refused = read_request(self._door, request.headers or [], ended=ended)
        stream = Stream(number, head, client)
        stream.ask.ended = ended
        stream.ask.length = None if ended else length_of(head.fields)
        stream.malformed = refused is not None
        self.by_client[number] = stream
        self.heads += stream.weight
        self.events.append(Judge(stream, head, None, refused))

    def take_body(self, received: DataReceived) -> None:
        """It sent bytes of a body."""
        client, data = self.client, received.data or b""
        stream = self.by_client.get(received.stream_id or 0)
        client.acknowledge_padding(received)
        if stream is None:
            client.acknowledge(len(data), received.stream_id or 0)
            return
        stream.pieces += 1
        ended = received.stream_ended is not None
        fits = stream.ask.fits(len(data), ended=ended)
        dust = stream.pieces > SMALL_CHUNKS + stream.ask.came // SMALL_CHUNK
        if not fits or dust or stream.flaw is not None:
            client.acknowledge(len(data), stream.number)
            stream.malformed = True  # RFC 9113 section 8.1.1
            self._spoil(stream, _DUST if fits else _MISFIT, ended=ended)
            return
        if data:
            client.glitches.earn(DATA)
        if stream.asking in (Asking.JUDGED, Asking.SENDING):
            stream.ask.put(data, ended=ended)
            if stream.asking is Asking.SENDING:
                self.pump(stream)
            return
        client.acknowledge(len(data), stream.number)
        stream.ask.moved += 1
        stream.ask.ended = ended
        if stream.asking is Asking.HELD:
            self._hold_on(stream, data)
        else:
            self._drop(stream, data)

    def _drop(self, stream: Stream, data: bytes) -> None:
        stream.ask.body.size += len(data)
        if stream.tell.finished and stream.ask.body.size > DROPPED and not stream.ask.ended:
            self.client.reset(stream.number, ErrorCodes.NO_ERROR)
            self.forget(stream)
        else:
            self.settle(stream)

    def _hold_on(self, stream: Stream, data: bytes) -> None:
        assert stream.held is not None
        stream.held += data
        if len(stream.held) > stream.limit:
            self.events.append(stream.judge(unread=too_large(stream.limit)))
        elif stream.ask.ended:
            self.events.append(stream.judge(stream.content))

    def refuse_trailers(self, received: TrailersReceived) -> None:
        """Headers after the body were not there when the call was judged."""
        stream = self.by_client.get(received.stream_id or 0)
        if stream is not None:
            self._spoil(stream, _TRAILED, ended=True)

    def _spoil(self, stream: Stream, flaw: Refused, *, ended: bool) -> None:
        """What followed its head can't be sent on. The first flaw counts."""
        stream.ask.moved += 1
        stream.ask.ended = stream.ask.ended or ended
        stream.flaw = stream.flaw or flaw
        if stream.asking is Asking.HELD:
            self._judge_spoilt(stream, stream.flaw)
        elif stream.asking is Asking.SENDING:
            self.fail(stream, Fault.CLIENT_BROKE, stream.flaw.detail)
        elif stream.asking is not Asking.JUDGED:
            self.settle(stream)

    def _judge_spoilt(self, stream: Stream, flaw: Refused) -> None:
        stream.unframed = True
        self.events.append(stream.judge(refused=flaw))

    def reset(self, reset: StreamReset) -> None:
        """It gave a stream up."""
        stream, host = self.by_client.get(reset.stream_id or 0), self.host
        if stream is None:
            return
        code = int(reset.error_code or 0)
        if stream.host is not None and host is not None:
            host.reset(stream.host, code)
        if not stream.tell.finished:
            stream.broke(Fault.CLIENT_LEFT, f"it reset the stream with code {code}")
        self.forget(stream)
        self.client.glitches.spend(RESET if stream.status is None else 0)

    def deny(self, stream: Stream, denied: Denied) -> None:
        """It is not sent; what still comes of it is dropped."""
        stream.say(Step.DENIED)
        stream.hear(Step.OWN)
        stream.held = None
        stream.ask.stop()
        if stream.head.expects:
            stream.stopped = ErrorCodes.NO_ERROR  # who waits for 100 sends no body now
        self.answer(stream, denied.answer)

    def hold(self, stream: Stream, hold: Hold) -> None:
        """Its body has to be judged too."""
        stream.hold(hold)
        if stream.flaw is not None:
            self._judge_spoilt(stream, stream.flaw)
        elif (hold.announced.length or 0) > hold.limit:
            self.events.append(stream.judge(unread=too_large(hold.limit)))
        else:
            if stream.head.expects and not stream.ask.waiting and not stream.ask.ended:
                stream.told_to_go_on = True
                self.client.send_head(stream.number, own(100, ()), ended=False)
            self._hold_on(stream, stream.ask.take())

    # -- what the host says ------------------------------------------------------------------------------------

    def hear(self, host: Peer, said: Said) -> None:
        """The host said something on a stream."""
        stream = self.by_host.get(said.stream_id or 0)
        if isinstance(said, DataReceived):
            host.acknowledge_padding(said)
            if stream is None:
                host.acknowledge(len(said.data or b""), said.stream_id or 0)
        if stream is None:
            return
        try:
            self._hear(host, stream, said)
        except Reflected as error:
            self.fail(stream, Fault.REFLECTED, str(error))
        except Broken as error:
            self.fail(stream, Fault.HOST_BROKE, str(error))

    def _hear(self, host: Peer, stream: Stream, said: Said) -> None:
        """Raises Broken."""
        reflection = stream.reflection
        if reflection is not None and not isinstance(said, DataReceived | StreamReset):
            for field in said.headers or []:
                reflection.check(b": ".join(field))
        if isinstance(said, DataReceived):
            self._pass_on(host, stream, said.data or b"", ended=said.stream_ended is not None)
        elif isinstance(said, TrailersReceived):
            if reflection is not None:
                stream.tell.put(reflection.rest(), ended=False)
            if not stream.tell.fits(0, ended=True):
                raise Broken(_SHORT)
            stream.tell.end(pass_on(said.headers or []) or None)
            self.pump(stream)
        elif isinstance(said, StreamReset):
            self._reset(stream, int(said.error_code or 0))
        elif isinstance(said, InformationalResponseReceived):
            stream.interims += 1
            stream.hear(Step.INTERIM)
            if stream.interims > MAX_INTERIMS:
                raise Broken("too many interim answers")
            status, fields, _ = read_answer(said.headers or [], to_head=False, ended=False)
            if status != 100 or not stream.told_to_go_on:
                self.client.send_head(stream.number, fields, ended=False)
        else:
            host.glitches.earn(HEAD)
            self._begin(stream, said)

    def _begin(self, stream: Stream, said: ResponseReceived) -> None:
        ended = said.stream_ended is not None
        status, fields, stream.tell.length = read_answer(
            said.headers or [], to_head=stream.head.is_head, ended=ended
        )
        for name, value in fields if stream.reflection is not None else ():
            if name == b"content-encoding" and stream.reflection is not None:
                stream.reflection.unpack(value)
        stream.hear(Step.HEAD)
        stream.status, stream.reply, stream.passed = status, stream.tell.body, True
        self.events.append(Answered(stream))
        self.client.send_head(stream.number, fields, ended=ended)
        if ended:
            stream.tell.ended = stream.tell.finished = True
            self.settle(stream)

    def _pass_on(self, host: Peer, stream: Stream, data: bytes, *, ended: bool) -> None:
        if data:
            host.glitches.earn(DATA)
        if not stream.tell.fits(len(data), ended=ended):
            host.acknowledge(len(data), stream.host or 0)
            raise Broken(_SHORT)
        if stream.reflection is not None:
            data = self._look(host, stream, stream.reflection, data, ended=ended)
        stream.tell.put(data, ended=ended)
        self.pump(stream)

    @staticmethod
    def _look(host: Peer, stream: Stream, reflection: Reflection, data: bytes, *, ended: bool) -> bytes:
        """What may be passed on of bytes of an answer. Raises Reflected."""
        try:
            reflection.look(data, data, ended=ended)
        except Reflected:
            host.acknowledge(reflection.kept + len(data), stream.host or 0)
            raise
        return reflection.give(data)

    def _reset(self, stream: Stream, code: int) -> None:
        self.leave_host(stream)
        if stream.tell.ended:
            # It has answered, and is not interested in the rest of the request.
            stream.stopped = code
            self.settle(stream)
        else:
            self.fail(stream, Fault.HOST_LEFT, f"it reset the stream with code {code}", code)

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
        if stream.host is not None and self.host is not None:
            self.host.reset(stream.host, ErrorCodes.CANCEL)
        self.leave_host(stream)
        stream.tell.take()
        if code is None and stream.cleared is not None and not stream.passed:
            self._tell_end(stream)
            self.answer(stream, stream.failure())
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
