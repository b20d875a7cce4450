"""HTTP/1.1 on one connection, by h11: requests one after the other, kept alive."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import h11

from .answers import answer
from .evidence import ConnectionLog, Evidence, Headers, RequestLog
from .exchange import HANG_UP, Exchange, Fields, has_no_body
from .issuer import TokenIssuer
from .route import Route

READ = 64 * 1024
MAX_HEAD = 1024 * 1024


class Http1Connection:
    """One connection. ``run`` returns when it is over; the caller closes the streams."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        log: ConnectionLog,
        evidence: Evidence,
        issuer: TokenIssuer,
        routes: Sequence[Route] = (),
    ) -> None:
        self._reader = reader
        self.writer = writer
        self._log = log
        self._evidence = evidence
        self.issuer = issuer
        self._routes = routes
        self.protocol = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)

    async def run(self) -> None:
        """Serve until either side ends the connection."""
        try:
            while await self._serve_one():
                self.protocol.start_next_cycle()
        except HANG_UP as error:
            self._log.failed(f"{type(error).__name__}: {error}")
            await self._complain(error)

    async def _serve_one(self) -> bool:
        """Serve a request. Returns whether another may follow."""
        event = await self.next_event()
        if not isinstance(event, h11.Request):
            return False
        headers = tuple((bytes(name), bytes(value)) for name, value in event.headers.raw_items())
        version = event.http_version.decode()
        request = RequestLog(
            self._evidence.lock, self._log.number, version, bytes(event.method), bytes(event.target), headers
        )
        self._evidence.add_request(request)
        exchange = Http1Exchange(request, self)
        await answer(exchange, self._routes)
        while await exchange.receive():
            pass
        return self.protocol.our_state is h11.DONE and self.protocol.their_state is h11.DONE

    async def next_event(self) -> h11.Event | type[h11.PAUSED]:
        """The next event of the client."""
        while True:
            event = self.protocol.next_event()
            if event is not h11.NEED_DATA:
                assert not isinstance(event, type) or event is h11.PAUSED
                return event
            if self.protocol.they_are_waiting_for_100_continue:
                await self.send(h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue"))
            data = await self._reader.read(READ)
            self._log.feed(data)
            self.protocol.receive_data(data)

    async def send(self, event: h11.Event) -> None:
        """Send an event at once."""
        data = self.protocol.send(event)
        if data:
            self.writer.write(data)
            await self.writer.drain()

    async def _complain(self, error: Exception) -> None:
        """Tell the client what was wrong with its request, if there is still a way to."""
        if not isinstance(error, h11.RemoteProtocolError) or self.protocol.our_state not in (
            h11.IDLE,
            h11.SEND_RESPONSE,
        ):
            return
        body = f"fake workspace: {error}\n".encode()
        headers = [
            ("content-length", str(len(body))),
            ("connection", "close"),
            ("content-type", "text/plain"),
        ]
        try:
            await self.send(h11.Response(status_code=error.error_status_hint, headers=headers))
            await self.send(h11.Data(data=body))
            await self.send(h11.EndOfMessage())
        except HANG_UP:
            return


class Http1Exchange(Exchange):
    """A request and its response over HTTP/1.1."""

    def __init__(self, request: RequestLog, connection: Http1Connection) -> None:
        super().__init__(request, connection.issuer)
        self._connection = connection
        self._silent = False
        self._broken = False

    async def _receive(self) -> tuple[bytes, Headers | None]:
        if self._broken:
            raise ConnectionResetError("the fake workspace broke the connection off")
        event = await self._connection.next_event()
        if isinstance(event, h11.Data):
            return bytes(event.data), None
        if isinstance(event, h11.EndOfMessage):
            return b"", tuple((bytes(name), bytes(value)) for name, value in event.headers.raw_items())
        raise ConnectionResetError("the client left before its request was complete")

    async def _respond(self, status: int, headers: Fields) -> None:
        self._silent = has_no_body(self.request.method, status)
        await self._connection.send(h11.Response(status_code=status, headers=list(headers)))

    async def send(self, data: bytes) -> None:
        """A part of the body; nothing where the answer has none."""
        if data and not self._silent:
            await self._connection.send(h11.Data(data=data))

    async def finish(self, trailers: Fields = ()) -> None:
        """End the answer."""
        await self._connection.send(h11.EndOfMessage(headers=list(trailers)))

    async def break_off(self) -> None:
        """Break the connection amid the answer."""
        self._broken = True
        self._connection.writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-len")
        await self._connection.writer.drain()
