"""HTTP/1.1 over a blocking TLS socket, as little of it as client and server of the bench need."""

from __future__ import annotations

import re
import socket
import ssl

BUFFER = 1 << 18

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)


class StreamEnded(Exception):
    """The other side closed the connection."""


class Stream:
    """Bytes of one connection, read by heads and bodies."""

    def __init__(self, connection: ssl.SSLSocket) -> None:
        self._socket = connection
        self._held = b""
        self._buffer = memoryview(bytearray(BUFFER))

    @property
    def socket(self) -> ssl.SSLSocket:
        """The connection itself."""
        return self._socket

    def send(self, data: bytes | memoryview) -> None:
        """Send all of it."""
        self._socket.sendall(data)

    def _receive(self) -> bytes:
        data = self._socket.recv(65536)
        if not data:
            raise StreamEnded
        return data

    def read_head(self) -> bytes:
        """A head with its empty line. Raises StreamEnded."""
        held = self._held
        while (end := held.find(b"\r\n\r\n")) < 0:
            held += self._receive()
        self._held = held[end + 4 :]
        return held[: end + 4]

    def read(self, size: int) -> bytes:
        """So many bytes. Raises StreamEnded."""
        held = self._held
        while len(held) < size:
            held += self._receive()
        self._held = held[size:]
        return held[:size]

    def drop(self, size: int) -> None:
        """Read so many bytes and forget them. Raises StreamEnded."""
        taken = min(size, len(self._held))
        self._held = self._held[taken:]
        size -= taken
        while size:
            count = self._socket.recv_into(self._buffer, min(size, BUFFER))
            if not count:
                raise StreamEnded
            size -= count

    def read_chunk(self) -> bytes:
        """The next chunk of a chunked body; empty at its end. Raises StreamEnded."""
        while (end := self._held.find(b"\r\n")) < 0:
            self._held += self._receive()
        size = int(self._held[:end], 16)
        self._held = self._held[end + 2 :]
        return self.read(size + 2)[:-2]

    def close(self) -> None:
        """Close the connection, without ceremony."""
        self._socket.close()


class Head:
    """What a response's head says."""

    __slots__ = ("chunked", "closes", "length", "status")

    def __init__(self, head: bytes) -> None:
        found = _LENGTH.search(head)
        self.status = int(head[9:12])
        self.length = int(found[1]) if found else None
        self.chunked = _CHUNKED.search(head) is not None
        self.closes = _CLOSE.search(head) is not None


def open_stream(
    host: str,
    port: int,
    context: ssl.SSLContext,
    proxy_port: int | None,
    patience: float = 120,
    named_port: int = 443,
) -> Stream:
    """Connect on loopback: through a proxy's tunnel, or straight to ``port``. Raises OSError or StreamEnded.

    ``named_port``: the one that the tunnel is asked for. ``patience``: seconds without a byte after which every wait ends
    with TimeoutError.
    """
    plain = socket.create_connection(("127.0.0.1", proxy_port or port), timeout=patience)
    try:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if proxy_port is not None:
            plain.sendall(
                f"CONNECT {host}:{named_port} HTTP/1.1\r\nHost: {host}:{named_port}\r\n\r\n".encode()
            )
            answer = b""
            while not answer.endswith(b"\r\n\r\n"):
                data = plain.recv(4096)
                if not data:
                    raise StreamEnded
                answer += data
            if not answer.startswith(b"HTTP/1.1 200"):
                raise OSError(f"the proxy refused the tunnel: {answer[:40]!r}")
        return Stream(context.wrap_socket(plain, server_hostname=host))
    except BaseException:
        plain.close()
        raise
