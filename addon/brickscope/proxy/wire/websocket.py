"""A websocket after the host has agreed to it: bytes both ways, which nobody judges.

Rules: what the rules looked at is the request that opened it, so its owner asks again while it is open. Either end closes
both, after what was sent before. It is never cut off by a reset: a websocket says itself that it is complete (RFC 6455
section 7.1.5), so no client takes a part for the whole, and each learns of the end.
"""

from .credential import Reflected
from .events import Ended, Event, Fault, How, ToClient, ToHost, Way
from .exchange import Exchange, Step
from .framing import UntilClose
from .head import Door
from .http1 import Http1


class WebSocket(Http1):
    """The protocol of a tunnel whose one call has become a websocket."""

    limit = "websocket"

    def __init__(self, exchange: Exchange) -> None:
        wire = exchange.head.wire
        super().__init__(Door(wire.tunnel_host, wire.tunnel_port, wire.server_name, wire.alpn))
        self._exchange = self._call = exchange
        self._way = Way.UP
        exchange.body, exchange.reply = UntilClose(), UntilClose()

    def from_client(self, data: bytes) -> list[Event]:
        """The client sent bytes."""
        if self._over:
            return []
        self._moved += 1
        self._call.body.feed(data, 0)
        return [ToHost(data)]

    def from_host(self, data: bytes) -> list[Event]:
        """The host sent bytes, or none with its agreement."""
        if self._over or not data:
            return []
        self._moved += 1
        self._call.reply.feed(data, 0)
        reflection = self._call.reflection
        if reflection is not None:
            try:
                reflection.look(data, data, ended=False)
            except Reflected as error:
                return self.break_off(Fault.REFLECTED, str(error))
            data = reflection.give(data)
        return [ToClient(data)] if data else []

    def client_ended(self) -> list[Event]:
        """The client sends nothing more: it is over, as there is no half of a websocket."""
        if not self._over:
            self._call.hear(Step.BODY_ENDED)
        return self._end()

    def host_ended(self, *, clean: bool) -> list[Event]:
        """The host sends nothing more; the same."""
        return self.client_ended() if clean else self.break_off(Fault.HOST_LEFT)

    def break_off(self, fault: Fault, detail: str = "") -> list[Event]:
        """End it. ``detail``: more about why, for the log."""
        if not self._over:
            self._call.broke(fault, detail)
        return self._end()

    def give_up(self, exchange: Exchange, fault: Fault) -> list[Event]:
        """End it, as nothing has moved for too long, whoever is to blame."""
        return self.break_off(Fault.QUIET)

    def _end(self) -> list[Event]:
        if self._over:
            return []
        call = self._call
        rest = b"" if call.reflection is None or call.fault is Fault.REFLECTED else call.reflection.rest()
        events: list[Event] = [ToClient(rest)] if rest else []
        events.append(Ended(call))
        self._close(events, How.GENTLY, How.GENTLY)
        return events
