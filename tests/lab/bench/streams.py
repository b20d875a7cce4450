"""HTTP/2 of the bench, by the h2 library: a client that keeps some calls open at once, and the upstream that answers."""

from __future__ import annotations

import itertools
import ssl
import time
from collections.abc import Iterable

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from .messages import BODY, request_fields, response_fields
from .workload import HOST, Call

AT_ONCE = 8
"""Calls that one client has open at once."""
_OF_HTTP1 = (b"host", b"connection")


def _configured(*, client: bool) -> h2.connection.H2Connection:
    return h2.connection.H2Connection(
        h2.config.H2Configuration(
            client_side=client,
            header_encoding=None,
            validate_inbound_headers=False,
            validate_outbound_headers=False,
            normalize_inbound_headers=False,
            normalize_outbound_headers=False,
        )
    )


def fields_of(call: Call) -> list[tuple[bytes, bytes]]:
    """The head of a request."""
    return [
        (b":method", call.method.encode()),
        (b":scheme", b"https"),
        (b":authority", HOST.encode()),
        (b":path", call.path.encode()),
        *[(name.lower(), value) for name, value in request_fields(call) if name.lower() not in _OF_HTTP1],
    ]


class StreamClient:
    """One connection with ``AT_ONCE`` calls. ``done``, ``wrong``: answers; ``delays``: seconds of each."""

    def __init__(self, connection: ssl.SSLSocket, calls: Iterable[Call], denied_status: int) -> None:
        self._socket = connection
        self._denied = denied_status
        self._next = itertools.cycle([(fields_of(call), call.allowed) for call in calls])
        self._open: dict[int, tuple[bool, float]] = {}
        self._status: dict[int, int] = {}
        self._size: dict[int, int] = {}
        self.done = self.wrong = 0
        self.delays: list[float] = []
        self._protocol = _configured(client=True)
        self._protocol.initiate_connection()

    def keep(self, until: float) -> None:
        """Calls until a moment. Raises OSError where the connection ends before."""
        while self._open or time.perf_counter() < until:
            while len(self._open) < AT_ONCE and time.perf_counter() < until:
                fields, allowed = next(self._next)
                number = self._protocol.get_next_available_stream_id()
                self._protocol.send_headers(number, fields, end_stream=True)
                self._open[number] = allowed, time.perf_counter()
            self._exchange()

    def warm_up(self, amount: int) -> None:
        """So many calls, and a few more."""
        done = self.done
        while self.done < done + amount:
            self.keep(time.perf_counter() + 0.01)

    def reset(self) -> None:
        """Forget what was counted."""
        self.done = self.wrong = 0
        self.delays = []

    def _exchange(self) -> None:
        if sent := self._protocol.data_to_send():
            self._socket.sendall(sent)
        if not self._open:
            return
        received = self._socket.recv(65536)
        if not received:
            raise ConnectionResetError("the connection ended")
        for event in self._protocol.receive_data(received):
            number = getattr(event, "stream_id", 0) or 0
            if isinstance(event, h2.events.ResponseReceived):
                self._status[number] = int(dict(event.headers or [])[b":status"])
            elif isinstance(event, h2.events.DataReceived):
                self._size[number] = self._size.get(number, 0) + len(event.data or b"")
                self._protocol.acknowledge_received_data(event.flow_controlled_length or 0, number)
            elif isinstance(event, h2.events.StreamEnded):
                self._end(number)
            elif isinstance(event, h2.events.StreamReset | h2.events.ConnectionTerminated):
                raise ConnectionResetError("a call was given up")

    def _end(self, number: int) -> None:
        allowed, started = self._open.pop(number)
        status, size = self._status.pop(number, 0), self._size.pop(number, 0)
        is_answered = (status, size) == (200, len(BODY))
        self.wrong += not (is_answered if allowed or self._denied == 200 else status == self._denied)
        self.done += 1
        self.delays.append(time.perf_counter() - started)


def answer_streams(connection: ssl.SSLSocket) -> None:
    """Answer every request on a connection with the usual body. Raises OSError at its end."""
    protocol = _configured(client=False)
    protocol.initiate_connection()
    answer = [(b":status", b"200"), *response_fields(len(BODY))]
    while True:
        if sent := protocol.data_to_send():
            connection.sendall(sent)
        received = connection.recv(65536)
        if not received:
            return
        for event in protocol.receive_data(received):
            if isinstance(event, h2.events.DataReceived):
                protocol.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id or 0)
            elif isinstance(event, h2.events.StreamEnded) and event.stream_id:
                protocol.send_headers(event.stream_id, answer)
                protocol.send_data(event.stream_id, BODY, end_stream=True)
