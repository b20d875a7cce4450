"""One end of a tunnel: TLS over a transport, without asyncio's own.

Rules: nothing of the other side is passed up before the handshake is complete. The end that TLS says (close_notify) and
the end of the TCP connection are told apart: anybody on the way can bring about the second one and so cut an answer
off. What came before an end is passed up before the end. Everything goes through the OpenSSL that mitmproxy uses, so
its options and updates apply.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from enum import Enum
from typing import Any

from OpenSSL import SSL

from .guard import guarded

RECORD = 16 * 1024
"""Most content of one TLS record (RFC 8446 section 5.1)."""
RECEIVE = 256 * 1024
LINGER_BYTES = 256 * 1024
"""So much is read and dropped after a last answer; a connection that is closed with bytes unread is reset, and the
answer lost."""

UNSAID = 64 * 1024
"""After so many bytes that came in, with none sent, what TLS itself has to say is sent: each KeyUpdate asks for another,
and a side that sends nothing else would have the answers pile up."""
MOST_UNSENT = 1024 * 1024
"""A side that has so much to take and sends on, all the same, takes nothing: four times what an answer in progress has."""
_AT_ONCE = struct.pack("ii", 1, 0)
"""For SO_LINGER: the kernel sends a reset, and drops what it has not sent."""

# One buffer for all connections: what is read into it is taken out before anything else can run.
_RECEIVED = bytearray(RECEIVE)
_VIEW = memoryview(_RECEIVED)
LOOKED_AT = _VIEW[: 32 * 1024]
"""For what costs much to look at, so that others have a turn after as much: HTTP/2, where a quarter of a MiB in frames of a
byte would keep them waiting for half a second, and whatever is not in TLS."""


def received(nbytes: int) -> bytes:
    """What asyncio has just put into the buffer of all connections."""
    return bytes(_VIEW[:nbytes])


class Stage(Enum):
    """Where an end stands."""

    HANDSHAKE = "handshake"
    UP = "up"
    ENDED = "the other side sends nothing more"
    LINGERING = "closed, but for what still comes in"
    GONE = "gone"


class Owner:
    """Who is told what happens at an end; nothing comes of what it does not say otherwise."""

    def end_made(self, end: End) -> bool:
        """It is connected, and nothing was sent yet. Whether anything may be."""
        return False

    def end_up(self, end: End) -> None:
        """The handshake is complete."""

    def end_received(self, end: End, data: bytes) -> None:
        """Bytes came."""

    def end_closed(self, end: End, clean: bool) -> None:
        """Nothing more comes; once. ``clean``: TLS says so."""

    def end_failed(self, end: End, why: str | None) -> None:
        """The handshake failed; once, instead of all others. ``why``: what OpenSSL says, None where the other side hung
        up."""

    def end_full(self, end: End, full: bool) -> None:
        """So much waits to be sent that no more should be given; or no longer."""

    def end_lost(self, end: End) -> None:
        """The transport is gone; once, the last of all."""

    def fail_closed(self) -> None:
        """A callback raised."""


class End(asyncio.BufferedProtocol):
    """One side's TLS. ``alpn``: what the handshake said."""

    is_clear = False
    """Whether there is no TLS."""

    __slots__ = (
        "_connection",
        "_dropped",
        "_due",
        "_on_shut",
        "_owner",
        "_unsaid",
        "alpn",
        "stage",
        "transport",
    )

    def __init__(
        self,
        connection: SSL.Connection | None,
        owner: Owner,
        on_shut: Callable[[SSL.Connection], None] | None = None,
    ) -> None:
        """``connection``: without a socket, and told which role it has; None where there is no TLS (``clear.py``).
        ``on_shut``: told once it is up and has said its end."""
        self._connection: Any = connection
        self._owner = owner
        self._on_shut = on_shut
        self._dropped = 0
        self._due = 0
        """Bytes that a record has yet to come that has begun; less than none where records are not counted any more."""
        self._unsaid = 0
        """Bytes that came since anything was sent."""
        self.stage = Stage.HANDSHAKE
        self.alpn: bytes | None = None
        self.transport: asyncio.Transport | None = None

    def __repr__(self) -> str:
        return f"<End {self.stage.name}>"

    def fail_closed(self) -> None:
        """A callback of this end raised."""
        try:
            self._owner.fail_closed()
        finally:
            self.abort()

    # -- what asyncio calls ------------------------------------------------------------------------------------

    @guarded
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A connection of ours was opened: begin the handshake, if its owner has nothing against it."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        if self._owner.end_made(self):
            self._shake()

    def take_over(self, transport: asyncio.Transport) -> None:
        """Serve a transport that has another protocol; nothing may be read from it until it has begun."""
        self.transport = transport
        transport.set_protocol(self)

    @guarded
    def begin(self, first: bytes, alpn: bytes) -> None:
        """Begin with the bytes that came already. ``alpn``: the protocol that is chosen, if it is offered."""
        self._connection.set_app_data(alpn)
        self._connection.bio_write(first)
        self._count_records(first)
        self._shake()
        if self.stage is Stage.UP:
            self._read()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where asyncio puts what it receives."""
        return LOOKED_AT if self.alpn == b"h2" else _VIEW

    @guarded
    def buffer_updated(self, nbytes: int) -> None:
        """So many bytes are there."""
        if self.stage is Stage.UP:
            came = _VIEW[:nbytes]
            self._connection.bio_write(came)
            self._unsaid += nbytes
            self._read(self._count_records(came))
        elif self.stage is Stage.HANDSHAKE:
            came = _VIEW[:nbytes]
            self._connection.bio_write(came)
            self._count_records(came)
            self._shake()
            if self.stage is Stage.UP:  # type: ignore[comparison-overlap]  # it may be by now
                self._read()
        else:
            self._drop(nbytes)

    def _drop(self, nbytes: int) -> None:
        if self.stage is Stage.LINGERING:
            self._dropped += nbytes
            if self._dropped > LINGER_BYTES:
                self.abort()

    @guarded
    def eof_received(self) -> None:
        """The other side's TCP ends. The transport closes itself, as None is returned."""
        if self.stage is Stage.HANDSHAKE:
            self._fail(None)
        elif self.stage is Stage.UP:
            self.stage = Stage.ENDED
            self._owner.end_closed(self, False)

    @guarded
    def connection_lost(self, error: Exception | None) -> None:
        """The transport is gone."""
        stage, self.stage = self.stage, Stage.GONE
        try:
            if stage is Stage.HANDSHAKE:
                self._owner.end_failed(self, None)
            elif stage is Stage.UP:
                self._owner.end_closed(self, False)
        finally:
            self._owner.end_lost(self)

    @guarded
    def pause_writing(self) -> None:
        """Enough waits to be sent."""
        self._owner.end_full(self, True)

    @guarded
    def resume_writing(self) -> None:
        """It is sent."""
        self._owner.end_full(self, False)

    # -- TLS ---------------------------------------------------------------------------------------------------

    def _shake(self) -> None:
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            self._flush()
            return
        except SSL.Error as error:
            self._flush()  # an alert, which says why to the other side
            self._fail(self._words_of(error))
            return
        self.stage = Stage.UP
        self.alpn = self._connection.get_alpn_proto_negotiated()
        if self._connection.get_protocol_version() < SSL.TLS1_3_VERSION:
            self._flush()
        # In TLS 1.3 what is left to say (Finished, tickets) goes out with the first bytes, in one piece.
        self._owner.end_up(self)

    def _count_records(self, came: bytes | memoryview) -> int:
        """How many TLS records (RFC 8446 section 5.1) end with these bytes; 0 where that is not known, or another has begun.

        A record holds at most one piece of content, so after as many pieces TLS has none left: to ask it once more costs as
        much as the piece itself.
        """
        at, left, count, size = 0, self._due, 0, len(came)
        if left < 0:
            return 0
        if not left and size > 5 and came[1] == 3 and size == 5 + (came[3] << 8 | came[4]):
            return 1
        while at < size:
            if not left:
                if size - at < 5 or came[at + 1] != 3:
                    self._due = -1  # a header in two pieces, or none
                    return 0
                left = 5 + (came[at + 3] << 8 | came[at + 4])
            took = min(left, size - at)
            at += took
            left -= took
            count += not left
        self._due = left
        return 0 if left else count

    def _read(self, records: int = 0) -> None:
        """Pass up what has come, and then its end if that has come as well. ``records``: how many pieces there are at most;
        0: that is not known."""
        receive = self._connection.recv
        pieces: list[bytes] = []
        ended = broken = False
        try:
            while True:
                pieces.append(receive(RECORD))
                if len(pieces) == records:
                    break
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            ended = True
        except SSL.Error:
            broken = True  # an alert, or a record that is none
        if self._unsaid > UNSAID and not self._say():
            return
        if pieces:
            self._owner.end_received(self, pieces[0] if len(pieces) == 1 else b"".join(pieces))
        if (ended or broken) and self.stage is Stage.UP:
            self.stage = Stage.ENDED
            self._owner.end_closed(self, ended)

    def _fail(self, why: str | None) -> None:
        self.stage = Stage.GONE
        assert self.transport is not None
        try:
            self._owner.end_failed(self, why)
        finally:
            self.transport.close()

    def _words_of(self, error: SSL.Error) -> str | None:
        """What OpenSSL says of a handshake that failed; ``handshake.find_cause`` knows the words."""
        if isinstance(error, SSL.SysCallError):
            return None  # the other side hung up
        reasons = error.args[0] if error.args and isinstance(error.args[0], list) else []
        text = "; ".join(str(reason[2]) for reason in reasons if len(reason) > 2) or type(error).__name__
        if "certificate verify failed" in text:
            # pyOpenSSL does not say which rule a certificate broke; mitmproxy asks OpenSSL in the same way.
            library, foreign = SSL._lib, SSL._ffi  # type: ignore[attr-defined]
            result = library.SSL_get_verify_result(self._connection._ssl)
            text += f": {foreign.string(library.X509_verify_cert_error_string(result)).decode()}"
        return text

    def _say(self) -> bool:
        """Send what TLS has to say. False, and the connection ends, where the other side takes none of it."""
        self._unsaid = 0
        self._flush()
        if self.unsent <= MOST_UNSENT:
            return True
        self.abort()
        return False

    def _flush(self) -> None:
        """Send what TLS itself has to say."""
        assert self.transport is not None
        with contextlib.suppress(SSL.WantReadError):  # nothing
            data = self._connection.bio_read(RECORD)
            self.transport.write(data)
            while len(data) == RECORD:
                data = self._connection.bio_read(RECORD)
                self.transport.write(data)

    # -- what the owner calls ----------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Send bytes; never none. They are dropped where nothing can be sent any more."""
        if self.stage not in (Stage.UP, Stage.ENDED):
            return
        assert self.transport is not None
        self._unsaid = 0
        self._connection.sendall(data)
        # In one piece where that can be: records have at most 22 bytes of their own, and TLS may have said something before.
        size = len(data) + len(data) // 256 + 2048
        written = self._connection.bio_read(size)
        self.transport.write(written)
        if len(written) == size:
            self._flush()

    @property
    def unsent(self) -> int:
        """Bytes that wait to be sent."""
        return 0 if self.transport is None else self.transport.get_write_buffer_size()

    def close(self) -> None:
        """End the connection when all is sent; what still comes in is of no interest."""
        if self._say_end():
            assert self.transport is not None
            self.stage = Stage.GONE if self.stage is Stage.GONE else Stage.LINGERING
            self.transport.close()

    def linger(self) -> None:
        """End the connection when all is sent and the other side has ended it; its owner sees that this does not last."""
        if self.stage is Stage.ENDED:
            self.close()
        elif self._say_end():
            assert self.transport is not None
            self.stage = Stage.LINGERING
            with contextlib.suppress(OSError):  # the other side has reset the connection, which will be told
                self.transport.write_eof()

    def _say_end(self) -> bool:
        """Say in TLS that nothing more comes. False where the end has come already."""
        if self.transport is None or self.stage in (Stage.GONE, Stage.LINGERING):
            return False
        if self.stage in (Stage.UP, Stage.ENDED):
            self._shut()
        return not self.transport.is_closing()

    def _shut(self) -> None:
        with contextlib.suppress(SSL.Error):
            self._connection.shutdown()
            if self._on_shut is not None:
                self._on_shut(self._connection)
        self._flush()

    def abort(self) -> None:
        """End the connection at once; where something was still to be said, by a reset.

        Many clients take the end of TCP for the end of an answer, whatever TLS says of it.
        """
        if self.transport is None:
            return
        if self.stage in (Stage.UP, Stage.ENDED):
            sock = self.transport.get_extra_info("socket")
            with contextlib.suppress(OSError, AttributeError):  # it is gone
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self.stage = Stage.GONE if self.stage is Stage.HANDSHAKE else self.stage
        self.transport.abort()


def has_unread(transport: asyncio.BaseTransport) -> bool:
    """Whether bytes came that nobody has read yet."""
    try:
        with contextlib.closing(transport.get_extra_info("socket").dup()) as twin:
            return bool(twin.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    except (OSError, ValueError, AttributeError):
        return False
