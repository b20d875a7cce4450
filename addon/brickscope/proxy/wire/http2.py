"""HTTP/2 between one client and one host: each stream of the client is a stream of the host, and each request is judged
before its first byte leaves.

Rules, and what they stop:

* a stream of the host is opened for a ``Cleared`` alone, with the fields that were judged, one for one;
* a request is never sent again once it was sent: it may have been carried out. What surely was not is refused so that the
  client may send it again (REFUSED_STREAM, RFC 9113 section 8.7);
* bytes are acknowledged when they have left (``windows.py``), so neither side can fill the memory by not reading;
* what a side sends without use ends its connection (``glitches.py``);
* a reset of either side goes to the other, with its code; an answer that breaks is reset, never ended;
* the host that says GOAWAY gets no more streams, and another connection is made only when this one has none: else the client
  is told to go as well.
"""

from __future__ import annotations

from h2.errors import ErrorCodes
from h2.events import (
    DataReceived,
    InformationalResponseReceived,
    RemoteSettingsChanged,
    RequestReceived,
    ResponseReceived,
    StreamReset,
    TrailersReceived,
    WindowUpdated,
)

from brickscope.core.decision import Refused
from brickscope.core.reason import Reason

from .answer import MAX_INTERIMS
from .events import (
    STATUS,
    Answered,
    Close,
    Denied,
    Dial,
    Ended,
    Event,
    Fault,
    HangUp,
    Hold,
    How,
    Judge,
    Phase,
    Ruling,
    Side,
    ToClient,
    ToHost,
    Way,
    too_large,
)
from .exchange import Asking, Exchange, Step
from .fields import own, read_answer, read_request, read_trailers
from .framing import Broken
from .glitches import DATA, HEAD, RESET, TooManyGlitches
from .head import Cleared, Door
from .own import Form, failure
from .peer import ALL_STREAMS, MAX_STREAMS, GoneAway, Peer, PeerBroke
from .streams import DROPPED, Stream


class Http2:
    """The protocol of one tunnel. ``draining``: the proxy is about to stop. ``shared``: calls go on side by side, so that
    what moves on the connection says nothing of one of them.

    Methods take what happened and return what has to be done, in order. After a ``Close`` nothing more comes.
    """

    shared = True

    def __init__(self, door: Door) -> None:
        self.draining = False
        self.begun = 0
        """How many requests have come."""
        self._door = door
        self._client = Peer(is_client=True)
        self._host: Peer | None = None
        self._early = b""
        """What the host sent before it was said to be there."""
        self._way = Way.ABSENT
        self._streams: dict[int, Stream] = {}
        self._at_host: dict[int, Stream] = {}
        """By the host's numbers."""
        self._waiting: list[Stream] = []
        """Cleared, for a host that is being dialled."""
        self._heads = 0
        """Bytes of heads that are not decided on."""
        self._last = False
        """Whether no more streams are served."""
        self._said_goaway = False
        self._idle = self._turn = 0
        self._over = False

    def __repr__(self) -> str:
        return f"<Http2 {self.phase.name} {self._way.name} {list(self._streams.values())} {self._client}>"

    # -- what the tunnel wants to know -------------------------------------------------------------------------

    @property
    def phase(self) -> Phase:
        """What it waits for."""
        if self._over:
            return Phase.OVER
        return Phase.CALL if self._streams else Phase.IDLE

    @property
    def is_in_head(self) -> bool:
        """Whether a head has begun that is not complete."""
        return not self._over and self._client.is_in_head

    @property
    def calls(self) -> list[tuple[Exchange, object]]:
        """Those that are under way, each with what changes when it goes on."""
        return [(stream, stream.progress) for stream in self._streams.values()]

    def awaits(self, exchange: Exchange) -> bool:
        """Whether a ruling on it is still of use."""
        return not self._over and exchange.asking is Asking.JUDGED

    def waits_for_client(self, exchange: Exchange) -> bool:
        """Whether it is the client that keeps a call from going on."""
        assert isinstance(exchange, Stream)
        return exchange.waits_for_client

    @property
    def ahead(self) -> int:
        """Bytes of the client that are kept beyond its windows: heads."""
        return self._heads

    @property
    def held(self) -> int:
        """Bytes of bodies that are held back to be judged."""
        return sum(len(stream.held) for stream in self._streams.values() if stream.held is not None)

    # -- from the client ---------------------------------------------------------------------------------------

    def begin(self) -> list[Event]:
        """The client is there."""
        return self._done([])

    def from_client(self, data: bytes) -> list[Event]:
        """The client sent bytes."""
        events: list[Event] = []
        if self._over:
            return events
        try:
            for happened in self._client.receive(data):
                self._client_says(events, happened)
        except PeerBroke as error:
            self._break_all(events, Fault.CLIENT_BROKE, str(error), How.GENTLY)
        except TooManyGlitches:
            broke = self._client.broken(ErrorCodes.ENHANCE_YOUR_CALM, "it gave up too many calls")
            self._break_all(events, Fault.CLIENT_BROKE, str(broke), How.GENTLY)
        return self._done(events)

    def _client_says(self, events: list[Event], happened: object) -> None:
        if isinstance(happened, RequestReceived):
            self._open(events, happened)
        elif isinstance(happened, DataReceived):
            self._body(events, happened)
        elif isinstance(happened, WindowUpdated | RemoteSettingsChanged):
            self._pump_all(events)
        elif isinstance(happened, TrailersReceived):
            self._trailers(events, happened)
        elif isinstance(happened, StreamReset):
            self._client_reset(events, happened)
        elif isinstance(happened, GoneAway):
            self._leave(events)

    def _open(self, events: list[Event], request: RequestReceived) -> None:
        number, fields = request.stream_id or 0, request.headers or []
        self.begun += 1
        if self._last or len(self._streams) >= MAX_STREAMS:
            self._client.glitches.spend(0 if self._last else RESET)
            self._client.reset(number, ErrorCodes.REFUSED_STREAM)
            return
        self._client.glitches.earn(HEAD)
        ended = request.stream_ended is not None
        head, refused = read_request(self._door, fields, ended=ended)
        self._streams[number] = stream = Stream(number, head, self._client)
        stream.ask.ended = ended
        self._heads += stream.weight
        events.append(Judge(stream, head, None, refused))

    def _body(self, events: list[Event], received: DataReceived) -> None:
        client, data = self._client, received.data or b""
        stream = self._streams.get(received.stream_id or 0)
        client.acknowledge_padding(received)
        if stream is None:
            client.acknowledge(len(data), received.stream_id or 0)
            return
        if data:
            client.glitches.earn(DATA)
        stream.pieces += 1
        ended = received.stream_ended is not None
        if stream.asking in (Asking.HELD, Asking.DROPPING, Asking.BROKEN, Asking.ENDED):
            client.acknowledge(len(data), stream.number)
            stream.ask.moved += 1
            stream.ask.ended = ended
            if stream.asking is Asking.HELD:
                self._hold_on(events, stream, data)
            else:
                self._drop(events, stream, data)
            return
        stream.ask.put(data, ended=ended)
        if stream.is_dust:
            self._break(events, stream, Fault.CLIENT_BROKE, "the frames are too many and too small")
        elif stream.asking is Asking.SENDING:
            self._pump(events, [stream])

    def _drop(self, events: list[Event], stream: Stream, data: bytes) -> None:
        stream.body.size += len(data)
        if stream.tell.finished and stream.body.size > DROPPED and not stream.ask.ended:
            self._client.reset(stream.number, ErrorCodes.NO_ERROR)
            self._forget(events, stream)
        else:
            self._settle(events, stream)

    def _hold_on(self, events: list[Event], stream: Stream, data: bytes) -> None:
        assert stream.held is not None
        stream.held += data
        if len(stream.held) > stream.limit:
            self._judge_held(events, stream, unread=too_large(stream.limit))
        elif stream.ask.ended:
            self._judge_held(events, stream, stream.content)

    def _judge_held(
        self,
        events: list[Event],
        stream: Stream,
        content: bytes | None = None,
        refused: Refused | None = None,
        unread: Refused | None = None,
    ) -> None:
        stream.say(Step.HELD)
        events.append(Judge(stream, stream.head, content, refused, unread))

    def give_up_holding(self, unread: Refused) -> list[Event]:
        """Do not wait for the rest of the bodies that are held back: decide without it."""
        events: list[Event] = []
        for stream in list(self._streams.values()):
            if stream.asking is Asking.HELD:
                self._judge_held(events, stream, unread=unread)
        return events

    def _trailers(self, events: list[Event], received: TrailersReceived) -> None:
        """Headers after the body were not there when the call was judged."""
        stream = self._streams.get(received.stream_id or 0)
        if stream is None:
            return
        stream.ask.ended = True
        if stream.asking is Asking.HELD:
            stream.unframed = True
            refused = Refused(Reason.TRAILERS_REFUSED, "headers follow the body")
            self._judge_held(events, stream, refused=refused)
        elif stream.asking is Asking.JUDGED:
            stream.trailed = True
        elif stream.asking is Asking.SENDING:
            self._break(events, stream, Fault.CLIENT_BROKE, "headers follow the body")
        else:
            self._settle(events, stream)

    def _client_reset(self, events: list[Event], reset: StreamReset) -> None:
        stream = self._streams.get(reset.stream_id or 0)
        if stream is None:
            return
        code = int(reset.error_code or 0)
        self._client.glitches.spend(RESET if stream.status is None else 0)
        if stream.host is not None and self._host is not None:
            self._host.reset(stream.host, code)
        if not stream.tell.finished:
            stream.broke(Fault.CLIENT_LEFT, f"it reset the stream with code {code}")
        self._forget(events, stream)

    def client_ended(self) -> list[Event]:
        """The client sends nothing more; what it has sent may be whole, but nobody would take the answer."""
        events: list[Event] = []
        if not self._over:
            self._break_all(events, Fault.CLIENT_LEFT, "", How.AT_ONCE if self._streams else How.GENTLY)
        return events

    # -- rulings -----------------------------------------------------------------------------------------------

    def rule(self, exchange: Exchange, ruling: Ruling) -> list[Event]:
        """The ruling on a request that was given out to be judged. One that comes too late changes nothing."""
        events: list[Event] = []
        if not self.awaits(exchange):
            return events
        assert isinstance(exchange, Stream)
        self._forget_head(exchange)
        if isinstance(ruling, Cleared):
            self._clear(events, exchange, ruling)
        elif isinstance(ruling, Denied):
            self._deny(events, exchange, ruling)
        else:
            self._hold(events, exchange, ruling)
        return self._done(events)

    def _clear(self, events: list[Event], stream: Stream, cleared: Cleared) -> None:
        stream.say(Step.UNFRAMED if stream.unframed else Step.CLEARED)
        stream.hear(Step.ASKED)
        stream.cleared = cleared
        stream.body = stream.ask.body
        if stream.held is not None:
            stream.ask.put_first(stream.held)
            stream.held = None
        if stream.trailed:
            self._break(events, stream, Fault.CLIENT_BROKE, "headers follow the body")
        elif self._last:
            self._refuse(events, stream, "the host takes no more calls")
        elif self._way is Way.UP:
            self._send(events, stream, cleared)
        else:
            self._waiting.append(stream)
            if self._way is Way.ABSENT:
                self._way = Way.DIALLING
                events.append(Dial())

    def _deny(self, events: list[Event], stream: Stream, denied: Denied) -> None:
        stream.say(Step.DENIED)
        stream.hear(Step.OWN)
        stream.held = None
        stream.body = stream.ask.body
        stream.body.size += len(stream.ask.take())
        self._answer(events, stream, denied.answer)

    def _hold(self, events: list[Event], stream: Stream, hold: Hold) -> None:
        stream.say(Step.HOLD if stream.held is None else Step.HELD)
        stream.limit = hold.limit
        stream.held = bytearray()
        if stream.trailed:
            stream.unframed = True
            refused = Refused(Reason.TRAILERS_REFUSED, "headers follow the body")
            self._judge_held(events, stream, refused=refused)
        elif (hold.announced.length or 0) > hold.limit:
            self._judge_held(events, stream, unread=too_large(hold.limit))
        else:
            self._hold_on(events, stream, stream.ask.take())

    # -- the way to the host -----------------------------------------------------------------------------------

    def _send(self, events: list[Event], stream: Stream, cleared: Cleared) -> None:
        """The one place that opens a stream of the host."""
        host = self._host
        assert host is not None
        if not host.has_room():
            self._refuse(events, stream, "the host takes no more calls at once")
            return
        ended = stream.ask.ended and not stream.ask.waiting
        stream.host = number = host.open(cleared.head.fields, ended=ended)
        self._at_host[number] = stream
        stream.tell.come_from(host, number)
        stream.ask.lead_to(host, number)
        if ended:
            stream.ask.finished = True
            self._settle(events, stream)
        else:
            self._pump(events, [stream])

    def _refuse(self, events: list[Event], stream: Stream, detail: str) -> None:
        """Nothing of it was processed: the client may send it again."""
        self._break(events, stream, Fault.HOST_LEFT, detail, ErrorCodes.REFUSED_STREAM)

    def host_up(self) -> list[Event]:
        """The host that was dialled is there, and speaks HTTP/2."""
        events: list[Event] = []
        if self._over:
            return events
        self._way = Way.UP
        self._host = Peer(is_client=False)
        waiting, self._waiting = self._waiting, []
        for stream in waiting:
            assert stream.cleared is not None
            if stream.asking is Asking.SENDING:
                self._send(events, stream, stream.cleared)
        early, self._early = self._early, b""
        if early:
            events += self.from_host(early)
        return self._done(events)

    def host_failed(self, detail: str) -> list[Event]:
        """The host that was dialled can't be reached. ``detail``: why, fit for the log."""
        events: list[Event] = []
        if self._over:
            return events
        self._way, self._early = Way.ABSENT, b""
        waiting, self._waiting = self._waiting, []
        for stream in waiting:
            if stream.asking is Asking.SENDING:
                self._break(events, stream, Fault.UNREACHED, detail)
        self._leave(events)
        return self._done(events)

    # -- from the host -----------------------------------------------------------------------------------------

    def from_host(self, data: bytes) -> list[Event]:
        """The host sent bytes."""
        events: list[Event] = []
        if self._over:
            return events
        host = self._host
        if host is None:
            self._early += data
            return events
        try:
            for happened in host.receive(data):
                self._host_says(events, host, happened)
                if self._over or self._host is not host:
                    return self._done(events)
        except PeerBroke as error:
            self._break_all(events, Fault.HOST_BROKE, str(error), How.GENTLY)
        return self._done(events)

    def _host_says(self, events: list[Event], host: Peer, happened: object) -> None:
        if isinstance(happened, WindowUpdated | RemoteSettingsChanged):
            self._pump_all(events)
        elif isinstance(happened, GoneAway):
            self._host_goes(events, happened.last)
        elif isinstance(
            happened,
            ResponseReceived | InformationalResponseReceived | DataReceived | TrailersReceived | StreamReset,
        ):
            stream = self._at_host.get(happened.stream_id or 0)
            if isinstance(happened, DataReceived):
                host.acknowledge_padding(happened)
                if stream is None:
                    host.acknowledge(len(happened.data or b""), happened.stream_id or 0)
            if stream is not None:
                try:
                    self._hear(events, host, stream, happened)
                except Broken as error:
                    self._break(events, stream, Fault.HOST_BROKE, str(error))

    def _hear(
        self,
        events: list[Event],
        host: Peer,
        stream: Stream,
        happened: ResponseReceived
        | InformationalResponseReceived
        | DataReceived
        | TrailersReceived
        | StreamReset,
    ) -> None:
        lane = stream.tell
        if isinstance(happened, StreamReset):
            self._host_reset(events, stream, int(happened.error_code or 0))
        elif isinstance(happened, DataReceived):
            data = happened.data or b""
            if data:
                host.glitches.earn(DATA)
                if not stream.may_have_body:
                    host.acknowledge(len(data), happened.stream_id or 0)
                    raise Broken("an answer without a body has one")
            lane.put(data, ended=happened.stream_ended is not None)
            self._pump(events, [stream])
        elif isinstance(happened, TrailersReceived):
            lane.end(read_trailers(happened.headers or []) or None)
            self._pump(events, [stream])
        elif isinstance(happened, InformationalResponseReceived):
            stream.interims += 1
            stream.hear(Step.INTERIM)
            if stream.interims > MAX_INTERIMS:
                raise Broken("too many interim answers")
            _, fields, _ = read_answer(happened.headers or [], to_head=False, ended=False)
            self._client.send_head(stream.number, fields, ended=False)
        else:
            host.glitches.earn(HEAD)
            self._head(events, stream, happened)

    def _head(self, events: list[Event], stream: Stream, response: ResponseReceived) -> None:
        ended = response.stream_ended is not None
        status, fields, stream.may_have_body = read_answer(
            response.headers or [], to_head=stream.head.is_head, ended=ended
        )
        stream.hear(Step.HEAD)
        stream.status, stream.reply, stream.passed = status, stream.tell.body, True
        events.append(Answered(stream))
        self._client.send_head(stream.number, fields, ended=ended)
        if ended:
            stream.tell.ended = stream.tell.finished = True
            self._settle(events, stream)

    def _host_reset(self, events: list[Event], stream: Stream, code: int) -> None:
        if stream.tell.ended:
            # It has answered, and is not interested in the rest of the request.
            stream.stopped = code
            stream.ask.stop()
            self._settle(events, stream)
        else:
            detail = f"it reset the stream with code {code}"
            self._at_host.pop(stream.host or 0, None)
            stream.host = None
            self._break(events, stream, Fault.HOST_LEFT, detail, code)

    def _host_goes(self, events: list[Event], last: int) -> None:
        for number, stream in list(self._at_host.items()):
            if number > last:
                self._refuse(events, stream, "the host takes no more calls")
        if self._at_host:
            self._leave(events)
        else:
            self._way, self._host = Way.ABSENT, None
            events.append(HangUp())

    def host_ended(self, *, clean: bool) -> list[Event]:
        """The host sends nothing more."""
        events: list[Event] = []
        self._way, self._host, self._early = Way.ABSENT, None, b""
        if self._over:
            return events
        for stream in list(self._at_host.values()):
            self._break(events, stream, Fault.HOST_LEFT, "")
        return self._done(events)

    # -- what is sent, and ends --------------------------------------------------------------------------------

    def _pump_all(self, events: list[Event]) -> None:
        """A window has become larger: go on with what waits for it, each time beginning with another stream."""
        stuck = [stream for stream in self._streams.values() if stream.tell.is_stuck or stream.ask.is_stuck]
        if stuck:
            self._turn = (self._turn + 1) % len(stuck)
            self._pump(events, stuck[self._turn :] + stuck[: self._turn])

    def _pump(self, events: list[Event], streams: list[Stream]) -> None:
        """Send what there is room for, a frame of each stream in turn."""
        left = streams
        while left:
            left = [stream for stream in left if stream.step()]
        for stream in streams:
            self._settle(events, stream)

    def _settle(self, events: list[Event], stream: Stream) -> None:
        """Something has left: see whether anything is left to do."""
        if stream.settle():
            if not stream.ask.ended:
                self._client.reset(stream.number, stream.stopped or ErrorCodes.NO_ERROR)
            self._forget(events, stream)

    def _answer(self, events: list[Event], stream: Stream, form: Form) -> None:
        """Answer ourselves."""
        self._client.send_head(stream.number, own(form.status, form.fields), ended=not form.body)
        stream.tell.put_first(form.body)
        stream.tell.ended = True
        stream.tell.finished = not form.body
        self._pump(events, [stream])

    def _break(
        self, events: list[Event], stream: Stream, fault: Fault, detail: str, code: int | None = None
    ) -> None:
        """Give a stream up on both sides. ``code``: what the client is told; None: in words, if that is still possible."""
        stream.broke(fault, detail)
        cleared = stream.cleared
        if stream.host is not None and self._host is not None:
            self._host.reset(stream.host, ErrorCodes.CANCEL)
        self._at_host.pop(stream.host or 0, None)
        stream.host = None
        stream.tell.take()
        stream.ask.stop()
        if code is None and cleared is not None and not stream.passed:
            self._tell_end(events, stream)
            form = failure(STATUS.get(fault, 502), fault, cleared.decision_id, head=stream.head.is_head)
            self._answer(events, stream, form)
        else:
            self._client.reset(stream.number, ErrorCodes.INTERNAL_ERROR if code is None else code)
            self._forget(events, stream)

    def _forget(self, events: list[Event], stream: Stream) -> None:
        """Nothing is left to do for it."""
        self._streams.pop(stream.number, None)
        self._at_host.pop(stream.host or 0, None)
        self._forget_head(stream)
        stream.ask.stop()
        stream.tell.stop()
        self._tell_end(events, stream)
        if self.draining and not self._streams:
            self._say_goaway()

    def _forget_head(self, stream: Stream) -> None:
        self._heads -= stream.weight
        stream.weight = 0

    def _tell_end(self, events: list[Event], stream: Stream) -> None:
        if stream.cleared is not None and not stream.is_told:
            stream.is_told = True
            events.append(Ended(stream))

    def _break_all(self, events: list[Event], fault: Fault, detail: str, how: How) -> None:
        """Give all of them up, and both connections."""
        for stream in list(self._streams.values()):
            if fault.side is Side.HOST:
                self._break(events, stream, fault, detail)
            else:
                stream.broke(fault, detail)
                self._forget(events, stream)
        self._close(events, how, How.AT_ONCE)

    def give_up(self, exchange: Exchange, fault: Fault) -> list[Event]:
        """Give one call up: time is over."""
        events: list[Event] = []
        assert isinstance(exchange, Stream)
        if not self._over and exchange.number in self._streams:
            self._break(events, exchange, fault, "", None if fault is Fault.HOST_STUCK else ErrorCodes.CANCEL)
        return self._done(events)

    def break_off(self, fault: Fault) -> list[Event]:
        """Give everything up: time is over, or the proxy ends."""
        events: list[Event] = []
        if not self._over:
            self._break_all(events, fault, "", How.AT_ONCE if self._streams else How.GENTLY)
        return events

    def close_idle(self) -> list[Event]:
        """End a connection on which nothing is under way."""
        events: list[Event] = []
        if self.phase is Phase.IDLE:
            self._close(events, How.GENTLY, How.GENTLY)
        return events

    def drain(self, *, late: bool) -> list[Event]:
        """Asked from time to time while the proxy stops. ``late``: for long enough.

        GOAWAY goes out with the end of the last open stream, or when nothing was open for a while: some clients (of Python's
        h2) give up what they have open when it comes. All that crosses it is served.
        """
        self.draining = True
        self._idle = 0 if self._streams else self._idle + 1
        if late or self._idle > 1:
            self._say_goaway()
        return self._done([])

    def pass_time(self, seconds: float) -> None:
        """So much time has passed."""
        for side in (self._client, self._host):
            if side is not None:
                side.glitches.pass_time(seconds)

    def _say_goaway(self) -> None:
        if not self._said_goaway and not self._over:
            self._said_goaway = True
            self._client.go_away(ALL_STREAMS)

    def _leave(self, events: list[Event]) -> None:
        """Serve no more streams; the connection ends with the last one."""
        self._last = True
        self._say_goaway()

    def _done(self, events: list[Event]) -> list[Event]:
        if self._last and not self._streams and not self._over:
            self._close(events, How.GENTLY, How.GENTLY)
        self._flush(events)
        return events

    def _flush(self, events: list[Event]) -> None:
        if self._over:
            return
        for side, make in ((self._host, ToHost), (self._client, ToClient)):
            data = b"" if side is None else side.flush()
            if data:
                events.append(make(data))

    def _close(self, events: list[Event], client: How, host: How) -> None:
        if client is How.GENTLY:
            self._client.go_away()
        self._flush(events)
        self._over = True
        self._streams.clear()
        self._at_host.clear()
        self._waiting.clear()
        self._early, self._heads = b"", 0
        events.append(Close(Side.HOST, host))
        events.append(Close(Side.CLIENT, client))
