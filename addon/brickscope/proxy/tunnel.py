"""One client's tunnel to one host under policy: both ends, one protocol core between them, and the one place that asks
the gate.

Rules: the core says what is to be done, and it is done here, in order; what that leads to comes after it, never within
it. Nothing is asked of the gate while the client does not take its answers, nor more than ``IN_TURN`` requests before
others have their turn. Whatever raises ends both sides, and the call that was let go on has its outcome all the same.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Collection
from typing import NamedTuple

from brickscope.core.decision import Refused
from brickscope.core.pending import NotYetKnown
from brickscope.core.reason import Reason

from .call import Call
from .datapath import DataPath
from .deadlines import Patience, record_timeout
from .denial import failure_bytes
from .flow import KEPT, LINGER, Reasons, Why
from .guard import end as end_guarded
from .guard import guarded
from .ruling import rule, rule_inside
from .tls import End, Owner, has_unread
from .upstream import Upstream
from .wire.events import (
    Answered,
    Close,
    Dial,
    Ended,
    Event,
    Explain,
    Fault,
    How,
    Judge,
    Ruling,
    Side,
    ToClient,
    ToHost,
)
from .wire.exchange import Exchange
from .wire.head import Cleared, Door
from .wire.http1 import Http1, Phase

IN_TURN = 16
"""Requests of one connection that are judged in one turn of the event loop: 256 KiB of small ones would take a tenth of a
second from everybody else."""
_STATUS = {
    Fault.CLIENT_BROKE: 400,
    Fault.HOST_STUCK: 504,
}


class Visitor(NamedTuple):
    """Who came, and where to. ``address``: the client's, as the policy sees it. ``host``, ``port``: of CONNECT."""

    address: str
    host: str
    port: int
    server_name: str | None


class Tunnel:
    """From the ClientHello to the last byte. Tells ``on_end`` when the client's connection is gone."""

    _is_last = False
    """Whether each answer is the last of its connection."""

    def __init__(self, path: DataPath, visitor: Visitor, on_end: Callable[[], None]) -> None:
        """Raises what making a certificate raises."""
        self._path = path
        self._gate = path.gate
        self.visitor = visitor
        self._on_end = on_end
        self._client = self._make_client()
        self._core: Http1 | None = None
        self._upstream = Upstream(
            visitor.host,
            visitor.port,
            path.gate.destinations,
            self._make_host,
            self,
            seconds=path.limits.handshake,
            local=path.local,
            parent=path.parent,
        )
        self._from_client, self._from_host = Reasons(), Reasons()
        self._queue: deque[Event] = deque()
        self._busy = False
        self._deferred: deque[Judge] = deque()
        """Requests that are judged later: the client does not read, or others have their turn."""
        self._asked = 0
        self._client_full = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._held = 0
        self._is_ahead = False
        self._moved = 0
        self._patience = Patience()

    def __repr__(self) -> str:
        return f"<Tunnel {self._core} client {self._client} {self._from_client} host {self._upstream} {self._from_host}>"

    def _make_client(self) -> End:
        visitor = self.visitor
        return End(self._path.contexts.for_client(visitor.host, visitor.server_name), self)

    def _make_host(self, owner: Owner) -> End:
        return End(self._path.contexts.for_host(self.visitor.host), owner)

    def _rule(self, judge: Judge, settled: Collection[str]) -> Ruling:
        return rule(
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
        """Take over the client's transport and what it has sent of TLS."""
        self._from_client.attach(transport)
        self._path.deadlines.watch(self)
        self._client.begin(transport, hello)

    def end_made(self, end: End) -> bool:
        """Only of connections that are opened, as none is here."""
        return False

    def end_up(self, end: End) -> None:
        """TLS with the client is complete."""
        visitor = self.visitor
        self._core = Http1(Door(visitor.host, visitor.port, visitor.server_name, end.alpn))

    def end_failed(self, end: End, why: str | None) -> None:
        """A client that refuses our certificate is a set-up problem that somebody has to see."""
        visitor = self.visitor
        self._path.refusals.record("client", why, visitor.address, visitor.host, visitor.port)

    def end_lost(self, end: End) -> None:
        """The client's connection is gone, and with it all there is."""
        self._path.deadlines.forget(self)
        self._path.held -= self._held
        self._held = 0
        try:
            for task in self._tasks:
                task.cancel()
            self._upstream.abort()
        finally:
            self._on_end()

    def fail_closed(self) -> None:
        """Something raised, so the state is not known: nothing more is sent either way."""
        left, self._queue = list(self._queue), deque()
        self._deferred.clear()
        try:
            if self._core is not None:
                left += self._core.break_off(Fault.INSIDE)
            for event in left:
                if isinstance(event, Ended):
                    self._end(event.exchange)
        finally:
            self._upstream.abort()
            self._client.abort()

    # -- what the ends tell ------------------------------------------------------------------------------------

    def end_received(self, end: End, data: bytes) -> None:
        """The client sent bytes."""
        assert self._core is not None
        self._moved += 1
        self._asked = 0
        self._do(self._core.from_client(data))

    def end_closed(self, end: End, clean: bool) -> None:
        """The client sends nothing more."""
        if self._core is not None:
            self._do(self._core.client_ended())

    def end_full(self, end: End, full: bool) -> None:
        """The client does not take what it is sent; or it does again."""
        self._client_full = full
        self._from_host.set(Why.PEER_FULL, full)
        if not full:
            self._go_on()

    def host_up(self) -> None:
        """The host is there."""
        assert self._core is not None
        transport = self._upstream.transport
        assert transport is not None
        self._from_host.attach(transport)
        self._do(self._core.host_up())

    def host_failed(self, why: str) -> None:
        """The host can't be reached."""
        assert self._core is not None
        self._gate.tally.not_connected()
        self._do(self._core.host_failed(why))

    def host_refused_tls(self, why: str | None) -> None:
        """A host whose certificate is not trusted gets nothing."""
        visitor = self.visitor
        self._path.refusals.record("server", why, visitor.address, visitor.host, visitor.port)

    def host_misled(self, detail: str) -> None:
        """The host leads to an address that may not be reached."""
        visitor = self.visitor
        decision = self._gate.refuse(Reason.ADDRESS_NOT_ALLOWED, detail)
        self._gate.record_tunnel(decision, visitor.address, visitor.host, visitor.port)

    def host_received(self, data: bytes) -> None:
        """The host sent bytes."""
        core = self._core
        assert core is not None
        self._moved += 1
        self._asked = 0
        core.draining = self._gate.draining or self._is_last
        self._do(core.from_host(data))

    def host_closed(self, clean: bool) -> None:
        """The host sends nothing more."""
        assert self._core is not None
        self._from_client.set(Why.PEER_FULL, False)
        self._do(self._core.host_ended(clean=clean))

    def host_full(self, full: bool) -> None:
        """The host does not take what it is sent; or it does again."""
        self._from_client.set(Why.PEER_FULL, full)

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
            self._to_client(event.data)
        elif isinstance(event, Judge):
            self._deferred.append(event)
            self._ask_deferred()
        elif isinstance(event, Ended):
            self._end(event.exchange)
        elif isinstance(event, Answered):
            event.exchange.ticket.answered = time.monotonic()
        elif isinstance(event, Dial):
            self._upstream.dial()
        elif isinstance(event, Explain):
            self._explain(event.exchange)
        else:
            self._close(event)

    def _to_client(self, data: bytes) -> None:
        self._client.write(data)

    def _close(self, close: Close) -> None:
        if close.side is Side.HOST:
            if close.how is How.GENTLY:
                self._upstream.close()
            else:
                self._upstream.abort()
        elif close.how is How.GENTLY:
            self._from_client.clear()
            self._client.linger()
        else:
            self._client.abort()

    def _end(self, exchange: Exchange) -> None:
        call = exchange.ticket
        if isinstance(call, Call):
            call.end(self._gate, exchange)

    def _explain(self, exchange: Exchange) -> None:
        fault, cleared = exchange.fault, exchange.cleared
        assert fault is not None
        assert cleared is not None
        status = _STATUS.get(fault, 502)
        self._to_client(failure_bytes(status, fault, cleared.decision_id, head=exchange.head.is_head))

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
                detail = f"the bodies that are held back together have more than {path.room} bytes"
                self._do(core.give_up_holding(Refused(Reason.TOO_LARGE, detail)))

    # -- rulings -----------------------------------------------------------------------------------------------

    def _ask_deferred(self) -> None:
        """Have requests judged, unless it is the turn of others, or the client does not take its answers."""
        while self._deferred and not self._client_full:
            if self._asked >= IN_TURN:
                asyncio.get_running_loop().call_soon(self._take_turn)
                return
            self._asked += 1
            self._ask(self._deferred.popleft())

    @guarded
    def _take_turn(self) -> None:
        self._go_on()

    def _go_on(self) -> None:
        self._asked = 0
        self._ask_deferred()

    def _ask(self, judge: Judge, settled: Collection[str] = ()) -> None:
        """Have a request judged, and hand the ruling to the core."""
        exchange = judge.exchange
        if self._core is None or not self._core.awaits(exchange):
            return  # the client has left
        if exchange.ticket is None:
            exchange.ticket = Call()
        try:
            ruling = self._rule(judge, settled)
        except NotYetKnown as unknown:
            if unknown.url in settled:
                ruling = rule_inside(self._gate, judge.head, unknown)
            else:
                self._learn(judge, unknown, settled)
                return
        except Exception as error:
            ruling = rule_inside(self._gate, judge.head, error)
        self._obey(exchange, ruling)

    def _obey(self, exchange: Exchange, ruling: Ruling) -> None:
        core = self._core
        assert core is not None
        if isinstance(ruling, Cleared):
            exchange.cleared = ruling  # from here on it has an outcome, whatever raises
            exchange.ticket.leave(self._gate, ruling)
        self._do(core.rule(exchange, ruling))

    def _learn(self, judge: Judge, unknown: NotYetKnown, settled: Collection[str]) -> None:
        """Wait for what a decision needs. Only this request waits."""

        async def learn() -> None:
            try:
                try:
                    await self._gate.directory.learn(unknown)
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
        """See whether anything is waited for too long (``deadlines.Watched``)."""
        client, core, limits = self._client, self._core, self._path.limits
        patience = self._patience
        if core is None:
            if patience.is_over("handshake", limits.handshake, now):
                self._time_out("handshake", limits.handshake)
                client.abort()
            return
        phase, moved = core.phase, (self._moved, client.unsent, self._upstream.unsent)
        if phase is Phase.OVER:
            unsent = client.unsent
            if patience.is_over(("over", unsent), limits.stall if unsent else LINGER, now):
                client.abort()
        elif phase is Phase.IDLE:
            if patience.is_over((phase, moved), limits.idle, now):
                self._time_out("idle", limits.idle)
                self._do(core.close_idle())
        elif phase is Phase.HEAD:
            if patience.is_over((phase, core.begun), limits.head, now):
                self._time_out("head", limits.head)
                self._do(core.break_off(Fault.CLIENT_STUCK))
        elif phase is Phase.HELD:
            if patience.is_over((phase, core.begun), limits.stall, now):
                self._time_out("stall", limits.stall)
                self._do(core.break_off(Fault.CLIENT_STUCK))
        elif patience.is_over((phase, moved), limits.stall, now):
            self._time_out("stall", limits.stall)
            waits_for_client = self._client_full or (core.is_sending and not self._upstream.unsent)
            self._do(core.break_off(Fault.CLIENT_STUCK if waits_for_client else Fault.HOST_STUCK))

    def _time_out(self, limit: str, seconds: float) -> None:
        visitor = self.visitor
        exchange = None if self._core is None else self._core.exchange
        cleared = None if exchange is None else exchange.cleared
        decision_id = None if cleared is None else cleared.decision_id
        record_timeout(self._gate, limit, seconds, visitor.address, visitor.host, visitor.port, decision_id)

    @property
    def hosts(self) -> int:
        """Whether a connection to the host is open, as a number."""
        return int(self._upstream.transport is not None)

    async def is_busy(self, *, late: bool) -> bool:
        """Whether a call is under way, or just arriving. Answers say by themselves that the proxy stops."""
        client, core = self._client, self._core
        if client.transport is None or core is None:
            return False
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
        self._client.abort()
