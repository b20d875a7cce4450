"""What the fake workspace answers: a table of routes, the answers in the shapes that Databricks uses.

A path that no route knows is answered 200 with its own name: were it a call that should have been denied, the leak
would show in the client's hands and in the recorded requests.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs

from . import oauth
from .exchange import Exchange
from .listing import by_number, by_token
from .replies import error_answer, json_answer
from .route import Handler, Route
from .streams import files, grpc_echo, invocations, server_sent_events

MAX_SECONDS = 300.0

CATALOGS = [
    {"name": "main", "full_name": "main", "catalog_type": "MANAGED_CATALOG", "owner": "admins"},
    {"name": "samples", "full_name": "samples", "catalog_type": "SYSTEM_CATALOG", "owner": "System user"},
]
QUERIES = [
    {"id": "0c1d2e3f-0000-4000-8000-000000000001", "name": "Trips a day", "query": "SELECT 1"},
    {"id": "0c1d2e3f-0000-4000-8000-000000000002", "name": "Trips a week", "query": "SELECT 2"},
    {"id": "0c1d2e3f-0000-4000-8000-000000000003", "name": "Fares", "query": "SELECT 3"},
]
WAREHOUSES = [
    {"id": "475b94ddc7cd5211", "name": "Serverless Starter Warehouse", "state": "STOPPED", "size": "SMALL"},
]
ME = {
    "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
    "id": "1000000000000001",
    "userName": "demo@example.com",
    "displayName": "Demo User",
    "active": True,
}
UNAUTHENTICATED = {
    "error_code": 401,
    "message": "Credential was not sent or was of an unsupported type for this API.",
}


async def answer(exchange: Exchange, routes: Sequence[Route]) -> None:
    """Respond to a request; ``routes`` come before those here. A fault of a handler is a 400 if no response has begun."""
    try:
        await _handler(exchange, routes)(exchange)
    except (ValueError, KeyError, UnicodeError) as error:
        if exchange.has_responded:
            raise ConnectionAbortedError("a handler failed half way") from error
        await exchange.receive_all()
        await error_answer(exchange, 400, "INVALID_PARAMETER_VALUE", f"{type(error).__name__}: {error}")


def _handler(exchange: Exchange, routes: Sequence[Route]) -> Handler:
    own = next((route for route in routes if route.answers(exchange)), None)
    if (
        exchange.header(b"authorization") is None
        and not exchange.path.startswith((b"/.well-known/", b"/oidc/"))
        and not (own and own.anonymous)
    ):
        return unauthenticated
    bearers, value = exchange.issuer.bearers, exchange.header(b"authorization")
    token = (value or b"").removeprefix(b"Bearer ").decode("latin-1")
    if bearers is not None and value and token not in bearers and not exchange.path.startswith(b"/oidc/"):
        return unauthenticated
    if own:
        return own.handler
    if exchange.request.version == "2" and (exchange.header(b"content-type") or b"").startswith(
        b"application/grpc"
    ):
        return grpc_echo
    for route in ROUTES:
        if route.answers(exchange):
            return route.handler
    return echo


def constant(value: Any) -> Handler:
    """A handler that always answers 200 with the same JSON."""

    async def handler(exchange: Exchange) -> None:
        await json_answer(exchange, 200, value)

    return handler


async def unauthenticated(exchange: Exchange) -> None:
    """401 as Databricks' front writes it."""
    await json_answer(
        exchange, 401, UNAUTHENTICATED, ((b"www-authenticate", b'Bearer realm="DatabricksRealm"'),)
    )


async def status_code(exchange: Exchange) -> None:
    """``/status/<code>``: that status."""
    code = int(exchange.path.rpartition(b"/")[2])
    if not 200 <= code <= 599:
        raise ValueError("the status must be from 200 to 599")
    if code in (204, 304):
        await exchange.receive_all()
        await exchange.answer(code, b"application/json", b"")
    else:
        await json_answer(exchange, code, {"status": code})


async def slow(exchange: Exchange) -> None:
    """``/slow/<seconds>``: 200 after that time."""
    seconds = float(exchange.path.rpartition(b"/")[2])
    if not 0 <= seconds <= MAX_SECONDS:
        raise ValueError(f"the seconds must be from 0 to {MAX_SECONDS:.0f}")
    await asyncio.sleep(seconds)
    await json_answer(exchange, 200, {"seconds": seconds})


async def close(exchange: Exchange) -> None:
    """Half a response head, then nothing more."""
    await exchange.break_off()


async def echo(exchange: Exchange) -> None:
    """Say what was asked."""
    await json_answer(
        exchange,
        200,
        {
            "path": exchange.path.decode("latin-1"),
            "method": exchange.request.method.decode("latin-1"),
            "query": parse_qs(exchange.query.decode("latin-1"), keep_blank_values=True),
        },
    )


_GET = (b"GET", b"HEAD")
_POST = (b"POST",)

ROUTES: tuple[Route, ...] = (
    Route(_GET, b"/api/2.1/unity-catalog/catalogs", by_token("catalogs", CATALOGS, "max_results")),
    Route(_GET, b"/api/2.0/preview/sql/queries", by_number(QUERIES)),
    Route(_GET, b"/api/2.0/sql/warehouses", by_token("warehouses", WAREHOUSES, "page_size")),
    Route(_GET, b"/api/2.0/preview/scim/v2/Me", constant(ME)),
    Route(_POST, b"/api/2.2/jobs/run-now", constant({"run_id": 1, "number_in_job": 1})),
    Route(_GET, b"/.well-known/databricks-config", oauth.host_config),
    Route(_GET, b"/oidc/*oauth-authorization-server", oauth.metadata),
    Route(_GET, b"/oidc/*openid-configuration", oauth.metadata),
    Route(_GET, b"/oidc/jwks.json", oauth.key_set),
    Route(_GET, b"/oidc/accounts/*/jwks.json", oauth.key_set),
    Route(_POST, b"/oidc/v1/token", oauth.token),
    Route(_POST, b"/oidc/accounts/*/v1/token", oauth.token),
    Route((b"GET", b"HEAD", b"PUT"), b"/api/2.0/fs/files/*", files),
    Route(_GET, b"/sse", server_sent_events),
    Route(_POST, b"/serving-endpoints/*/invocations", invocations),
    Route(_POST, b"/spark.connect.SparkConnectService/*", grpc_echo),
    Route((b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE"), b"/status/*", status_code),
    Route(_GET, b"/slow/*", slow),
    Route(_GET, b"/close", close),
)
