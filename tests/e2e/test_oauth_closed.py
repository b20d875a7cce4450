"""Identity fails closed: each part of it is broken on purpose, and no token and no token request passes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from e2e.broken import broken_gate
from e2e.gate import CATALOGS, HOST
from e2e.oauth_policy import ISSUER, OAUTH_POLICY, ask, get, token_request
from e2e.raw_client import H1Response, H2Client, h2_headers, open_tls
from lab.workspace.issuer import CLIENT_ID, CLIENT_SECRET

ASYNC_BROKEN = "\nasync def broken_later(*arguments):\n    raise RuntimeError('broken on purpose')\n"
DIRECTORY = "import brickscope.identity.directory as d; "
BROKEN = {
    "the reading of a token": DIRECTORY + "d.read_claims = broken",
    "the binding of the issuer": DIRECTORY + "d.key_source = broken",
    "the signature": "import brickscope.core.key as k; k.KeySet.is_signed = broken",
    "the memory": DIRECTORY + "d.MAX_TOKENS = None",
    "the fetch": ASYNC_BROKEN + DIRECTORY + "d.TokenDirectory.learn = broken_later",
    "the download": ASYNC_BROKEN + "import brickscope.identity.fetch as f; f.Fetcher.fetch = broken_later",
    "the reading of keys": DIRECTORY + "d.read_key_set = broken",
    "the match of claims": "import brickscope.core.principal as p; p.match_claims = broken",
    "the wait": "Tunnel._learn = broken",
    "the second decision": "Http1._hold_body = broken",
    "the holding": "Http1._hold = broken",
    "the form": "import brickscope.core.grant as g; g.read_form = broken",
    "the clients": "import brickscope.core.token_request as x; x.find_clients = broken",
}
# The token has passed all the same where only token requests go that way, and the other way round.
TOKEN_ONLY = {"the match of claims", *list(BROKEN)[:9]}


CALLS = "from brickscope.proxy.wire.calls import Calls; "
OVER_HTTP2 = {
    "the wait": "Tunnel._learn = broken",
    "the second decision": CALLS + "Calls._hold_on = broken",
    "the holding": CALLS + "Calls.hold = broken",
}


def try_to(call: Callable[..., H1Response], *arguments: Any) -> H1Response | None:
    """The answer; None where the connection was closed instead."""
    try:
        return call(*arguments)
    except (OSError, AssertionError):
        return None


@pytest.mark.parametrize("part", OVER_HTTP2)
def test_nor_does_one_over_http2(part: str, tmp_path: Path, proxy_authority: Path) -> None:
    with broken_gate(tmp_path, proxy_authority, OVER_HTTP2[part], policy=OAUTH_POLICY) as gate:
        issuer = gate.workspace.issuer
        if part == "the wait":
            token = issuer.sign(issuer.claims(ISSUER, CLIENT_ID, CLIENT_ID))
            fields, body = h2_headers("GET", CATALOGS, HOST, token), None
        else:
            fields = [
                *h2_headers("POST", "/oidc/v1/token", HOST),
                (b"content-type", b"application/x-www-form-urlencoded"),
            ]
            body = (
                f"grant_type=client_credentials&client_id={CLIENT_ID}&client_secret={CLIENT_SECRET}".encode()
            )
        status = None
        with suppress(OSError), open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca, alpn=["h2"]) as sock:
            client = H2Client(sock, timeout=5)
            status = client.collect(client.request(fields, body)).status
        assert status in (None, 403, 502)
        assert issuer.requests == []
        assert not [request for request in gate.workspace.requests if request.path.startswith(b"/api/")]
        assert gate.proxy.running


@pytest.mark.parametrize("part", BROKEN)
def test_a_broken_part_lets_nothing_through(part: str, tmp_path: Path, proxy_authority: Path) -> None:
    with broken_gate(tmp_path, proxy_authority, BROKEN[part], policy=OAUTH_POLICY) as gate:
        issuer = gate.workspace.issuer
        if part in TOKEN_ONLY:
            response = try_to(get, gate, issuer.sign(issuer.claims(ISSUER, CLIENT_ID, CLIENT_ID)))
        else:
            form = {
                "grant_type": "client_credentials",
                "client_id": CLIENT_ID,
                "client_secret": CLIENT_SECRET,
            }
            response = try_to(ask, gate, token_request(form))
        assert response is None or response.status in (403, 502)
        assert issuer.requests == []
        assert not [request for request in gate.workspace.requests if request.path.startswith(b"/api/")]
        assert gate.proxy.running
        assert CLIENT_SECRET not in gate.proxy.output
