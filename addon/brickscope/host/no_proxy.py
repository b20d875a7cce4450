"""Which entries of NO_PROXY make a client bypass the proxy. Every client has its own reading of that list.

An entry that bypasses in one client only is a hole all the same: its calls reach Databricks unjudged, or fail where the
network is closed.
"""

from collections.abc import Callable
from typing import NamedTuple


class Bypass(NamedTuple):
    """``entry``: as it is written. ``clients``: who bypasses the proxy because of it."""

    entry: str
    clients: tuple[str, ...]


def _python(host: str, entry: str) -> bool:
    # urllib.request.proxy_bypass_environment: a leading dot is dropped, then equal or a whole-label suffix. requests'
    # should_bypass_proxies has no label borders: "bricks.com" ends "databricks.com".
    return host.endswith(entry.lstrip("."))


def _go(host: str, entry: str) -> bool:
    # golang.org/x/net/http/httpproxy: "*.x" and ".x" fit below x, "x" fits x and below.
    if entry.startswith("*."):
        entry = entry[1:]
    return host.endswith(entry) if entry.startswith(".") else host == entry or host.endswith("." + entry)


def _curl(host: str, entry: str) -> bool:
    # lib/noproxy.c: leading and trailing dots are dropped, then equal or a whole-label suffix.
    name = entry.strip(".")
    return host == name or host.endswith("." + name)


def _grpc(host: str, entry: str) -> bool:
    # http_proxy_mapper.cc: EndsWithIgnoreCase, without label borders; newer releases have them (1.85 does).
    return host.endswith(entry)


_READINGS: dict[str, Callable[[str, str], bool]] = {
    "requests": _python,
    "go": _go,
    "curl": _curl,
    "grpc": _grpc,
    "node": _go,  # seen in runs of Node 24
}
_WITH_PORT = ("go", "node")
"""Who takes an entry with a port for that port alone; for the others it fits nothing."""


def find_bypasses(no_proxy: str, host: str) -> list[Bypass]:
    """The entries of ``no_proxy`` by which ``host`` bypasses the proxy in at least one client."""
    host = host.lower().rstrip(".")
    found = []
    for entry in entries(no_proxy):
        name, port = entry.lower().removesuffix(":443"), entry.endswith(":443")
        if name == "*":
            # gRPC alone does not know it.
            found.append(Bypass(entry, tuple(client for client in _READINGS if client != "grpc")))
            continue
        clients = tuple(
            client
            for client, fits in _READINGS.items()
            if name.strip(".*") and fits(host, name) and (not port or client in _WITH_PORT)
        )
        if clients:
            found.append(Bypass(entry, clients))
    return found


def without_bypasses(no_proxy: str, host: str) -> str:
    """The list without the entries by which ``host`` bypasses the proxy."""
    bad = {bypass.entry for bypass in find_bypasses(no_proxy, host)}
    return ",".join(entry for entry in entries(no_proxy) if entry not in bad)


def entries(no_proxy: str) -> list[str]:
    """The entries, without blanks around them; some clients split at blanks, too."""
    return no_proxy.replace(",", " ").split()
