"""The OAuth side of the fake workspace: metadata, key set and token endpoint, over its issuer."""

from __future__ import annotations

import asyncio
import base64
from urllib.parse import parse_qsl

from .exchange import Exchange
from .issuer import OAuthError
from .replies import error_answer, json_answer


def _base(exchange: Exchange) -> str:
    """The issuer's URL: on the host that was asked, with the account if the path has one."""
    host = (exchange.header(b"host") or exchange.header(b":authority") or b"").decode("ascii")
    path = exchange.path.decode("ascii")
    account = path.split("/")[3] if path.startswith("/oidc/accounts/") else ""
    return f"https://{host}/oidc" + (f"/accounts/{account}" if account else "")


async def host_config(exchange: Exchange) -> None:
    """What a host says of itself (databricks-sdk oauth.py ``HostMetadata``)."""
    if exchange.issuer.workspace_id is None:
        await error_answer(exchange, 404, "ENDPOINT_NOT_FOUND", "no API found for this path")
        return
    await json_answer(
        exchange,
        200,
        {"oidc_endpoint": _base(exchange), "workspace_id": exchange.issuer.workspace_id, "cloud": "AWS"},
    )


async def metadata(exchange: Exchange) -> None:
    """Where OAuth clients find the endpoints (RFC 8414)."""
    base = _base(exchange)
    await json_answer(
        exchange,
        200,
        {
            "issuer": base,
            "authorization_endpoint": f"{base}/v1/authorize",
            "token_endpoint": f"{base}/v1/token",
            "jwks_uri": f"{base}/jwks.json",
        },
    )


async def key_set(exchange: Exchange) -> None:
    """The public keys."""
    while exchange.issuer.silent:  # noqa: ASYNC110 - set by another thread
        await asyncio.sleep(0.01)
    if not exchange.issuer.available:
        await error_answer(exchange, 503, "TEMPORARILY_UNAVAILABLE", "the keys can't be had now")
        return
    await json_answer(exchange, 200, exchange.issuer.key_set())


async def token(exchange: Exchange) -> None:
    """The token endpoint (RFC 6749 section 3.2)."""
    form = dict(parse_qsl((await exchange.receive_all()).decode(), keep_blank_values=True))
    value = exchange.header(b"authorization") or b""
    basic = None
    if value.startswith(b"Basic "):
        user, _, secret = base64.b64decode(value[6:]).decode().partition(":")
        basic = (user, secret)
    try:
        answer = exchange.issuer.grant(_base(exchange), form, basic)
    except OAuthError as error:
        status = 401 if error.code == "invalid_client" else 400
        await json_answer(exchange, status, {"error": error.code, "error_description": str(error)})
    else:
        if exchange.issuer.bearers is not None:
            exchange.issuer.bearers.add(answer["access_token"])
        await json_answer(exchange, 200, answer)
