"""The listener: accepts connections, or takes them from the supervisor, in place of the servers that mitmproxy starts
itself.

Those listen before a script can say anything, on all addresses, and know neither PROXY headers nor connections that another
process accepted. So mitmproxy's are stopped (or with ``--no-server`` never started).
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Sequence
from typing import Any

from mitmproxy import ctx
from mitmproxy.proxy import mode_specs

from brickscope import notice
from brickscope.service.monitoring.address import not_listening, written

from .datapath import DataPath
from .destination import Network
from .front import Front

LOOPBACK = "127.0.0.1"
BACKLOG = 1024
"""Connections that the kernel keeps while they wait to be accepted."""
AT_ONCE = 1
"""Connections that asyncio accepts in one turn. Its ``backlog`` is both numbers, and without file descriptors it reports a
failure, with a traceback, for each of them (Python 3.12): a client that opens too many would fill the disk with messages."""


class Listener:
    """Accepts connections, or takes them from the supervisor, and keeps each until it ends."""

    def __init__(self, path: DataPath, mode: str, balancers: Sequence[Network] = ()) -> None:
        """``mode``: mitmproxy's, such as ``regular@127.0.0.1:8080``. ``balancers``: who has to send a PROXY header."""
        self.path = path
        self.mode = mode_specs.ProxyMode.parse(mode)
        self.balancers = tuple(balancers)
        self.open = path.open
        self._arriving = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def bind(self, inherited: Sequence[socket.socket] = ()) -> None:
        """Take the port; connections wait until ``serve``. ``inherited``: a socket that is bound. Raises OSError with words.

        Only loopback unless told otherwise: who can connect is only as strong as its token.
        """
        loop = asyncio.get_running_loop()
        host = self.mode.listen_host(ctx.options.listen_host) or LOOPBACK
        port = self.mode.listen_port(ctx.options.listen_port)
        try:
            where: dict[str, Any] = {"sock": inherited[0]} if inherited else {"host": host, "port": port}
            self._server = await loop.create_server(
                lambda: self.front().end, **where, backlog=AT_ONCE, start_serving=False
            )
            self._widen()
        except OSError as error:
            raise not_listening(host, port or 0, error) from None

    def _widen(self) -> None:
        """Have the kernel keep BACKLOG connections, whatever asyncio was told."""
        for wrapped in self._server.sockets if self._server else ():
            self.path.gate.destinations.own_ports.add(wrapped.getsockname()[1])
            with contextlib.closing(wrapped.dup()) as listening:
                listening.listen(BACKLOG)

    async def serve(self) -> None:
        """Serve connections from now on."""
        if self._server is not None:
            await self._server.start_serving()
            self._widen()
        notice.info("listening", f"listening at {' and '.join(self.addresses)}")

    def front(self, on_end: Callable[[], None] = lambda: None) -> Front:
        """What a new connection is met by; every way in goes through here."""
        return Front(self.path, self.balancers, on_end)

    @property
    def addresses(self) -> list[str]:
        """Where it listens, as ``ADDRESS:PORT``."""
        return [written(*each.getsockname()[:2]) for each in (self._server.sockets if self._server else ())]

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
        front = self.front(ended)
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: front.end, connection)
        except Exception as error:
            notice.warning("connection_lost", f"{type(error).__name__}; a connection was lost")
            connection.close()
            front.fail_closed()
        finally:
            self._arriving -= 1
