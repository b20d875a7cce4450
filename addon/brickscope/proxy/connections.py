"""The hooks on connections, in the order in which mitmproxy calls them: who may be reached, and by which protocol.

Each refuses first and clears the refusal last, and is a few lines over ``destination.py`` and ``gate.py``.
"""

from __future__ import annotations

from mitmproxy import connection, ctx, http, tls
from mitmproxy.proxy import layer
from mitmproxy.proxy.layers import modes
from mitmproxy.proxy.layers.http import HTTPMode, HttpStream
from mitmproxy.proxy.layers.tls import ClientTLSLayer, ServerTLSLayer
from mitmproxy.proxy.server_hooks import ServerConnectionHookData

from brickscope.core.reason import Reason

from .closed import fail_closed
from .denial import Asked, denial
from .destination import Side
from .engine import Handler, Refuse
from .gate import Gate
from .handshake import Refusals, TlsSide
from .hello import HANDSHAKE
from .stream import GatedHttpLayer

ALPN = (b"h2", b"http/1.1")


def abort(client: connection.Client, only: connection.Connection | None = None) -> None:
    """Close a client's sockets (or only one of its servers') below mitmproxy's layers, at once."""
    handler = ctx.master.addons.get("proxyserver").connections.get(client.id)
    for conn, io in list(handler.transports.items()) if handler else ():
        transport = getattr(io.writer, "transport", None)
        if transport is not None and only in (None, conn):
            transport.abort()


def _refuse_connect(hooks: Connections, flow: http.HTTPFlow, error: Exception) -> None:
    decision = hooks.gate.internal(error)
    hooks.gate.tally.tunnelled(decision)
    flow.response = denial(decision, "none", Asked("CONNECT", "", ""))


def _refuse_client(hooks: Connections, client: connection.Client, error: Exception) -> None:
    client.error = "Brickscope failed inside"
    abort(client)


def _refuse_layer(hooks: Connections, nextlayer: layer.NextLayer, error: Exception) -> None:
    nextlayer.layer = Refuse(nextlayer.context)


def _refuse_server(hooks: Connections, data: ServerConnectionHookData, error: Exception) -> None:
    data.server.error = "Brickscope failed inside"
    abort(data.client, data.server)


def _abort_tls(hooks: Connections, data: tls.TlsData | tls.ClientHelloData, error: Exception) -> None:
    abort(data.context.client)


def _count_failed(hooks: Connections, data: ServerConnectionHookData, error: Exception) -> None:
    """There is no connection that could be refused; the wrapper has reported the failure."""


def _already_closed(hooks: Connections, client: connection.Client, error: Exception) -> None:
    """The client is gone; the wrapper has reported the failure."""


class Connections:
    """Connection hooks over one gate."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self._refusals = Refusals(gate)

    @fail_closed(_refuse_client)
    def client_connected(self, client: connection.Client) -> None:
        """Close what did not come by our listener: mitmproxy's own is open for a moment while the script is loaded."""
        error, client.error = client.error, "Brickscope does not listen there"
        if isinstance(ctx.master.addons.get("proxyserver").connections.get(client.id), Handler):
            client.error = error

    @fail_closed(_refuse_layer)
    def next_layer(self, nextlayer: layer.NextLayer) -> None:
        """Choose each protocol layer, so that only TLS with HTTP inside exists on the way to Databricks."""
        above, data = nextlayer.context.layers[-1], nextlayer.data_client()
        if isinstance(above, ClientTLSLayer):
            # Whether or not the client has spoken: an HTTP/2 server may speak first.
            nextlayer.layer = GatedHttpLayer(nextlayer.context, HTTPMode.transparent, self.gate)
        elif not data:
            return  # nobody else chooses: mitmproxy's own chooser is taken out of the chain
        elif isinstance(above, modes.HttpProxy):
            if data[0] == HANDSHAKE:
                # TLS to the proxy itself could negotiate HTTP/2 outside any tunnel.
                nextlayer.layer = Refuse(nextlayer.context)
            else:
                nextlayer.layer = GatedHttpLayer(nextlayer.context, HTTPMode.regular, self.gate)
        elif nextlayer.context.client.state is connection.ConnectionState.CLOSED:
            # It went away meanwhile. mitmproxy's TLS layer would fail on what it had sent before.
            nextlayer.layer = Refuse(nextlayer.context)
        elif isinstance(above, HttpStream) and data[0] == HANDSHAKE:
            nextlayer.layer = ServerTLSLayer(nextlayer.context)
            nextlayer.layer.child_layer = ClientTLSLayer(nextlayer.context)
        else:
            nextlayer.layer = Refuse(nextlayer.context)
            host, port = nextlayer.context.server.address or ("", 0)
            decision = self.gate.refuse(Reason.NOT_TLS, "what came through the tunnel is not TLS")
            self.gate.record_tunnel(decision, nextlayer.context.client.peername[0], host, port)

    @fail_closed(_refuse_connect)
    def http_connect(self, flow: http.HTTPFlow) -> None:
        """Only what ``front.py`` has answered comes here: a tunnel to a host under policy."""
        if flow.response is not None:
            return  # refused already (proxyauth)
        request = flow.request
        flow.response = http.Response.make(403)
        if self.gate.destinations.classify(request.host, request.port) is Side.WORKSPACE:
            flow.response = None  # every request inside is decided on, and recorded, on its own

    @fail_closed(_refuse_server)
    def server_connect(self, data: ServerConnectionHookData) -> None:
        """The choke point of everything that leaves: only to hosts that may be reached, on the way decided on."""
        server, client = data.server, data.client
        server.error = "Brickscope does not connect there"
        if server.via is not None or server.address is None:
            return
        host, port = server.address
        if self.gate.destinations.classify(host, port) is Side.WORKSPACE:
            # Verify the certificate of the host that was decided on, not of the name the client chose to send.
            server.sni = host.lower()
            # Offer only the HTTP version the client speaks (or, before that is settled, could speak).
            offers = (
                client.alpn_offers if client.timestamp_tls_setup is None else (client.alpn or b"http/1.1",)
            )
            server.alpn_offers = tuple(offer for offer in offers if offer in ALPN)
        server.error = None

    @fail_closed(_refuse_server)
    def server_connected(self, data: ServerConnectionHookData) -> None:
        """Look at the address that was really reached; no byte has been sent yet."""
        peer = data.server.peername
        host, port = data.server.address or ("", 0)
        rules, detail = self.gate.destinations, "the host leads to a private or local address"
        if peer is not None and rules.may_reach(str(peer[0]), host):
            back = rules.leads_back(peer, data.server.sockname or ("",))
            if not back:
                return
            detail = f"the host leads to {back}"
        abort(data.client, data.server)
        decision = self.gate.refuse(Reason.ADDRESS_NOT_ALLOWED, detail)
        self.gate.record_tunnel(decision, data.client.peername[0], host, port)

    @fail_closed(_abort_tls)
    def tls_failed_client(self, data: tls.TlsData) -> None:
        """A client that refuses our certificate is a set-up problem that somebody has to see."""
        self._record_tls(data, "client")

    @fail_closed(_abort_tls)
    def tls_failed_server(self, data: tls.TlsData) -> None:
        """A host whose certificate is not trusted gets nothing."""
        self._record_tls(data, "server")

    @fail_closed(_count_failed)
    def server_connect_error(self, data: ServerConnectionHookData) -> None:
        """Nothing was reached; the client is told by whatever asked for the connection."""
        self.gate.tally.not_connected()

    def _record_tls(self, data: tls.TlsData, side: TlsSide) -> None:
        host, port = data.context.server.address or ("", 0)
        self._refusals.record(side, data.conn.error, data.context.client.peername[0], host, port)

    @fail_closed(_already_closed)
    def client_disconnected(self, client: connection.Client) -> None:
        """mitmproxy may leave a socket open if a flow ended while its body was coming in."""
        abort(client)


class HelloOrder:
    """Runs after mitmproxy's own TLS addon, which overwrites what an earlier hook says about a ClientHello."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate

    @fail_closed(_abort_tls)
    def tls_clienthello(self, data: tls.ClientHelloData) -> None:
        """Ask the server first where the client could speak HTTP/2, so that both sides get the same version."""
        offers = data.context.client.alpn_offers or ()
        data.establish_server_tls_first = b"h2" in offers and ctx.options.http2
