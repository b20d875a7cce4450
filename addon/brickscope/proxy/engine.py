"""A connection that mitmproxy's engine serves: what is not ours (``front.py``) goes this way, unread.

What the engine's own servers do with a connection is done here (``mode_servers.ServerInstance.handle_stream`` for the mode
``regular``, the same in 12.2.3 and 12.3.1). Connections that came another way are closed (``Connections.client_connected``).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mitmproxy import connection, ctx
from mitmproxy.proxy import commands, events, layer, mode_specs
from mitmproxy.proxy.layers import modes
from mitmproxy.proxy.mode_servers import ProxyConnectionHandler

from .balancer import Address
from .tls import has_unread

logger = logging.getLogger("brickscope")


class Handler(ProxyConnectionHandler):
    """mitmproxy's handler of a connection that came by our listener."""


class EngineConnection:
    """One connection, from its first byte to its last (``drain.Connection``)."""

    def __init__(
        self, mode: mode_specs.ProxyMode, client: Address, server: Any, on_end: Callable[[], None]
    ) -> None:
        """``client``: who it is, as the policy sees it. ``server``: the address that it came to. ``on_end``: called
        when it is over, whatever becomes of it."""
        self._mode = mode
        self._client = client
        self._server = server
        self._on_end = on_end
        self._writer: asyncio.StreamWriter | None = None
        self._handler: Any = None
        self._task: asyncio.Task[None] | None = None

    def begin(self, transport: asyncio.Transport, received: bytes, *, answered: bool) -> None:
        """Take over a transport, and what has come by it. ``answered``: the client has had the answer to its CONNECT."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        kind = AnsweredWriter if answered else asyncio.StreamWriter
        self._writer = kind(transport, protocol, reader, loop)
        protocol.data_received(received)
        self._task = loop.create_task(self._serve(reader, self._writer), name="engine connection")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve it, and wait until the last bytes are sent: a process that ended before would cut an answer off."""
        try:
            proxyserver: Any = ctx.master.addons.get("proxyserver")
            handler = Handler(ctx.master, reader, writer, ctx.options, self._mode)  # type: ignore[no-untyped-call]
            handler.client.peername, handler.client.sockname = self._client, self._server
            handler.layer = modes.HttpProxy(handler.layer.context)
            self._handler = handler
            with proxyserver.register_connection(handler.client.id, handler):
                await handler.handle_client()
        except Exception as error:
            # Only the type: the text of an exception may hold what the client sent.
            logger.error(
                "Brickscope: %s on a connection; it was closed",
                type(error).__name__,
                extra={"event": "connection_lost"},
            )
        finally:
            try:
                await self._end(writer)
            finally:
                self._on_end()

    @staticmethod
    async def _end(writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(ctx.options.tcp_timeout):
                writer.close()
                await writer.wait_closed()
        except Exception:
            writer.transport.abort()

    @property
    def hosts(self) -> int:
        """How many connections to hosts are open for it."""
        open_ones = list(self._handler.transports) if self._handler else []
        return sum(isinstance(each, connection.Server) for each in open_ones)

    async def is_busy(self, *, late: bool) -> bool:
        """Whether something is under way; tells the layers on the way that the end has begun."""
        handler, writer = self._handler, self._writer
        if handler is None or writer is None:
            return False
        io = handler.transports.get(handler.client)
        if io is None or io.handler is None:
            return True  # it has not begun, or is ending by itself
        event = Draining(late)
        await handler.server_event(event)
        return event.busy or writer.transport.get_write_buffer_size() > 0 or self._has_unread(io.reader)

    def _has_unread(self, reader: Any) -> bool:
        """Whether bytes of the client came that no layer has seen yet: a call that is just arriving."""
        assert self._writer is not None
        return bool(getattr(reader, "_buffer", b"")) or has_unread(self._writer.transport)

    def close_idle(self) -> None:
        """End it, as nothing is under way."""
        handler = self._handler
        if handler is not None:
            io = handler.transports.get(handler.client)
            if io is not None and io.handler is not None:
                handler.close_connection(handler.client)
        elif self._writer is not None:
            self._writer.close()

    def abort(self) -> None:
        """Cut it, and its connections to hosts."""
        for io in list(self._handler.transports.values()) if self._handler else ():
            if isinstance(io.writer, asyncio.StreamWriter):
                io.writer.transport.abort()
        if self._writer is not None:
            self._writer.transport.abort()


@dataclass
class Draining(events.Event):
    """Asks the layers of a connection whether anything is under way. ``late``: it had its grace already."""

    late: bool
    busy: bool = False


class AnsweredWriter(asyncio.StreamWriter):
    """For a client that has had the answer to its CONNECT: the engine, which is given the CONNECT once more, gives that
    answer a second time, and it goes no further."""

    _due: bytes | None = b""

    def write(self, data: Any) -> None:
        """Send what is not that answer. Should the engine refuse, the connection ends: the client was told otherwise."""
        if self._due is not None:
            self._due += bytes(data)
            head, end, data = self._due.partition(b"\r\n\r\n")
            if not end:
                return
            if not head.startswith(b"HTTP/1.1 200 "):
                self.transport.abort()
                return
            self._due = None
            if not data:
                return
        super().write(data)


class Refuse(layer.Layer):
    """A protocol layer that hangs up at once."""

    def _handle_event(self, event: events.Event) -> layer.CommandGenerator[None]:
        if isinstance(event, events.Start):
            yield commands.CloseConnection(self.context.client)
