"""Run by another Python (3.8 or newer) as text after ``-c``: one call by each HTTP stack that is installed there.

Arguments: the URL, and the stacks wanted (comma-separated; empty for all). Prints one JSON object. It imports nothing of
Brickscope, sends no credential (``.netrc`` is not read), and is done within seconds.
"""

import json
import sys
from importlib import metadata
from typing import Any
from urllib.parse import unquote, urlsplit

SECONDS = 8
URL = sys.argv[1] if len(sys.argv) > 1 else ""
HOST = urlsplit(URL).hostname or ""
PATH = URL[URL.find("/", len("https://")) :]
WANTED = [name for name in "".join(sys.argv[2:]).split(",") if name]


def version(name: str) -> str | None:
    """The version that is installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def by_requests() -> tuple[Any, Any]:
    """The SDK, mlflow and delta-sharing."""
    import requests

    session = requests.Session()
    session.auth = lambda request: request  # else requests would look for a password in .netrc
    answer = session.get(URL, timeout=SECONDS, allow_redirects=False)
    return answer.status_code, answer.headers.get("x-brickscope-reason")


def by_httpx() -> tuple[Any, Any]:
    """OpenAI's client and MCP."""
    import httpx

    answer = httpx.get(URL, timeout=SECONDS, follow_redirects=False)
    return answer.status_code, answer.headers.get("x-brickscope-reason")


def by_sql_connector() -> tuple[Any, Any]:
    """As common/unified_http_client.py of the connector does it, but once: the connector tries for 15 minutes."""
    import ssl
    import urllib.request

    import urllib3

    proxy = urllib.request.getproxies().get("https")
    if proxy and urllib.request.proxy_bypass(HOST):
        proxy = None
    trust = ssl.create_default_context()
    pool: Any = urllib3.PoolManager(ssl_context=trust)
    if proxy:
        login, headers = urlsplit(proxy), {}
        if login.username:
            headers = urllib3.make_headers(
                proxy_basic_auth=unquote(login.username) + ":" + unquote(login.password or "")
            )
        pool = urllib3.ProxyManager(proxy, ssl_context=trust, proxy_headers=headers)
    answer = pool.request("GET", URL, timeout=SECONDS, retries=False, redirect=False)
    return answer.status, answer.headers.get("x-brickscope-reason")


def by_grpc() -> tuple[Any, Any]:
    """Databricks Connect."""
    import grpc

    channel = grpc.secure_channel(HOST + ":443", grpc.ssl_channel_credentials())
    try:
        call: Any = channel.unary_unary(PATH)
        call(b"", timeout=SECONDS)
    except grpc.RpcError as error:
        trailers: Any = error.trailing_metadata()
        told = dict(trailers or ())
        reason = told.get("x-brickscope-reason")
        if reason is None and error.code() in (
            grpc.StatusCode.UNAVAILABLE,
            grpc.StatusCode.DEADLINE_EXCEEDED,
        ):
            raise OSError(error.details()) from None
        return error.code().name, reason
    return "OK", None


STACKS = {
    "requests": (by_requests, "requests"),
    "httpx": (by_httpx, "httpx"),
    "sql-connector": (by_sql_connector, "databricks-sql-connector"),
    "grpc": (by_grpc, "grpcio"),
}
CLIENTS = (
    "databricks-sdk",
    "databricks-sql-connector",
    "databricks-connect",
    "dbt-databricks",
    "delta-sharing",
    "mlflow",
    "mlflow-skinny",
    "openai",
)


def main() -> None:
    """Try them all."""
    found = {}
    for name, (call, package) in STACKS.items():
        installed = version(package)
        if installed is None or (WANTED and name not in WANTED):
            continue
        try:
            status, reason = call()
            found[name] = {"version": installed, "status": status, "reason": reason}
        except Exception as error:
            found[name] = {
                "version": installed,
                "error": (type(error).__name__ + ": " + str(error) + " " + repr(error.__cause__ or ""))[
                    :2000
                ],
            }
    clients = {name: version(name) for name in CLIENTS if version(name)}
    sys.stdout.write(json.dumps({"python": sys.version.split()[0], "stacks": found, "clients": clients}))


if __name__ == "__main__":
    main()
