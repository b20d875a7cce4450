"""TLS connections of both sides, by mitmproxy's certificates and by all of its options.

Towards a client the certificate is for the host of the tunnel and, where the client named another one, for that as
well: so a wrong name still gets its refusal in words. Towards a host, name and trust are set by mitmproxy's own hook:
the host of the tunnel is verified, whatever the client named.

Buffers are let go while a connection is idle (``MODE_RELEASE_BUFFERS``): 34 KB on either side otherwise. What the first
connection would have to wait for is made at start: reading the authorities that servers are verified by takes 50 ms. A
certificate takes a millisecond; those of hosts that only a wildcard names are made when asked for.

A host that was verified a moment ago is not verified again: a connection resumes the session of one to the same host that
ended well (RFC 8446 section 2.2, with a key exchange of its own), which proves that it is the same server.
"""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from mitmproxy import connection, tls
from mitmproxy.addons import tlsconfig
from mitmproxy.certs import CertStore, CertStoreEntry
from mitmproxy.net import tls as net_tls
from mitmproxy.options import Options
from mitmproxy.proxy.context import Context
from OpenSSL import SSL

from brickscope.core.hostname import is_hostname, is_numeric
from brickscope.core.policy import Policy

MOST = 100
"""Most contexts that are kept; mitmproxy keeps as many certificates. A client could make up names without end."""
HTTP1 = b"http/1.1"
HTTP2 = b"h2"
MOST_READY = 50
"""Most certificates that are made ahead."""
RENEWAL_PAUSE = 3600.0
"""Seconds between two looks for certificates that are old."""
SESSION_LIFE = 600.0
"""Seconds after which a host is verified anew: so long may a certificate pass that is no longer trusted."""
MOST_SESSIONS = 8
"""Most sessions of a host that are kept. Each is resumed once (RFC 8446 appendix C.4), so that nobody on the way can tell
which connections are of one proxy."""
OWN = ("127.0.0.1", 0)
"""An address that stands in no certificate: every one is for a name."""


Sessions = deque[tuple[SSL.Session, float]]
"""Each with when its host was verified, by the monotonic clock: what is resumed again and again grows no younger by it."""


class Contexts:
    """Makes them from mitmproxy's TLS addon and options."""

    def __init__(self, engine: tlsconfig.TlsConfig, options: Options) -> None:
        self._engine = engine
        self._options = options
        self._made: OrderedDict[tuple[str, str], SSL.Context] = OrderedDict()
        """Towards clients, by host and the name that the client gave."""
        self._to_hosts: OrderedDict[str, tuple[SSL.Context, Sessions]] = OrderedDict()
        """mitmproxy's, by the host that it was made for, with what can be resumed there."""
        # What mitmproxy's functions want to know of a connection; to make it anew for each costs as much as a call.
        client = connection.Client(peername=OWN, sockname=OWN, timestamp_start=time.time())
        self._context = Context(client, options)

    def serves(self, offers: Sequence[bytes]) -> bool:
        """Whether HTTP/2 can be spoken to a client that makes these offers."""
        return HTTP2 in offers and bool(self._options.http2)

    def for_client(self, host: str, server_name: str | None) -> SSL.Connection:
        """One to answer a client with; its app data is the protocol that is chosen, HTTP/1.1 without. Raises whatever
        mitmproxy or OpenSSL raise."""
        named = server_name if server_name is not None and is_hostname(server_name.lower()) else host
        made = SSL.Connection(self._server_role(host, named))
        made.set_accept_state()
        return made

    def _server_role(self, host: str, named: str) -> SSL.Context:
        """A context of this certificate's own: a session of one host can't be resumed on another."""
        kept = self._made.get((host, named))
        if kept is not None:
            self._made.move_to_end((host, named))
            return kept
        self._context.client.sni = named
        self._context.server = connection.Server(address=(host, 443))
        made = self._made[host, named] = self._make_server_role(self._engine.get_cert(self._context))
        if len(self._made) > MOST:
            self._made.popitem(last=False)
        return made

    def _make_server_role(self, entry: CertStoreEntry) -> SSL.Context:
        """As ``TlsConfig.tls_start_client`` (12.2.3 and 12.3.1), but with the certificate in the context: to hand it to each
        connection anew costs more than the handshake."""
        options: Any = self._options
        ciphers = options.ciphers_client.split(":") if options.ciphers_client else None
        minimum = net_tls.Version[options.tls_version_client_min]
        chain = entry.chain_certs if entry.chain_file is None and len(entry.chain_certs) > 1 else ()
        context: SSL.Context = net_tls.create_client_proxy_context.__wrapped__(
            method=net_tls.Method.TLS_SERVER_METHOD,
            min_version=minimum,
            max_version=net_tls.Version[options.tls_version_client_max],
            cipher_list=tuple(ciphers or tlsconfig._default_ciphers(minimum)),
            ecdh_curve=net_tls.get_curve(options.tls_ecdh_curve_client),
            chain_file=entry.chain_file,
            request_client_cert=options.request_client_cert,
            alpn_select_callback=_choose,
            extra_chain_certs=tuple(chain),
            dhparams=self._engine.certstore.dhparams,
        )
        context.use_certificate(entry.cert.to_cryptography())
        context.use_privatekey(entry.privatekey)
        context.check_privatekey()
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)  # tickets do it, and need no memory
        context.set_mode(SSL.MODE_RELEASE_BUFFERS)
        return context

    def for_host(self, host: str, offers: Sequence[bytes] = (HTTP1,)) -> SSL.Connection:
        """One to speak to a host with. ``offers``: for ALPN. Raises whatever mitmproxy or OpenSSL raise."""
        kept = self._to_hosts.get(host)
        if kept is not None:
            self._to_hosts.move_to_end(host)
            again = _named(SSL.Connection(kept[0]), host, offers)
            _resume(again, kept[1])
            return again
        context = self._context
        context.client.sni = None
        context.server = connection.Server(address=(host, 443), sni=host, alpn_offers=tuple(offers))
        data = tls.TlsData(context.server, context)
        self._engine.tls_start_server(data)
        made = data.ssl_conn
        if made is None:
            raise RuntimeError("mitmproxy made no TLS connection")
        made.set_app_data(time.monotonic())
        # The context is mitmproxy's, and pyOpenSSL lets nobody change one that is in use.
        SSL._lib.SSL_set_mode(made._ssl, SSL.MODE_RELEASE_BUFFERS)  # type: ignore[attr-defined]
        # An address is verified in another way, and a client's certificate may come to lie in the folder for it.
        if is_hostname(host) and not is_numeric(host) and not self._options.client_certs:
            self._to_hosts[host] = made.get_context(), deque(maxlen=MOST_SESSIONS)
            if len(self._to_hosts) > MOST:
                self._to_hosts.popitem(last=False)
        return made

    def keep_session(self, host: str, ended: SSL.Connection) -> None:
        """Keep for the next connection to a host what one leaves that was verified and has said its end."""
        kept, session = self._to_hosts.get(host), ended.get_session()
        if kept is not None and session is not None and kept[0] is ended.get_context():
            kept[1].append((session, ended.get_app_data()))

    def make_ready(self, hosts: Iterable[str]) -> None:
        """Make what a connection to each host needs; nothing is dialled. Raises what the first connection would."""
        if (
            self._engine.certstore is None
        ):  # nobody has set an option: mitmproxy opens the authority a moment later
            self._engine.configure({"confdir"})
        for host in hosts:
            self.for_client(host, host)
            self.for_host(host)

    async def keep_renewed(self) -> None:
        """Renew certificates from time to time, for ever."""
        while True:
            await asyncio.sleep(RENEWAL_PAUSE)
            self.renew(datetime.now(UTC))

    def renew(self, now: datetime) -> None:
        """Have certificates that we signed signed anew before they end: a proxy that runs as long as one is good for
        (``mitmproxy.certs.CERT_EXPIRY``, 199 days) would be refused by every client at once."""
        if forget_old(self._engine.certstore, now):
            self._made.clear()


def known_hosts(patterns: Iterable[str], policy: Policy) -> list[str]:
    """Names of hosts under policy that stand somewhere in full, at most ``MOST_READY``. ``patterns``: option
    ``scope_hosts``."""
    patterns = list(patterns)
    bound = (
        each.partition("?")[0] for subject in policy.subjects for each in sorted(subject.workspaces or ())
    )
    names = [*(pattern for pattern in patterns if "*" not in pattern), *bound]
    return list(islice(dict.fromkeys(names), MOST_READY)) or [patterns[0].removeprefix("*.")]


def forget_old(store: CertStore, now: datetime) -> int:
    """Let go of certificates past half their life, so that the next connection gets a new one. Returns how many."""
    old = {
        id(entry)
        for entry in store.expire_queue  # those that the store made itself; not the ones of the option `certs`
        if now > entry.cert.notbefore + (entry.cert.notafter - entry.cert.notbefore) / 2
    }
    store.certs = {name: entry for name, entry in store.certs.items() if id(entry) not in old}
    store.expire_queue = [entry for entry in store.expire_queue if id(entry) not in old]
    return len(old)


def _named(made: SSL.Connection, host: str, offers: Sequence[bytes]) -> SSL.Connection:
    """A connection that verifies its host by name, as ``TlsConfig.tls_start_server`` (12.2.3 and 12.3.1) has it do; to ask
    for all options each time costs a fifth of a new connection. Raises RuntimeError."""
    name, library = host.encode("ascii"), SSL._lib  # type: ignore[attr-defined]
    verified = library.SSL_get0_param(made._ssl)
    library.X509_VERIFY_PARAM_set_hostflags(verified, tlsconfig.DEFAULT_HOSTFLAGS)
    if library.X509_VERIFY_PARAM_set1_host(verified, name, len(name)) != 1:
        raise RuntimeError("OpenSSL takes no name to verify")
    made.set_tlsext_host_name(name)
    made.set_alpn_protos(list(offers))
    made.set_connect_state()
    library.SSL_set_mode(made._ssl, SSL.MODE_RELEASE_BUFFERS)
    return made


def _resume(made: SSL.Connection, sessions: Sessions) -> None:
    """Have a connection go on where another ended, if the host was verified a short while ago. One that doesn't agree is
    verified. The app data says since when it is."""
    now = time.monotonic()
    made.set_app_data(now)
    while sessions:
        session, verified = sessions.pop()
        if now - verified < SESSION_LIFE:
            made.set_session(session)
            made.set_app_data(verified)
            return


def _choose(connection: SSL.Connection, offers: list[bytes]) -> Any:
    """What was decided on, if a client offers it. Else TLS goes on without a word about the protocol."""
    chosen = connection.get_app_data() or HTTP1
    return chosen if chosen in offers else SSL.NO_OVERLAPPING_PROTOCOLS
