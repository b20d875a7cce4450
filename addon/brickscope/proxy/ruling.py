"""From a decision to what the data path does, and to the record of how that ended: the one maker of ``Cleared``.

Rules: a ``Cleared`` is made only for a decision that is on record and lets the call go on, and only where it is known
where the body ends, by the reading that was judged. Everything else becomes an answer of ours.
"""

from __future__ import annotations

import time
from collections.abc import Collection

from brickscope.core.decision import Refused
from brickscope.core.pending import BodyNeeded
from brickscope.core.request import ApiRequest
from brickscope.log.record import decision_fields, printable

from .deadlines import Patience
from .denial import Asked, form
from .gate import Gate, Verdict, header
from .target import Plain
from .wire.answer import written
from .wire.credential import place
from .wire.events import Denied, Fault, Hold, Ruling, Side
from .wire.exchange import Exchange
from .wire.head import IN_CHUNKS, NO_BODY, Announced, Cleared, Head, read_announced


class Unframed(Exception):
    """A call that would go on although nobody knows where it ends, or with a placeholder: a fault of this program."""


def rule(
    gate: Gate,
    head: Head,
    client_address: str,
    *,
    body: bytes | None = None,
    refused: Refused | None = None,
    unread: Refused | None = None,
    settled: Collection[str] = (),
) -> Ruling:
    """Judge a request and record the decision; arguments as ``Gate.judge``'s.

    Raises NotYetKnown, with nothing recorded, where keys have to be fetched first, and Unframed.
    """
    try:
        verdict = gate.judge(head.wire, client_address, refused, body, settled, unread)
    except BodyNeeded as needed:
        announced = read_announced(head.wire.headers)
        if announced is None:
            raise Unframed from None
        return Hold(min(needed.limit, gate.body_limit), announced)
    request = verdict.request
    # What has no regular reading can go on in monitor mode, but not if a host could take another header for its length.
    announced = announced_by(request) if request is not None and request.flaw is None else _announced(head)
    if verdict.decision.forwards:
        if announced is None or not head.is_regular:
            raise Unframed
        secret = verdict.secret
        if verdict.decision.credential is not None and secret is None:
            raise Unframed  # a placeholder is sent nowhere
        raw, fields = (head.raw, head.fields) if secret is None else place(head, secret)
        websocket = request if request is not None and request.offer is not None else None
        if websocket is not None and not verdict.decision.allow:
            raise Unframed  # nobody knows what would follow
        return Cleared(
            head,
            raw,
            fields,
            announced,
            verdict.decision_id,
            verdict.started,
            secret,
            verdict.decision.credential,
            websocket,
        )
    return _deny(gate, head, verdict, announced)


def rule_inside(gate: Gate, head: Head, error: Exception) -> Denied:
    """The ruling where judging itself has failed: a denial, on record as far as that is possible, and the end."""
    decision = gate.internal(error)
    decision_id = gate.writer.new_decision_id()
    gate.tally.decided(decision, None)
    gate.record("decision", {"decision_id": decision_id, **decision_fields(decision)})
    asked = Asked("this", "call", "")
    return Denied(
        form(decision, decision_id, asked, grpc=_is_grpc(head), head=head.is_head, close=True), None
    )


def refuse_head(gate: Gate, head: Head, client_address: str, refused: Refused) -> bytes:
    """The answer to a head of the proxy's own that nobody should read; on record."""
    ruling = rule(gate, head, client_address, refused=refused)
    assert isinstance(ruling, Denied)
    return written(ruling.answer)


def clear_plain(head: Head, plain: Plain, decision_id: str, started: float) -> Cleared:
    """The leave for a request in the clear to a host that is not under policy, whose decision is on record."""
    return Cleared(head, plain.head, (), plain.announced, decision_id, started)


def announced_by(request: ApiRequest) -> Announced:
    """How the body of a request ends, by the reading that was judged."""
    length = request.content_length
    if length is None:
        return IN_CHUNKS if request.may_have_body else NO_BODY
    return Announced(length)


def _announced(head: Head) -> Announced | None:
    return read_announced(head.wire.headers) if head.is_regular else None


def _deny(gate: Gate, head: Head, verdict: Verdict, announced: Announced | None) -> Denied:
    decision, decision_id = verdict.decision, verdict.decision_id
    if not head.is_regular:
        asked = Asked("a request", "with an irregular head", verdict.asked.host)
        return Denied(form(decision, decision_id, asked, close=True), None)
    if head.expects:
        # A client that waits for 100 sends no body after a 403, so what follows could not be told from a body.
        announced = None
    last = gate.draining or head.closes
    answer = form(
        decision,
        decision_id,
        verdict.asked,
        grpc=_is_grpc(head),
        head=head.is_head,
        close=last or announced is None,
    )
    return Denied(answer, announced, last)


def _is_grpc(head: Head) -> bool:
    """Whether the client reads gRPC's status and nothing else; over HTTP/2 alone."""
    wire = head.wire
    return wire.http_version == b"HTTP/2.0" and header(wire.headers, b"content-type").lower().startswith(
        b"application/grpc"
    )


class Call:
    """A call that was let go on, from its ruling to its outcome; kept with its exchange. Times are monotonic seconds; None
    for what has not happened."""

    __slots__ = ("_patience", "answered", "is_over", "left", "read")

    def __init__(self) -> None:
        self._patience: Patience | None = None
        """Made when it is asked for, which most calls do not live to see."""
        self.read = time.monotonic()
        self.left: float | None = None
        self.answered: float | None = None
        self.is_over = False

    def waits_too_long(self, what: object, seconds: float, now: float) -> bool:
        """As ``Patience.is_over``."""
        if self._patience is None:
            self._patience = Patience()
        return self._patience.is_over(what, seconds, now)

    def leave(self, gate: Gate, cleared: Cleared) -> None:
        """It may be sent from now on."""
        self.left = time.monotonic()
        gate.tally.left(not cleared.announced.is_nothing, self.read, self.left)

    def end(self, gate: Gate, exchange: Exchange) -> None:
        """Record its outcome; a second time does nothing. Never raises an Exception."""
        cleared = exchange.cleared
        if self.is_over or cleared is None:
            return
        self.is_over = True
        took = time.monotonic() - cleared.started
        status = exchange.status
        if status == 401 and cleared.placed is not None:
            gate.credentials.refused(cleared.placed)
        sent, received = exchange.body.size, None if status is None else exchange.reply.size
        # In the order of their names, with room for what the writer adds.
        fields = {
            "decision_id": cleared.decision_id,
            "duration_ms": round(took * 1000, 3),
            "event": "outcome",
            "instance": None,
            "policy_revision": gate.policy.revision,
            "prev_hash": None,
            "request_bytes": sent,
            "response_bytes": received,
            "schema": None,
            "seq": None,
            "status": status,
            "time": None,
        }
        if exchange.fault is not None:
            detail = f": {exchange.detail}" if exchange.detail else ""
            fields["error"] = printable(f"{exchange.fault}{detail}")[:256]
            gate.tally.broke(_cause(exchange.fault))
        gate.record_outcome(fields)
        gate.tally.ended(status, sent, received, took, self.left, self.answered)


def _cause(fault: Fault) -> str:
    """What the count of failures calls it (``tally.FAILURES``)."""
    if fault is Fault.UNREACHED:
        return "connect"
    return {Side.CLIENT: "client", Side.HOST: "upstream", Side.OWN: "proxy"}[fault.side]
