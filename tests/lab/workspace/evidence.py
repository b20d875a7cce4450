"""Ground truth: what really reached the server. A test that says "nothing leaked" reads it here.

The server's thread writes (``ConnectionLog``, ``RequestLog``), a test's thread reads copies (``Connection``,
``Request``). One lock guards both, so a copy is never half of an update. Memory is bounded: of a body remain its
length, its hash and its first bytes, however long it was.
"""

from __future__ import annotations

import hashlib
import threading
from typing import NamedTuple

Headers = tuple[tuple[bytes, bytes], ...]

MAX_RAW = 256 * 1024
"""Most bytes kept of what a connection received."""
MAX_BODY = 64 * 1024
"""Most bytes kept of a request's body."""


class Connection(NamedTuple):
    """A TCP connection that was accepted, whether or not its TLS or HTTP then worked.

    ``sni`` and ``alpn``: None if the client named none. ``raw``: the first bytes received inside TLS; ``received``:
    how many there were in all. ``error``: what went wrong on it, None while nothing did.
    """

    number: int
    sni: str | None
    alpn: str | None
    raw: bytes
    received: int
    open: bool
    error: str | None


class Request(NamedTuple):
    """A request that the server could parse, recorded as soon as its head was there.

    ``headers``: in order, names spelt as on the wire; over HTTP/2 with the pseudo-headers. ``complete``: the body
    came to its end. ``version``: ``1.0``, ``1.1`` or ``2``.
    """

    connection: int
    version: str
    method: bytes
    target: bytes
    headers: Headers
    trailers: Headers
    body: bytes
    body_length: int
    body_sha256: str
    complete: bool

    @property
    def path(self) -> bytes:
        """The target without its query."""
        return self.target.partition(b"?")[0]

    def values(self, name: bytes) -> list[bytes]:
        """All values of a header, whatever its case."""
        return [value for key, value in self.headers if key.lower() == name.lower()]


class Evidence:
    """All that a server recorded."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._connections: list[ConnectionLog] = []
        self._requests: list[RequestLog] = []
        self._accepted = 0

    def add_connection(self) -> ConnectionLog:
        """Record that a connection was accepted."""
        with self.lock:
            self._accepted += 1
            log = ConnectionLog(self.lock, self._accepted)
            self._connections.append(log)
        return log

    def add_request(self, log: RequestLog) -> None:
        """Record a request, its body still to come."""
        with self.lock:
            self._requests.append(log)

    def connections(self) -> list[Connection]:
        """Copies of the records of connections, oldest first."""
        with self.lock:
            return [log.copy() for log in self._connections]

    def requests(self) -> list[Request]:
        """Copies of the records of requests, oldest first."""
        with self.lock:
            return [log.copy() for log in self._requests]

    def clear(self) -> None:
        """Forget all requests, all closed connections, and what open connections received so far."""
        with self.lock:
            self._requests.clear()
            self._connections = [log for log in self._connections if log.open]
            for log in self._connections:
                log.raw.clear()
                log.received = 0


class ConnectionLog:
    """A connection as it is being recorded."""

    def __init__(self, lock: threading.Lock, number: int) -> None:
        self._lock = lock
        self.number = number
        self.sni: str | None = None
        self.alpn: str | None = None
        self.raw = bytearray()
        self.received = 0
        self.open = True
        self.error: str | None = None

    def established(self, sni: str | None, alpn: str | None) -> None:
        """TLS is up."""
        with self._lock:
            self.sni, self.alpn = sni, alpn

    def feed(self, data: bytes) -> None:
        """Bytes came in."""
        with self._lock:
            self.raw += data[: MAX_RAW - len(self.raw)]
            self.received += len(data)

    def failed(self, error: str) -> None:
        """Something went wrong; the first such thing is kept."""
        with self._lock:
            self.error = self.error or error

    def closed(self) -> None:
        """The connection is over."""
        with self._lock:
            self.open = False

    def copy(self) -> Connection:
        """The record as it stands. The caller holds the lock."""
        return Connection(
            self.number, self.sni, self.alpn, bytes(self.raw), self.received, self.open, self.error
        )


class RequestLog:
    """A request as it is being recorded; the head never changes."""

    def __init__(
        self,
        lock: threading.Lock,
        connection: int,
        version: str,
        method: bytes,
        target: bytes,
        headers: Headers,
    ) -> None:
        self._lock = lock
        self.connection = connection
        self.version = version
        self.method = method
        self.target = target
        self.headers = headers
        self._trailers: Headers = ()
        self._body = bytearray()
        self._length = 0
        self._hash = hashlib.sha256()
        self._complete = False

    def feed(self, data: bytes) -> None:
        """A piece of the body came in."""
        with self._lock:
            self._body += data[: MAX_BODY - len(self._body)]
            self._length += len(data)
            self._hash.update(data)

    def finish(self, trailers: Headers) -> None:
        """The body is at its end."""
        with self._lock:
            self._trailers, self._complete = trailers, True

    def copy(self) -> Request:
        """The record as it stands. The caller holds the lock."""
        return Request(
            self.connection,
            self.version,
            self.method,
            self.target,
            self.headers,
            self._trailers,
            bytes(self._body),
            self._length,
            self._hash.hexdigest(),
            self._complete,
        )
