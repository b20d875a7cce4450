"""One client's tunnel to one host under policy: both ends, one protocol core between them, and the one place that asks
the gate.

Rules: the core says what is to be done, and it is done here, in order; what that leads to comes after it, never within
it. Nothing is asked of the gate while the client does not take its answers, nor more than ``IN_TURN`` requests before
others have their turn. Whatever raises ends both sides, and the call that was let go on has its outcome all the same.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Collection
from functools import partial

from brickscope.core.decision import Refused
from brickscope.core.pending import NotYetKnown
from brickscope.core.reason import Reason

from .call import Call
from .contexts import HTTP1, HTTP2
from .datapath import DataPath, Session, Visitor
from .deadlines import Watchdog
from .flow import KEPT, Why
from .gate import Verdict
from .guard import end as end_guarded
from .guard import guarded
from .review import Review
from .ruling import ask, rule, rule_inside
from .tls import End, Owner, has_unread
from .upstream import State
from .wire.events import (
    Answered,
    Close,
    Dial,
    Ended,
    Event,
    Fault,
    HangUp,
    How,
    Judge,
    Phase,
    Ruling,
    Side,
    Switched,
    ToClient,
    ToHost,
)
from .wire.exchange import Exchange
from .wire.head import Cleared, Door
from .wire.http1 import Http1
from .wire.http2 import Http2

IN_TURN = 16
"""Requests of one connection that are judged in one turn of the event loop: 256 KiB of small ones would take a tenth of a
second from everybody else."""


class Tunnel(Session):
    """From the ClientHello to the last byte."""

    _is_last = False
    """Whether each answer is the last of its connection."""

    def __init__(self, path: DataPath, visitor: Visitor, on_end: Callable[[], None]) -> None:
        """Raises what making a certificate raises."""
        super().__init__(path, visitor, on_end)
        self._core: Http1 | Http2 | None = None
        self._shared = False
        self._hello = b""
        """The ClientHello, while the host is asked which protocol it speaks."""
        self._offers: tuple[bytes, ...] = (HTTP1,)
        """What the host is offered."""
        self._early = b""
        """What the host has sent before the client's handshake was complete."""
        self._queue: deque[Event] = deque()
        self._busy = False
        self._deferred: deque[Judge] = deque()
        """Requests that are judged later: the client does not read, or others have their turn."""
        self._judged: list[tuple[Judge, Verdict]] = []
        """Requests whose verdicts are not on record yet."""
        self._asked = 0
        self._is_turn_due = False
        self._client_full = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._held = 0
        self._is_ahead = False
        self._review: Review | None = None
        self._watchdog = Watchdog(path.limits)

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]} {self._core}>"

    def _make_client(self) -> End:
        visitor = self.visitor
        return End(self._path.contexts.for_client(visitor.host, visitor.server_name), self)

    def _make_host(self, owner: Owner) -> End:
        contexts, host = self._path.contexts, self.visitor.host
        return End(contexts.for_host(host, self._offers), owner, partial(contexts.keep_session, host))

    def _judge(self, judge: Judge, settled: Collection[str]) -> Verdict | Ruling:
        return ask(
            self._gate,
            judge.head,
            self.visitor.address,
            body=judge.body,
            refused=judge.refused,
            unread=judge.unread,
            settled=settled,
        )

    # -- its life ----------------------------------------------------------------------------------------------

    def begin(self, transport: asyncio.Transport, hello: bytes) -> None:
        """Take over the client's transport and what it has sent of TLS. Where it could speak HTTP/2 the host is asked first:
        both shall speak the same, as nothing is translated."""
        self._take_over(transport)
        if self._path.contexts.serves(self.visitor.offers):
            self._hello = hello
            self._offers = (HTTP2, HTTP1)
            self._from_client.set(Why.HOST_FIRST, True)
            self._upstream.dial()
        else:
            self._client.begin(hello, HTTP1)

    def _answer_hello(self, chosen: bytes) -> None:
        hello, self._hello = self._hello, b""
        self._from_client.set(Why.HOST_FIRST, False)
        # Who speaks HTTP/2 alone gets it all the same, and then a 502 in words.
        self._client.begin(hello, chosen if chosen in self.visitor.offers else HTTP2)

    def end_up(self, end: End) -> None:
        """TLS with the client is complete."""
        door = Door(*self.visitor[1:4], end.alpn)
        self._core = core = Http2(door) if end.alpn == HTTP2 else Http1(door)
        self._shared = core.shared
        self._offers = (HTTP2 if end.alpn == HTTP2 else HTTP1,)
        self._do(core.begin())
        self._from_host.set(Why.CLIENT_FIRST, False)
        early, self._early = self._early, b""
        if self._upstream.state is State.UP:
            if core.shared is not (self._upstream.alpn == HTTP2):
                self._hang_up()
                return
            self.host_up()
            if early:
                self._do(core.from_host(early))

    def end_lost(self, end: End) -> None:
        """The client's connection is gone, and with it all there is."""
        self._path.held -= self._held
        self._held = 0
        try:
            for task in self._tasks:
                task.cancel()
        finally:
            super().end_lost(end)

    def fail_closed(self) -> None:
        """Something raised, so the state is not known: nothing more is sent either way."""
        left, self._queue = list(self._queue), deque()
        self._deferred.clear()
        try:
            if self._core is not None:
                left += self._core.break_off(Fault.INSIDE)
            for event in left:
                if isinstance(event, Ended):
                    event.exchange.ticket.end(self._gate, event.exchange)
        finally:
            super().fail_closed()

    # -- what the ends tell ------------------------------------------------------------------------------------

    def end_received(self, end: End, data: bytes) -> None:
        """The client sent bytes."""
        assert self._core is not None
        self._asked = 0
        self._do(self._core.from_client(data))

    def end_closed(self, end: End, clean: bool) -> None:
        """The client sends nothing more."""
        self._conclude()  # a denial is still told
        if self._core is not None:
            self._do(self._core.client_ended())

    def end_full(self, end: End, full: bool) -> None:
        """The client does not take what it is sent; or it does again."""
        self._client_full = full
        super().end_full(end, full)
        self._from_client.set(Why.UNREAD, full and self._shared)
        if not full:
            self._take_turn()

    def host_up(self) -> None:
        """The host is there."""
        super().host_up()
        core, upstream = self._core, self._upstream
        if core is None:
            self._from_host.set(Why.CLIENT_FIRST, True)
            self._answer_hello(upstream.alpn or HTTP1)
        elif core.shared is not (upstream.alpn == HTTP2):
            self._hang_up()
            self.host_failed("it speaks another version of HTTP than the client")
        else:
            self._do(core.host_up())

    def host_failed(self, why: str) -> None:
        """The host can't be reached."""
        super().host_failed(why)
        if self._core is None:
            self._answer_hello(HTTP2)
        else:
            self._do(self._core.host_failed(why))

    def _hang_up(self) -> None:
        """The host's connection is over, and what held for it holds no longer."""
        self._upstream.hang_up()
        self._from_client.set(Why.PEER_FULL, False)
        self._from_host.set(Why.UNREAD, False)

    def host_received(self, data: bytes) -> None:
        """The host sent bytes."""
        core = self._core
        if core is None:
            self._early += data
            return
        self._asked = 0
        core.draining = self._gate.draining or self._is_last
        self._do(core.from_host(data))

    def host_closed(self, clean: bool) -> None:
        """The host sends nothing more."""
        self._hang_up()
        self._early = b""
        if self._core is not None:
            self._do(self._core.host_ended(clean=clean))

    def host_full(self, full: bool) -> None:
        """The host does not take what it is sent; or it does again."""
        super().host_full(full)
        self._from_host.set(Why.UNREAD, full and self._shared)

    # -- what the core says ------------------------------------------------------------------------------------

    def _do(self, events: list[Event]) -> None:
        """Carry events out in order. Called again meanwhile, it leaves them to the call that is under way."""
        self._queue += events
        if self._busy:
            return
        self._busy = True
        try:
            while self._queue:
                self._carry_out(self._queue.popleft())
        finally:
            self._busy = False
        self._balance()

    def _carry_out(self, event: Event) -> None:
        if isinstance(event, ToHost):
            self._upstream.send(event.data)
        elif isinstance(event, ToClient):
            self._client.write(event.data)
        elif isinstance(event, Judge):
            if event.exchange.ticket is None:
                event.exchange.ticket = Call()
            self._deferred.append(event)
            self._ask_deferred()
        elif isinstance(event, Ended):
            event.exchange.ticket.end(self._gate, event.exchange)
        elif isinstance(event, Answered):
            event.exchange.ticket.answered = time.monotonic()
        elif isinstance(event, Dial):
            self._upstream.dial()
        elif isinstance(event, Switched):
            self._review = Review(self._gate, event.exchange, self.visitor.address, self._do)
            self._core = self._review.core
            self._do(self._core.from_host(event.early))
        elif isinstance(event, HangUp):
            self._hang_up()
        else:
            self._close(event)

    def _close(self, close: Close) -> None:
        side = self._upstream if close.side is Side.HOST else self._client
        if close.how is not How.GENTLY:
            side.abort()
        elif side is self._client:
            self._linger()
        else:
            side.close()

    def _balance(self) -> None:
        """Read the client only as long as what it sends can be used."""
        core = self._core
        if core is None:
            return
        if (core.ahead > KEPT) is not self._is_ahead:
            self._is_ahead = not self._is_ahead
            self._from_client.set(Why.AHEAD, self._is_ahead)
        held = core.held
        if held != self._held:
            path = self._path
            path.held += held - self._held
            self._held = held
            if path.held > path.room:
                self._make_room()

    def _make_room(self) -> None:
        """Have the client that holds most go on without, or it could have everybody's bodies refused by its own."""
        path, held = self._path, Counter[str]()
        tunnels = [each for each in path.open.values() if isinstance(each, Tunnel) and each._held]
        for each in tunnels:
            held[each.visitor.address] += each._held
        for each in (max(tunnels, key=lambda each: (held[each.visitor.address], each._held)), self):
            if path.held > path.room:
                each._give_up_holding()

    @guarded
    def _give_up_holding(self) -> None:
        if self._core is not None:
            detail = f"the bodies that are held back together have more than {self._path.room} bytes"
            self._do(self._core.give_up_holding(Refused(Reason.TOO_LARGE, detail)))
            while (
                self._deferred
            ):  # the room is there at once, whose turn it is and whether or not the answers are taken
                self._ask(self._deferred.popleft())
            self._conclude()

    # -- rulings -----------------------------------------------------------------------------------------------

    def _ask_deferred(self) -> None:
        """Have requests judged, unless it is the turn of others, or the client does not take its answers."""
        while self._deferred and not self._client_full:
            if self._asked >= IN_TURN:
                if not self._is_turn_due:
                    self._is_turn_due = True
                    asyncio.get_running_loop().call_soon(self._take_turn)
                return
            self._asked += 1
            self._ask(self._deferred.popleft())

    @guarded
    def _take_turn(self) -> None:
        self._is_turn_due = False
        self._asked = 0
        self._ask_deferred()

    def _ask(self, judge: Judge, settled: Collection[str] = ()) -> None:
        """Have a request judged, and hand the ruling to the core."""
        exchange = judge.exchange
        if self._core is None or not self._core.awaits(exchange):
            return  # the client has left
        try:
            asked = self._judge(judge, settled)
        except Exception as error:
            if isinstance(error, NotYetKnown) and error.url not in settled:
                self._learn(judge, error, settled)
            else:
                self._obey(exchange, rule_inside(self._gate, judge.head, error))
            return
        if not isinstance(asked, Verdict):
            self._obey(exchange, asked)
        else:
            self._judged.append((judge, asked))
            if self._gate.soon is None:
                self._conclude()
            elif len(self._judged) == 1:
                # When all that is ready has been judged: one write has all of it on record.
                self._gate.soon(self._conclude)

    def _conclude(self) -> None:
        """Have verdicts put on record, and obey them. Where one raises, the others have their outcomes all the same."""
        self._asked = 0
        judged, self._judged = self._judged, []
        for each in judged:
            self._settle(*each)

    @guarded
    def _settle(self, judge: Judge, verdict: Verdict) -> None:
        try:
            ruling = rule(self._gate, judge.head, verdict)
        except Exception as error:
            ruling = rule_inside(self._gate, judge.head, error)
        self._obey(judge.exchange, ruling)

    def _obey(self, exchange: Exchange, ruling: Ruling) -> None:
        core = self._core
        assert core is not None
        if isinstance(ruling, Cleared):
            exchange.cleared = ruling  # from here on it has an outcome, whatever raises
            exchange.ticket.leave(self._gate, ruling)
            if not core.awaits(exchange):  # it broke meanwhile
                exchange.ticket.end(self._gate, exchange)
        self._do(core.rule(exchange, ruling))

    def _learn(self, judge: Judge, unknown: NotYetKnown, settled: Collection[str]) -> None:
        """Wait for what a decision needs. Only this request waits."""

        async def learn() -> None:
            try:
                try:
                    await self._gate.learn(unknown)
                except Exception as error:
                    self._obey(judge.exchange, rule_inside(self._gate, judge.head, error))
                else:
                    self._ask(judge, {*settled, unknown.url})
            except Exception as error:
                end_guarded(self, error, "learn")

        task = asyncio.get_running_loop().create_task(learn(), name="learn")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- time, and the end of all ------------------------------------------------------------------------------

    @guarded
    def look(self, now: float) -> None:
        """See whether anything is waited for too long."""
        core = self._core
        if core is None and self._hello:
            return  # the dial has limits of its own
        if self._review is not None:
            self._review.check(now)
        unsent = self._client.unsent, self._upstream.unsent
        for late in self._watchdog.look(core, unsent, now, client_full=self._client_full):
            if late.limit:
                self._record_timeout(late.limit, late.seconds, late.decision_id)
            self._do(late.events)

    async def is_busy(self, *, late: bool) -> bool:
        """Whether a call is under way, or just arriving."""
        client, core = self._client, self._core
        if client.transport is None or core is None:
            return False
        self._do(core.drain(late=late))
        return core.phase is not Phase.IDLE or client.unsent > 0 or has_unread(client.transport)

    def close_idle(self) -> None:
        """End it, as nothing is under way."""
        if self._core is not None:
            self._do(self._core.close_idle())
        else:
            self._client.abort()

    def abort(self) -> None:
        """Cut it, whatever is under way."""
        if self._core is not None:
            self._do(self._core.break_off(Fault.CUT))
        if self._review is None:  # the end of a websocket is no answer that could be taken for the whole
            self._client.abort()
