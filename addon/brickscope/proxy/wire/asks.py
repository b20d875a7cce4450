"""What the client says on a stream: requests and their bodies, until they are on their way to the host.

Rules: a body that is kept is bounded by a window, and one that is held back to be judged by its limit; what is denied is
read on and dropped for a moment; a request has no headers after its body; a stream that is given up before its answer costs.
"""

from __future__ import annotations

from h2.errors import ErrorCodes
from h2.events import DataReceived, RequestReceived, StreamReset, TrailersReceived

from brickscope.core.decision import Refused
from brickscope.core.reason import Reason

from .calls import Calls
from .events import Denied, Fault, Hold, Judge, too_large
from .exchange import Asking, Step
from .fields import read_request
from .glitches import DATA, HEAD, RESET
from .head import Door
from .peer import MAX_STREAMS
from .streams import DROPPED, Stream


class Asks:
    """The requests on all streams of one connection."""

    __slots__ = ("_calls", "_door")

    def __init__(self, calls: Calls, door: Door) -> None:
        self._calls = calls
        self._door = door

    def open(self, request: RequestReceived, *, last: bool) -> None:
        """It opened a stream. ``last``: no more are served."""
        number, client = request.stream_id or 0, self._calls.client
        if last or len(self._calls.by_client) >= MAX_STREAMS:
            client.reset(number, ErrorCodes.REFUSED_STREAM)
            client.glitches.spend(0 if last else RESET)
            return
        client.glitches.earn(HEAD)
        ended = request.stream_ended is not None
        head, refused = read_request(self._door, request.headers or [], ended=ended)
        stream = Stream(number, head, client)
        stream.ask.ended = ended
        stream.malformed = refused is not None
        self._calls.add(stream)
        self._calls.events.append(Judge(stream, head, None, refused))

    def take_body(self, received: DataReceived) -> None:
        """It sent bytes of a body."""
        client, data = self._calls.client, received.data or b""
        stream = self._calls.by_client.get(received.stream_id or 0)
        client.acknowledge_padding(received)
        if stream is None:
            client.acknowledge(len(data), received.stream_id or 0)
            return
        if data:
            client.glitches.earn(DATA)
        stream.pieces += 1
        ended = received.stream_ended is not None
        if stream.asking in (Asking.JUDGED, Asking.SENDING):
            stream.ask.put(data, ended=ended)
            if stream.is_dust:
                self._calls.fail(stream, Fault.CLIENT_BROKE, "the frames are too many and too small")
            elif stream.asking is Asking.SENDING:
                self._calls.pump(stream)
            return
        client.acknowledge(len(data), stream.number)
        stream.ask.moved += 1
        stream.ask.ended = ended
        if stream.asking is Asking.HELD:
            self._hold_on(stream, data)
        else:
            self._drop(stream, data)

    def _drop(self, stream: Stream, data: bytes) -> None:
        stream.ask.body.size += len(data)
        if stream.tell.finished and stream.ask.body.size > DROPPED and not stream.ask.ended:
            self._calls.client.reset(stream.number, ErrorCodes.NO_ERROR)
            self._calls.forget(stream)
        else:
            self._calls.settle(stream)

    def _hold_on(self, stream: Stream, data: bytes) -> None:
        assert stream.held is not None
        stream.held += data
        if len(stream.held) > stream.limit:
            self._judge_held(stream, unread=too_large(stream.limit))
        elif stream.ask.ended:
            self._judge_held(stream, stream.content)

    def _judge_held(
        self,
        stream: Stream,
        content: bytes | None = None,
        refused: Refused | None = None,
        unread: Refused | None = None,
    ) -> None:
        stream.say(Step.HELD)
        self._calls.events.append(Judge(stream, stream.head, content, refused, unread))

    def give_up_holding(self, stream: Stream, unread: Refused) -> None:
        """Do not wait for the rest of a body that is held back: decide without it."""
        if stream.asking is Asking.HELD:
            self._judge_held(stream, unread=unread)

    def refuse_trailers(self, received: TrailersReceived) -> None:
        """Headers after the body were not there when the call was judged."""
        stream = self._calls.by_client.get(received.stream_id or 0)
        if stream is None:
            return
        stream.ask.ended = stream.trailed = True
        if stream.asking is Asking.HELD:
            self._judge_trailed(stream)
        elif stream.asking is Asking.SENDING:
            self._calls.fail(stream, Fault.CLIENT_BROKE, "headers follow the body")
        elif stream.asking is not Asking.JUDGED:
            self._calls.settle(stream)

    def _judge_trailed(self, stream: Stream) -> None:
        stream.unframed = True
        self._judge_held(stream, refused=Refused(Reason.TRAILERS_REFUSED, "headers follow the body"))

    def reset(self, reset: StreamReset) -> None:
        """It gave a stream up."""
        stream, host = self._calls.by_client.get(reset.stream_id or 0), self._calls.host
        if stream is None:
            return
        code = int(reset.error_code or 0)
        if stream.host is not None and host is not None:
            host.reset(stream.host, code)
        if not stream.tell.finished:
            stream.broke(Fault.CLIENT_LEFT, f"it reset the stream with code {code}")
        self._calls.forget(stream)
        self._calls.client.glitches.spend(RESET if stream.status is None else 0)

    def deny(self, stream: Stream, denied: Denied) -> None:
        """It is not sent; what still comes of it is dropped."""
        stream.say(Step.DENIED)
        stream.hear(Step.OWN)
        stream.held = None
        stream.ask.stop()
        self._calls.answer(stream, denied.answer)

    def hold(self, stream: Stream, hold: Hold) -> None:
        """Its body has to be judged too."""
        stream.say(Step.HOLD if stream.held is None else Step.HELD)
        stream.limit = hold.limit
        stream.held = bytearray()
        if stream.trailed:
            self._judge_trailed(stream)
        elif (hold.announced.length or 0) > hold.limit:
            self._judge_held(stream, unread=too_large(hold.limit))
        else:
            self._hold_on(stream, stream.ask.take())
