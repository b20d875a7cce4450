"""The versions of what stands in a request's path: they go into the log, and the start warns of an old one.

It warns and starts: to refuse would stop all proxies of a fleet on the day of an upgrade, and a proxy that is down is no
safer than one that decides with a flaw known to its operator. A flaw that opens the gate itself is dealt with by raising
the oldest version that this one starts with. CI looks for flaws that became known since (`scripts/known-flaws`).
"""

import platform
import re
import ssl
from importlib import metadata

from cryptography.hazmat.backends.openssl import backend

PACKAGES = (
    "mitmproxy",
    "mitmproxy-rs",
    "h2",
    "hpack",
    "hyperframe",
    "h11",
    "wsproto",  # loaded by the engine; WebSockets are refused
    "aioquic",  # loaded by the engine; HTTP/3 is off
    "cryptography",
    "pyopenssl",
    "certifi",
    "pyjwt",
    "pyyaml",
    "pydantic",
    "orjson",
    "backports-zstd",  # built into Python 3.14
)
OLDEST_SAFE = {
    "mitmproxy": "12.2.2",  # GHSA-527g-3w9m-29hv: names of users of LDAP are not escaped
    "h2": "4.4.1",  # GHSA-6hr6-w5qg-qmwg: a second Host header passes
    "cryptography": "50.0.0",  # GHSA-g6cj-pr64-35w5, and the OpenSSL in its wheels
}
"""The first version without a flaw that is known when this is written (osv.dev has each)."""


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


def warnings() -> list[str]:
    """What to say of installed versions that have a known flaw."""
    found = installed()
    return [
        f"{name} {found[name]} has known flaws: install {name}>={oldest}"
        for name, oldest in OLDEST_SAFE.items()
        if name in found and _numbers(found[name]) < _numbers(oldest)
    ]


def _numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)[:3]]
