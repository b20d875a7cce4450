"""mitmproxy's HTTP layers with the doors shut that hooks can't reach.

What is changed, and why hooks do not suffice (all found by experiment, see docs/decisions):

* a request leaves only with a pass from the gate, asked for at the one place where mitmproxy opens or picks the
  connection to the server. A hook that raised, was never called, or was overruled, has written no pass.
* HTTP versions are never translated.
* a denied upload is answered at its headers; its body is read on and dropped, so that the connection stays usable.
  mitmproxy would hold the whole body in memory first.
* headers after the body are refused: they were not there when the call was judged.
* the head of an HTTP/1.1 request must be regular as it came in, and of bounded size.
* hooks that have nothing to wait for are called at once, and not in a task of their own (``dispatch.py``).
"""

from __future__ import annotations

import time

from hyperframe.frame import GoAwayFrame
from mitmproxy import flow as mitm_flow
from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers.http import DropStream, HttpLayer, HTTPMode, HttpStream, SendHttp
from mitmproxy.proxy.layers.http._base import ReceiveHttp
from mitmproxy.proxy.layers.http._events import (
    ErrorCode,
    HttpEvent,
    RequestData,
    RequestEndOfMessage,
    RequestHeaders,
    RequestProtocolError,
    RequestTrailers,
    ResponseEndOfMessage,
    ResponseHeaders,
    ResponseProtocolError,
)
from mitmproxy.proxy.layers.http._hooks import (
    HttpErrorHook,
    HttpRequestHeadersHook,
    HttpRequestHook,
    HttpResponseHeadersHook,
)
from mitmproxy.proxy.layers.http._http1 import Http1Server
from mitmproxy.proxy.layers.http._http2 import Http2Server

from brickscope.core.decision import Refused
from brickscope.core.head import check_head
from brickscope.core.reason import Reason

from .answer import answer
from .denial import raw_denial
from .engine import Draining
from .gate import BROKE, ENDED, LEFT, Gate, wire_request

MAX_WAITING = 256 * 1024
"""Most bytes that a client may send ahead while its earlier request is still being answered."""

MAX_AHEAD = 4 * 1024 * 1024
"""Most bytes of a body that are kept while its request's decision waits for public keys."""
MAX_AHEAD_OF_ALL = 64 * 1024 * 1024
"""The same for all requests together."""

AT_ONCE = (HttpRequestHeadersHook, HttpRequestHook, HttpResponseHeadersHook)
"""Hooks that are called at once if they have nothing to wait for. ``response`` is not among them, and must not be: its pause
is what ends one request before the next one in the client's buffer begins. Without it, that one could be sent on a
connection whose last answer is still being read, and many denied ones would nest."""

Commands = layer.CommandGenerator[None]


class GatedStream(HttpStream):
    """One request and its response."""

    def __init__(self, context: Context, stream_id: int, gate: Gate) -> None:
        super().__init__(context, stream_id)
        self.gate = gate
        self.ahead = 0

    def _handle_event(self, event: events.Event) -> Commands:
        if isinstance(event, RequestTrailers) and event.trailers.fields:
            yield from self.refuse_trailers()
        else:
            yield from self.call_hooks(super()._handle_event(event))

    def call_hooks(self, inner: Commands) -> Commands:
        """Run mitmproxy's own state; call its hooks on the way, where that takes no waiting."""
        reply: object = None
        while True:
            try:
                command = inner.send(reply)
            except StopIteration:
                return
            # Only this stream's own: for another layer's command nobody would go on at once.
            if isinstance(command, AT_ONCE) and command.flow is self.flow and self.gate.start_hooks(command):
                reply = None
            else:
                reply = yield command

    def state_wait_for_request_headers(self, event: RequestHeaders) -> Commands:
        if self.context.client.alpn == b"h2" and event.request.data.scheme != b"https":
            # mitmproxy would put https in its place, which is a repair.
            yield from self.refuse_scheme(event)
            return
        try:
            yield from _tell(super().state_wait_for_request_headers(event), event.end_stream)
        finally:
            # Also where the stream was dropped meanwhile: what it kept goes with it.
            self.gate.ahead -= self.ahead
            self.ahead = 0
        waits_for_body = self.client_state == self.state_consume_request_body and not event.end_stream
        if waits_for_body and self.flow.response is not None:
            yield from self.answer_before_body()

    def state_consume_request_body(self, event: events.Event) -> Commands:
        """Collect a body that is passed on whole, or held back to be judged; the latter has a limit."""
        limit = self.gate.held(self.flow)
        if (
            limit is not None
            and isinstance(event, RequestData)
            and len(self.request_body_buf) + len(event.data) > limit
        ):
            self.request_body_buf.clear()
            wire = wire_request(
                self.flow.request, self.context.server.address or ("", 0), self.context.client
            )
            refused = Refused(Reason.TOO_LARGE, f"the body has more than {limit} bytes")
            answer(self.flow, self.gate.judge(wire, self.context.client.peername[0], refused))
            yield from self.answer_before_body()
            return
        yield from super().state_consume_request_body(event)

    def handle_event(self, event: events.Event) -> Commands:
        if isinstance(event, Draining) and (self.child_layer is None or self._paused):
            event.busy = True
            return
        if (
            isinstance(event, RequestData)
            and self._paused
            and isinstance(self._paused.command, HttpRequestHeadersHook)
        ):
            # While a hook waits for keys, mitmproxy reads on and keeps what comes, without a limit of its own.
            self.ahead += len(event.data)
            self.gate.ahead += len(event.data)
            if self.ahead > MAX_AHEAD or self.gate.ahead > MAX_AHEAD_OF_ALL:
                yield commands.CloseConnection(self.context.client)
                return
        yield from super().handle_event(event)

    def answer_before_body(self) -> Commands:
        """Send the response now; RFC 9112 section 9.3 lets a server answer early if it reads the body on."""
        assert self.flow.response is not None
        self.client_state = self.state_drop_request_body
        self.flow.response.timestamp_start = time.time()
        yield HttpResponseHeadersHook(self.flow)
        if (yield from self.check_killed(True)):
            return
        yield from self.send_response()
        yield SendHttp(ResponseEndOfMessage(self.stream_id), self.context.client)

    def state_drop_request_body(self, event: events.Event) -> Commands:
        """Take what still comes of a denied upload, in constant memory, whatever its size."""
        if isinstance(event, RequestEndOfMessage):
            self.client_state = self.state_done
            self.flow.live = False
            yield DropStream(self.stream_id)
        elif not isinstance(event, RequestData | RequestTrailers):
            raise AssertionError(f"unexpected {event!r}")

    def refuse_scheme(self, event: RequestHeaders) -> Commands:
        """Refuse an HTTP/2 request whose ``:scheme`` is not that of its connection (RFC 9113 section 8.3.1)."""
        server = self.context.server.address or ("", 0)
        wire = wire_request(event.request, server, self.context.client)
        refused = Refused(Reason.MALFORMED_HEAD, "the scheme is not https")
        self.gate.judge(wire, self.context.client.peername[0], refused)
        message = Reason.MALFORMED_HEAD.value
        yield SendHttp(
            ResponseProtocolError(self.stream_id, message, ErrorCode.REQUEST_VALIDATION_FAILED),
            self.context.client,
        )
        self.client_state = self.server_state = self.state_errored
        yield DropStream(self.stream_id)

    def refuse_trailers(self) -> Commands:
        """Abandon a request that brings headers after its body: upstream never sees its end."""
        if self.client_state in (self.state_drop_request_body, self.state_errored):
            return
        message = Reason.TRAILERS_REFUSED.value
        if self.client_state == self.state_stream_request_body:
            yield SendHttp(
                RequestProtocolError(self.stream_id, message, ErrorCode.CANCEL), self.context.server
            )
        self.flow.error = mitm_flow.Error(message)
        yield HttpErrorHook(self.flow)
        yield SendHttp(ResponseProtocolError(self.stream_id, message, ErrorCode.KILL), self.context.client)
        self.client_state = self.server_state = self.state_errored
        self.flow.live = False
        yield DropStream(self.stream_id)

    def make_server_connection(self) -> layer.CommandGenerator[bool]:
        """The one place where a request gets a server to go to."""
        if not self.gate.may_leave(self.flow):
            return (yield from self._fail("the request has no pass from the gate"))
        self.flow.metadata[LEFT] = now = time.time()
        self.gate.tally.left(not self.flow.metadata.get(ENDED), self.flow.request.timestamp_start, now)
        if not (yield from super().make_server_connection()):
            return False
        client, server = self.context.client, self.flow.server_conn
        if client.tls and (client.alpn == b"h2") is not (server.alpn == b"h2"):
            # Translating HTTP/2 into HTTP/1.1 can forward a body without any length.
            return (yield from self._fail("the host speaks another HTTP version than the client"))
        return True

    def handle_protocol_error(self, event: RequestProtocolError | ResponseProtocolError) -> Commands:
        """Note which side the flow broke on, for the count of failures."""
        cause = (
            "client"
            # mitmproxy gives up a connection that is being opened for a client that has left, and calls it failed.
            if isinstance(event, RequestProtocolError) or self.context.client.timestamp_end is not None
            else "connect"
            if event.code is ErrorCode.CONNECT_FAILED
            else "upstream"
        )
        self.flow.metadata.setdefault(BROKE, cause)
        yield from super().handle_protocol_error(event)

    def check_killed(self, emit_error_hook: bool) -> layer.CommandGenerator[bool]:
        """The same where the client went away while something was awaited (mitmproxy looks ahead for it)."""
        if any(isinstance(event, RequestProtocolError) for event in self._paused_event_queue):
            self.flow.metadata.setdefault(BROKE, "client")
        return (yield from super().check_killed(emit_error_hook))

    def check_invalid(self, request: bool) -> layer.CommandGenerator[bool]:
        """The same where the head of an answer is malformed."""
        if not request:
            self.flow.metadata.setdefault(BROKE, "upstream")
        found = yield from super().check_invalid(request)
        if not found and not request:
            self.flow.metadata.pop(BROKE, None)
        return found

    def _fail(self, message: str) -> layer.CommandGenerator[bool]:
        self.flow.metadata[BROKE] = "proxy"
        yield from self.handle_protocol_error(
            ResponseProtocolError(self.stream_id, message, ErrorCode.CONNECT_FAILED)
        )
        self.client_state = self.state_errored
        return False


def _tell(inner: Commands, ended: bool) -> Commands:
    """Run mitmproxy's own state, and tell the hook on the way whether the request is over with its headers: a hook
    could not know, and an HTTP/2 body need not be announced."""
    reply: object = None
    while True:
        try:
            command = inner.send(reply)
        except StopIteration:
            return
        if isinstance(command, HttpRequestHeadersHook):
            command.flow.metadata[ENDED] = ended
        reply = yield command


class GatedHttpLayer(HttpLayer):
    """All requests of one client connection."""

    def __init__(self, context: Context, mode: HTTPMode, gate: Gate) -> None:
        super().__init__(context, mode)
        self.gate = gate

    def _handle_event(self, event: events.Event) -> Commands:
        if isinstance(event, events.Start):
            server = StrictHttp1Server if self.context.client.alpn != b"h2" else EndingHttp2Server
            self.connections[self.context.client] = server(self.context.fork(), self.gate)
        if isinstance(event, Draining):
            yield from self.drain(event)
        else:
            yield from super()._handle_event(event)

    def drain(self, event: Draining) -> Commands:
        """Say whether a call is under way, and let an HTTP/2 client that is idle know that the end has come."""
        for stream in list(self.streams.values()):
            yield from self.event_to_child(stream, event)
        server = self.connections[self.context.client]
        if isinstance(server, EndingHttp2Server):
            event.busy = event.busy or server.h2_conn.open_inbound_streams > 0
            yield from server.drain(event)
        elif isinstance(server, StrictHttp1Server):
            event.busy = event.busy or bool(server.buf)

    def make_stream(self, stream_id: int) -> Commands:
        self.streams[stream_id] = GatedStream(self.context.fork(), stream_id, self.gate)
        yield from self.event_to_child(self.streams[stream_id], events.Start())


class StrictHttp1Server(Http1Server):
    """Reads a client's HTTP/1.1, and hangs up on what is not regular."""

    def __init__(self, context: Context, gate: Gate) -> None:
        super().__init__(context)
        self.gate = gate

    def send(self, event: HttpEvent) -> Commands:
        """Answer; while the proxy stops, in the last answer of the connection (RFC 9112 section 9.6)."""
        if (
            isinstance(event, ResponseHeaders)
            and self.gate.draining
            and self.request is not None
            and self.request.data.method != b"CONNECT"
        ):
            response = event.response.copy()
            response.headers["Connection"] = "close"
            event = ResponseHeaders(event.stream_id, response, event.end_stream)
        yield from super().send(event)

    def read_headers(self, event: events.ConnectionEvent) -> Commands:
        if isinstance(event, events.DataReceived):
            try:
                complete = check_head(bytes(self.buf))
            except Refused as refused:
                yield from self.hang_up(refused)
                return
            if not complete:
                return
        yield from super().read_headers(event)

    def hang_up(self, refused: Refused) -> Commands:
        """Answer a head that no parser should try, record it, and close."""
        client, server = self.context.client, self.context.server.address or ("", 0)
        verdict = self.gate.judge(wire_request(None, server, client), client.peername[0], refused)
        yield commands.SendData(
            self.conn, raw_denial(verdict.decision, verdict.decision_id, verdict.asked.host)
        )
        yield commands.CloseConnection(self.conn)
        self.state = self.done

    def read_body(self, event: events.Event) -> Commands:
        try:
            yield from super().read_body(event)
        except NotImplementedError:
            # mitmproxy can't read trailers of a chunked body and would leave the connection hanging.
            yield commands.CloseConnection(self.conn)
            yield ReceiveHttp(
                RequestProtocolError(
                    self.stream_id, Reason.TRAILERS_REFUSED.value, ErrorCode.GENERIC_CLIENT_ERROR
                )
            )
            self.state = self.done

    def wait(self, event: events.Event) -> Commands:
        if isinstance(event, events.DataReceived) and len(self.buf) > MAX_WAITING:
            yield commands.CloseConnection(self.conn)
            yield ReceiveHttp(
                RequestProtocolError(
                    self.stream_id, "more was sent ahead than is kept", ErrorCode.GENERIC_CLIENT_ERROR
                )
            )
            self.state = self.done
            return
        yield from super().wait(event)


class EndingHttp2Server(Http2Server):
    """Speaks a client's HTTP/2, and has it open no more streams when the proxy stops.

    RFC 9113 section 6.8: a GOAWAY with the highest number, since streams may be on their way; all of them are served. It
    goes out with the end of the last open stream, or when nothing was open for a while: some clients (of Python's h2) give
    up what they have open when it comes. A connection on which there is always something open hears it all the same, late.
    """

    def __init__(self, context: Context, gate: Gate) -> None:
        super().__init__(context)
        self.gate = gate
        self._said_goaway = False
        self._idle = 0

    def _handle_event(self, event: events.Event) -> Commands:
        for command in super()._handle_event(event):
            if (
                self.gate.draining
                and isinstance(command, commands.SendData)
                and isinstance(event, HttpEvent)
                and self.h2_conn.open_inbound_streams == 0
            ):
                # In one piece, so that the client can't begin another call in between.
                command = commands.SendData(command.connection, command.data + self._goaway())
            yield command

    def drain(self, event: Draining) -> Commands:
        """Asked from time to time while the proxy stops."""
        self._idle = 0 if event.busy else self._idle + 1
        if (event.late or self._idle > 1) and (goaway := self._goaway()):
            yield commands.SendData(self.conn, goaway)

    def _goaway(self) -> bytes:
        """The frame, once."""
        if self._said_goaway:
            return b""
        self._said_goaway = True
        return GoAwayFrame(0, last_stream_id=2**31 - 1, error_code=0).serialize()
