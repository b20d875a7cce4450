"""No way through mitmproxy's own proxy: its listener is open for a moment while the script is loaded, and its layers would
serve whoever comes by it.

Every connection that its engine sees is closed at once, and it connects to nobody. Both hooks refuse without a look at
anything, so there is nothing in them that could fail.
"""

from __future__ import annotations

import logging

from mitmproxy import connection
from mitmproxy.proxy.server_hooks import ServerConnectionHookData

REFUSED = "Brickscope does not listen there"


class Engine:
    """The addon that shuts it."""

    def client_connected(self, client: connection.Client) -> None:
        """It did not come by our listener."""
        client.error = REFUSED

    def server_connect(self, data: ServerConnectionHookData) -> None:
        """Nothing leaves by it."""
        data.server.error = REFUSED


def silence() -> None:
    """From now on the engine says nothing of connections: its log quotes bytes of clients, tokens among them."""
    logging.getLogger("mitmproxy.proxy.server").setLevel(logging.CRITICAL)
    # It tells of its own server, which is closed at once (``addon.py``), as if it listened on all addresses.
    logging.getLogger("mitmproxy.proxy.mode_servers").setLevel(logging.WARNING)
