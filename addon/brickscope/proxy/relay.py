"""Layers below HTTP: hanging up, and copying bytes for hosts that are not under policy."""

from __future__ import annotations

from mitmproxy import http
from mitmproxy.connection import Connection
from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers.tls import parse_client_hello

from brickscope.core.decision import Refused
from brickscope.core.reason import Reason

from .engine import Draining
from .gate import Gate

MAX_HELLO = 64 * 1024
"""Most bytes of a TLS ClientHello that are waited for; a real one has at most a few thousand."""

Commands = layer.CommandGenerator[None]


class Refuse(layer.Layer):
    """A protocol layer that hangs up at once."""

    def _handle_event(self, event: events.Event) -> Commands:
        if isinstance(event, events.Start):
            yield commands.CloseConnection(self.context.client)


class Relay(layer.Layer):
    """Copies bytes both ways, untouched, once the client's first bytes have been looked at.

    The look stops a tunnel to another host (or to an address) from carrying TLS to a Databricks host: the server name
    in the ClientHello says where the client really goes. The server may speak first (SSH, SMTP): its bytes go through
    at once. The connection to the server is open when this layer starts.
    """

    def __init__(self, context: Context, gate: Gate) -> None:
        super().__init__(context)
        self.gate = gate
        self._held: bytearray | None = bytearray()

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
            elif self._held is None:
                yield commands.SendData(self.context.server, event.data)
            else:
                self._held += event.data
                yield from self._look()
        elif isinstance(event, events.ConnectionClosed):
            yield from self._close(self.context.client)
            yield from self._close(self.context.server)

    def _look(self) -> Commands:
        assert self._held is not None
        held = bytes(self._held)
        try:
            if held[0] == 0x16:  # a TLS handshake record
                name = self._server_name(held)
                if name is None:
                    return
                self._check(name)
        except Refused as refused:
            server = self.context.server.address or ("", 0)
            decision = self.gate.refuse(refused.reason, refused.detail)
            try:
                self.gate.record_tunnel(decision, self.context.client.peername[0], server[0], server[1])
            finally:
                yield commands.CloseConnection(self.context.server)
                yield commands.CloseConnection(self.context.client)
            return
        self._held = None
        yield commands.SendData(self.context.server, held)

    def _server_name(self, held: bytes) -> str | None:
        """The server name of a whole ClientHello (empty if it has none); None: more bytes are needed."""
        try:
            hello = parse_client_hello(held)
        except ValueError:
            raise Refused(Reason.SERVER_NAME_MISMATCH, "the TLS ClientHello can't be read") from None
        if hello is None:
            if len(held) > MAX_HELLO:
                raise Refused(Reason.SERVER_NAME_MISMATCH, "the TLS ClientHello does not end")
            return None
        return hello.sni or ""

    def _check(self, name: str) -> None:
        if name and self.gate.destinations.under_policy(name):
            raise Refused(
                Reason.SERVER_NAME_MISMATCH,
                "the tunnel was opened to another host, but its TLS names Databricks",
            )

    def _close(self, connection: Connection) -> Commands:
        if connection.connected:
            yield commands.CloseConnection(connection)
