"""Raw clients for hostile requests: what is given is what goes over the wire, and nothing waits for ever.

Three steps: ``connect`` opens a tunnel, ``tls`` wraps it, then either ``send_h1`` and ``read_h1``, or ``H2Client``.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions

TIMEOUT = 10.0
READ = 64 * 1024
MAX_HEAD = 1024 * 1024

Pairs = list[tuple[bytes, bytes]]


class H1Response(NamedTuple):
    """An HTTP/1.1 response. ``complete``: its body came to its end. ``headers``: in order, as on the wire."""

    status: int
    reason: bytes
    headers: Pairs
    body: bytes
    complete: bool
    trailers: Pairs

    def values(self, name: bytes) -> list[bytes]:
        """All values of a header, whatever its case."""
        return [value for key, value in self.headers if key.lower() == name.lower()]


class Tunnel(NamedTuple):
    """What came of a CONNECT: the socket, and the proxy's answer (None if there was no whole head in time)."""

    sock: socket.socket
    response: H1Response | None

    @property
    def status(self) -> int | None:
        """The status of the answer, None if there was none."""
        return self.response.status if self.response else None


# -- tunnel and TLS --------------------------------------------------------------------------------------------


def dial(proxy: str, timeout: float = TIMEOUT) -> socket.socket:
    """A TCP connection to a proxy given as URL or ``host:port``."""
    url = urlsplit(proxy if "//" in proxy else f"//{proxy}")
    assert url.hostname is not None
    assert url.port is not None
    return socket.create_connection((url.hostname, url.port), timeout)


def connect(
    proxy: str, target: str, headers: Sequence[tuple[str, str]] = (), *, timeout: float = TIMEOUT
) -> Tunnel:
    """Open a tunnel to ``target`` (``host:443``); both go over the wire as they are."""
    sock = dial(proxy, timeout)
    try:
        fields = "".join(f"{name}: {value}\r\n" for name, value in (("Host", target), *headers))
        sock.sendall(f"CONNECT {target} HTTP/1.1\r\n{fields}\r\n".encode("latin-1"))
        return Tunnel(sock, H1Reader(sock).read("CONNECT", timeout))
    except BaseException:
        sock.close()
        raise


def tls(
    sock: socket.socket,
    *,
    ca: Path | None,
    sni: str | None,
    alpn: Sequence[str] = ("http/1.1",),
    timeout: float = TIMEOUT,
) -> ssl.SSLSocket:
    """Wrap a connection in TLS. ``sni`` None sends no name and checks none; ``ca`` None trusts everybody.

    Raises OSError (``ssl.SSLError`` is one) if the handshake fails; ``sock`` is closed then.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = sni is not None and ca is not None
    if ca is None:
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_verify_locations(ca)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    sock.settimeout(timeout)
    try:
        return context.wrap_socket(sock, server_hostname=sni)
    except BaseException:
        sock.close()
        raise


def open_tls(
    proxy: str, host: str, *, ca: Path | None, alpn: Sequence[str] = ("http/1.1",), timeout: float = TIMEOUT
) -> ssl.SSLSocket:
    """The usual case: a tunnel to ``host:443`` and TLS for that name. Raises ConnectionError if it is refused."""
    tunnel = connect(proxy, f"{host}:443", timeout=timeout)
    if tunnel.status != 200:
        tunnel.sock.close()
        raise ConnectionRefusedError(f"CONNECT {host}:443 was answered {tunnel.response}")
    return tls(tunnel.sock, ca=ca, sni=host, alpn=alpn, timeout=timeout)


# -- HTTP/1.1 --------------------------------------------------------------------------------------------------


def send_h1(sock: socket.socket, data: bytes, timeout: float = TIMEOUT) -> bool:
    """Send bytes as they are. False if the other side has hung up before they were all taken."""
    sock.settimeout(timeout)
    try:
        sock.sendall(data)
    except OSError:
        return False
    return True


def read_h1(sock: socket.socket, method: str = "GET", timeout: float = TIMEOUT) -> H1Response | None:
    """Read one response; see ``H1Reader`` for several on one connection."""
    return H1Reader(sock).read(method, timeout)


HUNG_UP = (ConnectionError, ssl.SSLError)
"""What a call raises where the other side ends the connection. A time-out is none of these: it would pass for a refusal."""


def hung_up(sock: socket.socket, timeout: float = TIMEOUT) -> bool:
    """Whether the other side closes the connection without another byte. Raises TimeoutError if it does nothing."""
    sock.settimeout(timeout)
    try:
        return sock.recv(1) == b""
    except ConnectionError:
        return True


class H1Reader:
    """Reads responses one after the other; what is left after one belongs to the next."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._held = bytearray()
        self._deadline = 0.0
        self._ended = False

    @property
    def left(self) -> bytes:
        """Bytes that came after the last response."""
        return bytes(self._held)

    def wait_for(self, data: bytes, timeout: float = TIMEOUT) -> None:
        """Wait until ``data`` has come, of a response that may still be on its way. Raises ConnectionError at its end."""
        self._deadline = time.monotonic() + timeout
        while data not in self._held:
            if not self._more():
                raise ConnectionResetError(f"the response ended without {data!r}: {self.left!r}")

    def read(self, method: str = "GET", timeout: float = TIMEOUT) -> H1Response | None:
        """The next response (interim ones are skipped); None if the connection ended before a whole head came.

        A body that is cut off gives a response that is not ``complete``. Raises TimeoutError: the other side neither
        answered nor hung up, which is no answer that a test could take for one.
        """
        self._deadline = time.monotonic() + timeout
        while True:
            head = self._head()
            if head is None:
                return None
            status, reason, headers = head
            if status >= 200 or status == 101:
                break
        if (
            status == 101
            or method == "HEAD"
            or status in (204, 304)
            or (method == "CONNECT" and status < 300)
        ):
            return H1Response(status, reason, headers, b"", True, [])
        fields = {name.lower(): value for name, value in headers}
        if b"chunked" in fields.get(b"transfer-encoding", b"").lower():
            body, complete, trailers = self._chunked()
        elif fields.get(b"content-length", b"").isdigit():
            (body, complete), trailers = self._sized(int(fields[b"content-length"])), []
        else:
            body, complete, trailers = self._until_closed()
        return H1Response(status, reason, headers, body, complete, trailers)

    def _head(self) -> tuple[int, bytes, Pairs] | None:
        while b"\r\n\r\n" not in self._held:
            if len(self._held) > MAX_HEAD or not self._more():
                return None
        head, _, rest = bytes(self._held).partition(b"\r\n\r\n")
        self._held[:] = rest
        line, *fields = head.split(b"\r\n")
        version, _, status = line.partition(b" ")
        code, _, reason = status.partition(b" ")
        if not version.startswith(b"HTTP/") or not code.isdigit():
            raise ValueError(f"not a status line: {line!r}")
        return int(code), reason, _pairs(fields)

    def _sized(self, length: int) -> tuple[bytes, bool]:
        while len(self._held) < length:
            if not self._more():
                break
        body = bytes(self._held[:length])
        del self._held[:length]
        return body, len(body) == length

    def _line(self) -> bytes | None:
        while b"\r\n" not in self._held:
            if not self._more():
                return None
        line, _, rest = bytes(self._held).partition(b"\r\n")
        self._held[:] = rest
        return line

    def _chunked(self) -> tuple[bytes, bool, Pairs]:
        body = bytearray()
        while (line := self._line()) is not None:
            size = int(line.partition(b";")[0], 16)
            if size == 0:
                fields: list[bytes] = []
                while field := self._line():
                    fields.append(field)
                return bytes(body), field is not None, _pairs(fields)
            piece, complete = self._sized(size + 2)
            body += piece[:size]
            if not complete:
                break
        return bytes(body), False, []

    def _until_closed(self) -> tuple[bytes, bool, Pairs]:
        while self._more():
            pass
        body = bytes(self._held)
        self._held.clear()
        return body, self._ended, []

    def _more(self) -> bool:
        """Read more. False at the end of the connection. Raises TimeoutError at the end of time."""
        self._sock.settimeout(max(self._deadline - time.monotonic(), 0.001))
        try:
            data = self._sock.recv(READ)
        except TimeoutError:
            raise
        except OSError:
            return False
        self._held += data
        self._ended = not data
        return bool(data)


def _pairs(fields: list[bytes]) -> Pairs:
    split = (field.partition(b":") for field in fields)
    return [(name, value.strip(b" \t")) for name, _, value in split]


# -- HTTP/2 ----------------------------------------------------------------------------------------------------


class H2Response(NamedTuple):
    """What came on a stream. ``status`` None: no response head. ``reset``: the error code of RST_STREAM or GOAWAY."""

    status: int | None
    headers: Pairs
    body: bytes
    trailers: Pairs
    complete: bool
    reset: int | None


class H2Client:
    """HTTP/2 over a connected socket; nothing that is sent is checked or put right."""

    def __init__(self, sock: socket.socket, timeout: float = TIMEOUT) -> None:
        self.sock = sock
        self.timeout = timeout
        self.closed = False
        self.goaway: int | None = None
        self._events: dict[int, list[h2.events.Event]] = {}
        self.protocol = h2.connection.H2Connection(
            h2.config.H2Configuration(
                client_side=True,
                header_encoding=None,
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
                validate_inbound_headers=False,
                normalize_inbound_headers=False,
            )
        )
        self.protocol.initiate_connection()
        self._flush()

    def request(self, headers: Pairs, body: bytes | None = None, trailers: Pairs | None = None) -> int:
        """Send a whole request, pseudo-headers among ``headers``. Returns the number of its stream."""
        number = self.open(headers, end=body is None and trailers is None)
        if body is not None:
            self.send(number, body, end=trailers is None)
        if trailers is not None:
            self.trail(number, trailers)
        return number

    def open(self, headers: Pairs, *, end: bool = False) -> int:
        """Send the head of a request. Returns the number of its stream."""
        number = self.protocol.get_next_available_stream_id()
        self._events[number] = []
        self.protocol.send_headers(number, headers, end_stream=end)
        self._flush()
        return number

    def send(self, number: int, data: bytes, *, end: bool = False) -> None:
        """Send a piece of a body, as fast as the server lets us. Raises TimeoutError if it does not."""
        deadline = time.monotonic() + self.timeout
        while True:
            window = self.protocol.local_flow_control_window(number)
            size = min(len(data), window, self.protocol.max_outbound_frame_size)
            if size > 0 or not data:
                self.protocol.send_data(number, data[:size], end_stream=end and size == len(data))
                self._flush()
                data = data[size:]
                if not data:
                    return
            elif not self._receive(deadline):
                raise TimeoutError("the server took no more of the body")

    def trail(self, number: int, trailers: Pairs) -> None:
        """End a request with trailers."""
        self.protocol.send_headers(number, trailers, end_stream=True)
        self._flush()

    def reset(self, number: int) -> None:
        """Give a stream up."""
        self.protocol.reset_stream(number, h2.errors.ErrorCodes.CANCEL)
        self._flush()

    def send_raw(self, data: bytes) -> None:
        """Send bytes past the library: frames it would not make."""
        with contextlib.suppress(OSError):
            self.sock.sendall(data)

    def wait_for_data(self, number: int, length: int, timeout: float | None = None) -> bytes:
        """The body so far, once it has ``length`` bytes or the stream has ended. Raises TimeoutError."""
        deadline = time.monotonic() + (timeout or self.timeout)
        while not (response := self._response(number)).complete and len(response.body) < length:
            if response.reset is not None or not self._receive(deadline):
                break
        return response.body

    def collect(self, number: int, timeout: float | None = None) -> H2Response:
        """What came on a stream, once it or the connection has ended. Raises TimeoutError."""
        deadline = time.monotonic() + (timeout or self.timeout)
        while not (response := self._response(number)).complete and response.reset is None:
            if not self._receive(deadline):
                break
        return self._response(number)

    def close(self) -> None:
        """Close the connection."""
        self.sock.close()

    def _response(self, number: int) -> H2Response:
        status: int | None = None
        headers: Pairs = []
        trailers: Pairs = []
        body = bytearray()
        complete = False
        reset = self.goaway
        for event in self._events[number]:
            match event:
                case h2.events.ResponseReceived():
                    headers = _plain(event.headers)
                    status = int(dict(headers).get(b":status", b"0"))
                case h2.events.DataReceived():
                    body += event.data or b""
                case h2.events.TrailersReceived():
                    trailers = _plain(event.headers)
                case h2.events.StreamEnded():
                    complete = True
                case h2.events.StreamReset():
                    reset = int(event.error_code or 0)
        return H2Response(status, headers, bytes(body), trailers, complete, reset)

    def _flush(self) -> None:
        data = self.protocol.data_to_send()
        if data:
            self.sock.settimeout(self.timeout)
            with contextlib.suppress(OSError):  # what the server said before it hung up is still to be read
                self.sock.sendall(data)

    def _receive(self, deadline: float) -> bool:
        """Take in what came. False if the connection has ended. Raises TimeoutError if the time has."""
        if self.closed:
            return False
        self.sock.settimeout(max(deadline - time.monotonic(), 0.001))
        try:
            data = self.sock.recv(READ)
            events = self.protocol.receive_data(data) if data else []
        except TimeoutError:
            raise
        except (OSError, h2.exceptions.ProtocolError):
            data, events = b"", []
        if not data:
            self.closed = True
            return False
        for event in events:
            if isinstance(event, h2.events.DataReceived):
                with contextlib.suppress(h2.exceptions.ProtocolError):
                    self.protocol.acknowledge_received_data(
                        event.flow_controlled_length or 0, event.stream_id
                    )
            if isinstance(event, h2.events.ConnectionTerminated):
                self.goaway = int(event.error_code or 0)
            number = getattr(event, "stream_id", None)
            if number in self._events:
                self._events[number].append(event)
        self._flush()
        return True


def h2_headers(
    method: str, path: str, host: str, token: str | None = None, extra: Sequence[tuple[bytes, bytes]] = ()
) -> Pairs:
    """The head of an ordinary HTTP/2 request."""
    head = [
        (b":method", method.encode("latin-1")),
        (b":scheme", b"https"),
        (b":authority", host.encode("latin-1")),
        (b":path", path.encode("latin-1")),
    ]
    if token is not None:
        head.append((b"authorization", b"Bearer " + token.encode("latin-1")))
    return [*head, *extra]


def _plain(headers: object) -> Pairs:
    assert isinstance(headers, list)
    return [(bytes(name), bytes(value)) for name, value in headers]
