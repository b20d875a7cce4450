"""One end against a real peer, in memory: what comes, what goes, how either side ends; and mitmproxy's options on TLS."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from by_hand import PretendedTransport
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509 import load_pem_x509_certificate
from mitmproxy import certs
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.addons.tlsconfig import TlsConfig
from mitmproxy.test import taddons
from OpenSSL import SSL
from OpenSSL.crypto import X509

from brickscope.proxy.contexts import Contexts
from brickscope.proxy.handshake import find_cause
from brickscope.proxy.tls import LINGER_BYTES, End, Stage
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


@pytest.fixture(params=["rsa", "p256"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder with an authority of mitmproxy's."""
    certs.CertStore.create_store(tmp_path, "mitmproxy", 2048)
    if request.param == "p256":
        key = ec.generate_private_key(ec.SECP256R1())
        make_authority(tmp_path, key)
    return tmp_path


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


@pytest.fixture
def make(store: Path) -> Iterator[Make]:
    """Contexts with these options."""
    config = TlsConfig()
    with taddons.context(Proxyserver(), config) as context:

        def with_options(**options: Any) -> Contexts:
            context.configure(config, confdir=str(store), upstream_cert=False, **options)
            return Contexts(config, context.options)

        yield with_options


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


# -- towards a client -------------------------------------------------------------------------------------------


def test_a_client_is_answered_with_a_certificate_for_its_host(make: Make, store: Path) -> None:
    wire = in_a_loop(lambda: answered(make(), client_side(store)))
    assert (wire.told.told, wire.end.alpn) == (["up"], b"http/1.1")
    assert wire.peer.tls.version() == "TLSv1.3"
    names = [name for _, name in wire.peer.tls.getpeercert()["subjectAltName"]]
    assert names == [HOST]


@pytest.mark.parametrize("step", [0, 1, 7])
def test_bytes_come_whole_in_whatever_pieces(make: Make, store: Path, step: int) -> None:
    def story() -> Wire:
        wire = answered(make(), client_side(store))
        wire.say(b"x" * 40_000, step or 0)
        wire.say(b"y", step)
        return wire

    wire = in_a_loop(story)
    assert wire.told.data == b"x" * 40_000 + b"y"
    assert wire.told.told == ["up", "data"]


def test_large_answers_go_out_whole(make: Make, store: Path) -> None:
    data = bytes(range(256)) * 4096

    def story() -> bytes:
        wire = answered(make(), client_side(store))
        wire.end.write(data)
        found = b""
        sent = wire.transport.written[wire._passed :]
        for start in range(0, len(sent), 50_000):
            wire.peer.incoming.write(sent[start : start + 50_000])
            found += wire.peer.read()
        return found

    assert in_a_loop(story) == data


def test_a_first_request_may_come_with_the_end_of_the_handshake(make: Make, store: Path) -> None:
    def story() -> Wire:
        peer = Peer(client_side(store), server=False)
        wire = Wire(make().for_client(HOST, HOST), peer, server=True)
        peer.shake()
        wire.end.take_over(wire.transport)
        wire.end.begin(peer.outgoing.read(), b"http/1.1")
        peer.incoming.write(wire.transport.written)
        peer.shake()
        peer.tls.write(b"GET / HTTP/1.1\r\n\r\n")
        wire.transport.receive(peer.outgoing.read())
        return wire

    wire = in_a_loop(story)
    assert (wire.told.told, wire.told.data) == (["up", "data"], b"GET / HTTP/1.1\r\n\r\n")


def test_close_notify_is_told_after_what_came_with_it(make: Make, store: Path) -> None:
    def story() -> Wire:
        wire = answered(make(), client_side(store))
        wire.peer.tls.write(b"last")
        with pytest.raises(ssl.SSLWantReadError):
            wire.peer.tls.unwrap()
        wire.exchange()
        wire.transport.receive_end()
        return wire

    assert in_a_loop(story).told.told == ["up", "data", ("closed", True), "lost"]


def test_a_plain_end_is_told_apart(make: Make, store: Path) -> None:
    def story() -> Wire:
        wire = answered(make(), client_side(store))
        wire.transport.receive_end()
        return wire

    assert in_a_loop(story).told.told == ["up", ("closed", False), "lost"]


def test_so_is_a_reset_and_a_record_that_is_none(make: Make, store: Path) -> None:
    def reset() -> Wire:
        wire = answered(make(), client_side(store))
        wire.transport.cut()
        return wire

    def garbage() -> Wire:
        wire = answered(make(), client_side(store))
        wire.transport.receive(b"GET / HTTP/1.1\r\n\r\n")
        return wire

    assert in_a_loop(reset).told.told == ["up", ("closed", False), "lost"]
    assert in_a_loop(garbage).told.told == ["up", ("closed", False)]


def test_a_gentle_end_says_so_in_tls_and_then_drops_what_comes(make: Make, store: Path) -> None:
    def story() -> Wire:
        wire = answered(make(), client_side(store))
        wire.end.write(b"bye")
        wire.end.linger()
        wire.end.linger()
        wire.exchange()
        assert wire.peer.read() == b"bye"
        wire.peer.read()
        assert wire.peer.ended
        wire.transport.receive(b"x" * LINGER_BYTES)
        assert not wire.transport.closed
        wire.end.write(b"dropped")
        wire.transport.receive(b"x")
        assert wire.transport.closed == "aborted"
        return wire

    assert in_a_loop(story).told.told == ["up", "lost"]


def test_a_session_goes_on_with_its_own_host_only(make: Make, store: Path) -> None:
    def story() -> list[bool | None]:
        contexts, client = make(), client_side(store)
        first = answered(contexts, client)
        first.end.write(b"x")  # TLS 1.3 sends its tickets after the handshake
        first.exchange()
        first.peer.read()
        session = first.peer.tls.session
        found = []
        for host in (HOST, "dbc-b.cloud.databricks.com"):
            peer = Peer(client, server=False, name=host)
            peer.tls.session = session
            wire = Wire(contexts.for_client(host, host), peer, server=True).begin()
            assert wire.told.told == ["up"]
            found.append(peer.tls.session_reused)
        return found

    assert in_a_loop(story) == [True, False]


def test_a_certificate_that_is_renewed_takes_effect(make: Make, store: Path) -> None:
    def story() -> tuple[str, str]:
        contexts = make()
        before = answered(contexts, client_side(store)).peer.tls.getpeercert()["serialNumber"]
        assert answered(contexts, client_side(store)).peer.tls.getpeercert()["serialNumber"] == before
        contexts.renew(datetime.now(UTC) + timedelta(days=3650))
        return before, answered(contexts, client_side(store)).peer.tls.getpeercert()["serialNumber"]

    before, after = in_a_loop(story)
    assert before != after


def test_made_up_names_fill_no_memory(make: Make) -> None:
    contexts = make()
    for number in range(130):
        contexts.for_client(f"dbc-{number}.cloud.databricks.com", None)
    assert len(contexts._made) == 100


@pytest.mark.parametrize("name", ["example.com", "dbc-b.cloud.databricks.com"])
def test_a_client_that_names_another_host_gets_its_refusal_in_words(
    make: Make, store: Path, name: str
) -> None:
    wire = in_a_loop(lambda: answered(make(), client_side(store), name))
    assert wire.told.told == ["up"]
    names = [each for _, each in wire.peer.tls.getpeercert()["subjectAltName"]]
    assert names == [name, HOST]


@pytest.mark.parametrize("name", [None, "odd_name", "1.2.3.4", "x" * 300])
def test_an_odd_name_changes_nothing(make: Make, store: Path, name: str | None) -> None:
    connection = make().for_client(HOST, name)
    client = client_side(store, check_hostname=False)
    wire = in_a_loop(lambda: Wire(connection, Peer(client, server=False, name=HOST), server=True).begin())
    assert wire.told.told == ["up"]


OFFERS = {
    "HTTP/1.1": (["http/1.1"], b"http/1.1", "http/1.1"),
    "both, and the host speaks HTTP/1.1": (["h2", "http/1.1"], b"http/1.1", "http/1.1"),
    "both, and the host speaks HTTP/2": (["http/1.1", "h2"], b"h2", "h2"),
    "HTTP/2": (["h2"], b"h2", "h2"),
    "something else": (["spdy/3"], b"http/1.1", None),
}


@pytest.mark.parametrize(("alpn", "decided", "chosen"), OFFERS.values(), ids=OFFERS)
def test_what_is_agreed_on(
    make: Make, store: Path, alpn: list[str], decided: bytes, chosen: str | None
) -> None:
    wire = in_a_loop(lambda: answered(make(), client_side(store, alpn=alpn), alpn=decided))
    assert wire.peer.tls.selected_alpn_protocol() == chosen
    assert wire.end.alpn == (chosen or "").encode()


def test_http2_is_served_where_it_is_offered_and_wanted(make: Make) -> None:
    assert make().serves((b"h2", b"http/1.1"))
    assert not make().serves((b"http/1.1",))
    assert not make(http2=False).serves((b"h2", b"http/1.1"))


def test_after_a_little_of_http2_others_have_their_turn() -> None:
    """Of a quarter of a MiB of DATA with a byte each the library makes work for half a second."""
    end = End(None, Told())
    sizes = {}
    for end.alpn in (None, b"http/1.1", b"h2"):
        sizes[end.alpn] = len(end.get_buffer(-1)) // 1024
    assert sizes == {None: 256, b"http/1.1": 256, b"h2": 32}


def old_client(store: Path) -> ssl.SSLContext:
    context = client_side(store)
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


REFUSED: dict[str, tuple[dict[str, Any], Callable[[Path], ssl.SSLContext], str]] = {
    "TLS 1.1": ({}, old_client, "protocol_version"),
    "TLS 1.2, where 1.3 is asked for": (
        {"tls_version_client_min": "TLS1_3"},
        lambda store: client_side(store, maximum_version=ssl.TLSVersion.TLSv1_2),
        "protocol_version",
    ),
    "a client that does not trust us": ({}, lambda store: ssl.create_default_context(), "ca_unknown"),
}


@pytest.mark.parametrize(("options", "client", "cause"), REFUSED.values(), ids=REFUSED)
def test_a_handshake_that_fails_says_why(
    make: Make, store: Path, options: dict[str, Any], client: Callable[[Path], ssl.SSLContext], cause: str
) -> None:
    wire = in_a_loop(lambda: answered(make(**options), client(store)))
    assert wire.peer.error is not None
    (failed,) = [told for told in wire.told.told if told != "lost"]
    assert failed[0] == "failed"
    assert find_cause("client", failed[1]) == cause
    assert wire.transport.closed == "closed"


def test_the_options_on_versions_and_ciphers_of_clients_take_effect(make: Make, store: Path) -> None:
    wire = in_a_loop(lambda: answered(make(tls_version_client_max="TLS1_2"), client_side(store)))
    assert wire.peer.tls.version() == "TLSv1.2"
    kind = "ECDSA" if "ECDSA" in wire.peer.tls.cipher()[0] else "RSA"
    chosen = f"ECDHE-{kind}-AES256-GCM-SHA384"
    wire = in_a_loop(
        lambda: answered(make(tls_version_client_max="TLS1_2", ciphers_client=chosen), client_side(store))
    )
    assert wire.peer.tls.cipher()[0] == chosen
    client = client_side(store)
    client.set_ciphers("ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305")
    wire = in_a_loop(lambda: answered(make(tls_version_client_max="TLS1_2", ciphers_client=chosen), client))
    assert wire.peer.error is not None
    assert find_cause("client", wire.told.told[0][1]) == "no_shared_cipher"


def test_the_ciphers_of_clients_are_mitmproxys_own_by_default(make: Make, store: Path) -> None:
    from mitmproxy.addons.tlsconfig import _DEFAULT_CIPHERS

    connection = make(tls_version_client_min="TLS1_2").for_client(HOST, HOST)
    ours = [name for name in connection.get_cipher_list() if not name.startswith("TLS_")]
    assert ours
    assert set(ours) <= set(_DEFAULT_CIPHERS)


def test_the_option_on_curves_takes_effect(make: Make, store: Path) -> None:
    contexts = make(tls_ecdh_curve_client="secp384r1")
    client = client_side(store)
    client.set_ecdh_curve("prime256v1")
    wire = in_a_loop(lambda: answered(contexts, client))
    assert wire.peer.error is not None
    client.set_ecdh_curve("secp384r1")
    assert in_a_loop(lambda: answered(contexts, client)).told.told == ["up"]


def test_the_option_certs_takes_effect(make: Make, store: Path, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    leaf = authority.issue(["*.cloud.databricks.com"])
    own = tmp_path / "own.pem"
    own.write_bytes(Path(leaf.key_file).read_bytes() + Path(leaf.certificate_file).read_bytes())
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(authority.ca_file)
    wire = in_a_loop(lambda: answered(make(certs=[f"*.cloud.databricks.com={own}"]), client))
    assert wire.told.told == ["up"]


def test_a_certificate_may_have_a_passphrase(make: Make, store: Path, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    leaf = authority.issue([HOST])
    key = load_pem_private_key(Path(leaf.key_file).read_bytes(), None)
    locked = key.private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, BestAvailableEncryption(b"open sesame")
    )
    own = tmp_path / "own.pem"
    own.write_bytes(locked + Path(leaf.certificate_file).read_bytes())
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(authority.ca_file)
    contexts = make(certs=[str(own)], cert_passphrase="open sesame")
    assert in_a_loop(lambda: answered(contexts, client)).told.told == ["up"]


# -- towards a host ---------------------------------------------------------------------------------------------


def host_side(authority: Authority, *names: str, **changes: Any) -> ssl.SSLContext:
    """A host with a certificate for these names."""
    leaf = authority.issue(list(names))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(leaf.certificate_file, leaf.key_file)
    for name, value in changes.items():
        setattr(context, name, value)
    return context


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    folder = tmp_path / "hosts"
    folder.mkdir()
    return Authority(folder)


def dialled(contexts: Contexts, host: ssl.SSLContext, name: str = HOST) -> Wire:
    """The proxy's handshake with a host: the second one, whose context is there already, which ends as the first did."""
    first, second = (
        Wire(contexts.for_host(name), Peer(host, server=True), server=False).begin() for _ in range(2)
    )
    assert (second.told.told, second.end.alpn) == (first.told.told, first.end.alpn)
    return second


def test_a_host_is_verified_and_offered_http1_alone(make: Make, authority: Authority) -> None:
    seen: list[str | None] = []

    def story() -> Wire:
        host = host_side(authority, "*.cloud.databricks.com")
        host.set_alpn_protocols(["h2", "http/1.1"])
        host.sni_callback = lambda tls, name, context: seen.append(name)
        return dialled(make(ssl_verify_upstream_trusted_ca=str(authority.ca_file)), host)

    wire = in_a_loop(story)
    assert (wire.told.told, wire.end.alpn, seen) == (["made", "up"], b"http/1.1", [HOST, HOST])


HOSTS: dict[str, tuple[tuple[str, ...], bool]] = {
    "its own name": ((HOST,), True),
    "a wildcard": (("*.cloud.databricks.com",), True),
    "another name": (("dbc-b.cloud.databricks.com",), False),
    "a wildcard over two labels": (("*.databricks.com",), False),
    "a part of a label": (("dbc-*.cloud.databricks.com",), False),
    "a part of a label at its end": (("*a.cloud.databricks.com",), False),
}


@pytest.mark.parametrize(("names", "trusted"), HOSTS.values(), ids=HOSTS)
def test_whom_a_certificate_has_to_name(
    make: Make, authority: Authority, names: tuple[str, ...], trusted: bool
) -> None:
    wire = in_a_loop(
        lambda: dialled(
            make(ssl_verify_upstream_trusted_ca=str(authority.ca_file)), host_side(authority, *names)
        )
    )
    if trusted:
        assert wire.told.told == ["made", "up"]
    else:
        _, (what, why), *_ = wire.told.told
        assert (what, find_cause("server", why)) == ("failed", "server_untrusted")
        assert "mismatch" in why.lower()


def test_an_authority_that_is_not_trusted_is_said(make: Make, authority: Authority) -> None:
    wire = in_a_loop(lambda: dialled(make(), host_side(authority, HOST)))
    _, (what, why), *_ = wire.told.told
    assert (what, find_cause("server", why)) == ("failed", "server_untrusted")
    assert "issuer" in why or "self-signed" in why or "self signed" in why


def test_the_options_on_versions_and_ciphers_of_hosts_take_effect(make: Make, authority: Authority) -> None:
    trust = {"ssl_verify_upstream_trusted_ca": str(authority.ca_file)}
    old = host_side(authority, HOST, maximum_version=ssl.TLSVersion.TLSv1_2)
    assert in_a_loop(lambda: dialled(make(**trust), old)).told.told == ["made", "up"]
    wire = in_a_loop(lambda: dialled(make(**trust, tls_version_server_min="TLS1_3"), old))
    assert find_cause("server", wire.told.told[1][1]) == "protocol_version"
    wire = in_a_loop(
        lambda: dialled(
            make(**trust, tls_version_server_min="TLS1_2", tls_version_server_max="TLS1_2"),
            host_side(authority, HOST),
        )
    )
    assert wire.peer.tls.version() == "TLSv1.2"


def test_the_option_on_ciphers_of_hosts_takes_effect(make: Make, authority: Authority) -> None:
    trust = {"ssl_verify_upstream_trusted_ca": str(authority.ca_file), "tls_version_server_max": "TLS1_2"}
    host = host_side(authority, HOST)
    wire = in_a_loop(lambda: dialled(make(**trust), host))
    kind = "ECDSA" if "ECDSA" in wire.peer.tls.cipher()[0] else "RSA"
    chosen = f"ECDHE-{kind}-AES256-SHA384"
    host.set_ciphers("ALL")
    wire = in_a_loop(lambda: dialled(make(**trust, ciphers_server=chosen), host))
    assert wire.peer.tls.cipher()[0] == chosen


def test_the_option_on_curves_of_hosts_takes_effect(make: Make, authority: Authority) -> None:
    contexts = make(ssl_verify_upstream_trusted_ca=str(authority.ca_file), tls_ecdh_curve_server="secp384r1")
    host = host_side(authority, HOST)
    host.set_ecdh_curve("prime256v1")
    assert in_a_loop(lambda: dialled(contexts, host)).told.told[-1] != "up"
    host.set_ecdh_curve("secp384r1")
    assert in_a_loop(lambda: dialled(contexts, host)).told.told == ["made", "up"]


def test_authorities_of_hosts_may_be_in_a_folder(make: Make, authority: Authority, tmp_path: Path) -> None:
    certificate = load_pem_x509_certificate(Path(authority.ca_file).read_bytes())
    folder = tmp_path / "trusted"
    folder.mkdir()
    name = X509.from_cryptography(certificate).subject_name_hash()
    (folder / f"{name:08x}.0").write_bytes(Path(authority.ca_file).read_bytes())
    contexts = make(ssl_verify_upstream_trusted_confdir=str(folder))
    assert in_a_loop(lambda: dialled(contexts, host_side(authority, HOST))).told.told == ["made", "up"]


def test_a_host_that_hangs_up_has_no_words(make: Make, authority: Authority) -> None:
    def story() -> Wire:
        wire = Wire(make().for_host(HOST), Peer(host_side(authority, HOST), server=True), server=False)
        wire.end.connection_made(wire.transport)
        wire.transport.receive_end()
        return wire

    wire = in_a_loop(story)
    assert wire.told.told == ["made", ("failed", None), "lost"]


def test_a_host_that_speaks_no_tls_is_said(make: Make, authority: Authority) -> None:
    def story() -> Wire:
        wire = Wire(make().for_host(HOST), Peer(host_side(authority, HOST), server=True), server=False)
        wire.end.connection_made(wire.transport)
        wire.transport.receive(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        return wire

    wire = in_a_loop(story)
    assert find_cause("server", wire.told.told[1][1]) == "not_tls"


def test_everything_is_made_ready_or_the_start_fails(make: Make) -> None:
    make().make_ready([HOST])
    with pytest.raises(RuntimeError):
        make(ciphers_client="none").make_ready([HOST])


def test_an_end_is_told_in_one_line(make: Make, store: Path) -> None:
    wire = in_a_loop(lambda: answered(make(), client_side(store)))
    assert repr(wire.end) == "<End UP>"
    assert wire.end.stage is Stage.UP
    assert wire.end.unsent == 0
