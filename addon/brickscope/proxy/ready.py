"""What the first connection would have to wait for, made at start: TLS contexts, and certificates of hosts that are known.

Reading the authorities that servers are verified by takes mitmproxy some 50 ms, within the first call that goes out, while
all others wait. A certificate takes a millisecond; those of hosts that only a wildcard names are made when asked for.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from itertools import islice

from mitmproxy import connection, tls
from mitmproxy.addons.tlsconfig import TlsConfig
from mitmproxy.options import Options
from mitmproxy.proxy.context import Context

from brickscope.core.policy import Policy

MOST = 50
"""Most certificates that are made ahead; mitmproxy keeps a hundred."""


def known_hosts(patterns: Iterable[str], policy: Policy) -> list[str]:
    """Names of hosts under policy that stand somewhere in full, at most ``MOST``. ``patterns``: option ``scope_hosts``."""
    patterns = list(patterns)
    bound = (
        each.partition("?")[0] for subject in policy.subjects for each in sorted(subject.workspaces or ())
    )
    names = [*(pattern for pattern in patterns if "*" not in pattern), *bound]
    return list(islice(dict.fromkeys(names), MOST)) or [patterns[0].removeprefix("*.")]


def make_ready(engine: TlsConfig, options: Options, hosts: Iterable[str]) -> None:
    """Have mitmproxy make what a TLS connection to each host needs, by the hooks that a connection would call.

    Nothing is dialled. Raises whatever these hooks raise: the first connection would fail as well.
    """
    if (
        engine.certstore is None
    ):  # so when nobody has set an option: mitmproxy opens the authority a moment later
        engine.configure({"confdir"})
    for context in _contexts(options, hosts):
        engine.tls_start_client(tls.TlsData(context.client, context))
        engine.tls_start_server(tls.TlsData(context.server, context))


def _contexts(options: Options, hosts: Iterable[str]) -> Iterator[Context]:
    for host in hosts:
        client = connection.Client(
            peername=("127.0.0.1", 0), sockname=("127.0.0.1", 0), timestamp_start=time.time(), sni=host
        )
        context = Context(client, options)
        context.server = connection.Server(address=(host, 443), sni=host)
        yield context
