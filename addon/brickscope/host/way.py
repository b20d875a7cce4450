"""The way to the workspace, step by step: name, port, tunnel, TLS, and who answers there.

Nothing is sent that could be a secret but the credentials of the proxy itself, to the proxy. The one call through the
tunnel has no token, and names two workspaces, which Brickscope denies in every mode, so that Databricks never sees it.
"""

import functools
import socket
import ssl
import sys
import threading
from _ssl import ENCODING_DER
from collections.abc import Callable
from typing import Any, NamedTuple

import h11
from cryptography import x509

from brickscope.host.proxy_url import ProxyUrl

SECONDS = 5.0
PATH = "/api/2.0/brickscope-doctor?o=1&o=2"
MAX_HEAD = 65_536
MAX_CHAIN = 10


class WayError(Exception):
    """A step failed; the message says how. ``status``: the proxy's own answer to CONNECT, where there was one."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class Answer(NamedTuple):
    """``reason``: Brickscope's, from the header that only it sends. ``request_id``: with it, that of the decision."""

    status: int
    reason: str | None
    request_id: str | None


class Presented(NamedTuple):
    """What answers at the end of the tunnel: the certificates it shows, its own first, and its answer to a call (None: no
    HTTP came)."""

    chain: tuple[x509.Certificate, ...]
    answer: Answer | None

    @property
    def leaf(self) -> x509.Certificate:
        """Its own certificate."""
        return self.chain[0]


def within[Found](seconds: float, call: Callable[[], Found]) -> Found:
    """What ``call`` gives, or raises; TimeoutError when time is up (a resolver knows no limit of its own)."""
    found: list[Found] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            found.append(call())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if failed:
        raise failed[0]
    if not found:
        raise TimeoutError(f"no answer within {seconds:.0f} s")
    return found[0]


def resolve(host: str) -> list[str]:
    """The addresses of a name. Raises WayError."""
    try:
        answers = within(SECONDS, lambda: socket.getaddrinfo(host, None, type=socket.SOCK_STREAM))
    except (OSError, UnicodeError) as error:
        raise WayError(f"{host} has no address: {_text(error)}") from None
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))


def connect(host: str, port: int, seconds: float = SECONDS) -> socket.socket:
    """An open connection. Raises WayError."""
    try:
        return within(seconds + 1, lambda: socket.create_connection((host, port), seconds))
    except (OSError, UnicodeError) as error:
        raise WayError(f"{host}:{port} can't be reached: {_text(error)}") from None


def _limited[**Given, Found](call: Callable[Given, Found]) -> Callable[Given, Found]:
    """A limit on the whole, since what answers byte by byte keeps every single wait short."""

    @functools.wraps(call)
    def limited(*given: Given.args, **named: Given.kwargs) -> Found:
        try:
            return within(4 * SECONDS, lambda: call(*given, **named))
        except TimeoutError as error:
            raise WayError(f"what listens there does not come to an end: {error}") from None

    return limited


@_limited
def open_tunnel(proxy: ProxyUrl, host: str) -> socket.socket:
    """A tunnel to port 443 of ``host``. Raises WayError with what came instead."""
    sock = connect(proxy.host, proxy.port)
    login = [("Proxy-Authorization", proxy.authorization)] if proxy.authorization else []
    try:
        sock.settimeout(SECONDS)
        status = _ask(sock, "CONNECT", f"{host}:443", [("Host", f"{host}:443"), *login]).status_code
    except (OSError, ValueError) as error:
        sock.close()
        raise WayError(
            f"what listens at {proxy.host}:{proxy.port} is not an HTTP proxy: {_text(error)}"
        ) from None
    if status != 200:
        sock.close()
        hint = {
            407: "it rejects the user and password in its URL"
            if proxy.authorization
            else "it requires a user and a password in its URL",
            403: "it refuses this host",
            502: "it can't reach this host",
        }.get(status, "it does not open tunnels")
        raise WayError(f"the proxy answers {status} to CONNECT {host}:443: {hint}", status)
    return sock


@_limited
def look(proxy: ProxyUrl, host: str) -> Presented:
    """Who is at the end of the tunnel. Raises WayError.

    The certificate is not verified here, but looked at: no secret is sent, and what is wrong with it is to be found out.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    with open_tunnel(proxy, host) as sock:
        try:
            with context.wrap_socket(sock, server_hostname=host) as tls:
                chain = tuple(x509.load_der_x509_certificate(raw) for raw in _shown(tls)[:MAX_CHAIN])
                if not chain:
                    raise WayError("no certificate was shown")
                return Presented(chain, _probe(tls, host))
        except (OSError, ValueError) as error:
            raise WayError(f"no TLS through the tunnel to {host}: {_text(error)}") from None


def _shown(tls: ssl.SSLSocket) -> list[bytes]:
    """The certificates that the server has sent, in DER. Before Python 3.13 the method has no public name (gh-62817)."""
    if sys.version_info >= (3, 13):
        return [bytes(each) for each in tls.get_unverified_chain()]
    inner: Any = tls._sslobj  # type: ignore[attr-defined]
    return [each.public_bytes(ENCODING_DER) for each in inner.get_unverified_chain() or ()]


def is_open(host: str) -> bool:
    """Whether the workspace can be reached without the proxy."""
    try:
        connect(host, 443, 2.0).close()
    except WayError:
        return False
    return True


def _probe(tls: ssl.SSLSocket, host: str) -> Answer | None:
    headers = [("Host", host), ("User-Agent", "brickscope-doctor"), ("Connection", "close")]
    try:
        response = _ask(tls, "GET", PATH, headers)
    except (OSError, ValueError):
        return None
    told = {name: value.decode("latin-1")[:128] for name, value in response.headers}
    return Answer(response.status_code, told.get(b"x-brickscope-reason"), told.get(b"x-request-id"))


def _ask(sock: socket.socket, method: str, target: str, headers: list[tuple[str, str]]) -> h11.Response:
    """The head of the answer to a request without a body. Raises OSError, and ValueError for what is no HTTP."""
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
    try:
        request = connection.send(h11.Request(method=method, target=target, headers=headers))
        sock.sendall((request or b"") + (connection.send(h11.EndOfMessage()) or b""))
        while not isinstance(event := connection.next_event(), h11.Response):
            if event is h11.NEED_DATA:
                connection.receive_data(sock.recv(4096))
            elif not isinstance(event, h11.InformationalResponse):
                raise ValueError("it hung up")
    except h11.ProtocolError as error:
        raise ValueError(f"its answer is not HTTP: {error}") from None
    return event


def _text(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
