"""HTTP/1.1 between one client and one host: exchanges in a row, each judged before its first byte leaves.

Rules, and what they stop:

* the next head is read only when the exchange before it is over on both sides, so an answer belongs to the request
  before it;
* a request is never sent again once a byte of it was written: it may have been carried out;
* what was passed on of an answer that breaks is cut off, never ended cleanly: the client can't take a part for the whole;
* a byte of the host that nobody asked for ends both connections: it would be read as the answer to the next request;
* after an answer that came before the end of its request, nothing more is read as a request: it could be the rest of a body;
* connections to a host belong to one client, so nobody ever gets somebody else's answer.
"""

from __future__ import annotations

from brickscope.core.decision import Refused
from brickscope.core.reason import Reason

from .answer import MAX_INTERIMS, AnswerScanner, failure, written
from .events import (
    STATUS,
    Answered,
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
from .exchange import Answering, Asking, Exchange, Step
from .framing import NOTHING, Broken, Chunked, TrailersSent, UntilClose
from .head import Cleared, Door, HeadScanner
from .reflection import Reflected
from .upgrade import switch

GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"


class Http1:
    """The protocol of one tunnel. ``draining``: answers shall say that they are the last. ``shared``: see ``Http2``.

    Methods take what happened and return what has to be done, in order. After a ``Close`` nothing more comes.
    """

    shared = False
    limit = "stall"
    """How long a call may wait, by its name in ``Limits``."""

    def __init__(self, door: Door) -> None:
        self.draining = False
        self._scanner = HeadScanner(door)
        self._answers = AnswerScanner()
        self.begun = 0
        """How many heads were begun to be read."""
        self._exchange: Exchange | None = None
        self._in = b""
        self._at = 0
        """What the client has sent, and where of it the part begins that was not taken yet."""
        self._answer = b""
        """The begin of an answer's head."""
        self._way = Way.ABSENT
        self._unsent = bytearray()
        """Bytes for a host that is being dialled. A list would keep fifty bytes for a piece of one."""
        self._last = False
        """Whether no request is read any more after the present one."""
        self._over = False
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

    def awaits(self, exchange: Exchange) -> bool:
        """Whether a ruling on it is still of use."""
        return exchange is self._exchange and exchange.asking is Asking.JUDGED

    def waits_for_client(self, exchange: Exchange) -> bool:
        """Whether the rest of a request's body is due."""
        return exchange.asking in (Asking.SENDING, Asking.DROPPING, Asking.HELD)

    @property
    def ahead(self) -> int:
        """Bytes of the client that are kept: sent before they can be read as a request, or before the host is up."""
        return len(self._in) - self._at + len(self._unsent)

    @property
    def held(self) -> int:
        """Bytes of a body that is held back to be judged."""
        return 0 if self._exchange is None or self._exchange.held is None else len(self._exchange.held)

    # -- from the client ---------------------------------------------------------------------------------------

    def begin(self) -> list[Event]:
        """The client is there."""
        return []

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
        self._last = head.closes
        self._exchange = exchange = Exchange(head)
        events.append(Judge(exchange, head, None, refused))

    def _send_body(self, events: list[Event], exchange: Exchange) -> None:
        start = self._at
        try:
            self._at = exchange.body.feed(self._in, start)
        except Broken as error:
            self._break(events, exchange, Fault.CLIENT_BROKE, str(error))
            return
        whole = start == 0 and self._at == len(self._in)
        self._to_host(events, self._in if whole else self._in[start : self._at])
        if exchange.body.ended:
            exchange.say(Step.BODY_ENDED)

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
        content = refused = unread = None
        assert exchange.held is not None
        try:
            self._at = body.feed(self._in, start)
        except Broken as error:
            reason = Reason.TRAILERS_REFUSED if isinstance(error, TrailersSent) else Reason.MALFORMED_BODY
            refused = Refused(reason, str(error))
            exchange.unframed = True
        else:
            exchange.held += self._in[start : self._at]
            if body.size > exchange.limit:
                unread = too_large(exchange.limit)
            elif not body.ended:
                return
            else:
                content = exchange.content
        exchange.say(Step.HELD)
        events.append(Judge(exchange, exchange.head, content, refused, unread))

    def give_up_holding(self, unread: Refused) -> list[Event]:
        """Do not wait for the rest of a body that is held back: decide without it."""
        exchange = self._exchange
        if self._over or exchange is None or exchange.asking is not Asking.HELD:
            return []
        exchange.say(Step.HELD)
        return [Judge(exchange, exchange.head, None, None, unread)]

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
        first, start = cleared.raw, self._at
        if exchange.held is None:
            exchange.body = cleared.announced.body()
        else:
            first += exchange.held
            exchange.release()
        if cleared.websocket is not None and start < len(self._in):
            self._break(events, exchange, Fault.AHEAD, "")
            return
        if not exchange.body.ended and start < len(self._in):
            try:
                self._at = exchange.body.feed(self._in, start)
            except Broken as error:
                self._break(events, exchange, Fault.CLIENT_BROKE, str(error))
                return
            first += self._in[start : self._at]
        if exchange.body.ended:
            exchange.say(Step.BODY_ENDED)
        self._to_host(events, first)

    def _deny(self, events: list[Event], exchange: Exchange, denied: Denied) -> None:
        exchange.say(Step.DENIED)
        exchange.hear(Step.OWN)
        events.append(ToClient(written(denied.answer)))
        if exchange.held is None:
            exchange.body = NOTHING if denied.announced is None else denied.announced.body()
        else:
            exchange.release()
        self._last = self._last or denied.last
        if denied.announced is None or exchange.unframed:
            self._close(events, How.GENTLY, How.GENTLY)
        elif exchange.body.ended:
            exchange.say(Step.BODY_ENDED)
            self._settle(events, exchange)

    def _hold(self, events: list[Event], exchange: Exchange, hold: Hold) -> None:
        exchange.say(Step.HOLD if exchange.held is None else Step.HELD)
        exchange.limit = hold.limit
        exchange.held = bytearray()
        exchange.body = hold.announced.body()
        if isinstance(exchange.body, Chunked):
            exchange.body.content = bytearray()
        if (hold.announced.length or 0) > hold.limit:
            exchange.say(Step.HELD)
            events.append(Judge(exchange, exchange.head, None, None, too_large(hold.limit)))
        elif exchange.body.ended:
            exchange.say(Step.HELD)
            events.append(Judge(exchange, exchange.head, b"", None))
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
        asked = exchange is not None and exchange.answering in (Answering.AWAITED, Answering.BODY)
        if exchange is None or not asked:
            self._close(events, How.GENTLY, How.AT_ONCE)
            return events
        if self._way is not Way.UP:
            self._break(events, exchange, Fault.UNASKED, "before a request")
            return events
        if self._answer:
            data, self._answer = self._answer + data, b""
        try:
            rest = self._pass_on(events, exchange, data)
        except Reflected as error:
            self._break(events, exchange, Fault.REFLECTED, str(error))
            return events
        except Broken as error:
            self._break(events, exchange, Fault.HOST_BROKE, str(error))
            return events
        if exchange.answering is not Answering.ENDED:
            return events
        if rest < len(data):
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
        if exchange is None or exchange.answering not in (Answering.AWAITED, Answering.BODY):
            return events  # it was idle; the next request dials again
        if clean and exchange.answering is Answering.BODY and isinstance(exchange.reply, UntilClose):
            exchange.reply.ended = True
            exchange.hear(Step.BODY_ENDED)
            if exchange.reflection is not None and (rest := exchange.reflection.rest()):
                events.append(ToClient(rest))
            self._settle(events, exchange)
        else:
            self._break(events, exchange, Fault.HOST_LEFT, "")
        return events

    def _pass_on(self, events: list[Event], exchange: Exchange, data: bytes) -> int:
        """Pass on what belongs to the answer. Returns where the rest begins. Raises Broken, with nothing of its head
        passed."""
        at = 0
        while exchange.answering is Answering.AWAITED:
            head = self._answers.read(data, at, to_head=exchange.head.is_head, closing=self.draining)
            if head is None:
                self._answer = data[at:]
                return len(data)
            start, at = at, head.end
            if exchange.reflection is not None:
                exchange.reflection.begin(data[start:at])
            if head.status == 101:
                events += switch(exchange, data, start, head)
                self._over = True
                return len(data)
            if head.status < 200:
                exchange.hear(Step.INTERIM)
                exchange.interims += 1
                if exchange.interims > MAX_INTERIMS:
                    raise Broken("too many interim answers")
                if head.status != 100 or not exchange.told_to_go_on:
                    events.append(ToClient(data[start:at] if head.raw is None else head.raw))
                continue
            exchange.hear(Step.HEAD)
            exchange.status, exchange.reply = head.status, head.body
            self._last = self._last or head.closes or self.draining
            at = self._feed(exchange, data, at)
            events.append(Answered(exchange))
            if head.raw is not None:
                self._give(events, exchange, head.raw + data[head.end : at])
            else:
                self._give(events, exchange, data if start == 0 and at == len(data) else data[start:at])
            if head.body.ended:
                exchange.hear(Step.BODY_ENDED)
            return at
        at = self._feed(exchange, data, 0)
        self._give(events, exchange, data if at == len(data) else data[:at])
        if exchange.reply.ended:
            exchange.hear(Step.BODY_ENDED)
        return at

    @staticmethod
    def _feed(exchange: Exchange, data: bytes, at: int) -> int:
        """Count off what belongs to the answer's body, and have it looked at. Raises Broken."""
        reply, reflection = exchange.reply, exchange.reflection
        if reflection is None:
            return reply.feed(data, at)
        if isinstance(reply, Chunked):
            reply.content = bytearray()
        end = reply.feed(data, at)
        content = bytes(reply.content or b"") if isinstance(reply, Chunked) else data[at:end]
        reflection.look(data[at:end], content, ended=reply.ended)
        return end

    @staticmethod
    def _give(events: list[Event], exchange: Exchange, data: bytes) -> None:
        """Pass on bytes of the answer, unless they have to wait for the next ones."""
        if exchange.reflection is not None:
            data = exchange.reflection.give(data)
        if data:
            events.append(ToClient(data))
            exchange.passed = True

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
        if self._last:
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
        if tell and cleared is not None:
            form = failure(STATUS.get(fault, 502), fault, cleared.decision_id, head=exchange.head.is_head)
            events.append(ToClient(written(form)))
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

    def drain(self, *, late: bool) -> list[Event]:
        """The proxy is about to stop."""
        self.draining = True
        return []

    def pass_time(self, seconds: float) -> None:
        """So much time has passed."""

    def close_idle(self) -> list[Event]:
        """End a connection on which nothing is under way."""
        events: list[Event] = []
        if self.phase is Phase.IDLE:
            self._close(events, How.GENTLY, How.GENTLY)
        return events

    def _close(self, events: list[Event], client: How, host: How) -> None:
        self._over = True
        self._exchange = None
        self._in = self._answer = b""
        self._at = 0
        self._unsent.clear()
        events.append(Close(Side.HOST, host))
        events.append(Close(Side.CLIENT, client))
