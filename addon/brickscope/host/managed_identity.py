"""Where a managed identity gets its tokens, and whether a variable leads that call to the proxy.

The endpoint is on the machine itself and answers it alone: through a proxy, an identity is the proxy's, or none at all.
Sources: learn.microsoft.com "How to use managed identities … to acquire an access token" (169.254.169.254) and "… for App
Service and Azure Functions" (IDENTITY_ENDPOINT; MSI_ENDPOINT before); databricks-sdk-go config/auth_azure_msi.go.
"""

import ipaddress
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from .no_proxy import entries, find_bypasses

_HTTP = ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")
_HTTPS = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
_LISTS = ("no_proxy", "NO_PROXY")


class Detour(NamedTuple):
    """``endpoint``: its host. ``proxy``: the variable that leads there. ``no_proxy``: what NO_PROXY has to be.
    ``used``: whether this host says that it has a managed identity."""

    endpoint: str
    proxy: str
    no_proxy: str
    used: bool


def find_detour(environment: Mapping[str, str]) -> Detour | None:
    """What is wrong with the way to the endpoint; None if nothing is."""
    named = environment.get("IDENTITY_ENDPOINT") or environment.get("MSI_ENDPOINT")
    try:
        parts = urlsplit(named or "http://169.254.169.254/")
        host = parts.hostname
    except ValueError:
        return None
    proxies = _HTTPS if parts.scheme == "https" else _HTTP
    proxy = next((name for name in proxies if environment.get(name)), None)
    # Programs differ in the spelling that they read first.
    lists = [text for text in map(environment.get, _LISTS) if text]
    if not host or proxy is None or (lists and all(_names(text, host) for text in lists)):
        return None
    used = bool(named) or environment.get("ARM_USE_MSI", "").lower() in ("true", "1")
    kept = dict.fromkeys(entry for text in lists for entry in entries(text))
    return Detour(host, proxy, ",".join([*(entry for entry in kept if entry != host), host]), used)


def _names(no_proxy: str, host: str) -> bool:
    """Whether every client reads it so: requests splits at commas alone, and not all know a port or a network."""
    listed = [entry.strip() for entry in no_proxy.split(",")]
    return any(
        not set(" \t") & set(entry)
        and (
            _holds(entry, host)
            or any({"requests", "go"} <= {*each.clients} for each in find_bypasses(entry, host))
        )
        for entry in listed
    )


def _holds(entry: str, host: str) -> bool:
    """Whether an entry is a network that has this address in it."""
    try:
        return "/" in entry and ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False
