"""What of mitmproxy's own messages on connections reaches the operator: nothing that clients wrote, and nothing twice."""

from __future__ import annotations

import logging

HANDSHAKES = ("Client TLS handshake failed.", "Server TLS handshake failed.")
"""Beginnings of messages that are not passed on (mitmproxy/proxy/layers/tls.py). ``Connections`` records each refused
handshake with its cause, and tells of it once; mitmproxy has a line for each, with the host that the client made up."""


def restrain() -> None:
    """From now on only warnings and errors are passed on, without what clients sent."""
    # At INFO and below the engine's connection log quotes bytes of clients, tokens among them.
    engine = logging.getLogger("mitmproxy.proxy.server")
    engine.setLevel(logging.WARNING)
    engine.addFilter(is_passed_on)


def is_passed_on(record: logging.LogRecord) -> bool:
    """Whether a message is; an exception, which quotes what clients sent, is cut down to its type."""
    if isinstance(record.msg, str) and record.msg.startswith(HANDSHAKES):
        return False
    if record.exc_info:
        kind = record.exc_info[0]
        record.msg = (
            f"the engine failed on a connection and closed it ({kind.__name__ if kind else 'unknown'})"
        )
        record.args = ()
        record.exc_info = None
    return True
