"""Asking another process of this machine for a page of its status."""

import asyncio
from pathlib import Path

import h11

from .status import Page

MAX_BODY = 64 * 1024 * 1024


async def fetch_page(path: Path, target: str, seconds: float) -> Page:
    """GET ``target`` from the Unix socket at ``path``. Raises OSError: no answer by HTTP within ``seconds``."""
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_unix_connection(path)
            try:
                return await _exchange(reader, writer, target)
            finally:
                writer.transport.abort()
    except h11.RemoteProtocolError as error:
        raise OSError(f"{path} does not answer by HTTP") from error


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: str) -> Page:
    connection = h11.Connection(h11.CLIENT)
    request = h11.Request(method="GET", target=target, headers=[("Host", "localhost")])
    writer.write(connection.send(request) or b"")
    connection.send(h11.EndOfMessage())
    await writer.drain()
    status, kind, body = 0, "", bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(64 * 1024))
        elif isinstance(event, h11.Response):
            status = event.status_code
            kind = next(
                (value.decode("latin-1") for name, value in event.headers if name == b"content-type"), ""
            )
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > MAX_BODY:
                raise OSError("the answer is too large")
        elif isinstance(event, h11.EndOfMessage):
            return Page(status, bytes(body), kind)
        else:
            raise OSError("the connection ended early")
