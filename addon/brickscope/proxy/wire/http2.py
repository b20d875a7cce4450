"""HTTP/2 between one client and one host: each stream of the client is a stream of the host, and each request is judged
before its first byte leaves.

Rules, and what they stop:

* a stream of the host is opened for a ``Cleared`` alone, with the fields that were judged, one for one;
* a request is never sent again once it was sent: it may have been carried out. What surely was not is refused so that the
  client may send it again (REFUSED_STREAM, RFC 9113 section 8.7);
* bytes are acknowledged when they have left (``streams.py``), so neither side can fill the memory by not reading;
* what a side sends without use ends its connection (``peer.py``);
* a reset of either side goes to the other, with its code;
* a host that says GOAWAY gets no more streams. Another connection is made only when this one has none; else the client is
  told to go as well.
"""

from h2.errors import ErrorCodes
from h2.events import (
    DataReceived,
    RemoteSettingsChanged,
    RequestReceived,
    StreamReset,
    TrailersReceived,
    WindowUpdated,
)

from brickscope.core.decision import Refused

from .calls import Calls, Said
from .events import (
    Close,
    Denied,
    Dial,
    Event,
    Fault,
    HangUp,
    How,
    Phase,
    Ruling,
    Side,
    Way,
)
from .exchange import Asking, Core, Exchange
from .head import Cleared, Door
from .peer import ALL_STREAMS, GoneAway, Peer, PeerBroke, TooManyGlitches
from .streams import Stream


class Http2(Core):
    """The protocol of one tunnel."""

    shared = True

    def __init__(self, door: Door) -> None:
        super().__init__()
        self._calls = Calls(door)
        self._way = Way.ABSENT
        self._waiting: list[Stream] = []
        """Cleared, for a host that is being dialled."""
        self._early = b""
        """What the host sent before it was said to be there."""
        self._last = False
        """Whether no more streams are served."""
        self._said_goaway = False
        self._idle = 0
        self._busy = False

    def __repr__(self) -> str:
        return f"<Http2 {self.phase.name} {self._way.name} {self._calls}>"

    # -- what the tunnel wants to know -------------------------------------------------------------------------

    @property
    def phase(self) -> Phase:
        """What it waits for."""
        if self._over:
            return Phase.OVER
        return Phase.CALL if self._calls.by_client else Phase.IDLE

    @property
    def is_in_head(self) -> bool:
        """Whether a head has begun that is not complete."""
        return not self._over and self._calls.client.is_in_head

    @property
    def calls(self) -> list[tuple[Exchange, object]]:
        """Those that are under way, each with what changes when it goes on."""
        return [(stream, stream.progress) for stream in self._calls.by_client.values()]

    @property
    def ahead(self) -> int:
        """Bytes of the client that are kept beyond its windows: heads."""
        return self._calls.heads

    @property
    def held(self) -> int:
        """Bytes of bodies that are held back to be judged."""
        return sum(len(stream.held) for stream in self._calls.by_client.values() if stream.held is not None)

    # -- from the client ---------------------------------------------------------------------------------------

    def begin(self) -> list[Event]:
        """The client is there."""
        return self._done()

    def from_client(self, data: bytes) -> list[Event]:
        """The client sent bytes."""
        if self._over:
            return []
        client = self._calls.client
        try:
            for happened in client.receive(data):
                self._client_says(happened)
        except PeerBroke as error:
            self._fail_all(Fault.CLIENT_BROKE, str(error), How.GENTLY)
        except TooManyGlitches:
            broke = client.broken(ErrorCodes.ENHANCE_YOUR_CALM, "it gave up too many calls")
            self._fail_all(Fault.CLIENT_BROKE, str(broke), How.GENTLY)
        return self._done()

    def _client_says(self, happened: object) -> None:
        if isinstance(happened, RequestReceived):
            self.begun += 1
            self._calls.open(happened, last=self._last)
            if self._last:
                self._say_goaway()
        elif isinstance(happened, WindowUpdated | RemoteSettingsChanged):
            self._calls.pump_all()
        elif isinstance(happened, DataReceived):
            self._calls.take_body(happened)
        elif isinstance(happened, TrailersReceived):
            self._calls.refuse_trailers(happened)
        elif isinstance(happened, StreamReset):
            self._calls.reset(happened)
        elif isinstance(happened, GoneAway):
            self._leave()

    def give_up_holding(self, unread: Refused) -> list[Event]:
        """Do not wait for the rest of the bodies that are held back: decide without it."""
        for stream in self._calls.by_client.values():
            if stream.asking is Asking.HELD:
                self._calls.events.append(stream.judge(unread=unread))
        return self._done()

    def client_ended(self) -> list[Event]:
        """The client sends nothing more; what it has sent may be whole, but nobody would take the answer."""
        return self.break_off(Fault.CLIENT_LEFT)

    # -- rulings -----------------------------------------------------------------------------------------------

    def rule(self, exchange: Exchange, ruling: Ruling) -> list[Event]:
        """The ruling on a request that was given out to be judged. One that comes too late changes nothing."""
        if not self.awaits(exchange):
            return []
        assert isinstance(exchange, Stream)
        self._calls.weigh(exchange)
        if isinstance(ruling, Cleared):
            self._clear(exchange, ruling)
        elif isinstance(ruling, Denied):
            self._calls.deny(exchange, ruling)
        else:
            self._calls.hold(exchange, ruling)
        return self._done()

    def _clear(self, stream: Stream, cleared: Cleared) -> None:
        stream.clear(cleared)
        stream.body = stream.ask.body
        if stream.held is not None:
            stream.ask.put_first(stream.held)
            stream.held = None
        if stream.flaw is not None:
            self._calls.fail(stream, Fault.CLIENT_BROKE, stream.flaw.detail)
        elif self._way is Way.LEAVING:
            self._calls.refuse(stream, "it takes no more calls")
        elif self._way is Way.UP:
            self._send(stream, cleared)
        else:
            self._waiting.append(stream)
            if self._way is Way.ABSENT:
                self._way = Way.DIALLING
                self._calls.events.append(Dial())

    # -- the host ----------------------------------------------------------------------------------------------

    def _send(self, stream: Stream, cleared: Cleared) -> None:
        """The one place that opens a stream of the host."""
        host = self._calls.host
        assert host is not None
        if not host.has_room():
            self._calls.refuse(stream, "it takes no more calls at once")
            return
        ended = stream.ask.ended and not stream.ask.waiting
        stream.host = number = host.open(cleared.fields, ended=ended)
        self._calls.by_host[number] = stream
        stream.tell.come_from(host, number)
        stream.ask.lead_to(host, number)
        stream.ask.finished = ended
        self._calls.pump(stream)

    def host_up(self) -> list[Event]:
        """The host that was dialled is there, and speaks HTTP/2."""
        if self._over:
            return []
        self._way = Way.UP
        self._calls.host = Peer(is_client=False)
        waiting, self._waiting = self._waiting, []
        for stream in waiting:
            if stream.asking is Asking.SENDING and stream.cleared is not None:
                self._send(stream, stream.cleared)
        early, self._early = self._early, b""
        return self.from_host(early)

    def host_failed(self, detail: str) -> list[Event]:
        """The host that was dialled can't be reached. ``detail``: why, fit for the log."""
        if self._over:
            return []
        self._way, self._early = Way.ABSENT, b""
        waiting, self._waiting = self._waiting, []
        for stream in waiting:
            if stream.asking is Asking.SENDING:
                self._calls.fail(stream, Fault.UNREACHED, detail)
        self._leave()
        return self._done()

    def from_host(self, data: bytes) -> list[Event]:
        """The host sent bytes."""
        host = self._calls.host
        if self._over or host is None:
            self._early += data
            return []
        try:
            for happened in host.receive(data):
                if isinstance(happened, Said):
                    self._calls.hear(host, happened)
                elif isinstance(happened, RequestReceived):
                    raise host.broken(ErrorCodes.PROTOCOL_ERROR, "it opened a stream")
                elif isinstance(happened, WindowUpdated | RemoteSettingsChanged):
                    self._calls.pump_all()
                elif isinstance(happened, GoneAway) and self._host_goes(happened.last):
                    break
        except PeerBroke as error:
            self._fail_all(Fault.HOST_BROKE, str(error), How.GENTLY)
        return self._done()

    def _host_goes(self, last: int) -> bool:
        """It takes no streams above ``last``. Whether its connection is over."""
        for number, stream in list(self._calls.by_host.items()):
            if number > last:
                self._calls.refuse(stream, "it takes no more calls")
        if self._calls.by_host:
            self._way = Way.LEAVING
            self._leave()
            return False
        self._way, self._calls.host = Way.ABSENT, None
        self._calls.events.append(HangUp())
        return True

    def host_ended(self, *, clean: bool) -> list[Event]:
        """The host sends nothing more."""
        self._way, self._calls.host, self._early = Way.ABSENT, None, b""
        for stream in list(self._calls.by_host.values()):
            self._calls.fail(stream, Fault.HOST_LEFT, "")
        return self._done()

    # -- ends --------------------------------------------------------------------------------------------------

    def _fail_all(self, fault: Fault, detail: str, how: How) -> None:
        """Give all calls up, and both connections."""
        for stream in list(self._calls.by_client.values()):
            if fault.side is Side.HOST:
                self._calls.fail(stream, fault, detail)
            else:
                stream.broke(fault, detail)
                self._calls.forget(stream)
        self._close(how, How.AT_ONCE)

    def give_up(self, exchange: Exchange, fault: Fault) -> list[Event]:
        """Give one call up: time is over."""
        assert isinstance(exchange, Stream)
        if exchange.number in self._calls.by_client:
            code = None if fault is Fault.HOST_STUCK else ErrorCodes.CANCEL
            self._calls.fail(exchange, fault, "", code)
        return self._done()

    def break_off(self, fault: Fault) -> list[Event]:
        """Give everything up: a side has left, time is over, or the proxy ends."""
        if not self._over:
            self._fail_all(fault, "", How.AT_ONCE if self._calls.by_client else How.GENTLY)
        return self._done()

    def close_idle(self) -> list[Event]:
        """End a connection on which nothing is under way."""
        if self.phase is Phase.IDLE:
            self._close(How.GENTLY, How.GENTLY)
        return self._done()

    def drain(self, *, late: bool) -> list[Event]:
        """Asked from time to time while the proxy stops. ``late``: for long enough.

        GOAWAY goes out with the end of the last open stream, or when nothing was open for a while, as ``_leave`` does. All
        that crosses it is served.
        """
        self.draining = True
        self._idle = 0 if self._calls.by_client else self._idle + 1
        if late or self._idle > 1:
            self._say_goaway()
        return self._done()

    def pass_time(self, seconds: float) -> None:
        """So much time has passed."""
        for side in (self._calls.client, self._calls.host):
            if side is not None:
                side.glitches.pass_time(seconds)

    def _leave(self) -> None:
        """Serve no more streams; the connection ends with the last one. GOAWAY goes out then, or with the first stream that
        comes too late: some clients (of Python's h2) give up what they have open when it comes."""
        self._last = True

    def _say_goaway(self) -> None:
        if not self._said_goaway and not self._over:
            self._said_goaway = True
            self._calls.client.go_away(ALL_STREAMS)

    def _done(self) -> list[Event]:
        """What has to be done after all that has happened."""
        calls = self._calls
        if not self._over:
            was_busy, self._busy = self._busy, bool(calls.by_client)
            if self._last and not self._busy:
                self._close(How.GENTLY, How.GENTLY)
            elif self.draining and was_busy and not self._busy:
                self._say_goaway()
            calls.flush()
        events, calls.events = calls.events, []
        return events

    def _close(self, client: How, host: How) -> None:
        calls = self._calls
        if client is How.GENTLY:
            calls.client.go_away()
        calls.flush()
        calls.events += [Close(Side.HOST, host), Close(Side.CLIENT, client)]
        calls.clear()
        self._over = True
        self._waiting.clear()
        self._early = b""
