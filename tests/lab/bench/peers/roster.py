"""All peers, in the order in which they stand in tables."""

from __future__ import annotations

import platform
from importlib.metadata import version

import brickscope

from ..variants import BARE, NAIVE, PRODUCT, TWIN
from .haproxy import HAPROXY
from .interception import INTERCEPTION
from .nginx import NGINX
from .peer import of_variant
from .squid import SQUID


def _mitmproxy() -> str:
    return f"mitmproxy {version('mitmproxy')}, Python {platform.python_version()}"


PRODUCT_PEER = of_variant(
    PRODUCT, "the product, as it is installed", lambda: f"brickscope {brickscope.__version__}, {_mitmproxy()}"
)
BARE_PEER = of_variant(BARE, "mitmdump -q without an addon; denies nothing", _mitmproxy)
TWIN_PEER = of_variant(TWIN, "the same once more: how far its ratio strays from 1 is the noise", _mitmproxy)
NAIVE_PEER = of_variant(
    NAIVE, "mitmdump with an afternoon's addon: hash, regular expressions, 403, log", _mitmproxy
)

PEERS = (BARE_PEER, PRODUCT_PEER, NAIVE_PEER, INTERCEPTION, SQUID, NGINX, HAPROXY, TWIN_PEER)
"""``BARE_PEER`` is the base of all ratios, and always runs."""
