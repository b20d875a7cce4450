"""Flows as mitmproxy makes them from a call of the official SDK, without a network."""

from __future__ import annotations

import time

from mitmproxy import connection, http
from mitmproxy.proxy.mode_specs import ProxyMode

from .messages import BODY, request_fields, response_fields
from .workload import HOST, Call


def make_flow(call: Call) -> http.HTTPFlow:
    """A flow at its request's headers, inside a tunnel with TLS, as in a keep-alive connection."""
    now = time.time()
    client = connection.Client(
        peername=("10.0.8.17", 51234),
        sockname=("127.0.0.1", 8080),
        timestamp_start=now,
        timestamp_tls_setup=now,
        tls=True,
        tls_version="TLSv1.3",
        cipher="TLS_AES_256_GCM_SHA384",
        sni=HOST,
        alpn=b"http/1.1",
        alpn_offers=[b"http/1.1"],
        state=connection.ConnectionState.OPEN,
        proxy_mode=ProxyMode.parse("regular"),
    )
    server = connection.Server(address=(HOST, 443), tls=True, sni=HOST, alpn=b"http/1.1")
    flow = http.HTTPFlow(client, server, True)
    flow.request = http.Request(
        HOST,
        443,
        call.method.encode(),
        b"https",
        b"",
        call.path.encode(),
        b"HTTP/1.1",
        http.Headers(request_fields(call)),
        b"",
        None,
        now,
        now,
    )
    return flow


def make_response() -> http.Response:
    """The server's answer with its body, as in the ``response`` hook."""
    now = time.time()
    return http.Response(
        b"HTTP/1.1", 200, b"OK", http.Headers(response_fields(len(BODY))), BODY, None, now, now
    )
