"""The parent proxy: where only another proxy leads out, every connection to a host is a tunnel through it.

Rules: what may be reached was decided before, by names; the parent resolves them, so addresses are its to check
(docs/threat-model.md). TLS with a workspace is inside its tunnel, and verified as ever, so it sees no token. There is no
other way when it is down. Nothing of what it answers goes to a client: its words and its challenge are the operator's.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from base64 import b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from brickscope import notice
from brickscope.core.head import REGULAR_ANSWER
from brickscope.service.monitoring.address import written

from .guard import guarded
from .handshake import Repetition

MAX_HEAD = 64 * 1024
MOST_ADDRESSES = 4
SECONDS = 10.0


class ParentError(Exception):
    """It opened no way. The message says why in one clause, for the operator, and quotes nothing of its answer."""


@dataclass(frozen=True)
class Address:
    """Where it is. ``tls``: whether it is spoken to in TLS. ``authorization``: the header that it asks for; a secret."""

    host: str
    port: int
    tls: bool
    authorization: bytes | None = field(default=None, repr=False)

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine, by its name alone."""
        return self.host == "localhost" or self.host == "::1" or self.host.startswith("127.")

    def __str__(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}"


def read_parent(url: str, password_file: str | None) -> Address:
    """The options. Raises ValueError with words; what the file holds is in none."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError(f"{url!r} is no URL such as http://proxy.example:3128") from None
    if "@" in url:
        raise ValueError("a password is not written into the URL; scope_parent_proxy_password names its file")
    if parts.scheme not in ("http", "https") or not host or not port or parts.path not in ("", "/"):
        raise ValueError(f"{url!r} is no URL such as http://proxy.example:3128 (with its port)")
    if not password_file:
        return Address(host, port, parts.scheme == "https")
    file = Path(password_file).expanduser()
    try:
        with file.open("rb") as opened:
            pair = opened.read(MAX_PASSWORD_FILE + 1)
    except OSError as error:
        raise ValueError(f"the password file {file} can't be read: {error.strerror}") from None
    if len(pair) > MAX_PASSWORD_FILE or not _PAIR.fullmatch(pair := pair.strip()):
        raise ValueError(f"the password file {file} is not one line USER:PASSWORD")
    return Address(host, port, parts.scheme == "https", b"Basic " + b64encode(pair))


MAX_PASSWORD_FILE = 16 * 1024
"""Most bytes of it: a device in its place does not end."""
_PAIR = re.compile(rb"[^\x00-\x20\x7f:]+:[^\x00-\x1f\x7f]+")


class Parent:
    """Opens tunnels through it."""

    def __init__(
        self,
        address: Address,
        trust: ssl.SSLContext,
        resolve: Callable[..., Awaitable[list[Any]]],
        leads_back: Callable[[Any, Any], str],
        failed: Callable[[], None],
        *,
        local: str | None = None,
    ) -> None:
        """``trust``: verifies it, where it speaks TLS. ``resolve``: asyncio's own ``getaddrinfo``, as its address may well
        be private. ``leads_back``: where a connection leads if that is this proxy itself (``destination.py``).
        ``failed``: told of each way that it did not open, for the count."""
        self.address = address
        self._trust = trust
        self._resolve = resolve
        self._leads_back = leads_back
        self._failed = failed
        self._local = None if local is None else (local, 0)
        self._told = Repetition()

    async def open(self, host: str, port: int, seconds: float) -> tuple[asyncio.Transport, bytes]:
        """A tunnel to a host, and what has come through it already. Raises ParentError, which the operator was told.

        The transport has a protocol that nobody reads; give it another one at once.
        """
        try:
            try:
                async with asyncio.timeout(seconds):
                    return await self._open(host, port)
            except TimeoutError:
                raise ParentError(f"it did not answer within {seconds:g} seconds") from None
            except OSError as error:
                raise ParentError(f"it can't be reached ({_words(error)})") from None
        except ParentError as error:
            self._failed()
            if self._told.is_new(str(error)):
                notice.warning("parent_proxy", f"the parent proxy {self.address} did not connect: {error}")
            raise ParentError(f"the parent proxy: {error}") from None

    async def tunnel(self, host: str, port: int) -> asyncio.Transport:
        """The same for whoever speaks first, and takes any failure as the network's. Raises ConnectionError."""
        try:
            transport, ahead = await self.open(host, port, SECONDS)
        except ParentError as error:
            raise ConnectionError(str(error)) from None
        if ahead:
            transport.abort()
            raise ConnectionError("the parent proxy: it spoke before it was asked")
        return transport

    async def _open(self, host: str, port: int) -> tuple[asyncio.Transport, bytes]:
        transport, asking = await self._reach()
        try:
            authority = written(host, port)
            lines = [f"CONNECT {authority} HTTP/1.1".encode(), f"Host: {authority}".encode()]
            if self.address.authorization is not None:
                lines.append(b"Proxy-Authorization: " + self.address.authorization)
            transport.write(b"\r\n".join([*lines, b"", b""]))
            status, ahead = await asking.answer
        except BaseException:
            transport.abort()
            raise
        if status != 200:
            transport.abort()
            asks = " (it asks for a password: scope_parent_proxy_password)" if status == 407 else ""
            raise ParentError(f"it answered {status}{asks}")
        return transport, ahead + asking.take()

    async def _reach(self) -> tuple[asyncio.Transport, _Asking]:
        """A connection to it, in TLS where that is wanted."""
        loop, address = asyncio.get_running_loop(), self.address
        found = await self._resolve(address.host, address.port, type=socket.SOCK_STREAM)
        failed: OSError | None = None
        tls: dict[str, Any] = (
            {"ssl": self._trust, "server_hostname": address.host} if address.tls else {"ssl": None}
        )
        for family, _, _, _, place in found[:MOST_ADDRESSES]:
            try:
                transport, asking = await loop.create_connection(
                    _Asking,
                    str(place[0]),
                    int(place[1]),
                    family=family,
                    local_addr=self._local,
                    **tls,
                )
            except OSError as error:
                failed = error
                continue
            peer, own = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
            back = self._leads_back(peer, own or ("",)) if peer else "nowhere"
            if back:
                transport.abort()
                raise ParentError(f"its address is that of {back}")
            return transport, asking
        raise failed or OSError("its name has no address")


class _Asking(asyncio.Protocol):
    """Reads the answer to a CONNECT. ``answer``: its status, and what followed it."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()
        self._received = b""

    @guarded
    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        self._received += data
        if self.answer.done():
            return
        end = self._received.find(b"\r\n\r\n")
        if end < 0 and len(self._received) <= MAX_HEAD:
            return
        if end < 0 or end > MAX_HEAD or not REGULAR_ANSWER.fullmatch(self._received, 0, end):
            self._fail("the head of its answer is not regular")
            return
        # RFC 9110 section 9.3.6: a 2xx has no body, whatever it says.
        status, rest = int(self._received[9:12]), self._received[end + 4 :]
        self._received = b""
        self.answer.set_result((status, rest))

    def take(self) -> bytes:
        """What came since the answer."""
        taken, self._received = self._received, b""
        return taken

    @guarded
    def connection_lost(self, error: Exception | None) -> None:
        """It hung up."""
        self._fail("it hung up")

    def fail_closed(self) -> None:
        """A callback raised: whoever waits for the answer ends the connection."""
        self._fail("its answer could not be read")

    def _fail(self, why: str) -> None:
        if not self.answer.done():
            self.answer.set_exception(ParentError(why))
            self.answer.exception()  # it may be that nobody waits any more


def _words(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    return error.strerror or type(error).__name__
