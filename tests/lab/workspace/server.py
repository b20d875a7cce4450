"""A TLS server that stands in for a Databricks workspace and remembers everything that reached it.

It runs in a thread of its own, so that blocking tests and scripts can use it::

    with FakeWorkspace.start() as workspace:
        call(workspace.port, trusting=workspace.ca_file)
        assert [request.target for request in workspace.requests] == [b"/api/2.0/sql/warehouses"]
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import ssl
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self
from weakref import WeakKeyDictionary

from .authority import Authority
from .evidence import Connection, ConnectionLog, Evidence, Request
from .http1 import Http1Connection
from .http2 import Http2Connection
from .issuer import TokenIssuer
from .route import Route

ZEROBUS = "zerobus.us-west-2.cloud.databricks.com"
"""The domain of the hosts of Zerobus Ingest in one region: a wildcard of a certificate stands for one label."""
DNS_NAMES = ("*.cloud.databricks.com", f"*.{ZEROBUS}", "localhost")
ALPN = ("h2", "http/1.1")
HANDSHAKE_SECONDS = 10.0
START_SECONDS = 10.0
BUFFER = 256 * 1024


class FakeWorkspace:
    """The server. ``start`` makes one that runs; ``close`` (or leaving the ``with``) ends it."""

    def __init__(
        self, folder: Path, names: Sequence[str], alpn: Sequence[str], port: int, routes: Sequence[Route]
    ) -> None:
        """Make certificates in ``folder`` and listen; nothing is served until ``start``."""
        authority = Authority(folder)
        leaf = authority.issue(names)
        self.ca_file = authority.ca_file
        self.evidence = Evidence()
        self.issuer = TokenIssuer()
        self.routes = routes
        self._names: WeakKeyDictionary[ssl.SSLObject | ssl.SSLSocket, str] = WeakKeyDictionary()
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(leaf.certificate_file, leaf.key_file)
        self._tls.sni_callback = self._remember_name
        if alpn:
            self._tls.set_alpn_protocols(list(alpn))
        self._socket = socket.create_server(("127.0.0.1", port), backlog=512)
        self._socket.setblocking(False)
        self.port: int = self._socket.getsockname()[1]
        self._folder_to_remove: Path | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fake workspace", daemon=True)

    @classmethod
    def start(
        cls,
        folder: Path | None = None,
        *,
        names: Sequence[str] = DNS_NAMES,
        alpn: Sequence[str] = ALPN,
        port: int = 0,
        routes: Sequence[Route] = (),
    ) -> Self:
        """A server that runs on 127.0.0.1.

        ``folder``: where certificates go; without one they go to a temporary folder that is removed at the end.
        ``names``: the DNS names it has a certificate for. ``alpn``: the protocols it offers in TLS, best first;
        ``["http/1.1"]`` or ``["h2"]`` restrict it, an empty list leaves ALPN out. ``port``: 0 for a free one.
        ``routes``: what it answers besides its own, looked at first.
        """
        made = None if folder is not None else Path(tempfile.mkdtemp(prefix="brickscope-fake-"))
        home = folder or made
        assert home is not None
        try:
            workspace = cls(home, names, alpn, port, routes)
        except BaseException:
            if made is not None:
                shutil.rmtree(made, ignore_errors=True)
            raise
        workspace._folder_to_remove = made
        workspace._thread.start()
        if not workspace._started.wait(START_SECONDS):
            workspace.close()
            raise RuntimeError("the fake workspace did not start")
        return workspace

    # -- what it saw -------------------------------------------------------------------------------------------

    @property
    def requests(self) -> list[Request]:
        """Every request that arrived, oldest first."""
        return self.evidence.requests()

    @property
    def connections(self) -> list[Connection]:
        """Every connection that was accepted, oldest first."""
        return self.evidence.connections()

    def clear(self) -> None:
        """Forget what was recorded, except that open connections are open."""
        self.evidence.clear()

    # -- its life ----------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Close every connection and end the thread. May be called twice."""
        if self._loop is not None and self._stop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed already
                self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(START_SECONDS)
        self._socket.close()
        if self._folder_to_remove is not None:
            shutil.rmtree(self._folder_to_remove, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        accepting = self._loop.create_task(self._accept(self._loop))
        self._started.set()
        await self._stop.wait()
        accepting.cancel()
        await asyncio.gather(accepting, return_exceptions=True)
        # asyncio.run cancels the connections that are left, and waits for them

    async def _accept(self, loop: asyncio.AbstractEventLoop) -> None:
        """Accept by hand: a connection counts from here on, even if its TLS handshake then fails."""
        tasks: set[asyncio.Task[None]] = set()
        while True:
            accepted, _ = await loop.sock_accept(self._socket)
            task = loop.create_task(self._connection(loop, accepted, self.evidence.add_connection()))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    async def _connection(
        self, loop: asyncio.AbstractEventLoop, accepted: socket.socket, log: ConnectionLog
    ) -> None:
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reader = asyncio.StreamReader(BUFFER, loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        writer: asyncio.StreamWriter | None = None
        try:
            transport, _ = await loop.connect_accepted_socket(
                lambda: protocol, accepted, ssl=self._tls, ssl_handshake_timeout=HANDSHAKE_SECONDS
            )
            writer = asyncio.StreamWriter(transport, protocol, reader, loop)
            tls = writer.get_extra_info("ssl_object")
            alpn = tls.selected_alpn_protocol()
            log.established(self._names.get(tls), alpn)
            serve = Http2Connection if alpn == "h2" else Http1Connection
            await serve(reader, writer, log, self.evidence, self.issuer, self.routes).run()
        except Exception as error:
            log.failed(f"{type(error).__name__}: {error}")
        finally:
            log.closed()
            if writer is not None:
                writer.close()
            else:
                accepted.close()

    def _remember_name(
        self, tls: ssl.SSLObject | ssl.SSLSocket, name: str | None, context: ssl.SSLContext
    ) -> None:
        if name is not None:
            self._names[tls] = name
