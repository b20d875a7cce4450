"""The policy of the OAuth tests, and requests that carry OAuth tokens."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import urlencode

from e2e.gate import CATALOGS, HOST, POLICY, Gate, head
from e2e.raw_client import H1Response, open_tls, read_h1, send_h1
from lab.workspace.issuer import CLIENT_ID, PUBLIC_CLIENT, USER

ISSUER = f"https://{HOST}/oidc"
FEDERATED_ID = "0a1b2c3d-0000-4000-8000-00000000feed"
ACCOUNT = "0d26daa6-5e44-4c97-a497-ef015f91254a"
OAUTH_POLICY = (
    POLICY
    + f"""\
service_principals:
  etl:
    client_id: {CLIENT_ID}
    rule_set: reader
    workspaces: [{HOST}]
  deploy:
    client_id: {FEDERATED_ID}
    rule_set: reader
    grants: [federation]
users:
  alice:
    sub: {USER}
    rule_set: reader
    workspaces: [{HOST}]
logins:
  people:
    client_id: {PUBLIC_CLIENT}
    grants: [browser_login, refresh]
"""
)


def b64(raw: bytes | str) -> str:
    """As JSON Web Tokens have it."""
    return base64.urlsafe_b64encode(raw.encode() if isinstance(raw, str) else raw).rstrip(b"=").decode()


def ask(gate: Gate, raw: bytes, host: str = HOST) -> H1Response:
    """Send one HTTP/1.1 request through the proxy."""
    with open_tls(gate.proxy.proxy_url, host, ca=gate.ca, alpn=["http/1.1"]) as sock:
        send_h1(sock, raw)
        response = read_h1(sock)
    assert response is not None
    return response


def get(gate: Gate, token: str, target: str = CATALOGS, *more: str, host: str = HOST) -> H1Response:
    """A GET with a bearer."""
    return ask(gate, head("GET", target, *more, token=token, host=host), host)


def token_request(
    form: dict[str, str] | bytes,
    *more: str,
    target: str = "/oidc/v1/token",
    kind: str | None = "application/x-www-form-urlencoded",
    host: str = HOST,
) -> bytes:
    """A request for a token, as a client sends it."""
    body = form if isinstance(form, bytes) else urlencode(form).encode()
    lines = [*more, f"Content-Length: {len(body)}"]
    if kind is not None:
        lines.append(f"Content-Type: {kind}")
    return head("POST", target, *lines, token=None, host=host) + body


def reason(response: H1Response) -> str:
    """The reason code of a denial; ``forwarded`` for an answer that is the workspace's."""
    found = response.values(b"x-brickscope-reason")
    return found[0].decode() if found else "forwarded"


def answer(response: H1Response) -> dict[str, Any]:
    """The JSON of an answer."""
    found: dict[str, Any] = json.loads(response.body)
    return found
