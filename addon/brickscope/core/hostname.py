"""Host names: their one canonical spelling, and patterns such as ``*.cloud.databricks.com``."""

import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import urlsplit

_LABEL = r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?"
_HOSTNAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*\Z")
_NUMERIC = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)\Z")

# Where Databricks serves workspaces: its names below any short top-level domain (.com, .net; .us, .mil, .cn of governments
# and China; databricks-sdk's environments.py, databricks-sdk-java #435). A host below one of these that scope_hosts does
# not cover is refused, or a token could go round the policy by another name.
_ZONE = re.compile(r"(?:.+\.)?(?:(?:azure)?databricks|databricksapps|databricks\.azure)\.[a-z]{2,3}")
APPS_ZONE = ".databricksapps.com"
"""Where Databricks Apps answer: programs of whoever made the app, which get the caller's token."""
# Databricks' public web sites, which serve no workspace: documentation and the like may be read through the proxy.
DATABRICKS_SITES = frozenset(
    {"databricks.com"} | {f"{name}.databricks.com" for name in ("www", "docs", "kb", "community", "help")}
)


@lru_cache(maxsize=1024)
def is_hostname(text: str) -> bool:
    """Whether ``text`` is a DNS name in canonical form: lower-case ASCII, no trailing dot, not an address."""
    return bool(_HOSTNAME.match(text)) and not is_numeric(text)


def is_app(host: str) -> bool:
    """Whether a canonical host name is an app's."""
    return host.endswith(APPS_ZONE)


def is_numeric(text: str) -> bool:
    """Whether a resolver could read the host as an IPv4 address (``127.1``, ``0x7f.1``, ``2130706433``).

    WHATWG URL, "ends in a number": the last label decides.
    """
    labels = text.rstrip(".").split(".")
    return bool(_NUMERIC.match(labels[-1].lower()))


def bare(host: str) -> str:
    """The name under which policy looks at a host: lower-case, without trailing dots. For classifying only."""
    return host.lower().rstrip(".")


def host_of(url: str) -> str:
    """The host that a URL names, in small letters; empty where it names none, or nobody can read it."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


class HostPatterns:
    """A set of host names and ``*.suffix`` patterns. ``*`` stands for one or more whole labels."""

    __slots__ = ("_exact", "_suffixes", "patterns")

    def __init__(self, patterns: Iterable[str]) -> None:
        """Raises ValueError, in words for the operator, where a pattern is neither a host name nor ``*.host``."""
        self.patterns = tuple(patterns)
        for pattern in self.patterns:
            if not is_hostname(pattern.removeprefix("*.")) or "." not in pattern.removeprefix("*."):
                raise ValueError(
                    f"{pattern!r} is not a host pattern: write a lower-case host name, or one after *., "
                    "such as *.cloud.databricks.com"
                )
        self._exact = frozenset(self.patterns)
        self._suffixes = tuple(p[1:] for p in self.patterns if p.startswith("*."))

    def match(self, host: str) -> bool:
        """Whether a bare host name is one of these."""
        return host in self._exact or host.endswith(self._suffixes)


def in_databricks_zone(host: str) -> bool:
    """Whether a bare host name belongs to Databricks' workspaces, on any cloud."""
    return "databricks" in host and host not in DATABRICKS_SITES and _ZONE.fullmatch(host) is not None
