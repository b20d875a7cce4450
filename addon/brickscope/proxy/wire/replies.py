"""What the host says on a stream: heads, bodies and trailers of answers, and resets.

Rules: an answer is passed on as it came, but for what ``fields.py`` takes out; one that is not regular is reset and never
ended, so that no part of it passes for the whole; a reset goes to the client with its code.
"""

from __future__ import annotations

from h2.events import (
    DataReceived,
    InformationalResponseReceived,
    ResponseReceived,
    StreamReset,
    TrailersReceived,
)

from .answer import MAX_INTERIMS
from .calls import Calls
from .events import Answered, Fault
from .exchange import Step
from .fields import read_answer, read_trailers
from .framing import Broken
from .glitches import DATA, HEAD
from .peer import Peer
from .streams import Stream

Said = ResponseReceived | InformationalResponseReceived | DataReceived | TrailersReceived | StreamReset


class Replies:
    """The answers on all streams of one connection."""

    __slots__ = ("_calls",)

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def hear(self, host: Peer, said: Said) -> None:
        """The host said something on a stream."""
        stream = self._calls.by_host.get(said.stream_id or 0)
        if isinstance(said, DataReceived):
            host.acknowledge_padding(said)
            if stream is None:
                host.acknowledge(len(said.data or b""), said.stream_id or 0)
        if stream is None:
            return
        try:
            self._hear(host, stream, said)
        except Broken as error:
            self._calls.fail(stream, Fault.HOST_BROKE, str(error))

    def _hear(self, host: Peer, stream: Stream, said: Said) -> None:
        """Raises Broken."""
        if isinstance(said, DataReceived):
            self._pass_on(host, stream, said.data or b"", ended=said.stream_ended is not None)
        elif isinstance(said, TrailersReceived):
            stream.tell.end(read_trailers(said.headers or []) or None)
            self._calls.pump(stream)
        elif isinstance(said, StreamReset):
            self._reset(stream, int(said.error_code or 0))
        elif isinstance(said, InformationalResponseReceived):
            stream.interims += 1
            stream.hear(Step.INTERIM)
            if stream.interims > MAX_INTERIMS:
                raise Broken("too many interim answers")
            _, fields, _ = read_answer(said.headers or [], to_head=False, ended=False)
            self._calls.client.send_head(stream.number, fields, ended=False)
        else:
            host.glitches.earn(HEAD)
            self._begin(stream, said)

    def _begin(self, stream: Stream, said: ResponseReceived) -> None:
        ended = said.stream_ended is not None
        status, fields, stream.may_have_body = read_answer(
            said.headers or [], to_head=stream.head.is_head, ended=ended
        )
        stream.hear(Step.HEAD)
        stream.status, stream.reply, stream.passed = status, stream.tell.body, True
        self._calls.events.append(Answered(stream))
        self._calls.client.send_head(stream.number, fields, ended=ended)
        if ended:
            stream.tell.ended = stream.tell.finished = True
            self._calls.settle(stream)

    def _pass_on(self, host: Peer, stream: Stream, data: bytes, *, ended: bool) -> None:
        if data:
            host.glitches.earn(DATA)
            if not stream.may_have_body:
                host.acknowledge(len(data), stream.host or 0)
                raise Broken("an answer without a body has one")
        stream.tell.put(data, ended=ended)
        self._calls.pump(stream)

    def _reset(self, stream: Stream, code: int) -> None:
        calls = self._calls
        calls.leave_host(stream)
        if stream.tell.ended:
            # It has answered, and is not interested in the rest of the request.
            stream.stopped = code
            calls.settle(stream)
        else:
            calls.fail(stream, Fault.HOST_LEFT, f"it reset the stream with code {code}", code)
