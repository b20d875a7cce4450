"""ClientHellos as a real TLS library makes them."""

from __future__ import annotations

import contextlib
import ssl


def client_hello(name: str | None, alpn: tuple[str, ...] = ()) -> bytes:
    """The first bytes of a client that asks for a server of this name, or for none, and offers these protocols."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(list(alpn))
    inward, outward = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(inward, outward, server_hostname=name)
    with contextlib.suppress(ssl.SSLWantReadError):  # it waits for the server's answer
        client.do_handshake()
    return outward.read()
