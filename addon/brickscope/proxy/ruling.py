"""From a decision to what the data path does: the one maker of ``Cleared``.

Rules: a ``Cleared`` is made only for a decision that is on record and lets the call go on, and only where it is known
where the body ends, by the reading that was judged. Everything else becomes an answer of ours.
"""

from collections.abc import Collection

from brickscope.core.decision import Refused
from brickscope.core.pending import BodyNeeded
from brickscope.core.request import ApiRequest
from brickscope.log.record import decision_fields

from .denial import Asked, form
from .gate import Gate, Verdict, header
from .target import Plain
from .wire.answer import written
from .wire.credential import place
from .wire.events import Denied, Hold
from .wire.head import EMPTY, IN_CHUNKS, NO_BODY, Announced, Cleared, Head, read_announced

_new = tuple.__new__  # as in core/path.py


class Unframed(Exception):
    """A call that would go on although nobody knows where it ends, or with a placeholder: a fault of this program."""


def ask(
    gate: Gate,
    head: Head,
    client_address: str,
    *,
    body: bytes | None = None,
    refused: Refused | None = None,
    unread: Refused | None = None,
    settled: Collection[str] = (),
) -> Verdict | Hold:
    """Judge a request; arguments as ``Gate.judge``'s. ``rule`` makes a ruling of a verdict. Hold: its body comes first.

    Raises NotYetKnown, with nothing recorded, where keys have to be fetched first, and Unframed.
    """
    try:
        return gate.judge(head.wire, client_address, refused, body, settled, unread)
    except BodyNeeded as needed:
        announced = read_announced(head.wire.headers)
        if announced is None:
            raise Unframed from None
        return Hold(min(needed.limit, gate.body_limit), announced)


def rule(gate: Gate, head: Head, verdict: Verdict) -> Cleared | Denied:
    """The ruling that follows from a verdict, which is on record then. Raises Unframed."""
    verdict = gate.commit(verdict)
    request = verdict.request
    # What has no regular reading can go on in monitor mode, but not if a host could take another header for its length.
    if request is not None and request.flaw is None:
        announced: Announced | None = announced_by(request)
    else:
        announced = read_announced(head.wire.headers) if head.is_regular else None
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
        return _new(
            Cleared,
            (
                head,
                raw,
                fields,
                announced,
                verdict.decision_id,
                verdict.started,
                secret,
                verdict.decision.credential,
                websocket,
            ),
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
    ruling = rule(gate, head, gate.judge(head.wire, client_address, refused))
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
    return Announced(length) if length else EMPTY


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
