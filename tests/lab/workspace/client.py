"""Calls to a fake workspace without a proxy between."""

from __future__ import annotations

import socket
import ssl
import time

from e2e.raw_client import H1Response, read_h1, send_h1, tls
from lab.workspace.evidence import Request
from lab.workspace.server import FakeWorkspace

HOST = "dbc-a1b2c3d4-e5f6.cloud.databricks.com"


def open_connection(
    workspace: FakeWorkspace, alpn: str = "http/1.1", sni: str | None = HOST
) -> ssl.SSLSocket:
    """A TLS connection that trusts the workspace's authority."""
    sock = socket.create_connection(("127.0.0.1", workspace.port), 10)
    return tls(sock, ca=workspace.ca_file, sni=sni, alpn=[alpn])


def head(method: str, target: str, *fields: str, token: bool = True) -> bytes:
    """The head of an HTTP/1.1 request."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {HOST}", *fields]
    if token:
        lines.append("Authorization: Bearer t0ken")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def call(
    workspace: FakeWorkspace, method: str, target: str, *fields: str, body: bytes = b"", token: bool = True
) -> H1Response:
    """One request on a connection of its own."""
    length = [f"Content-Length: {len(body)}"] if body else []
    with open_connection(workspace) as sock:
        send_h1(sock, head(method, target, *fields, *length, token=token) + body)
        response = read_h1(sock, method)
    assert response is not None
    return response


def settled(workspace: FakeWorkspace, count: int = 1) -> list[Request]:
    """The recorded requests, once there are ``count`` and all are complete."""
    deadline = time.monotonic() + 5
    while True:
        requests = workspace.requests
        if len(requests) == count and all(request.complete for request in requests):
            return requests
        assert time.monotonic() < deadline, requests
        time.sleep(0.01)
