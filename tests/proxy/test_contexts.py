"""Contexts of both sides: mitmproxy's options on TLS take effect, and what is resumed of a host that was verified."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509 import load_pem_x509_certificate
from OpenSSL.crypto import X509
from tls_by_hand import HOST, Make, Peer, Wire, answered, client_side, host_side, in_a_loop

from brickscope.proxy import contexts as contexts_module
from brickscope.proxy.contexts import MOST_SESSIONS, SESSION_LIFE, Contexts
from brickscope.proxy.handshake import find_cause
from brickscope.proxy.tls import End
from lab.workspace.authority import Authority

OTHER = "dbc-b.cloud.databricks.com"


def test_a_client_is_answered_with_a_certificate_for_its_host(make: Make, store: Path) -> None:
    wire = in_a_loop(lambda: answered(make(), client_side(store)))
    assert (wire.told.told, wire.end.alpn) == (["up"], b"http/1.1")
    assert wire.peer.tls.version() == "TLSv1.3"
    names = [name for _, name in wire.peer.tls.getpeercert()["subjectAltName"]]
    assert names == [HOST]


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


def test_everything_is_made_ready_or_the_start_fails(make: Make) -> None:
    make().make_ready([HOST])
    with pytest.raises(RuntimeError):
        make(ciphers_client="none").make_ready([HOST])


# -- what is resumed --------------------------------------------------------------------------------------------


class Hosts:
    """Connections to hosts, each ended after an answer unless it is ``left``."""

    def __init__(self, contexts: Contexts) -> None:
        self.contexts = contexts

    def dial(self, host: ssl.SSLContext, name: str = HOST) -> Wire:
        wire = Wire(self.contexts.for_host(name), Peer(host, server=True), server=False)
        wire.end = End(wire.end._connection, wire.told, partial(self.contexts.keep_session, name))  # type: ignore[arg-type]
        wire.transport.protocol = wire.end
        wire.begin()
        if "up" in wire.told.told:
            wire.end.write(b"call")  # with it goes what TLS 1.3 has left to say
            wire.exchange()
        return wire

    def call(self, host: ssl.SSLContext, name: str = HOST) -> bool | None:
        """A whole call. Whether it resumed a session; None where the host is not trusted."""
        wire = self.dial(host, name)
        if "up" not in wire.told.told:
            return None
        wire.say(b"answer")
        wire.end.close()
        resumed: bool = wire.peer.tls.session_reused
        return resumed


@pytest.fixture
def hosts(make: Make, authority: Authority) -> Hosts:
    contexts = make(ssl_verify_upstream_trusted_ca=str(authority.ca_file))
    contexts.make_ready([HOST, OTHER])
    return Hosts(contexts)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_host_that_was_verified_is_resumed(
    hosts: Hosts, authority: Authority, version: ssl.TLSVersion
) -> None:
    host = host_side(authority, HOST, maximum_version=version)
    assert in_a_loop(lambda: [hosts.call(host) for _ in range(4)]) == [False, True, True, True]


def test_each_session_is_resumed_once(hosts: Hosts, authority: Authority) -> None:
    def story() -> list[bool]:
        host = host_side(authority, HOST)
        hosts.call(host)
        return [hosts.dial(host).peer.tls.session_reused for _ in range(3)]

    assert in_a_loop(story) == [True, False, False]


def test_nor_is_it_resumed_with_another_host(hosts: Hosts, authority: Authority) -> None:
    host = host_side(authority, "*.cloud.databricks.com")
    assert in_a_loop(lambda: [hosts.call(host), hosts.call(host, OTHER), hosts.call(host)]) == [
        False,
        False,
        True,
    ]


def test_a_host_is_verified_anew_after_a_while_however_often_it_is_called(
    hosts: Hosts, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is resumed again and again would never be verified again."""
    clock = iter([0.0, SESSION_LIFE / 2, SESSION_LIFE - 1, SESSION_LIFE, SESSION_LIFE + 1])

    def story() -> list[bool | None]:
        host, found = host_side(authority, HOST), []
        for now in clock:
            monkeypatch.setattr(contexts_module.time, "monotonic", lambda now=now: now)
            found.append(hosts.call(host))
        return found

    assert in_a_loop(story) == [False, True, True, False, True]


@pytest.fixture
def attacker(tmp_path: Path) -> ssl.SSLContext:
    """A host by the same name, whose authority nobody trusts."""
    folder = tmp_path / "attacker"
    folder.mkdir()
    return host_side(Authority(folder), HOST)


def test_who_has_another_key_is_verified_whatever_was_kept(
    hosts: Hosts, authority: Authority, attacker: ssl.SSLContext
) -> None:
    """An attacker on the way, after the real host was reached."""
    assert in_a_loop(lambda: [hosts.call(host_side(authority, HOST)), hosts.call(attacker)]) == [False, None]


def test_what_was_not_verified_leaves_nothing_to_resume(hosts: Hosts, attacker: ssl.SSLContext) -> None:
    assert in_a_loop(lambda: [hosts.call(attacker) for _ in range(3)]) == [None, None, None]


def test_a_connection_that_broke_leaves_nothing_to_resume(hosts: Hosts, authority: Authority) -> None:
    def story() -> bool | None:
        host = host_side(authority, HOST)
        hosts.dial(host).end.abort()
        return hosts.call(host)

    assert in_a_loop(story) is False


def test_with_certificates_of_our_own_nothing_is_resumed(
    make: Make, authority: Authority, tmp_path: Path
) -> None:
    """One may come to lie in the folder for a host that was called without."""
    contexts = make(ssl_verify_upstream_trusted_ca=str(authority.ca_file), client_certs=str(tmp_path))
    host = host_side(authority, HOST)
    assert in_a_loop(lambda: [Hosts(contexts).call(host) for _ in range(3)]) == [False] * 3


def test_of_a_host_no_more_than_a_few_sessions_are_kept(hosts: Hosts, authority: Authority) -> None:
    def story() -> int:
        host = host_side(authority, HOST)
        open_ones = [hosts.dial(host) for _ in range(MOST_SESSIONS + 5)]
        for wire in open_ones:
            wire.say(b"answer")
            wire.end.close()
        return sum(hosts.dial(host).peer.tls.session_reused for _ in open_ones)

    assert in_a_loop(story) == MOST_SESSIONS
