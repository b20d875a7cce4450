"""One side of an HTTP/2 connection: the library's state of it, and what the library does not guard against.

Rules: what is kept for a side is bounded, whatever it sends: its windows, its header lists, the table that compresses what
it is sent (it could ask for one of 4 GB), the streams that are remembered. GOAWAY is read and written here: the library
takes it for the end, while what is open goes on after it (RFC 9113 section 6.8).

Of odd things (glitches) only so many may come: every frame costs one, and only what is of use earns it back: the head of a
request or an answer, bytes of a body. Time earns a little. So a flood of any kind of frame ends the connection (PING,
SETTINGS, empty DATA, PRIORITY, unknown kinds), and so do streams that are opened to be reset (CVE-2023-44487): no list of
bad frames has to be complete.
"""

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived, Event, RemoteSettingsChanged
from h2.exceptions import ProtocolError, StreamClosedError
from h2.settings import SettingCodes, Settings
from h2.stream import H2Stream
from hyperframe.frame import GoAwayFrame, RstStreamFrame, SettingsFrame

from .frames import GOAWAY, MAX_FRAME, PREFACE, UNKNOWN, BrokenFrame, FrameReader
from .frames import SETTINGS as SETTINGS_FRAME
from .head import Fields

MAX_STREAMS = 100
"""Calls of a connection that may be open at once."""
STREAM_WINDOW = 64 * 1024
WINDOW = 32 * STREAM_WINDOW
"""Bytes that a side may send ahead, for each stream and for all together: the most that is kept for it. So many streams of
which nobody takes anything leave room for the others."""
MAX_TABLE = 4096
"""Bytes of headers that are kept to compress what a side is sent: what RFC 9113 section 6.5.2 has as the default."""
ALL_STREAMS = 2**31 - 1
"""The last stream that GOAWAY names while streams may still be on their way."""

FULL = 1000
"""What may be spent at once, and the most that can be saved."""
A_SECOND = 50
RESET = 10
"""What a stream costs that is opened and given up before its answer: about what the proxy's own work for it costs."""
SETTINGS = 10
"""Each can change all streams."""
HEAD = 3
DATA = 2
A_FRAME_SENT = 2
"""The side that takes DATA opens its windows for it, and measures by PING."""
SIZE_SHIFT = 9
"""And one for each 512 bytes: some clients open their windows every 4 KB, twice."""
DRIBBLE = 1024
"""A frame of less that went out because the window had no room for more earns nothing (CVE-2019-9511)."""


class TooManyGlitches(Exception):
    """A side has spent all that it had."""


class Glitches:
    """What one side has left."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = FULL

    def spend(self, cost: int = 1) -> None:
        """It did something. Raises TooManyGlitches."""
        self.left -= cost
        if self.left < 0:
            raise TooManyGlitches

    def earn(self, amount: int) -> None:
        """It was of use."""
        self.left = min(self.left + amount, FULL)

    def earn_sent(self, size: int, *, limited: bool) -> None:
        """So many bytes were sent to it; ``limited``: its window had no room for more."""
        if not limited or size >= DRIBBLE:
            self.earn(A_FRAME_SENT + (size >> SIZE_SHIFT))

    def pass_time(self, seconds: float) -> None:
        """So much time has passed."""
        self.earn(int(seconds * A_SECOND))


class PeerBroke(Exception):
    """It broke the protocol, or our patience; nothing more can be made of what it sends. The text quotes nothing of it."""


class GoneAway(NamedTuple):
    """It opens no more streams, and has processed none above ``last``."""

    last: int


class _Connection(H2Connection):
    MAX_CLOSED_STREAMS = 1000  # 65,536 would take 10 MB

    def _begin_new_stream(self, *arguments: Any) -> H2Stream:
        """A stream whose body is not held against Content-Length: the library would end the connection, and with it all
        calls, for what is wrong with one. ``streams.py`` does it."""
        stream = super()._begin_new_stream(*arguments)
        stream._initialize_content_length = lambda headers: None  # type: ignore[method-assign]
        return stream


class Peer:
    """One side."""

    __slots__ = ("_broken", "_h2", "_out", "_reader", "glitches")

    def __init__(self, *, is_client: bool) -> None:
        """``is_client``: whether it opens the streams."""
        self.glitches = Glitches()
        self._broken = False
        """Whether it was told that it broke the protocol; it is told nothing more."""
        self._reader = FrameReader(preface=is_client)
        self._h2 = made = _Connection(
            H2Configuration(
                client_side=not is_client,
                header_encoding=None,
                validate_inbound_headers=False,  # fields.py
                normalize_inbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        wanted = {
            SettingCodes.ENABLE_PUSH: 0,
            SettingCodes.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
            SettingCodes.MAX_HEADER_LIST_SIZE: made.DEFAULT_MAX_HEADER_LIST_SIZE,
        }
        if is_client:
            del wanted[SettingCodes.ENABLE_PUSH]
            wanted[SettingCodes.MAX_CONCURRENT_STREAMS] = MAX_STREAMS
        # The library ends the connection of whoever opens one stream too many; it is told that there is no limit.
        made.local_settings = Settings(
            client=not is_client, initial_values={**wanted, SettingCodes.MAX_CONCURRENT_STREAMS: 2**31}
        )
        made.initiate_connection()
        made.clear_outbound_data_buffer()
        settings = SettingsFrame(0, settings={int(code): value for code, value in wanted.items()})
        self._out = (b"" if is_client else PREFACE) + settings.serialize()
        made.increment_flow_control_window(WINDOW - made.inbound_flow_control_window)
        if is_client:
            made.receive_data(PREFACE)

    def __repr__(self) -> str:
        return f"<Peer {self._h2.state_machine.state.name} {len(self._h2.streams)} glitches={self.glitches.left}>"

    # -- what it sends -----------------------------------------------------------------------------------------

    @property
    def is_in_head(self) -> bool:
        """Whether it has begun a head that is not complete."""
        return self._reader.is_in_head

    def receive(self, data: bytes) -> Iterator[Event | GoneAway]:
        """What its bytes say. Raises PeerBroke, with GOAWAY among what is to be sent."""
        made, glitches = self._h2, self.glitches
        try:
            for kind, flags, stream, raw in self._reader.read(data):
                glitches.spend(SETTINGS if kind == SETTINGS_FRAME and not flags & 1 else 1)
                if kind == GOAWAY:
                    if stream or len(raw) < 17:
                        raise BrokenFrame("a GOAWAY frame is not regular")
                    yield GoneAway(int.from_bytes(raw[9:13], "big") & ALL_STREAMS)
                elif kind < UNKNOWN:
                    for event in made.receive_data(raw):
                        if isinstance(event, RemoteSettingsChanged):
                            made.encoder.header_table_size = min(made.encoder.header_table_size, MAX_TABLE)
                        yield event
        except TooManyGlitches:
            raise self.broken(ErrorCodes.ENHANCE_YOUR_CALM, "it sent too much that is of no use") from None
        except BrokenFrame as error:
            raise self.broken(error.code, str(error)) from None
        except ProtocolError as error:  # its text may hold what was sent
            self._broken = True  # the library has written a GOAWAY
            raise PeerBroke(f"it broke HTTP/2 ({type(error).__name__})") from None

    def broken(self, code: int, text: str) -> PeerBroke:
        """Tell it that it broke the protocol."""
        self.go_away(code=code)
        self._broken = True
        return PeerBroke(text)

    def acknowledge(self, size: int, stream: int) -> None:
        """So many bytes of a stream have left, or are of no interest."""
        if size:
            self._h2.acknowledge_received_data(size, stream)

    def acknowledge_padding(self, event: DataReceived) -> None:
        """What of a frame is no data is done with at once."""
        self.acknowledge((event.flow_controlled_length or 0) - len(event.data or b""), event.stream_id or 0)

    # -- what it is sent ---------------------------------------------------------------------------------------

    def has_room(self) -> bool:
        """Whether it takes another stream."""
        return self._h2.open_outbound_streams < self._h2.remote_settings.max_concurrent_streams

    def open(self, fields: Fields, *, ended: bool) -> int:
        """Open a stream. Returns its number."""
        number = self._h2.get_next_available_stream_id()
        self._h2.send_headers(number, fields, end_stream=ended)
        return number

    def send_head(self, stream: int, fields: Fields, *, ended: bool) -> None:
        """Send headers on a stream that is open."""
        self._h2.send_headers(stream, fields, end_stream=ended)

    def room(self, stream: int) -> int:
        """How many bytes of a body it takes now."""
        return min(self._h2.local_flow_control_window(stream), MAX_FRAME)

    def send(self, stream: int, data: bytes, *, ended: bool) -> None:
        """Send bytes of a body, for which there is room."""
        self._h2.send_data(stream, data, end_stream=ended)

    def end(self, stream: int) -> None:
        """End a body."""
        self._h2.end_stream(stream)

    def reset(self, stream: int, code: int) -> None:
        """Give a stream up; nothing where both sides are done with it."""
        if not self._broken:
            with contextlib.suppress(StreamClosedError):
                self._h2.reset_stream(stream, code)

    def disown(self, stream: int) -> None:
        """Say of a stream that was answered that its request was malformed: RFC 9113 section 8.1.1 wants a stream error
        whatever was answered, also when both sides are done with it and the library would say nothing."""
        if self._broken:
            return
        try:
            self._h2.reset_stream(stream, ErrorCodes.PROTOCOL_ERROR)
        except StreamClosedError:
            frame = RstStreamFrame(stream, error_code=ErrorCodes.PROTOCOL_ERROR)
            self._out = self.flush() + frame.serialize()

    def go_away(self, last: int | None = None, code: int = ErrorCodes.NO_ERROR) -> None:
        """Say that no more streams are taken. ``last``: the last one that was; None: as it is."""
        if self._broken:
            return
        if last is None:
            last = self._h2.highest_inbound_stream_id
        self._out = self.flush() + GoAwayFrame(0, last_stream_id=last, error_code=code).serialize()

    def flush(self) -> bytes:
        """All that is to be sent."""
        data, self._out = self._out + self._h2.data_to_send(), b""
        return data
