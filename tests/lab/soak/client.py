"""A client of the soak: HTTP/1.1 in TLS in a tunnel, with no kindness of a library that would retry or hide a fault."""

from __future__ import annotations

import asyncio
import re
import ssl
from typing import NamedTuple, Self

from .call import Call

CALL_S = 20.0
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_REASON = re.compile(rb"\r\nx-brickscope-reason: *(\w+)", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
CHUNK = b"\x5a" * (1 << 16)

FAULTS = (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError, ValueError)
"""What a call through a network can end with, for whatever reason."""


class Answer(NamedTuple):
    """What came back. ``reason``: of a denial, empty for all else."""

    status: int
    reason: str
    closes: bool


def read_answer(head: bytes) -> Answer:
    """What the head of an answer says. Raises ValueError if it is none."""
    reason = _REASON.search(head)
    return Answer(
        int(head.split(b" ", 2)[1]), reason[1].decode() if reason else "", _CLOSE.search(head) is not None
    )


class Tunnel:
    """One connection through the proxy to a host."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, port: int, host: str, trust: ssl.SSLContext) -> Self:
        """Open it. Raises one of FAULTS."""
        async with asyncio.timeout(CALL_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 17)
            try:
                writer.write(f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n".encode())
                head = await reader.readuntil(b"\r\n\r\n")
                if b" 200 " not in head[:20]:
                    raise ValueError(f"the proxy answered {head[:40]!r}")
                await writer.start_tls(trust, server_hostname=host)
            except BaseException:
                writer.close()
                raise
        return cls(reader, writer)

    async def call(self, call: Call) -> Answer:
        """Send a call and read its answer to the end. Raises one of FAULTS."""
        async with asyncio.timeout(CALL_S):
            self.writer.write(call.head)
            left = call.kind.body
            while left:
                part = min(left, len(CHUNK))
                self.writer.write(CHUNK[:part])
                left -= part
            await self.writer.drain()
            head = await self.reader.readuntil(b"\r\n\r\n")
            answer = read_answer(head)
            length = _LENGTH.search(head)
            if b"chunked" in head:
                while int((await self.reader.readuntil(b"\r\n"))[:-2], 16):
                    await self.reader.readuntil(b"\r\n")
                await self.reader.readuntil(b"\r\n")
            elif length is not None and answer.status == 200:
                left = int(length[1])
                while left:
                    part = len(await self.reader.read(min(left, len(CHUNK))))
                    if not part:
                        raise asyncio.IncompleteReadError(b"", left)
                    left -= part
            elif length is not None:
                await self.reader.readexactly(int(length[1]))
        return answer

    def close(self) -> None:
        """Close it, without waiting."""
        self.writer.close()

    def abort(self) -> None:
        """Break it off."""
        self.writer.transport.abort()
