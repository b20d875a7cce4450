"""One line through the HTTP/2 core: a client and a host that write frames by hand, and a gate that rules by the path.

``story`` is what happened, one short text an event; frames are told by ``shown``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import hpack
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from brickscope.core.decision import Refused
from brickscope.core.reason import Reason
from brickscope.proxy.wire.answer import Form
from brickscope.proxy.wire.events import (
    Answered,
    Close,
    Denied,
    Dial,
    Ended,
    Event,
    HangUp,
    Hold,
    Judge,
    Ruling,
    ToClient,
    ToHost,
)
from brickscope.proxy.wire.frames import PREFACE
from brickscope.proxy.wire.framing import Announced
from brickscope.proxy.wire.head import Cleared, Door, Head
from brickscope.proxy.wire.http2 import Http2

HOST = "dbc-a.cloud.databricks.com"
DOOR = Door(HOST, 443, HOST, b"h2")
DENIAL = Form(403, b"Forbidden", [(b"content-length", b"2"), (b"connection", b"close")], b"no")
Pairs = list[tuple[bytes, bytes]]


def pseudo(target: str, method: str = "GET", authority: str = HOST) -> Pairs:
    """The first fields of a request."""
    return [
        (b":method", method.encode()),
        (b":scheme", b"https"),
        (b":authority", authority.encode()),
        (b":path", target.encode()),
    ]


class Speaker:
    """One side that writes frames without checking anything."""

    def __init__(self, *, is_client: bool) -> None:
        self.encoder = hpack.Encoder()
        self.hello = (PREFACE if is_client else b"") + SettingsFrame(0).serialize()

    def headers(self, stream: int, fields: Pairs, *, end: bool = False, parts: int = 1) -> bytes:
        """A header list, in so many frames."""
        block = self.encoder.encode(fields)
        cuts = [block[len(block) * at // parts : len(block) * (at + 1) // parts] for at in range(parts)]
        frames: list[Any] = [HeadersFrame(stream, cuts[0], flags=["END_STREAM"] if end else [])]
        frames += [ContinuationFrame(stream, cut) for cut in cuts[1:]]
        frames[-1].flags.add("END_HEADERS")
        return b"".join(frame.serialize() for frame in frames)

    def request(
        self, stream: int, target: str = "/ok", *more: tuple[bytes, bytes], body: bytes | None = None
    ) -> bytes:
        """A request; whole, with its body if it has one."""
        head = self.headers(
            stream, [*pseudo(target, "GET" if body is None else "PUT"), *more], end=body is None
        )
        return head + (b"" if body is None else data(stream, body, end=True))

    def answer(
        self, stream: int, body: bytes = b"hello", *more: tuple[bytes, bytes], status: int = 200
    ) -> bytes:
        """An answer."""
        return self.headers(stream, [(b":status", b"%d" % status), *more]) + data(stream, body, end=True)


def data(stream: int, content: bytes = b"", *, end: bool = False, pad: int | None = None) -> bytes:
    """A DATA frame."""
    frame = DataFrame(stream, content, flags=["END_STREAM"] if end else [])
    if pad is not None:
        frame.flags.add("PADDED")
        frame.pad_length = pad
    return frame.serialize()


def reset(stream: int, code: int = 8) -> bytes:
    """A RST_STREAM frame."""
    return RstStreamFrame(stream, code).serialize()


def goaway(last: int, code: int = 0) -> bytes:
    """A GOAWAY frame."""
    return GoAwayFrame(0, last, code).serialize()


def window(stream: int, size: int) -> bytes:
    """A WINDOW_UPDATE frame."""
    return WindowUpdateFrame(stream, size).serialize()


def ping() -> bytes:
    """A PING frame."""
    return PingFrame(0, b"12345678").serialize()


def settings(**values: int) -> bytes:
    """A SETTINGS frame; ``values`` by hyperframe's names."""
    return SettingsFrame(
        0, {getattr(SettingsFrame, name): value for name, value in values.items()}
    ).serialize()


def judge(head: Head, body: bytes | None, refused: Refused | None) -> Ruling | None:
    """The gate of these tests: ``/deny…`` is denied, ``/hold…`` wants its body (10 bytes at most), ``/wait…`` has no
    ruling yet. Everything else is allowed."""
    target = head.wire.target
    if refused is not None and not (target.startswith(b"/monitor") and refused.reason is Reason.TOO_LARGE):
        return Denied(DENIAL, None)
    if target.startswith((b"/hold", b"/monitor")) and body is None and refused is None:
        return Hold(10, Announced())
    if target.startswith(b"/deny") or (target.startswith(b"/hold") and body == b"bad"):
        return Denied(DENIAL, Announced())
    return None if target.startswith(b"/wait") else clear(head)


def clear(head: Head) -> Cleared:
    """Leave to send a head."""
    return Cleared(head, head.raw, Announced(), "id", 0.0)


class Listener:
    """Reads the frames that one side is sent."""

    def __init__(self, *, is_host: bool) -> None:
        self._decoder = hpack.Decoder()
        self._decoder.max_allowed_table_size = 1 << 31
        self._rest = b""
        self._preface = PREFACE if is_host else b""
        self.frames: list[Frame] = []
        self.bodies: dict[int, bytes] = {}
        self.heads: dict[int, list[Pairs]] = {}
        self.ended: set[int] = set()
        self.resets: dict[int, int] = {}
        self.opened: dict[int, int] = {}
        """What WINDOW_UPDATE gave, by stream."""

    def hear(self, sent: bytes) -> Iterable[str]:
        """What is new, one text for each frame that matters."""
        self._rest += sent
        if self._preface and len(self._rest) >= len(self._preface):
            assert self._rest.startswith(self._preface)
            self._rest, self._preface = self._rest[len(self._preface) :], b""
        while len(self._rest) >= 9:
            frame, length = Frame.parse_frame_header(memoryview(self._rest[:9]))
            if len(self._rest) < 9 + length:
                return
            frame.parse_body(memoryview(self._rest[9 : 9 + length]))
            self._rest = self._rest[9 + length :]
            self.frames.append(frame)
            text = self._show(frame)
            if text:
                yield text

    def _show(self, frame: Any) -> str:
        stream, end = frame.stream_id, " end" if "END_STREAM" in frame.flags else ""
        if end:
            self.ended.add(stream)
        if isinstance(frame, HeadersFrame):
            fields = [
                (bytes(name), bytes(value)) for name, value in self._decoder.decode(frame.data, raw=True)
            ]
            self.heads.setdefault(stream, []).append(fields)
            first = dict(fields)
            return f"{stream} {(first.get(b':status') or first.get(b':path') or b'trailers').decode()}{end}"
        if isinstance(frame, DataFrame):
            self.bodies[stream] = self.bodies.get(stream, b"") + frame.data
            return f"{stream} data{end}"
        if isinstance(frame, RstStreamFrame):
            self.resets[stream] = frame.error_code
            return f"{stream} reset {frame.error_code}"
        if isinstance(frame, GoAwayFrame):
            return f"goaway {frame.last_stream_id} {frame.error_code}"
        if isinstance(frame, WindowUpdateFrame):
            self.opened[stream] = self.opened.get(stream, 0) + frame.window_increment
        return ""


class Line:
    """The core between its two sides. ``up``: whether the host answers a dial at once (None: the test says when)."""

    def __init__(
        self,
        rule: Callable[[Head, bytes | None, Refused | None], Ruling | None] = judge,
        *,
        up: bool | None = True,
        split: int = 0,
    ) -> None:
        """``split``: in pieces of how many bytes everything comes; 0: as it is sent."""
        self.core = Http2(DOOR)
        self.split = split
        self.rule = rule
        self.up = up
        self.story: list[str] = []
        self.at_client, self.at_host = Listener(is_host=False), Listener(is_host=True)
        self.judged: list[tuple[Head, bytes | None, Refused | None]] = []
        self.waiting: list[Judge] = []
        self.closed: dict[str, str] = {}
        self.outcomes: list[tuple[int | None, int, int, str]] = []
        self.c, self.h = Speaker(is_client=True), Speaker(is_client=False)
        self.do(self.core.begin())
        self.client(self.c.hello)

    def client(self, *sent: bytes) -> None:
        """The client sends."""
        for piece in self._pieces(b"".join(sent)):
            self.do(self.core.from_client(piece))

    def host(self, *sent: bytes) -> None:
        """The host sends."""
        for piece in self._pieces(b"".join(sent)):
            self.do(self.core.from_host(piece))

    def _pieces(self, sent: bytes) -> list[bytes]:
        size = self.split or len(sent) or 1
        return [sent[at : at + size] for at in range(0, len(sent), size)]

    def do(self, events: list[Event]) -> None:
        """Carry events out."""
        todo = list(events)
        while todo:
            event = todo.pop(0)
            if isinstance(event, ToHost):
                assert event.data, "an empty write"
                assert "host" not in self.closed
                self.story += [f"host< {text}" for text in self.at_host.hear(event.data)]
            elif isinstance(event, ToClient):
                assert event.data, "an empty write"
                assert "client" not in self.closed
                self.story += [f"client< {text}" for text in self.at_client.hear(event.data)]
            elif isinstance(event, Judge):
                if not self.core.awaits(event.exchange):
                    continue
                self.story.append(f"judge {event.head.wire.target.decode('latin-1')}")
                refused = event.refused or event.unread
                self.judged.append((event.head, event.body, refused))
                ruling = self.rule(event.head, event.body, refused)
                if ruling is None:
                    self.waiting.append(event)
                else:
                    todo += self.core.rule(event.exchange, ruling)
            elif isinstance(event, Dial):
                self.story.append("dial")
                if self.up is not None:
                    todo += self.core.host_up() if self.up else self.core.host_failed("refused")
                    if self.up:
                        self.h = Speaker(is_client=False)
                        self.at_host = Listener(is_host=True)
                        todo += self.core.from_host(self.h.hello)
            elif isinstance(event, Answered):
                self.story.append(f"answered {event.exchange.status}")
            elif isinstance(event, Ended):
                each = event.exchange
                fault = "" if each.fault is None else each.fault.name
                self.outcomes.append((each.status, each.body.size, each.reply.size, fault))
                self.story.append(f"ended {each.status} {each.body.size} {each.reply.size} {fault}".strip())
            elif isinstance(event, HangUp):
                self.story.append("hang up")
            else:
                assert isinstance(event, Close), event
                self.closed[event.side.value] = event.how.value
                self.story.append(f"close {event.side.value} {event.how.value}")
