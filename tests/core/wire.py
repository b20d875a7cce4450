"""Requests as literals: a good one, to be changed one field at a time."""

from __future__ import annotations

from brickscope.core.request import WireRequest

HOST = "dbc-a1b2c3d4-e5f6.cloud.databricks.com"
TOKEN = b"dapi0123456789abcdef0123456789abcdef"

Fields = list[tuple[bytes, bytes]]


def h1_headers(*more: tuple[bytes, bytes]) -> Fields:
    """The headers databricks-sdk sends over HTTP/1.1, and more."""
    return [
        (b"Host", HOST.encode()),
        (b"User-Agent", b"databricks-sdk-py/0.156.0 python/3.12.1 os/linux auth/pat"),
        (b"Accept-Encoding", b"gzip, deflate"),
        (b"Accept", b"application/json"),
        (b"Connection", b"keep-alive"),
        (b"Authorization", b"Bearer " + TOKEN),
        *more,
    ]


def h1(
    method: bytes = b"GET",
    target: bytes = b"/api/2.1/unity-catalog/catalogs",
    headers: Fields | None = None,
    *,
    authority: bytes = b"",
    http_version: bytes = b"HTTP/1.1",
    tunnel_host: str = HOST,
    server_name: str | None = HOST,
    alpn: bytes | None = b"http/1.1",
) -> WireRequest:
    """An HTTP/1.1 request as the engine hands it over."""
    fields = h1_headers() if headers is None else headers
    return WireRequest(method, target, authority, http_version, fields, tunnel_host, 443, server_name, alpn)


def h2(
    method: bytes = b"POST",
    target: bytes = b"/spark.connect.SparkConnectService/ExecutePlan",
    headers: Fields | None = None,
    *,
    authority: bytes = HOST.encode(),
) -> WireRequest:
    """An HTTP/2 request as a gRPC client sends it."""
    fields = headers or [
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
        (b"user-agent", b"grpc-python/1.70"),
        (b"authorization", b"Bearer " + TOKEN),
    ]
    return WireRequest(method, target, authority, b"HTTP/2.0", fields, HOST, 443, HOST, b"h2")
