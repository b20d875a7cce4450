"""The listener: brings connections to mitmproxy's engine, in place of the servers that mitmproxy starts itself.

Those listen before a script can say anything, on all addresses, and know neither PROXY headers nor connections that another
process accepted. So mitmproxy's are stopped (or with ``--no-server`` never started), and what they do with a connection is
done here: ``mode_servers.ServerInstance.handle_stream`` for the mode ``regular``, the same in 12.2.3 and 12.3.1. Connections
that came another way are closed (``Connections.client_connected``).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
from collections.abc import Callable, Sequence
from typing import Any

from mitmproxy import ctx
from mitmproxy.proxy import mode_specs
from mitmproxy.proxy.layers import modes
from mitmproxy.proxy.mode_servers import ProxyConnectionHandler

from brickscope.core.reason import Reason
from brickscope.monitoring.address import words

from .balancer import Address, HeaderError, is_balancer, peer_address, read_ends
from .destination import Network
from .gate import Gate

logger = logging.getLogger("brickscope")

LOOPBACK = "127.0.0.1"
BACKLOG = 1024
"""Connections that the kernel keeps while they wait to be accepted."""
AT_ONCE = 1
"""Connections that asyncio accepts in one turn. Its ``backlog`` is both numbers, and without file descriptors it reports a
failure, with a traceback, for each of them (Python 3.12): a client that opens too many would fill the disk with messages."""


class Handler(ProxyConnectionHandler):
    """mitmproxy's handler of a connection that came by this listener."""


class Listener:
    """Accepts connections, or takes them from the supervisor, and serves each until it ends."""

    def __init__(self, gate: Gate, mode: str, balancers: Sequence[Network] = ()) -> None:
        """``mode``: mitmproxy's, such as ``regular@127.0.0.1:8080``. ``balancers``: who has to send a PROXY header."""
        self.gate = gate
        self.mode = mode_specs.ProxyMode.parse(mode)
        self.balancers = tuple(balancers)
        self.open: dict[asyncio.StreamWriter, Handler | None] = {}
        """All connections until their last byte is sent, with what serves them: nothing while a PROXY header is awaited."""
        self._arriving = 0
        self._server: asyncio.Server | None = None
        self._serving = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def bind(self, inherited: Sequence[socket.socket] = ()) -> None:
        """Take the port; connections wait until ``serve``. ``inherited``: a socket that is bound. Raises OSError with words.

        Only loopback unless told otherwise: who can connect is only as strong as its token.
        """
        host = self.mode.listen_host(ctx.options.listen_host) or LOOPBACK
        port = self.mode.listen_port(ctx.options.listen_port)
        if inherited:
            self._server = await asyncio.start_server(self._accepted, sock=inherited[0], backlog=AT_ONCE)
            self._widen()
            return
        try:
            self._server = await asyncio.start_server(self._accepted, host, port, backlog=AT_ONCE)
            self._widen()
        except OSError as error:
            hint = (
                "; another program listens there, choose another port with -p"
                if error.errno == errno.EADDRINUSE
                else ""
            )
            raise OSError(f"the proxy can't listen on {host}:{port}: {words(error)}{hint}") from None

    def _widen(self) -> None:
        """Have the kernel keep BACKLOG connections, whatever asyncio was told."""
        for wrapped in self._server.sockets if self._server else ():
            self.gate.destinations.own_ports.add(wrapped.getsockname()[1])
            with contextlib.closing(wrapped.dup()) as listening:
                listening.listen(BACKLOG)

    def serve(self) -> None:
        """Serve connections from now on."""
        self._serving.set()
        logger.info("Brickscope: listening at %s", " and ".join(self.addresses), extra={"event": "listening"})

    @property
    def addresses(self) -> list[str]:
        """Where it listens, as ``ADDRESS:PORT``."""
        names = [each.getsockname() for each in self._server.sockets] if self._server else []
        return [f"[{name[0]}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}" for name in names]

    @property
    def is_quiet(self) -> bool:
        """Whether no connection is open, or about to be."""
        return not self.open and not self._arriving

    def close(self) -> None:
        """Accept what the kernel has accepted for us already, and then no more; what is open goes on."""
        for wrapped in self._server.sockets if self._server else ():
            # Any OSError: without file descriptors there is none for these connections either, and the stop has to go on.
            with contextlib.suppress(OSError), contextlib.closing(wrapped.dup()) as listening:
                listening.setblocking(False)
                for _ in range(BACKLOG):
                    connection, _ = listening.accept()
                    connection.setblocking(False)
                    self.take(connection, lambda: None)
        if self._server is not None:
            self._server.close()

    def take(self, connection: socket.socket, ended: Callable[[], None]) -> None:
        """Serve a connection that was accepted elsewhere; ``ended`` is called when it is over, whatever becomes of it."""
        self._arriving += 1
        task = asyncio.get_running_loop().create_task(self._take(connection, ended), name="taken connection")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _take(self, connection: socket.socket, ended: Callable[[], None]) -> None:
        arrived = False

        def arrive() -> None:
            nonlocal arrived
            self._arriving -= not arrived
            arrived = True

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.open[writer] = None
            arrive()
            try:
                await self._accepted(reader, writer)
            finally:
                ended()

        self._serving.set()
        loop = asyncio.get_running_loop()
        protocol = asyncio.StreamReaderProtocol(asyncio.StreamReader(loop=loop), serve, loop=loop)
        try:
            await loop.connect_accepted_socket(lambda: protocol, connection)
        except Exception as error:
            logger.warning(
                "Brickscope: %s; a connection was lost",
                type(error).__name__,
                extra={"event": "connection_lost"},
            )
            connection.close()
            arrive()
            ended()

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from its first byte to its end. What fails here ends it."""
        self.open[writer] = None
        try:
            await self._serving.wait()
            peer = peer_address(writer.get_extra_info("peername"))
            if peer is not None:
                await self._serve(reader, writer, peer)
        except EOFError:
            pass  # it was only looked at, as balancers do that check a port
        except Exception as error:
            # Only the type: the text of an exception may hold what the client sent.
            logger.error(
                "Brickscope: %s on a connection; it was closed",
                type(error).__name__,
                extra={"event": "connection_lost"},
            )
        finally:
            await self._end(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: Address) -> None:
        server = writer.get_extra_info("sockname")
        # A worker does not know the port otherwise. Before the header, which may name any.
        if server:
            self.gate.destinations.own_ports.add(server[1])
        if is_balancer(peer, self.balancers):
            try:
                ends = await read_ends(reader)
            except HeaderError as error:
                self._refuse(peer, str(error))
                writer.transport.abort()
                return
            if ends is not None:
                peer, server = ends
        proxyserver: Any = ctx.master.addons.get("proxyserver")
        handler = Handler(ctx.master, reader, writer, ctx.options, self.mode)  # type: ignore[no-untyped-call]
        handler.client.peername, handler.client.sockname = peer, server
        handler.layer = modes.HttpProxy(handler.layer.context)
        self.open[writer] = handler
        with proxyserver.register_connection(handler.client.id, handler):
            await handler.handle_client()

    async def _end(self, writer: asyncio.StreamWriter) -> None:
        """Wait until the last bytes are sent: a process that ended before would cut an answer off."""
        try:
            async with asyncio.timeout(ctx.options.tcp_timeout):
                writer.close()
                await writer.wait_closed()
        except Exception:
            writer.transport.abort()
        finally:
            self.open.pop(writer, None)

    def _refuse(self, peer: Address, detail: str) -> None:
        logger.warning(
            "Brickscope: a connection from %s was closed: %s",
            peer[0],
            detail,
            extra={"event": "balancer_refused"},
        )
        decision = self.gate.refuse(Reason.PROXY_HEADER_REFUSED, detail)
        self.gate.record_tunnel(decision, peer[0], "", 0)
