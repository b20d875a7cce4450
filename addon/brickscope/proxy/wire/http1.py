"""HTTP/1.1 between one client and one host: exchanges in a row, each judged before its first byte leaves.

Rules, and what they stop:

* the next head is read only when the exchange before it is over on both sides, so an answer belongs to its request;
* a request is never sent again once a byte of it was written: it may have been carried out;
* what was passed on of an answer that breaks is cut off, never ended cleanly: the client can't take a part for the whole;
* a byte of the host that nobody asked for ends both connections: it would be read as the answer to the next request;
* after an answer that came before the end of its request, nothing more is read as a request: it could be the rest of a body;
* connections to a host belong to one client, so nobody ever gets somebody else's answer.
"""

from brickscope.core.decision import Refused
from brickscope.core.reason import Reason

from .answer import written
from .credential import Reflected
from .events import (
    Close,
    Denied,
    Dial,
    Ended,
    Event,
    Fault,
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
from .exchange import Answering, Asking, Core, Exchange, Step
from .framing import NOTHING, Broken, Chunked, TrailersSent, UntilClose
from .head import Cleared, Door, HeadScanner
from .response import GO_ON, Responses


class Http1(Core):
    """The protocol of one tunnel."""

    def __init__(self, door: Door) -> None:
        super().__init__()
        self._scanner = HeadScanner(door)
        self._responses = Responses()
        self._exchange: Exchange | None = None
        self._in = b""
        self._at = 0
        """What the client has sent, and where of it the part begins that was not taken yet."""
        self._way = Way.ABSENT
        self._unsent = bytearray()
        """Bytes for a host that is being dialled. A list would keep fifty bytes for a piece of one."""
        self._moved = 0

    def __repr__(self) -> str:
        return f"<Http1 {self.phase.name} {self._way.name} {self._exchange} ahead={self.ahead}>"

    @property
    def phase(self) -> Phase:
        """What it waits for."""
        if self._over:
            return Phase.OVER
        exchange = self._exchange
        if exchange is None:
            return Phase.HEAD if self._at < len(self._in) else Phase.IDLE
        if exchange.asking is Asking.JUDGED:
            return Phase.JUDGED
        return Phase.HELD if exchange.asking is Asking.HELD else Phase.CALL

    @property
    def is_in_head(self) -> bool:
        """Whether a head has begun that is not complete."""
        return self.phase is Phase.HEAD

    @property
    def calls(self) -> list[tuple[Exchange, object]]:
        """Those that are under way, each with what changes when it goes on. A body that is held back has a time in all."""
        if self._exchange is None:
            return []
        phase = self.phase
        return [(self._exchange, phase if phase is Phase.HELD else (phase, self._moved))]

    @property
    def ahead(self) -> int:
        """Bytes of the client that are kept: sent before they can be read as a request, or before the host is up."""
        return len(self._in) - self._at + len(self._unsent)

    @property
    def held(self) -> int:
        """Bytes of a body that is held back to be judged."""
        return 0 if self._exchange is None or self._exchange.held is None else len(self._exchange.held)

    # -- from the client ---------------------------------------------------------------------------------------

    def from_client(self, data: bytes) -> list[Event]:
        """The client sent bytes."""
        if self._over:
            return []
        self._moved += 1
        self._in = self._in[self._at :] + data if self._at < len(self._in) else data
        self._at = 0
        events: list[Event] = []
        self._take(events)
        return events

    def client_ended(self) -> list[Event]:
        """The client sends nothing more. As a rule it has left, so what is under way is given up."""
        return self.break_off(Fault.CLIENT_LEFT)

    def _take(self, events: list[Event]) -> None:
        """Read on in what the client has sent, as far as that is possible now."""
        while self._at < len(self._in) and not self._over:
            exchange = self._exchange
            if exchange is None:
                self._begin(events)
                return
            if exchange.asking is Asking.SENDING:
                self._send_body(events, exchange)
            elif exchange.asking is Asking.DROPPING:
                self._drop_body(events, exchange)
            elif exchange.asking is Asking.HELD:
                self._hold_body(events, exchange)
                return
            else:  # a ruling, or the end of the answer, comes first
                if exchange.asking is Asking.ENDED and exchange.cleared and exchange.cleared.websocket:
                    self._break(events, exchange, Fault.AHEAD, "")
                return

    def _begin(self, events: list[Event]) -> None:
        """Read a head."""
        refused = None
        try:
            head = self._scanner.read(self._in, self._at)
            if head is None:
                return
        except Refused as error:
            head, refused = self._scanner.irregular(), error
        self.begun += 1
        self._at = len(self._in) if refused else self._at + len(head.raw)
        self._exchange = exchange = Exchange(head)
        events.append(Judge(exchange, head, None, refused))

    def _send_body(self, events: list[Event], exchange: Exchange, first: bytes = b"") -> None:
        """Send what belongs to the body of all that has come, after ``first``."""
        start = self._at
        try:
            self._at = exchange.body.feed(self._in, start)
        except Broken as error:
            self._break(events, exchange, Fault.CLIENT_BROKE, str(error))
            return
        if exchange.body.ended:
            exchange.say(Step.BODY_ENDED)
        self._to_host(events, first + self._in[start : self._at])

    def _drop_body(self, events: list[Event], exchange: Exchange) -> None:
        try:
            self._at = exchange.body.feed(self._in, self._at)
        except Broken:
            self._close(events, How.GENTLY, How.GENTLY)
            return
        if exchange.body.ended:
            exchange.say(Step.BODY_ENDED)
            self._settle(events, exchange)

    def _hold_body(self, events: list[Event], exchange: Exchange) -> None:
        start, body = self._at, exchange.body
        assert exchange.held is not None
        try:
            self._at = body.feed(self._in, start)
        except Broken as error:
            reason = Reason.TRAILERS_REFUSED if isinstance(error, TrailersSent) else Reason.MALFORMED_BODY
            exchange.unframed = True
            events.append(exchange.judge(refused=Refused(reason, str(error))))
            return
        exchange.held += self._in[start : self._at]
        if body.size > exchange.limit:
            events.append(exchange.judge(unread=too_large(exchange.limit)))
        elif body.ended:
            events.append(exchange.judge(exchange.content))

    def give_up_holding(self, unread: Refused) -> list[Event]:
        """Do not wait for the rest of a body that is held back: decide without it."""
        exchange = self._exchange
        if self._over or exchange is None or exchange.asking is not Asking.HELD:
            return []
        return [exchange.judge(unread=unread)]

    # -- rulings -----------------------------------------------------------------------------------------------

    def rule(self, exchange: Exchange, ruling: Ruling) -> list[Event]:
        """The ruling on a request that was given out to be judged. One that comes too late changes nothing."""
        if self._over or exchange is not self._exchange:
            return []
        events: list[Event] = []
        if isinstance(ruling, Cleared):
            self._clear(events, exchange, ruling)
        elif isinstance(ruling, Denied):
            self._deny(events, exchange, ruling)
        else:
            self._hold(events, exchange, ruling)
        if not self._over:
            self._take(events)
        return events

    def _clear(self, events: list[Event], exchange: Exchange, cleared: Cleared) -> None:
        exchange.clear(cleared)
        first = cleared.raw
        if exchange.held is None:
            exchange.body = cleared.announced.body()
        else:
            first += exchange.held
            exchange.release()
        if cleared.websocket is not None and self._at < len(self._in):
            self._break(events, exchange, Fault.AHEAD, "")
        elif exchange.body.ended:
            exchange.say(Step.BODY_ENDED)
            self._to_host(events, first)
        else:
            self._send_body(events, exchange, first)

    def _deny(self, events: list[Event], exchange: Exchange, denied: Denied) -> None:
        exchange.say(Step.DENIED)
        exchange.hear(Step.OWN)
        events.append(ToClient(written(denied.answer)))
        if exchange.held is None:
            exchange.body = NOTHING if denied.announced is None else denied.announced.body()
        else:
            exchange.release()
        exchange.last = exchange.last or denied.last
        if denied.announced is None or exchange.unframed:
            self._close(events, How.GENTLY, How.GENTLY)
        elif exchange.body.ended:
            exchange.say(Step.BODY_ENDED)
            self._settle(events, exchange)

    def _hold(self, events: list[Event], exchange: Exchange, hold: Hold) -> None:
        exchange.hold(hold)
        exchange.body = hold.announced.body()
        if isinstance(exchange.body, Chunked):
            exchange.body.content = bytearray()
        if (hold.announced.length or 0) > hold.limit:
            events.append(exchange.judge(unread=too_large(hold.limit)))
        elif exchange.body.ended:
            events.append(exchange.judge(b""))
        elif exchange.head.expects:
            exchange.told_to_go_on = True
            events.append(ToClient(GO_ON))

    # -- the way to the host -----------------------------------------------------------------------------------

    def _to_host(self, events: list[Event], data: bytes) -> None:
        """Send bytes of the cleared request; dial first where the host is not there."""
        if self._way is Way.UP:
            events.append(ToHost(data))
            return
        self._unsent += data
        if self._way is Way.ABSENT:
            self._way = Way.DIALLING
            events.append(Dial())

    def host_up(self) -> list[Event]:
        """The host that was dialled is there."""
        if self._over:
            return []
        self._way = Way.UP
        unsent, self._unsent = bytes(self._unsent), bytearray()
        return [ToHost(unsent)] if unsent else []

    def host_failed(self, detail: str) -> list[Event]:
        """The host that was dialled can't be reached. ``detail``: why, fit for the log."""
        if self._over:
            return []
        self._way = Way.ABSENT
        self._unsent.clear()
        events: list[Event] = []
        if self._exchange is not None:
            self._break(events, self._exchange, Fault.UNREACHED, detail)
        return events

    # -- from the host -----------------------------------------------------------------------------------------

    def from_host(self, data: bytes) -> list[Event]:
        """The host sent bytes."""
        if self._over:
            return []
        self._moved += 1
        events: list[Event] = []
        exchange = self._exchange
        if exchange is None or not exchange.is_answered:
            if exchange is not None:
                exchange.broke(Fault.UNASKED, "before a request")
            self._close(events, How.GENTLY, How.AT_ONCE)
            return events
        if self._way is not Way.UP:
            self._break(events, exchange, Fault.UNASKED, "before a request")
            return events
        try:
            rest = self._responses.take(events, exchange, data, closing=self.draining)
        except Reflected as error:
            self._break(events, exchange, Fault.REFLECTED, str(error))
            return events
        except Broken as error:
            self._break(events, exchange, Fault.HOST_BROKE, str(error))
            return events
        if exchange.status == 101:
            self._over = True
        if exchange.answering is not Answering.ENDED:
            return events
        if rest:
            exchange.fault = Fault.UNASKED
            events.append(Ended(exchange))
            self._close(events, How.GENTLY, How.AT_ONCE)
        else:
            self._settle(events, exchange)
        return events

    def host_ended(self, *, clean: bool) -> list[Event]:
        """The host sends nothing more. ``clean``: it said so in TLS; without that, somebody may have cut it off."""
        if self._over:
            return []
        self._way = Way.ABSENT
        events: list[Event] = []
        exchange = self._exchange
        if exchange is None or not exchange.is_answered:
            return events  # it was idle; the next request dials again
        if clean and exchange.answering is Answering.BODY and isinstance(exchange.reply, UntilClose):
            self._responses.end(events, exchange)
            self._settle(events, exchange)
        else:
            self._break(events, exchange, Fault.HOST_LEFT, "")
        return events

    # -- ends --------------------------------------------------------------------------------------------------

    def _settle(self, events: list[Event], exchange: Exchange) -> None:
        """One side of an exchange came to its end: go on with what is due then."""
        if exchange.answering is not Answering.ENDED:
            return
        if exchange.asking is Asking.SENDING:
            # The answer came early. What follows of the request could be read as another one, so nothing is.
            events.append(Ended(exchange))
            self._close(events, How.GENTLY, How.GENTLY)
            return
        if exchange.asking is not Asking.ENDED:
            return
        self._exchange = None
        if exchange.cleared is not None:
            events.append(Ended(exchange))
        if exchange.last:
            self._close(events, How.GENTLY, How.GENTLY)
        else:
            self._take(events)

    def _break(
        self, events: list[Event], exchange: Exchange, fault: Fault, detail: str, *, tell: bool = True
    ) -> None:
        """Give the present exchange up, and both connections with it. ``tell``: in words, if that is still possible."""
        cleared = exchange.cleared
        tell = tell and cleared is not None and not exchange.passed
        exchange.broke(fault, detail)
        if tell:
            events.append(ToClient(written(exchange.failure())))
        if cleared is not None:
            events.append(Ended(exchange))
        self._close(events, How.GENTLY if tell else How.AT_ONCE, How.AT_ONCE)

    def break_off(self, fault: Fault) -> list[Event]:
        """Give everything up: time is over, the client has left, or the proxy ends."""
        if self._over:
            return []
        events: list[Event] = []
        if self._exchange is None:
            self._close(events, How.GENTLY, How.GENTLY)  # the last answer may still be on its way
        else:
            self._break(events, self._exchange, fault, "", tell=fault is Fault.HOST_STUCK)
        return events

    def give_up(self, exchange: Exchange, fault: Fault) -> list[Event]:
        """Give one call up: time is over."""
        return self.break_off(fault) if exchange is self._exchange else []

    def close_idle(self) -> list[Event]:
        """End a connection on which nothing is under way."""
        events: list[Event] = []
        if self.phase is Phase.IDLE:
            self._close(events, How.GENTLY, How.GENTLY)
        return events

    def _close(self, events: list[Event], client: How, host: How) -> None:
        self._over = True
        self._exchange = None
        self._in = b""
        self._at = 0
        self._unsent.clear()
        events.append(Close(Side.HOST, host))
        events.append(Close(Side.CLIENT, client))
