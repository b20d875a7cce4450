"""The host's agreement to a websocket (RFC 6455 section 4.1): a 101 that fits what the client asked, and nothing else.

A proxy that leaves HTTP because it was *asked* to is a known hole: the host refuses, and what the client sends after it are
requests that nobody judges. Any other answer is an ordinary one, after which the connection is HTTP as before.
"""

import base64
import hashlib

from brickscope.core.head import split_fields
from brickscope.core.websocket import Offer

from .answer import AnswerHead
from .events import Answered, Event, Switched, ToClient
from .exchange import Exchange, Step
from .framing import Broken

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_ASKED = frozenset(
    {
        b"connection",
        b"upgrade",
        b"sec-websocket-accept",
        b"sec-websocket-protocol",
        b"sec-websocket-extensions",
        b"content-length",
        b"content-encoding",
        b"transfer-encoding",
    }
)


def switch(exchange: Exchange, data: bytes, start: int, head: AnswerHead) -> list[Event]:
    """What to do about a 101 that begins at ``start``: the call is a websocket from now on. Raises Broken."""
    cleared = exchange.cleared
    if cleared is None or cleared.websocket is None or cleared.websocket.offer is None:
        raise Broken("the host switches protocols")
    _check(data[start : head.end], cleared.websocket.offer)
    exchange.hear(Step.HEAD)
    exchange.status, exchange.passed = head.status, True
    answer = data[start : head.end] if head.raw is None else head.raw
    return [Answered(exchange), ToClient(answer), Switched(exchange, data[head.end :])]


def accept_of(key: bytes) -> bytes:
    """The value of Sec-WebSocket-Accept for a key."""
    return base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())


def _check(head: bytes, offer: Offer) -> None:
    found: dict[bytes, bytes] = {}
    for name, value in split_fields(head, 0, len(head) - 4):
        lower = name.lower()
        if lower in _ASKED and lower in found:
            raise Broken("the host's agreement to a websocket has a header twice")
        found[lower] = value.strip(b" \t")
    get = found.get
    if get(b"connection", b"").lower() != b"upgrade" or get(b"upgrade", b"").lower() != b"websocket":
        raise Broken("the host switches to something other than a websocket")
    if get(b"sec-websocket-accept") != accept_of(offer.key):
        raise Broken("the host's agreement to a websocket is not to the one that was asked for")
    if not found.keys().isdisjoint((b"content-length", b"content-encoding", b"transfer-encoding")):
        raise Broken("the host's agreement to a websocket has a body")
    protocol, extensions = get(b"sec-websocket-protocol"), get(b"sec-websocket-extensions")
    chosen = [] if extensions is None else extensions.split(b",")
    names = {each.partition(b";")[0].strip(b" \t").lower() for each in chosen}
    if (protocol is not None and protocol not in offer.protocols) or not names <= offer.extensions:
        raise Broken("the host agrees to a websocket with what was not asked for")
