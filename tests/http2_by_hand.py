"""HTTP/2 by hand: frames of either side that no library would write, and what is in those that come."""

from __future__ import annotations

from collections.abc import Iterable
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

from brickscope.proxy.wire.frames import PREFACE

HOST = "dbc-a.cloud.databricks.com"
Pairs = list[tuple[bytes, bytes]]


def pseudo(target: str, method: str = "GET", authority: str = HOST) -> Pairs:
    """The first fields of a request."""
    return [
        (b":method", method.encode()),
        (b":scheme", b"https"),
        (b":authority", authority.encode()),
        (b":path", target.encode()),
    ]


PUT = [*pseudo("/ok", "PUT")]
"""Of a request with a body."""


def announcing(target: str, length: int, *more: tuple[bytes, bytes]) -> Pairs:
    """Of a request with a body of so many bytes, as it says."""
    return [*pseudo(target, "PUT"), (b"content-length", b"%d" % length), *more]


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


class Listener:
    """Reads the frames that one side is sent."""

    def __init__(self, *, is_host: bool) -> None:
        self._decoder = hpack.Decoder()
        self._decoder.max_allowed_table_size = 1 << 32  # what SETTINGS can say
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
