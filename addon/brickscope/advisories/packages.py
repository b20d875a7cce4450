"""Which packages stand in a request's path, and what each does there: a flaw in another one concerns nobody's calls."""

from __future__ import annotations

import platform
import ssl
from importlib import metadata

from cryptography.hazmat.backends.openssl import backend

PACKAGES = {
    "mitmproxy": "the engine",
    "mitmproxy-rs": "the engine's native parts",
    "h2": "reads and writes HTTP/2",
    "hpack": "HTTP/2's header compression",
    "hyperframe": "HTTP/2's frames",
    "h11": "reads HTTP/1.1 of issuers of keys",
    "wsproto": "loaded by the engine; WebSockets are refused",
    "aioquic": "loaded by the engine; HTTP/3 is off",
    "cryptography": "certificates, and the OpenSSL that speaks TLS",
    "pyopenssl": "TLS with clients and workspaces",
    "certifi": "the authorities that workspaces' certificates are verified by",
    "pyjwt": "reads and verifies OAuth tokens",
    "pyyaml": "reads the policy",
    "pydantic": "checks the policy",
    "orjson": "reads bodies, writes the log",
    "backports-zstd": "compresses closed files of the log",
}


def installed() -> dict[str, str]:
    """The versions of these packages that are installed. One that is not there is left out."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def components() -> dict[str, str]:
    """What the log's ``start`` record says of the versions: the packages, Python, and both copies of OpenSSL.

    ``openssl`` is the one in the wheel of cryptography, which speaks TLS; ``python-openssl`` the one that Python was built
    with, which fetches public keys.
    """
    return {
        **installed(),
        "python": platform.python_version(),
        "openssl": backend.openssl_version_text(),
        "python-openssl": ssl.OPENSSL_VERSION,
    }
