"""The status server: a few read-only pages over HTTP/1.1, one answer a connection, in the proxy's own event loop.

In that loop on purpose: when it is stuck, no page answers, which is what a health check has to see. So no client may hold
it up either: heads are small, everything has a time limit, and when too many connections are open the oldest makes room,
since a stuck scraper must not keep a health check out.
"""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

import h11
import orjson

from brickscope import notice

from .address import StatusAddress, free_path

MAX_HEAD = 8 * 1024
"""Bytes of a request's line and headers."""
SECONDS = 10.0
"""From a connection to its end."""
MAX_CONNECTIONS = 32
BACKLOG = 16
"""Also how many messages, with tracebacks, asyncio writes a second while there are no file descriptors."""


class Page(NamedTuple):
    """An answer."""

    status: int
    body: bytes
    content_type: str = "application/json"


def json_page(content: object, status: int = 200) -> Page:
    """An answer in JSON, one line."""
    return Page(status, orjson.dumps(content) + b"\n")


Pages = Mapping[str, Callable[[], Page | Awaitable[Page]]]
"""Path -> what makes the page; it may have to wait for something."""


class StatusServer:
    """Serves pages by path. A page that fails is a 500, said once in the log; nothing else hangs on it."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._server: asyncio.Server | None = None
        self._open: dict[asyncio.StreamWriter, None] = {}
        self._failed = False
        self.address = StatusAddress()

    async def start(self, address: StatusAddress) -> None:
        """Listen. Raises OSError. ``address`` is then where, also where port 0 was asked for."""
        if address.path is not None:
            free_path(address.path)
            before = os.umask(0o177)  # only for the proxy's own user, from the first moment on
            try:
                self._server = await asyncio.start_unix_server(
                    self._serve, address.path, limit=MAX_HEAD, backlog=BACKLOG
                )
            finally:
                os.umask(before)
            self.address = address
            return
        self._server = await asyncio.start_server(
            self._serve, address.host, address.port, limit=MAX_HEAD, backlog=BACKLOG
        )
        self.address = address._replace(port=self._server.sockets[0].getsockname()[1])

    def close(self) -> None:
        """Listen no more, and drop who is connected."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._open):
            writer.transport.abort()
        if self.address.path is not None:
            with contextlib.suppress(OSError):
                self.address.path.unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while len(self._open) >= MAX_CONNECTIONS:
            oldest = next(iter(self._open))
            del self._open[oldest]
            oldest.transport.abort()
        self._open[writer] = None
        try:
            async with asyncio.timeout(SECONDS):
                await self._answer(reader, writer)
                writer.close()
                await writer.wait_closed()
        except (TimeoutError, OSError):
            pass  # it was slow or went away
        except Exception as error:
            self._say(error)
        finally:
            self._open.pop(writer, None)
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
        try:
            request = await _read_head(connection, reader)
            if request is None:
                return
            page, head = await self._page(request), request.method == b"HEAD"
        except h11.RemoteProtocolError as error:
            page, head = json_page({"error": "malformed request"}, error.error_status_hint), False
        headers = [
            ("Content-Type", page.content_type),
            ("Content-Length", str(len(page.body))),
            ("Cache-Control", "no-store"),
            ("Connection", "close"),
        ]
        if page.status == 405:
            headers.append(("Allow", "GET, HEAD"))
        writer.write(connection.send(h11.Response(status_code=page.status, headers=headers)) or b"")
        if not head:
            writer.write(connection.send(h11.Data(data=page.body)) or b"")
            connection.send(h11.EndOfMessage())
        await writer.drain()

    async def _page(self, request: h11.Request) -> Page:
        if request.method not in (b"GET", b"HEAD"):
            return json_page({"error": "only GET and HEAD"}, 405)
        path = request.target.partition(b"?")[0].decode("latin-1")
        make = self._pages.get(path)
        if make is None:
            return json_page({"error": "no such page", "pages": list(self._pages)}, 404)
        try:
            page = make()
            return page if isinstance(page, Page) else await page
        except Exception as error:
            self._say(error)
            return json_page({"error": "this page failed inside"}, 500)

    def _say(self, error: Exception) -> None:
        if not self._failed:
            self._failed = True
            text = f"{type(error).__name__} in the status server; calls are not touched by it"
            notice.error("status_failed", text)


async def _read_head(connection: h11.Connection, reader: asyncio.StreamReader) -> h11.Request | None:
    """The request, None if the client left before. What stands after its head is not read."""
    while True:
        event = connection.next_event()
        if isinstance(event, h11.Request):
            return event
        if event is not h11.NEED_DATA:
            return None
        connection.receive_data(await reader.read(MAX_HEAD))
