"""HTTP/2 on one connection, by h2: every stream is served by a task of its own.

Header validation is off: what a proxy let through is to be recorded, not refused. Flow control is real in both
directions, so a stream that nobody reads holds at most a window of bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

from .answers import answer
from .evidence import ConnectionLog, Evidence, Headers, RequestLog
from .exchange import HANG_UP, Exchange, Fields, has_no_body
from .issuer import TokenIssuer
from .route import Route

READ = 64 * 1024
WINDOW = 1024 * 1024


class Http2Connection:
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
        self._streams: dict[int, Http2Exchange] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.window_opened = asyncio.Event()
        self.protocol = h2.connection.H2Connection(
            h2.config.H2Configuration(
                client_side=False,
                header_encoding=None,
                validate_inbound_headers=False,
                normalize_inbound_headers=False,
            )
        )

    async def run(self) -> None:
        """Serve until either side ends the connection."""
        try:
            self.protocol.initiate_connection()
            self.protocol.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: WINDOW})
            self.protocol.increment_flow_control_window(WINDOW)
            await self.flush()
            while data := await self._reader.read(READ):
                self._log.feed(data)
                for event in self.protocol.receive_data(data):
                    self._on_event(event)
                await self.flush()
        except HANG_UP as error:
            self._log.failed(f"{type(error).__name__}: {error}")
            with contextlib.suppress(*HANG_UP):
                await self.flush()  # h2 has left a GOAWAY
        finally:
            for stream in self._streams.values():
                stream.lost()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _on_event(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.RequestReceived():
                self._open(event)
            case h2.events.DataReceived() if event.stream_id in self._streams:
                self._streams[event.stream_id].incoming.put_nowait((event.data, event.flow_controlled_length))
            case h2.events.TrailersReceived() if event.stream_id in self._streams:
                self._streams[event.stream_id].trailers = _pairs(event.headers)
            case h2.events.StreamEnded() if event.stream_id in self._streams:
                self._streams[event.stream_id].incoming.put_nowait(None)
            case h2.events.StreamReset() if event.stream_id in self._streams:
                self._streams[event.stream_id].lost()
                self.window_opened.set()
            case h2.events.WindowUpdated() | h2.events.RemoteSettingsChanged():
                self.window_opened.set()
            case _:
                pass

    def _open(self, event: h2.events.RequestReceived) -> None:
        headers = _pairs(event.headers)
        pseudo = dict(reversed(headers))  # the first of a name is the one that counts here
        request = RequestLog(
            self._evidence.lock,
            self._log.number,
            "2",
            pseudo.get(b":method", b""),
            pseudo.get(b":path", b""),
            headers,
        )
        self._evidence.add_request(request)
        assert event.stream_id is not None
        stream = Http2Exchange(request, self, event.stream_id)
        self._streams[event.stream_id] = stream
        task = asyncio.get_running_loop().create_task(self._serve(stream))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, stream: Http2Exchange) -> None:
        try:
            await answer(stream, self._routes)
            while await stream.receive():
                pass
        except HANG_UP as error:
            self._log.failed(f"stream {stream.number}: {type(error).__name__}: {error}")
        finally:
            self._streams.pop(stream.number, None)

    async def flush(self) -> None:
        """Send what h2 has ready."""
        data = self.protocol.data_to_send()
        if data:
            self.writer.write(data)
            await self.writer.drain()


class Http2Exchange(Exchange):
    """A request and its response on one stream."""

    def __init__(self, request: RequestLog, connection: Http2Connection, number: int) -> None:
        super().__init__(request, connection.issuer)
        self.number = number
        self.incoming: asyncio.Queue[tuple[bytes, int] | None] = asyncio.Queue()
        self.trailers: Headers = ()
        self._connection = connection
        self._lost = False
        self._silent = False
        self._expects_continue = self.header(b"expect") == b"100-continue"

    def lost(self) -> None:
        """The client reset the stream or the connection is gone: whoever waits for the body wakes up."""
        self._lost = True
        self.incoming.put_nowait(None)

    async def _receive(self) -> tuple[bytes, Headers | None]:
        if self._expects_continue and not self.has_responded:
            self._expects_continue = False
            self._connection.protocol.send_headers(self.number, [(b":status", b"100")])
            await self._connection.flush()
        while (item := await self.incoming.get()) is not None:
            data, credit = item
            with contextlib.suppress(h2.exceptions.StreamClosedError):
                self._connection.protocol.acknowledge_received_data(credit, self.number)
            await self._connection.flush()
            if data:
                return data, None
        if self._lost:
            raise ConnectionResetError("the client left before its request was complete")
        return b"", self.trailers

    async def _respond(self, status: int, headers: Fields) -> None:
        self._silent = has_no_body(self.request.method, status)
        self._connection.protocol.send_headers(
            self.number, [(b":status", str(status).encode()), *headers], end_stream=False
        )
        await self._connection.flush()

    async def send(self, data: bytes) -> None:
        """A part of the body; nothing where the answer has none."""
        protocol = self._connection.protocol
        left = memoryview(b"" if self._silent else data)
        while left:
            if self._lost:
                raise ConnectionResetError("the client reset the stream")
            size = min(
                len(left), protocol.local_flow_control_window(self.number), protocol.max_outbound_frame_size
            )
            if size <= 0:
                self._connection.window_opened.clear()
                await self._connection.window_opened.wait()
                continue
            protocol.send_data(self.number, bytes(left[:size]))
            left = left[size:]
            await self._connection.flush()

    async def finish(self, trailers: Fields = ()) -> None:
        """End the answer."""
        if trailers:
            self._connection.protocol.send_headers(self.number, list(trailers), end_stream=True)
        else:
            self._connection.protocol.end_stream(self.number)
        await self._connection.flush()

    async def break_off(self) -> None:
        """Break the connection amid the answer."""
        # RFC 9113, 4.1: length 64, type HEADERS, END_HEADERS; of the promised 64 bytes one comes (":status: 200").
        self._connection.writer.write(b"\0\0\x40\x01\x04" + self.number.to_bytes(4, "big") + b"\x88")
        await self._connection.writer.drain()
        self._connection.writer.close()
        self.lost()


def _pairs(headers: object) -> Headers:
    """Headers of an h2 event as plain pairs (h2 hands out a subclass of tuple that carries a flag)."""
    assert isinstance(headers, list)
    return tuple((bytes(name), bytes(value)) for name, value in headers)
