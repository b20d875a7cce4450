"""The hooks on requests: decide at the headers, then stream both ways, then record the outcome."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Collection
from functools import lru_cache

from mitmproxy import http

from brickscope.core.decision import Refused
from brickscope.core.pending import BodyNeeded, NotYetKnown
from brickscope.core.reason import Reason
from brickscope.log.record import decision_fields, printable

from .answer import answer
from .closed import fail_closed
from .denial import Asked, denial
from .gate import BROKE, ENDED, LEFT, Gate, Verdict, wire_request

SMALL_BODY = 64 * 1024
"""Bodies of known size up to this many bytes are passed on whole (cheaper); all others stream."""


class Counter:
    """Counts the bytes of a streamed body while they pass."""

    __slots__ = ("total",)

    def __init__(self) -> None:
        self.total = 0

    def __call__(self, data: bytes) -> bytes:
        self.total += len(data)
        return data


def _refuse_flow(hooks: Requests, flow: http.HTTPFlow, error: Exception) -> None:
    """Without a verdict there is no pass, so the request can't leave; this gives the client words."""
    flow.request.stream = False
    decision = hooks.gate.internal(error)
    decision_id = hooks.gate.writer.new_decision_id()
    flow.response = denial(decision, decision_id, Asked("this", "call", ""), close=True)
    hooks.gate.tally.decided(decision, None)
    hooks.gate.record("decision", {"decision_id": decision_id, **decision_fields(decision)})


def _kill_flow(hooks: Requests, flow: http.HTTPFlow, error: Exception) -> None:
    flow.kill()


def _is_over(hooks: Requests, flow: http.HTTPFlow, error: Exception) -> None:
    """The call is over; the wrapper has reported the failure."""


class Requests:
    """Request hooks over one gate."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate

    @fail_closed(_refuse_flow)
    def requestheaders(self, flow: http.HTTPFlow) -> Awaitable[None] | None:
        """The decision. The one hook that runs before every request leaves, streamed or not."""
        return self._judge(flow)

    @fail_closed(_refuse_flow)
    def request(self, flow: http.HTTPFlow) -> Awaitable[None] | None:
        """The decision on a request whose body was held back."""
        if self.gate.held(flow) is None:
            return None
        return self._judge(flow, flow.request.raw_content or b"")

    def _judge(self, flow: http.HTTPFlow, body: bytes | None = None) -> Awaitable[None] | None:
        try:
            verdict = self._ask(flow, body)
        except NotYetKnown as unknown:
            return self._wait(flow, body, unknown)
        except BodyNeeded as needed:
            self._hold(flow, needed.limit)
        else:
            self._obey(flow, verdict, held=body is not None)
        return None

    def _ask(self, flow: http.HTTPFlow, body: bytes | None, settled: Collection[str] = ()) -> Verdict:
        client, server = flow.client_conn, flow.server_conn.address
        assert server is not None
        refused = None
        if flow.error is not None or flow.is_replay or flow.request.data.scheme != b"https":
            refused = Refused(Reason.MALFORMED_HEAD, "the request's head is malformed")
        wire = wire_request(flow.request, (server[0], server[1]), client, flow.metadata.get(ENDED) is True)
        return self.gate.judge(wire, client.peername[0], refused, body, settled)

    async def _wait(self, flow: http.HTTPFlow, body: bytes | None, unknown: NotYetKnown) -> None:
        """Wait for what a decision needs, and decide. Only this request waits."""
        settled: set[str] = set()
        while True:
            await self.gate.directory.learn(unknown)
            settled.add(unknown.url)
            try:
                verdict = self._ask(flow, body, settled)
            except NotYetKnown as another:
                if another.url in settled:
                    raise
                unknown = another
            except BodyNeeded as needed:
                self._hold(flow, needed.limit)
                return
            else:
                self._obey(flow, verdict, held=body is not None)
                return

    def _hold(self, flow: http.HTTPFlow, limit: int) -> None:
        """Let nothing leave until the body is there; ``stream.py`` refuses one that grows beyond the limit."""
        flow.request.stream = False
        self.gate.hold(flow, min(limit, self.gate.body_limit))

    def _obey(self, flow: http.HTTPFlow, verdict: Verdict, held: bool) -> None:
        self.gate.remember(flow, verdict)
        request = verdict.request
        if not verdict.decision.forwards or request is None:
            answer(flow, verdict)
            return
        if not held and (request.content_length is None or request.content_length > SMALL_BODY):
            flow.request.stream = Counter()
        self.gate.grant(flow, held)

    @fail_closed(_kill_flow)
    def responseheaders(self, flow: http.HTTPFlow) -> None:
        """Stream the server's answer; keep out of it what would lead the client away or speak in our name."""
        response = flow.response
        if response is None or not self.gate.forwards(flow):
            return
        if response.status_code == 101:
            flow.kill()  # whatever protocol it switches to would not be judged
            return
        fields = response.headers.fields
        length = kind = b""
        kept = []
        for field in fields:
            role = _role(field[0])
            if role is not None:
                if role == "misleads":
                    continue
                if role == "length":
                    length = length or field[1]
                else:
                    kind = kind or field[1]
            kept.append(field)
        if len(kept) != len(fields):
            response.headers.fields = tuple(kept)
        small = length.isdigit() and int(length) <= SMALL_BODY
        if not small or kind.startswith(b"text/event-stream"):
            response.stream = Counter()

    @fail_closed(_is_over)
    def response(self, flow: http.HTTPFlow) -> None:
        """The answer is complete."""
        self._record_outcome(flow, None)

    @fail_closed(_is_over)
    def error(self, flow: http.HTTPFlow) -> None:
        """The flow broke: the host could not be reached, or either side went away."""
        self._record_outcome(flow, flow.error.msg if flow.error else "unknown")

    def _record_outcome(self, flow: http.HTTPFlow, error: str | None) -> None:
        verdict = self.gate.finish(flow)
        if verdict is None or not verdict.decision.forwards:
            return  # a denial's record says all there is to say
        response = flow.response
        status = None if response is None else response.status_code
        sent, received = _size(flow.request), None if response is None else _size(response)
        took = time.monotonic() - verdict.started
        fields = {
            "decision_id": verdict.decision_id,
            "status": status,
            "request_bytes": sent,
            "response_bytes": received,
            "duration_ms": round(took * 1000, 3),
        }
        if error is not None:
            fields["error"] = printable(error)[:256]
            self.gate.tally.broke(flow.metadata.get(BROKE, "proxy"))
        self.gate.record("outcome", fields)
        answered = None if response is None else response.timestamp_start
        self.gate.tally.ended(status, sent, received, took, flow.metadata.get(LEFT), answered)


@lru_cache(maxsize=2048)
def _role(name: bytes) -> str | None:
    """What a response header means here: ``length``, ``kind``, or ``misleads`` for those that are not passed on.

    alt-svc would lead the client to HTTP/3, round the proxy; the names under x-brickscope- are ours.
    """
    lower = name.lower()
    if lower == b"content-length":
        return "length"
    if lower == b"content-type":
        return "kind"
    return "misleads" if lower == b"alt-svc" or lower.startswith(b"x-brickscope-") else None


def _size(message: http.Message) -> int:
    """Bytes of a body that passed."""
    if isinstance(message.stream, Counter):
        return message.stream.total
    return len(message.raw_content or b"")
