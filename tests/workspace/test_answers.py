"""What the fake workspace answers, route by route."""

from __future__ import annotations

import hashlib
import json
import time
from typing import Any

import pytest

from e2e.raw_client import H2Client, h2_headers, read_h1, send_h1
from lab.workspace.client import HOST, call, head, open_connection
from lab.workspace.exchange import Exchange
from lab.workspace.replies import json_answer
from lab.workspace.route import Route
from lab.workspace.server import FakeWorkspace
from lab.workspace.streams import pattern

BYTES = "/api/2.0/fs/files/Volumes/demo/bytes/"


@pytest.mark.parametrize(
    ("target", "status", "key"),
    [
        ("/api/2.1/unity-catalog/catalogs", 200, "catalogs"),
        ("/api/2.1/unity-catalog/catalogs?max_results=1", 200, "catalogs"),
        ("/api/2.0/preview/sql/queries", 200, "results"),
        ("/api/2.0/sql/warehouses", 200, "warehouses"),
        ("/api/2.0/preview/scim/v2/Me", 200, "userName"),
        ("/.well-known/databricks-config", 200, "workspace_id"),
        ("/oidc/.well-known/oauth-authorization-server", 200, "token_endpoint"),
        ("/status/418", 418, "status"),
        ("/status/999", 400, "error_code"),
        ("/status/x", 400, "error_code"),
        ("/slow/0.01", 200, "seconds"),
        ("/slow/-1", 400, "error_code"),
        ("/api/2.0/sql/warehouses/", 200, "path"),
        ("/anything/else", 200, "path"),
    ],
)
def test_routes(workspace: FakeWorkspace, target: str, status: int, key: str) -> None:
    response = call(workspace, "GET", target)
    assert response.status == status
    assert response.values(b"content-type") == [b"application/json"]
    assert key in json.loads(response.body)


CATALOGS_URL = "/api/2.1/unity-catalog/catalogs"
QUERIES_URL = "/api/2.0/preview/sql/queries"


@pytest.mark.parametrize(
    ("target", "names", "more"),
    [
        (CATALOGS_URL, ["main", "samples"], None),
        (f"{CATALOGS_URL}?max_results=0", ["main", "samples"], None),
        (f"{CATALOGS_URL}?max_results=1", ["main"], "1"),
        (f"{CATALOGS_URL}?max_results=1&page_token=1", ["samples"], None),
        ("/api/2.0/sql/warehouses?page_size=1", ["Serverless Starter Warehouse"], None),
        (QUERIES_URL, ["Trips a day", "Trips a week", "Fares"], None),
        (f"{QUERIES_URL}?page_size=2&page=1", ["Trips a day", "Trips a week"], None),
        (f"{QUERIES_URL}?page_size=2&page=2", ["Fares"], None),
        (f"{QUERIES_URL}?page_size=2&page=3", [], None),
        (f"{QUERIES_URL}?page=2", [], None),
    ],
)
def test_a_list_comes_in_pages(
    workspace: FakeWorkspace, target: str, names: list[str], more: str | None
) -> None:
    answer = json.loads(call(workspace, "GET", target).body)
    (items,) = (value for value in answer.values() if isinstance(value, list))
    assert ([item["name"] for item in items], answer.get("next_page_token")) == (names, more)


def test_an_unknown_call_is_echoed_so_that_a_leak_shows(workspace: FakeWorkspace) -> None:
    response = call(workspace, "DELETE", "/api/9/x?a=1&a=2&b=")
    answer = json.loads(response.body)
    assert answer == {"method": "DELETE", "path": "/api/9/x", "query": {"a": ["1", "2"], "b": [""]}}


def test_without_credential_everything_but_discovery_is_401(workspace: FakeWorkspace) -> None:
    response = call(workspace, "GET", "/api/2.1/unity-catalog/catalogs", token=False)
    assert response.status == 401
    assert json.loads(response.body)["error_code"] == 401
    assert b"DatabricksRealm" in response.values(b"www-authenticate")[0]
    assert call(workspace, "GET", "/.well-known/databricks-config", token=False).status == 200


@pytest.mark.parametrize("code", [204, 304])
def test_a_status_without_body(workspace: FakeWorkspace, code: int) -> None:
    response = call(workspace, "GET", f"/status/{code}")
    assert (response.status, response.body, response.complete) == (code, b"", True)


def test_slow_takes_its_time(workspace: FakeWorkspace) -> None:
    before = time.monotonic()
    call(workspace, "GET", "/slow/0.3")
    assert time.monotonic() - before >= 0.3


@pytest.mark.parametrize("query", ["", "?chunked=1"])
@pytest.mark.parametrize("length", [0, 1, 65_521, 3_000_000])
def test_a_file_of_any_length(workspace: FakeWorkspace, length: int, query: str) -> None:
    response = call(workspace, "GET", f"{BYTES}{length}{query}")
    assert response.complete
    assert len(response.body) == length
    assert response.body == b"".join(pattern(length))
    assert bool(response.values(b"content-length")) is not bool(query)


def test_head_of_a_file(workspace: FakeWorkspace) -> None:
    response = call(workspace, "HEAD", f"{BYTES}123456789")
    assert (response.status, response.body) == (200, b"")
    assert response.values(b"content-length") == [b"123456789"]


def test_an_upload_is_swallowed_and_hashed(workspace: FakeWorkspace) -> None:
    body = b"".join(pattern(3_000_000))
    assert call(workspace, "PUT", "/api/2.0/fs/files/Volumes/main/x.bin", body=body).status == 204
    (request,) = workspace.requests
    assert request.body_length == len(body)
    assert request.body_sha256 == hashlib.sha256(body).hexdigest()
    assert request.body == body[: 64 * 1024]


def test_events_come_one_by_one(workspace: FakeWorkspace) -> None:
    with open_connection(workspace) as sock:
        send_h1(sock, head("GET", "/sse"))
        first = time.monotonic()
        assert b"event-stream" in sock.recv(65536)
        head_seen = time.monotonic() - first
        response = read_h1_rest(sock)
    assert head_seen < 0.5
    assert response.count(b"data: ") >= 9
    assert time.monotonic() - first > 0.8


def read_h1_rest(sock: Any) -> bytes:
    """Bytes until the last chunk."""
    rest = b""
    while not rest.endswith(b"0\r\n\r\n"):
        rest += sock.recv(65536)
    return rest


def test_a_served_model_streams_if_asked(workspace: FakeWorkspace) -> None:
    path = "/serving-endpoints/my-model/invocations"
    streamed = call(workspace, "POST", path, body=b'{"stream": true}')
    assert streamed.values(b"content-type") == [b"text/event-stream"]
    assert streamed.body.endswith(b"data: [DONE]\n\n")
    assert streamed.body.count(b"data: ") == 4
    whole = call(workspace, "POST", path, body=b'{"messages": []}')
    assert json.loads(whole.body)["choices"]
    assert call(workspace, "POST", path, body=b"no json").status == 400


def test_close_breaks_off_in_the_head(workspace: FakeWorkspace) -> None:
    with open_connection(workspace) as sock:
        send_h1(sock, head("GET", "/close"))
        assert read_h1(sock) is None
    with open_connection(workspace, "h2") as sock:
        client = H2Client(sock)
        response = client.collect(client.request(h2_headers("GET", "/close", HOST, "t0ken")))
        assert response.status is None
        assert client.closed


def grpc(message: bytes) -> bytes:
    """A gRPC frame."""
    return b"\0" + len(message).to_bytes(4, "big") + message


@pytest.mark.parametrize("path", ["/spark.connect.SparkConnectService/ExecutePlan", "/other.Service/Call"])
def test_grpc_echoes_each_message_at_once(workspace: FakeWorkspace, path: str) -> None:
    with open_connection(workspace, "h2") as sock:
        client = H2Client(sock)
        stream = client.open(
            h2_headers(
                "POST", path, HOST, "t0ken", [(b"content-type", b"application/grpc"), (b"te", b"trailers")]
            )
        )
        echoed = b""
        for message in (b"one", b"", b"x" * 200_000):
            client.send(stream, grpc(message)[:7])
            client.send(stream, grpc(message)[7:])
            echoed += grpc(message)
            assert client.wait_for_data(stream, len(echoed)) == echoed
        client.send(stream, b"", end=True)
        response = client.collect(stream)
    assert (response.status, response.body, response.complete) == (200, echoed, True)
    assert response.trailers == [(b"grpc-status", b"0")]


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"\0\0\0\0\x09half", b"13"), (b"\0\xff\xff\xff\xff", b"8"), (b"", b"0")],
    ids=["cut off", "too long", "empty"],
)
def test_grpc_that_can_not_be_echoed(workspace: FakeWorkspace, body: bytes, status: bytes) -> None:
    with open_connection(workspace, "h2") as sock:
        client = H2Client(sock)
        stream = client.request(
            h2_headers("POST", "/s/C", HOST, "t", [(b"content-type", b"application/grpc")]), body
        )
        assert client.collect(stream).trailers == [(b"grpc-status", status)]


@pytest.mark.parametrize(("token", "status"), [(True, 200), (False, 401)])
def test_further_routes_come_first_and_want_a_credential_unless_they_are_anonymous(
    token: bool, status: int
) -> None:
    async def own(exchange: Exchange) -> None:
        await json_answer(exchange, 200, {"own": exchange.path.decode()})

    routes = [
        Route((b"GET",), b"/api/2.0/sql/warehouses", own),
        Route((b"GET",), b"/presigned/*", own, anonymous=True),
    ]
    with FakeWorkspace.start(routes=routes) as workspace:
        assert call(workspace, "GET", "/api/2.0/sql/warehouses", token=token).status == status
        assert json.loads(call(workspace, "GET", "/presigned/x", token=token).body) == {"own": "/presigned/x"}
        assert call(workspace, "POST", "/presigned/x", token=token).status == status
