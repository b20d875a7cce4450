"""The head of a request: its bytes, their reading, and the leave to send them.

Rules: what is judged and what is sent is one and the same object (``Head.raw``, in HTTP/2 ``Head.fields``), but for a
placeholder that gives way to what it stands for (``credential.py``). A ``Head`` is made here alone, a ``Cleared`` by
``ruling.py`` alone, once the decision on it is recorded; only a ``Cleared`` leads to a host. A test reads the source for
both. An attacker who finds a way to change a head between decision and wire has found a way round every rule.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from brickscope.core.decision import Refused
from brickscope.core.head import MAX_HEAD, REGULAR_REQUEST, check_head, split_fields
from brickscope.core.reason import Reason
from brickscope.core.request import ApiRequest, WireRequest

from .framing import NOTHING, Broken, Chunked, Length, read_length

Fields = tuple[tuple[bytes, bytes], ...]
"""Names and values, in their order."""


_WORD = re.compile(rb"[a-z0-9]+")
_HOPS = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"te",
        b"upgrade",
        # RFC 9110 sections 11.7.1 and 11.7.2: between a client and its proxy.
        b"proxy-authenticate",
        b"proxy-authorization",
        # No standard has it, and clients send it.
        b"proxy-connection",
    }
)
_FRAMING = frozenset({b"content-length", b"host", b"transfer-encoding"})


class Door(NamedTuple):
    """What is known of a tunnel before any request: what CONNECT named, and what TLS said (``WireRequest`` has the
    words)."""

    host: str
    port: int
    server_name: str | None
    alpn: bytes | None


class Head(NamedTuple):
    """One head. ``raw``: its bytes, the blank line included. ``fields``: all of them, in HTTP/2. Both are empty where it
    is too odd to be read.

    ``closes``: the client will send nothing after this request. ``expects``: it waits to be told to send the body.
    """

    raw: bytes
    wire: WireRequest
    closes: bool = False
    expects: bool = False
    fields: Fields = ()

    @property
    def is_regular(self) -> bool:
        """Whether there is anything that could be sent."""
        return bool(self.raw or self.fields)

    @property
    def is_head(self) -> bool:
        """Whether the answer has no body whatever it says."""
        return self.wire.method == b"HEAD"


class Announced(NamedTuple):
    """How a request's head says that its body ends: after ``length`` bytes, or in chunks; by neither there is none."""

    length: int | None = None
    chunked: bool = False

    @property
    def is_nothing(self) -> bool:
        """Whether there is no body."""
        return not self.length and not self.chunked

    def body(self) -> Length | Chunked:
        """The body itself, before its first byte."""
        if self.chunked:
            return Chunked()
        return Length(self.length) if self.length else NOTHING


NO_BODY, EMPTY, IN_CHUNKS = Announced(), Announced(0), Announced(chunked=True)


class Cleared(NamedTuple):
    """Leave to send a head and the body that it announces: it was judged, and the decision is on record.

    ``raw``, ``fields``: what is sent for the head in HTTP/1.1, and in HTTP/2. ``announced``: how long the body is, by the
    reading that was judged. ``started``: when it was decided on, in the gate's monotonic seconds. ``placed``: the real
    credential that is sent in a placeholder's place; None for a head that is sent as it came. ``credential``: its name.
    ``websocket``: what was judged, where it may become one.
    """

    head: Head
    raw: bytes
    fields: Fields
    announced: Announced
    decision_id: str
    started: float
    placed: bytes | None = None
    credential: str | None = None
    websocket: ApiRequest | None = None


class HeadScanner:
    """Finds the head that begins a piece of what a client sends."""

    __slots__ = ("_door", "_seen")

    def __init__(self, door: Door) -> None:
        self._door = door
        self._seen = 0
        """How many bytes of an unfinished head were looked at: one that comes byte by byte is not scanned anew each time."""

    def read(self, data: bytes, start: int) -> Head | None:
        """The head that begins at ``start``; None: more bytes are needed. Raises Refused: MALFORMED_HEAD or TOO_LARGE."""
        end = data.find(b"\r\n\r\n", start + max(self._seen - 3, 0))
        if 0 <= end <= start + MAX_HEAD and REGULAR_REQUEST.fullmatch(data, start, end):
            self._seen = 0
            return self._make(data, start, end)
        received = data[start:]
        if check_head(received, self._seen):
            raise Refused(Reason.MALFORMED_HEAD, "the request's head is not regular")
        self._seen = len(received)
        return None

    def _make(self, data: bytes, start: int, end: int) -> Head:
        whole = start == 0 and end + 4 == len(data)
        raw = data if whole else data[start : end + 4]
        method, target, version = raw[: raw.index(b"\r\n")].split(b" ")
        lower = raw.lower()
        return Head(
            raw,
            WireRequest(
                method,
                target,
                b"" if target[:1] == b"/" or b"://" not in target else target,
                version,
                split_fields(raw, 0, len(raw) - 4),
                *self._door,
            ),
            _names_close(lower),
            b"\r\nexpect:" in lower,
        )

    def irregular(self) -> Head:
        """What stands for a head that nobody should read."""
        return Head(b"", WireRequest(b"", b"", b"", b"", (), *self._door), closes=True)


def head_of(wire: WireRequest, fields: Fields, *, expects: bool = False) -> Head:
    """A head of HTTP/2. ``fields``: all of them, as they came; none where nobody should read them."""
    return Head(b"", wire, expects=expects, fields=fields)


def read_announced(fields: Sequence[tuple[bytes, bytes]]) -> Announced | None:
    """What a request's headers say of its body; None unless they say it once and in the one plain way.

    For a request whose headers were not all read by the core: a decision not to enforce must not decide on its end.
    """
    lengths, codings = [], []
    for name, value in fields:
        # Whatever a server might fold into one of the two names counts as a second one.
        folded = b"-".join(_WORD.findall(name.lower()))
        if folded == b"content-length":
            lengths.append((name, value))
        elif folded == b"transfer-encoding":
            codings.append((name, value))
    if not lengths and not codings:
        return Announced()
    name, value = (lengths + codings)[0]
    if len(lengths) + len(codings) > 1 or name.lower() not in (b"content-length", b"transfer-encoding"):
        return None
    if codings:
        return Announced(None, True) if value == b"chunked" else None
    try:
        return Announced(read_length(value))
    except Broken:
        return None


def end_to_end(head: bytes) -> bytes:
    """A regular head, with or without the blank line, less what it says to the next hop alone (RFC 9110 section 7.6.1).
    Raises Broken for one that would have that hop lose where its message ends, or for whom it is.

    A body passes in its chunks as it came, so ``Transfer-Encoding`` stays.
    """
    first, *lines = head.split(b"\r\n")
    fields = [(line.partition(b":")[0].lower(), line) for line in lines]
    named = {
        token.strip(b" \t").lower()
        for name, line in fields
        if name == b"connection"
        for token in line.partition(b":")[2].split(b",")
    }
    if named & _FRAMING:
        raise Broken("Connection names what the message can't do without")
    gone = _HOPS | named - {b""}
    return b"\r\n".join([first, *(line for name, line in fields if name not in gone)])


def _names_close(lower: bytes) -> bool:
    """Whether the header Connection of a lower-case head says ``close``; the core refuses a head that has it twice."""
    start = lower.find(b"\r\nconnection:")
    return start >= 0 and lower.find(b"close", start, lower.find(b"\r\n", start + 2)) >= 0
