"""The messages of a call: what the official SDK sends, what a workspace answers."""

from __future__ import annotations

from .workload import HOST, Call

USER_AGENT = b"databricks-sdk-py/0.67.0 python/3.12.1 os/linux auth/pat cmd/export upstream/dbt-databricks"
BODY = b'{"catalogs":[%b]}' % b",".join(
    b'{"name":"main_%d","catalog_type":"MANAGED_CATALOG"}' % n for n in range(9)
)


def request_fields(call: Call) -> tuple[tuple[bytes, bytes], ...]:
    """The headers that databricks-sdk sends, through requests and urllib3."""
    return (
        (b"Host", HOST.encode()),
        (b"User-Agent", USER_AGENT),
        (b"Accept-Encoding", b"gzip, deflate"),
        (b"Accept", b"application/json"),
        (b"Connection", b"keep-alive"),
        (b"Authorization", call.authorization),
        (b"X-Databricks-Org-Id", b"1234567890123456"),
        *(() if call.method in ("GET", "DELETE") else ((b"Content-Type", b"application/json"),)),
        *(() if call.method == "GET" else ((b"Content-Length", b"0"),)),
    )


def response_fields(length: int) -> tuple[tuple[bytes, bytes], ...]:
    """The headers that a workspace answers with."""
    return (
        (b"content-type", b"application/json"),
        (b"content-length", str(length).encode()),
        (b"date", b"Sun, 23 Nov 2025 20:00:00 GMT"),
        (b"server", b"databricks"),
        (b"vary", b"Accept-Encoding"),
        (b"strict-transport-security", b"max-age=31536000; includeSubDomains; preload"),
        (b"x-content-type-options", b"nosniff"),
        (b"x-databricks-org-id", b"1234567890123456"),
        (b"x-request-id", b"6f1c2f6e-0000-4000-8000-3d1a2b4c5d6e"),
        (b"server-timing", b'request_id;dur=0;desc="6f1c2f6e", client_protocol;dur=0;desc="HTTP/1.1"'),
        (b"alt-svc", b"clear"),
    )


def head_bytes(call: Call, length: int = 0) -> bytes:
    """A request's head as it goes over the wire; ``length``: of the body that follows."""
    fields = [field for field in request_fields(call) if field[0] != b"Content-Length"]
    if call.method != "GET":
        fields.append((b"Content-Length", str(length).encode()))
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in fields)
    return f"{call.method} {call.path} HTTP/1.1\r\n".encode() + lines + b"\r\n"
