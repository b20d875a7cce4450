"""Layers below HTTP: hanging up, and copying bytes for hosts that are not under policy."""

from __future__ import annotations

from mitmproxy import http
from mitmproxy.connection import Connection
from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.context import Context

from brickscope.core.decision import Refused

from .engine import Draining
from .fence import Fence
from .gate import Gate

Commands = layer.CommandGenerator[None]


class Refuse(layer.Layer):
    """A protocol layer that hangs up at once."""

    def _handle_event(self, event: events.Event) -> Commands:
        if isinstance(event, events.Start):
            yield commands.CloseConnection(self.context.client)


class Relay(layer.Layer):
    """Copies bytes both ways, untouched, once the client's first bytes have been looked at (``fence.py``).

    The server may speak first (SSH, SMTP): its bytes go through at once. The connection to the server is open when this
    layer starts.
    """

    def __init__(self, context: Context, gate: Gate) -> None:
        super().__init__(context)
        self.gate = gate
        self._fence = Fence(gate.destinations.under_policy)

    @staticmethod
    def failure(error: str) -> http.Response:
        """The answer to a CONNECT whose host could not be reached."""
        return http.Response.make(
            502, f"Brickscope could not reach the host: {error}\n", {"content-type": "text/plain"}
        )

    def _handle_event(self, event: events.Event) -> Commands:
        if isinstance(event, Draining):
            event.busy = True  # whether a call is under way can't be seen
        elif isinstance(event, events.DataReceived):
            if event.connection is self.context.server:
                yield commands.SendData(self.context.client, event.data)
            else:
                yield from self._look(event.data)
        elif isinstance(event, events.ConnectionClosed):
            yield from self._close(self.context.client)
            yield from self._close(self.context.server)

    def _look(self, data: bytes) -> Commands:
        try:
            passed = self._fence.take(data)
        except Refused as refused:
            server = self.context.server.address or ("", 0)
            decision = self.gate.refuse(refused.reason, refused.detail)
            try:
                self.gate.record_tunnel(decision, self.context.client.peername[0], server[0], server[1])
            finally:
                yield commands.CloseConnection(self.context.server)
                yield commands.CloseConnection(self.context.client)
            return
        if passed:
            yield commands.SendData(self.context.server, passed)

    def _close(self, connection: Connection) -> Commands:
        if connection.connected:
            yield commands.CloseConnection(connection)
