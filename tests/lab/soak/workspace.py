"""The workspace of the soak: it writes down each request that reaches it, before it answers.

That file is the truth that decisions and log are held against. The process can be killed, frozen and started again on the
same port; the file goes on. Run as ``python -m lab.soak.workspace CERTIFICATE KEY PORT LEDGER``; it prints its port
and serves until its input ends.

What the last part of a path begins with says how it is answered: ``hang-`` never, ``reset-`` half an answer and then a
reset, ``big-`` 4 MiB, ``events-`` five server-sent events; all else at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
import ssl
import struct
import sys

BIG = 4 << 20
CHUNK = b"\xa5" * (1 << 16)
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
HANDSHAKE_S = 20.0


class Workspace:
    """The server. ``ledger``: a file descriptor; each request's line goes there."""

    def __init__(self, ledger: int) -> None:
        self._ledger = ledger

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                method, target, _ = head.split(b"\r\n", 1)[0].split(b" ")
                os.write(self._ledger, b"%b %b\n" % (method, target))
                length = _LENGTH.search(head)
                left = int(length[1]) if length else 0
                while left:
                    part = await reader.read(min(left, len(CHUNK)))
                    if not part:
                        return
                    left -= len(part)
                await self._answer(target, writer)
        except (OSError, asyncio.IncompleteReadError, ValueError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    async def _answer(self, target: bytes, writer: asyncio.StreamWriter) -> None:
        kind = target.rpartition(b"/")[2].partition(b"-")[0]
        if kind == b"hang":
            await asyncio.sleep(3600)
        elif kind == b"reset":
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nhalf of")
            await writer.drain()
            plain: socket.socket = writer.get_extra_info("socket")
            # On close, a reset in place of an orderly end (socket(7), SO_LINGER).
            with contextlib.suppress(OSError):
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            raise OSError("reset on purpose")
        elif kind == b"big":
            writer.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ncontent-length: %d\r\n\r\n"
                % BIG
            )
            for _ in range(BIG // len(CHUNK)):
                writer.write(CHUNK)
                await writer.drain()
        elif kind == b"events":
            writer.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
            )
            for _ in range(5):
                writer.write(b"b\r\ndata: tick\n\r\n")
                await writer.drain()
                await asyncio.sleep(0.1)
            writer.write(b"0\r\n\r\n")
        else:
            body = b'{"answered":"%b"}' % target
            writer.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
                % (len(body), body)
            )
        await writer.drain()


async def run(certificate: str, key: str, port: int, ledger: str) -> None:
    """Serve until standard input ends."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["http/1.1"])
    workspace = Workspace(os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600))
    server = await asyncio.start_server(
        workspace.serve,
        "127.0.0.1",
        port,
        ssl=context,
        ssl_handshake_timeout=HANDSHAKE_S,
        reuse_address=True,
        backlog=512,
    )
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]))
