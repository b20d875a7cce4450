"""The address of the proxy, as a variable holds it: read strictly, and shown without its password."""

import base64
import re
from typing import NamedTuple
from urllib.parse import unquote, urlsplit


class ProxyUrl(NamedTuple):
    """``url``: what clients are given. ``user``, ``password``: decoded, empty if there are none."""

    url: str
    host: str
    port: int
    user: str = ""
    password: str = ""

    @property
    def masked(self) -> str:
        """The URL with ``***`` for the password."""
        return mask(self.url)

    @property
    def authorization(self) -> str | None:
        """The value of Proxy-Authorization (RFC 7617), or None."""
        if not self.user and not self.password:
            return None
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


_SCHEME = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*://)?")


def mask(url: str) -> str:
    """A URL without the secrets that may stand before its ``@``: also where it can't be read as a URL."""
    scheme, name, colon, _, tail = _parts(url)
    if tail is None:
        return url
    # A name without a password may be a token.
    return f"{scheme}{name + ':***' if colon else '***'}@{tail}"


def secret_of(url: str) -> str:
    """What ``mask`` hides; empty for nothing."""
    _, name, colon, password, tail = _parts(url)
    return "" if tail is None else password if colon else name


def _parts(url: str) -> tuple[str, str, str, str, str | None]:
    head, at, tail = url.rpartition("@")
    found = _SCHEME.match(head)
    scheme = found.group() if found else ""
    return scheme, *head[len(scheme) :].partition(":"), tail if at else None


def read_proxy_url(text: str) -> ProxyUrl:
    """Read ``http://[user:password@]host[:port]``. Raises ValueError with a sentence that holds no password."""
    shown = mask(text)
    if not text or not text.isprintable() or not text.isascii() or " " in text:
        raise ValueError("the proxy's URL is empty, or has blanks or invalid characters")
    if "://" not in text:
        raise ValueError(f"{shown!r} has no scheme, and not every client takes it so; write http://{shown}")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{shown!r} is not a proxy's URL: {error}") from None
    if parts.scheme != "http":
        raise ValueError(
            f"{shown!r}: the way to the proxy is http://, also for https calls (what is inside is encrypted all the same)"
        )
    if not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(f"{shown!r} is not http://HOST:PORT")
    if port is None:
        # curl takes 1080 for it, others 80.
        raise ValueError(
            f"{shown!r} names no port, and clients disagree on the default; write http://HOST:8080"
        )
    return ProxyUrl(
        text.rstrip("/"), parts.hostname, port, unquote(parts.username or ""), unquote(parts.password or "")
    )


def corrected(text: str) -> ProxyUrl | None:
    """The proxy that somebody meant who gave its address with https://, without a scheme, or without a port (8080 then);
    None where that is not what is wrong."""
    scheme, _, rest = text.strip().rpartition("://")
    if scheme.lower() not in ("", "http", "https"):
        return None
    for port in ("", ":8080"):
        try:
            return read_proxy_url(f"http://{rest.rstrip('/')}{port}")
        except ValueError:
            continue
    return None
