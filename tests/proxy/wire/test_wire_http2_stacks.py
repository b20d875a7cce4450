"""The core between two real HTTP/2 stacks: a hundred streams, of which some are not read."""

from __future__ import annotations

import h2.config
import h2.connection
import h2.events
import h2.settings
import pytest
from http2_line import DOOR, clear

from brickscope.proxy.wire.events import Dial, Event, Judge, ToClient, ToHost
from brickscope.proxy.wire.http2 import Http2
from brickscope.proxy.wire.peer import MAX_STREAMS, STREAM_WINDOW
from http2_by_hand import pseudo

SIZE = 300_000


def stack(*, client: bool) -> h2.connection.H2Connection:
    made = h2.connection.H2Connection(h2.config.H2Configuration(client_side=client, header_encoding=None))
    made.initiate_connection()
    return made


class Between:
    """A client that takes what it gets, and a host that sends ``SIZE`` bytes for each request."""

    def __init__(self) -> None:
        self.core = Http2(DOOR)
        self.client, self.host = stack(client=True), stack(client=False)
        self.sent = {"client": b"", "host": b""}
        self.left: dict[int, int] = {}
        self.got: dict[int, int] = {}
        self.kept = 0
        self.do(self.core.begin())

    def do(self, events: list[Event]) -> None:
        todo = list(events)
        while todo:
            event = todo.pop(0)
            if isinstance(event, ToClient):
                self.sent["client"] += event.data
            elif isinstance(event, ToHost):
                self.sent["host"] += event.data
            elif isinstance(event, Judge):
                todo += self.core.rule(event.exchange, clear(event.head))
            elif isinstance(event, Dial):
                todo += self.core.host_up()

    def spin(self) -> None:
        """Let all sides talk until they are silent."""
        while True:
            asked, answered = self.client.data_to_send(), self.host.data_to_send()
            if asked:
                self.do(self.core.from_client(asked))
            if answered:
                self.do(self.core.from_host(answered))
            self.kept = max(self.kept, sum(each.tell.waiting for each in self.core._calls.by_client.values()))
            to_client, to_host = self.sent.values()
            self.sent = {"client": b"", "host": b""}
            if not (asked or answered or to_client or to_host):
                return
            self.serve(to_host)
            for event in self.client.receive_data(to_client):
                if isinstance(event, h2.events.DataReceived):
                    number, size = event.stream_id or 0, event.flow_controlled_length or 0
                    self.got[number] = self.got.get(number, 0) + len(event.data or b"")
                    self.client.acknowledge_received_data(size, number)

    def serve(self, asked: bytes) -> None:
        for event in self.host.receive_data(asked):
            if isinstance(event, h2.events.RequestReceived):
                self.host.send_headers(event.stream_id or 0, [(b":status", b"200")])
                self.left[event.stream_id or 0] = SIZE
        for number in list(self.left):
            while self.left[number]:
                size = min(self.left[number], self.host.local_flow_control_window(number), 16384)
                if not size:
                    break
                self.host.send_data(number, bytes(size))
                self.left[number] -= size
            else:
                self.host.end_stream(number)
                del self.left[number]


@pytest.mark.parametrize("stalled", [1, 5, 24])
def test_stalled_streams_of_a_hundred_cost_a_window_each_and_the_others_arrive(stalled: int) -> None:
    line = Between()
    line.client.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 0})
    line.client.increment_flow_control_window(2**30)
    line.spin()
    numbers = []
    for place in range(MAX_STREAMS):
        number = line.client.get_next_available_stream_id()
        line.client.send_headers(number, pseudo("/ok"), end_stream=True)
        numbers.append(number)
        if place >= stalled:
            line.client.increment_flow_control_window(2 * SIZE, number)
        line.spin()
    assert line.got == dict.fromkeys(numbers[stalled:], SIZE)
    assert stalled * STREAM_WINDOW <= line.kept <= (stalled + 1) * STREAM_WINDOW
    for number in numbers[:stalled]:
        line.client.increment_flow_control_window(2 * SIZE, number)
        line.spin()
    assert line.got == dict.fromkeys(numbers, SIZE)
