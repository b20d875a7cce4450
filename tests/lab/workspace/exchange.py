"""What an answer sees of HTTP: one request and the way to respond, the same over HTTP/1.1 and HTTP/2."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import h2.exceptions
import h11

from .evidence import Headers, RequestLog
from .issuer import TokenIssuer

Fields = Sequence[tuple[bytes, bytes]]

HANG_UP = (OSError, EOFError, h11.ProtocolError, h2.exceptions.ProtocolError)
"""What ends a connection without being a fault of this server."""


class Exchange(ABC):
    """A request and its response. Subclasses speak one version of HTTP; handlers use only this."""

    def __init__(self, request: RequestLog, issuer: TokenIssuer) -> None:
        self.request = request
        self.issuer = issuer
        self.ended = False
        self._responded = False

    # -- what handlers call ------------------------------------------------------------------------------------

    async def receive(self) -> bytes:
        """The next piece of the request's body; empty at its end. Whatever passes here is recorded."""
        if self.ended:
            return b""
        data, trailers = await self._receive()
        if trailers is not None:
            self.ended = True
            self.request.finish(trailers)
        else:
            self.request.feed(data)
        return data

    async def receive_all(self, most: int = 1 << 20) -> bytes:
        """The body, of which at most ``most`` bytes are kept; all of it is read."""
        body = bytearray()
        while data := await self.receive():
            body += data[: most - len(body)]
        return bytes(body)

    async def respond(self, status: int, headers: Fields) -> None:
        """Send the head of the response. Without Content-Length the body is chunked (HTTP/1.1)."""
        self._responded = True
        await self._respond(status, headers)

    @abstractmethod
    async def send(self, data: bytes) -> None:
        """Send a piece of the body at once; it is dropped where the response has none (HEAD, 204, 304)."""

    @abstractmethod
    async def finish(self, trailers: Fields = ()) -> None:
        """End the response."""

    @abstractmethod
    async def break_off(self) -> None:
        """Send half of a response head and close the connection."""

    async def answer(self, status: int, content_type: bytes, body: bytes, headers: Fields = ()) -> None:
        """A whole response of known length."""
        length = [] if status in (204, 304) else [(b"content-length", str(len(body)).encode())]
        await self.respond(status, [(b"content-type", content_type), *length, *headers])
        await self.send(body)
        await self.finish()

    @property
    def has_responded(self) -> bool:
        """Whether the head of the response was sent."""
        return self._responded

    @property
    def path(self) -> bytes:
        """The target without its query."""
        return self.request.target.partition(b"?")[0]

    @property
    def query(self) -> bytes:
        """What follows the first question mark of the target."""
        return self.request.target.partition(b"?")[2]

    def header(self, name: bytes) -> bytes | None:
        """The first value of a header (lower-case name), None if there is none."""
        return next((value for key, value in self.request.headers if key.lower() == name), None)

    # -- what subclasses provide -------------------------------------------------------------------------------

    @abstractmethod
    async def _receive(self) -> tuple[bytes, Headers | None]:
        """A piece of the body (never empty), or nothing and the trailers at its end. Raises on a lost peer."""

    @abstractmethod
    async def _respond(self, status: int, headers: Fields) -> None:
        """Send the head of the response."""


def has_no_body(method: bytes, status: int) -> bool:
    """Whether a response has no body, whatever its headers say (RFC 9110, 6.4.1)."""
    return method == b"HEAD" or status in (204, 304)
