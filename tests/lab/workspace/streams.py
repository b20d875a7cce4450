"""Answers that stream: files of any size, server-sent events, model output, gRPC. Memory stays constant."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from urllib.parse import parse_qs

from .exchange import Exchange

BLOCK = bytes((index * 31 + index // 256) % 251 for index in range(65_521))
"""What demo files repeat. Its length is prime, so any buffer lost or doubled on the way shifts all that follows."""
BYTES_PREFIX = b"/api/2.0/fs/files/Volumes/demo/bytes/"
MAX_FRAME = 4 * 1024 * 1024
"""Longest gRPC message that is echoed; gRPC's own default."""

EVENTS = 10
EVENT_PAUSE = 0.1


def pattern(length: int) -> Iterator[bytes]:
    """The ``length`` bytes of a demo file, in pieces."""
    for start in range(0, length, len(BLOCK)):
        yield BLOCK[: length - start]


async def files(exchange: Exchange) -> None:
    """The Files API: PUT takes anything, GET of ``.../Volumes/demo/bytes/<n>`` streams n bytes of the pattern."""
    if exchange.request.method == b"PUT":
        while await exchange.receive():
            pass
        await exchange.answer(204, b"application/octet-stream", b"")
        return
    await exchange.receive_all()
    if not exchange.path.startswith(BYTES_PREFIX):
        await exchange.answer(200, b"application/octet-stream", exchange.path + b"\n")
        return
    length = int(exchange.path.removeprefix(BYTES_PREFIX))
    headers = [(b"content-type", b"application/octet-stream")]
    if parse_qs(exchange.query).get(b"chunked") != [b"1"]:
        headers.append((b"content-length", str(length).encode()))
    await exchange.respond(200, headers)
    if exchange.request.method != b"HEAD":
        for piece in pattern(length):
            await exchange.send(piece)
    await exchange.finish()


async def server_sent_events(exchange: Exchange) -> None:
    """Ten events, each sent when its time has come."""
    await exchange.receive_all()
    await _send_events(exchange, [json.dumps({"event": number}) for number in range(EVENTS)])


async def invocations(exchange: Exchange) -> None:
    """A served model: one JSON answer, or events if the request's JSON has ``"stream": true``."""
    request = json.loads(await exchange.receive_all())
    if isinstance(request, dict) and request.get("stream") is True:
        words = [json.dumps({"choices": [{"delta": {"content": word}}]}) for word in ("one", "two", "three")]
        await _send_events(exchange, [*words, "[DONE]"])
        return
    answer = {"choices": [{"message": {"role": "assistant", "content": "one two three"}}]}
    await exchange.answer(200, b"application/json", json.dumps(answer).encode())


async def _send_events(exchange: Exchange, events: list[str]) -> None:
    await exchange.respond(200, [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache")])
    for number, event in enumerate(events):
        if number:
            await asyncio.sleep(EVENT_PAUSE)
        await exchange.send(f"data: {event}\n\n".encode())
    await exchange.finish()


async def grpc_echo(exchange: Exchange) -> None:
    """Send each gRPC message back as soon as it is complete, also while the client goes on sending."""
    await exchange.respond(200, [(b"content-type", b"application/grpc")])
    held = bytearray()
    status = b"0"
    while status == b"0" and (data := await exchange.receive()):
        held += data
        # gRPC over HTTP/2: one byte of flags, four of length, the message.
        while len(held) >= 5 and status == b"0":
            size = 5 + int.from_bytes(held[1:5], "big")
            if size > MAX_FRAME:
                status = b"8"  # RESOURCE_EXHAUSTED
            elif len(held) < size:
                break
            else:
                await exchange.send(bytes(held[:size]))
                del held[:size]
    if held and status == b"0":
        status = b"13"  # INTERNAL: the body ended inside a message
    await exchange.finish([(b"grpc-status", status)])
