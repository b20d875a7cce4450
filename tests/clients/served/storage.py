"""Cloud storage behind presigned links: no credential, ranges on reading. It stands on ``localhost``, which is no
Databricks host: as with the real thing, its bytes pass the proxy in a tunnel, unread.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from urllib.parse import parse_qs

from lab.workspace.exchange import Exchange
from lab.workspace.route import Route
from lab.workspace.streams import BLOCK

_RANGE = re.compile(rb"bytes=(\d+)-(\d*)")
_kept: dict[str, bytes] = {}
_base = ""


def stand_at(port: int) -> None:
    """Say where links lead."""
    global _base
    _base = f"https://localhost:{port}"


def keep(content: bytes) -> str:
    """Keep something and return a link to it."""
    name = f"/presigned/kept/{uuid.uuid4().hex}"
    _kept[name] = content
    return f"{_base}{name}?X-Amz-Signature=made-up"


def link(path: str) -> str:
    """A link below ``/presigned/``."""
    return f"{_base}/presigned/{path}"


def piece(start: int, end: int) -> bytes:
    """Bytes ``start`` to ``end`` (not included) of the pattern of demo files."""
    first = start // len(BLOCK)
    repeated = BLOCK * ((end - 1) // len(BLOCK) - first + 1)
    return repeated[start - first * len(BLOCK) : end - first * len(BLOCK)]


async def kept(exchange: Exchange) -> None:
    """What was kept."""
    await exchange.receive_all()
    await exchange.answer(200, b"application/octet-stream", _kept[exchange.path.decode()])


async def store(exchange: Exchange) -> None:
    """Take a part of an upload, of any size."""
    digest = hashlib.sha256()
    while data := await exchange.receive():
        digest.update(data)
    tag = (b"etag", b'"%s"' % digest.hexdigest().encode())
    await exchange.answer(200, b"application/xml", b"", [tag])


async def read(exchange: Exchange) -> None:
    """``/presigned/bytes/<n>``: n bytes of the pattern, or the range of them that is asked for."""
    await exchange.receive_all()
    await send_pattern(exchange, int(exchange.path.rpartition(b"/")[2]))


async def send_pattern(exchange: Exchange, size: int) -> None:
    """The bytes of a demo file of this size, or the wanted range of them."""
    start, end, status = 0, size, 200
    headers = [
        (b"content-type", b"application/octet-stream"),
        (b"accept-ranges", b"bytes"),
        (b"last-modified", b"Mon, 21 Sep 2026 10:00:00 GMT"),
    ]
    if found := _RANGE.fullmatch(exchange.header(b"range") or b""):
        start, status = int(found[1]), 206
        end = min(size, int(found[2]) + 1) if found[2] else size
        headers.append((b"content-range", b"bytes %d-%d/%d" % (start, end - 1, size)))
    headers.append((b"content-length", b"%d" % (end - start)))
    await exchange.respond(status, headers)
    if exchange.request.method != b"HEAD":
        for place in range(start, end, len(BLOCK)):
            await exchange.send(piece(place, min(end, place + len(BLOCK))))
    await exchange.finish()


def query(exchange: Exchange) -> dict[str, str]:
    """The first value of each parameter of the query."""
    return {name: values[0] for name, values in parse_qs(exchange.query.decode()).items()}


ROUTES = (
    Route((b"GET",), b"/presigned/kept/*", kept, anonymous=True),
    Route((b"PUT",), b"/presigned/parts/*", store, anonymous=True),
    Route((b"GET",), b"/presigned/bytes/*", read, anonymous=True),
)
