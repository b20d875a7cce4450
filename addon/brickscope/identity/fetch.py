"""Fetching one small public document over verified TLS, or a token for a form.

By asyncio's TLS and h11, so that the deadline is one for all of it: a host that sends a byte now and then holds nothing
beyond it, and no thread keeps the proxy from ending. Names are looked up by the event loop, where the proxy's rules
about addresses (no private ones, ``scope_connect_to``) hold for this connection as they do for every other. The
process's own HTTPS_PROXY is not obeyed: it may well name this very proxy.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import h11

MAX_BYTES = 256 * 1024
MAX_HEAD = 32 * 1024
TIMEOUT_S = 10.0
"""Most that one document may take, from look-up to last byte."""
AT_ONCE = 16
"""Documents fetched at the same time; others wait, and their time runs."""
READ = 64 * 1024


Tunnel = Callable[[str, int], Awaitable[asyncio.Transport]]
"""Opens a connection to a host and port through a proxy, on which TLS has yet to begin. Raises FetchError or OSError."""


class FetchError(Exception):
    """The document can't be had; the message says why, in one clause, for the operator."""


class Fetcher:
    """Fetches documents."""

    def __init__(self, trust: ssl.SSLContext, tunnel: Tunnel | None = None) -> None:
        """``trust``: the TLS context that verifies servers. ``tunnel``: the way to them, where there is no direct one."""
        self._trust = trust
        self._tunnel = tunnel
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def fetch(self, url: str) -> bytes | None:
        """The document at an https URL; None where the host says it has none (404).

        Raises FetchError: no address, no connection, no trust, another status, too large, too slow.
        """
        return await self._ask(url, None, None)

    async def post(self, url: str, form: bytes, authorization: bytes | None = None) -> bytes:
        """The answer to a form that is sent to an https URL; raises FetchError likewise, and for 404."""
        answer = await self._ask(url, form, authorization)
        if answer is None:
            raise FetchError(f"{urlsplit(url).hostname} answered 404")
        return answer

    async def _ask(self, url: str, form: bytes | None, authorization: bytes | None) -> bytes | None:
        parts = urlsplit(url)
        host = parts.hostname or ""
        try:
            async with asyncio.timeout(TIMEOUT_S), self._slots:
                asking = _asking(host, parts.path, form, authorization)
                return await self._send(host, parts.port or 443, asking)
        except TimeoutError:
            raise FetchError(f"{host} did not answer in {TIMEOUT_S:.0f} s") from None
        except (OSError, EOFError, h11.ProtocolError) as error:
            raise FetchError(f"{host} can't be reached ({type(error).__name__})") from None

    async def _send(self, host: str, port: int, asking: _Asking) -> bytes | None:
        if self._tunnel is not None:
            return await self._send_through(self._tunnel, host, port, asking)
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        if not found:
            raise FetchError(f"{host} has no address")
        failed: OSError | None = None
        for entry in found[:3]:
            try:
                reader, writer = await asyncio.open_connection(
                    str(entry[4][0]), int(entry[4][1]), ssl=self._trust, server_hostname=host
                )
            except OSError as error:
                failed = error
                continue
            try:
                return await _exchange(reader, writer, host, asking)
            finally:
                writer.transport.abort()
        raise failed or FetchError(f"{host} has no address")

    async def _send_through(self, tunnel: Tunnel, host: str, port: int, asking: _Asking) -> bytes | None:
        loop = asyncio.get_running_loop()
        outer = await tunnel(host, port)
        try:
            reader = asyncio.StreamReader(loop=loop)
            protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
            outer.set_protocol(protocol)
            inner = await loop.start_tls(outer, protocol, self._trust, server_hostname=host)
            assert inner is not None
            protocol.connection_made(inner)
            writer = asyncio.StreamWriter(inner, protocol, reader, loop)
            return await _exchange(reader, writer, host, asking)
        finally:
            outer.abort()


_Asking = tuple[h11.Request, bytes]


def _asking(host: str, path: str, form: bytes | None, authorization: bytes | None) -> _Asking:
    """A GET, or a POST of a form."""
    headers = [
        ("Host", host),
        ("Accept", "application/json"),
        ("User-Agent", "brickscope"),
        ("Connection", "close"),
    ]
    if form is None:
        return h11.Request(method="GET", target=path, headers=headers), b""
    headers += [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Content-Length", str(len(form))),
        *([("Authorization", authorization.decode("ascii"))] if authorization else []),
    ]
    return h11.Request(method="POST", target=path, headers=headers), form


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, asking: _Asking
) -> bytes | None:
    """One request over a new connection. Redirects are not followed: the keys of a host are on that host."""
    protocol = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
    request, body = asking
    for part in (request, *([h11.Data(data=body)] if body else []), h11.EndOfMessage()):
        writer.write(protocol.send(part) or b"")
    await writer.drain()
    content, status = bytearray(), 0
    while True:
        event = protocol.next_event()
        if event is h11.NEED_DATA:
            protocol.receive_data(await reader.read(READ))
        elif isinstance(event, h11.Response):
            status = event.status_code
            if status not in (200, 404):
                raise FetchError(f"{host} answered {status}")
            if any(name == b"content-encoding" for name, _ in event.headers):
                raise FetchError(f"{host} sent it compressed, unasked")
        elif isinstance(event, h11.Data):
            content += event.data
            if len(content) > MAX_BYTES:
                raise FetchError(f"{host} sent more than {MAX_BYTES // 1024} KiB")
        elif isinstance(event, h11.EndOfMessage):
            return None if status == 404 else bytes(content)
        elif not isinstance(event, h11.InformationalResponse):
            raise FetchError(f"{host} broke the answer off")
