"""TLS in memory: an end of the proxy's and a real peer, by Python's own ssl."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from by_hand import PretendedTransport
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from OpenSSL import SSL

from brickscope.proxy.contexts import Contexts
from brickscope.proxy.tls import End
from lab.workspace.authority import Authority

HOST = "dbc-a.cloud.databricks.com"


class Told:
    """What an end has told, in order."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.data = b""

    def end_made(self, end: End) -> bool:
        self.told.append("made")
        return True

    def end_up(self, end: End) -> None:
        self.told.append("up")

    def end_received(self, end: End, data: bytes) -> None:
        assert data
        self.data += data
        if self.told[-1] != "data":
            self.told.append("data")

    def end_closed(self, end: End, clean: bool) -> None:
        self.told.append(("closed", clean))

    def end_failed(self, end: End, why: str | None) -> None:
        self.told.append(("failed", why))

    def end_full(self, end: End, full: bool) -> None:
        self.told.append(("full", full))

    def end_lost(self, end: End) -> None:
        self.told.append("lost")

    def fail_closed(self) -> None:
        self.told.append("failed inside")


class Peer:
    """The other side, by Python's own ssl."""

    def __init__(self, context: ssl.SSLContext, *, server: bool, name: str | None = HOST) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server, None if server else name)
        self.error: Exception | None = None
        self.ended = False

    def shake(self) -> None:
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            self.error = error

    def read(self) -> bytes:
        data = b""
        try:
            while piece := self.tls.read(65536):
                data += piece
            self.ended = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.ended = True
        return data


class Wire:
    """An end and its peer."""

    def __init__(self, connection: SSL.Connection, peer: Peer, *, server: bool) -> None:
        self.told, self.peer, self.server = Told(), peer, server
        self.end = End(connection, self.told)
        self.transport = PretendedTransport(("192.0.2.1", 4000))
        self.transport.protocol = self.end
        self._passed = 0

    def begin(self, alpn: bytes = b"http/1.1") -> Wire:
        self.peer.shake()
        if self.server:
            self.end.take_over(self.transport)
            self.end.begin(self.peer.outgoing.read(), alpn)
        else:
            self.end.connection_made(self.transport)
        self.exchange()
        return self

    def exchange(self, step: int = 0) -> None:
        """Bring what each side has said to the other, until both are silent."""
        for _ in range(20):
            data = self.transport.written[self._passed :]
            self._passed = len(self.transport.written)
            if data:
                self.peer.incoming.write(data)
            self.peer.shake()
            said = self.peer.outgoing.read()
            if said:
                for start in range(0, len(said), step or len(said)):
                    self.transport.receive(said[start : start + (step or len(said))])
            if not data and not said:
                return

    def say(self, data: bytes, step: int = 0) -> None:
        self.peer.tls.write(data)
        self.exchange(step)


def make_authority(folder: Path, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
    """An authority of this key, in mitmproxy's place."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization

    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test authority")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=100))
        .add_extension(x509.BasicConstraints(True, None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    public = certificate.public_bytes(serialization.Encoding.PEM)
    (folder / "mitmproxy-ca.pem").write_bytes(private + public)
    (folder / "mitmproxy-ca-cert.pem").write_bytes(public)


Make = Callable[..., Contexts]


def client_side(store: Path, **changes: Any) -> ssl.SSLContext:
    """A client that trusts the proxy."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(store / "mitmproxy-ca-cert.pem")
    context.set_alpn_protocols(changes.pop("alpn", ["http/1.1"]))
    for name, value in changes.items():
        setattr(context, name, value)
    return context


def answered(
    contexts: Contexts,
    client: ssl.SSLContext,
    name: str | None = HOST,
    host: str = HOST,
    alpn: bytes = b"http/1.1",
) -> Wire:
    """A client's handshake with the proxy. ``alpn``: what was decided on."""
    wire = Wire(contexts.for_client(host, name), Peer(client, server=False, name=name), server=True)
    return wire.begin(alpn)


def in_a_loop(story: Callable[[], Any]) -> Any:
    async def run() -> Any:
        found = story()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return found

    return asyncio.run(run())


def host_side(authority: Authority, *names: str, **changes: Any) -> ssl.SSLContext:
    """A host with a certificate for these names."""
    leaf = authority.issue(list(names))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(leaf.certificate_file, leaf.key_file)
    for name, value in changes.items():
        setattr(context, name, value)
    return context
