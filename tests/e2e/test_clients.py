"""Real clients through a real proxy: allowed calls unharmed, denied ones understood at once."""

from __future__ import annotations

import io
import json
import os
import shutil
import ssl
import subprocess
from collections.abc import Iterator

import httpx
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config
from databricks.sdk.errors import PermissionDenied

from e2e.gate import CATALOGS, HOST, TOKEN, WAREHOUSES, Gate, head, running_gate
from e2e.raw_client import H1Reader, H2Client, h2_headers, open_tls, read_h1, send_h1
from lab.workspace.streams import pattern


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory, proxy_authority: object) -> Iterator[Gate]:
    with running_gate(tmp_path_factory.mktemp("clients"), proxy_authority) as gate:  # type: ignore[arg-type]
        yield gate
        assert "; the connection was closed" not in gate.proxy.output, "something raised inside"


@pytest.fixture
def sdk(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> WorkspaceClient:
    for name in [*os.environ]:
        if name.lower().endswith("_proxy") or name.startswith("DATABRICKS"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HTTPS_PROXY", gate.proxy.proxy_url)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(gate.ca))
    return WorkspaceClient(config=Config(host=f"https://{HOST}", token=TOKEN, auth_type="pat"))


def test_the_official_sdk_lists_catalogs(gate: Gate, sdk: WorkspaceClient) -> None:
    assert [catalog.name for catalog in sdk.catalogs.list()] == ["main", "samples"]


def test_the_official_sdk_lists_all_pages_and_ends(gate: Gate, sdk: WorkspaceClient) -> None:
    names = [query.name for query in sdk.queries_legacy.list(page_size=2)]
    assert names == ["Trips a day", "Trips a week", "Fares"]
    assert [catalog.name for catalog in sdk.catalogs.list(max_results=1)] == ["main", "samples"]


def test_the_official_sdk_raises_permission_denied_at_once(gate: Gate, sdk: WorkspaceClient) -> None:
    before = len(gate.proxy.audit("decision"))
    with pytest.raises(PermissionDenied, match=r"Brickscope denied GET /api/2\.0/sql/warehouses") as error:
        list(sdk.warehouses.list())
    (info,) = [detail for detail in error.value.details if detail.reason]
    assert (info.reason, info.domain) == ("NO_RULE_MATCHES", "brickscope")
    asked = [record for record in gate.proxy.audit("decision")[before:] if record["path"] == WAREHOUSES]
    assert len(asked) == 1, "the SDK tried again"
    assert info.metadata["decision_id"] == asked[0]["decision_id"]


def test_the_official_sdk_moves_a_file_both_ways(gate: Gate, sdk: WorkspaceClient) -> None:
    gate.clear()
    content = os.urandom(3_000_000)
    sdk.api_client.do(
        "PUT", "/api/2.0/fs/files/Volumes/m/s/v/a%20b.bin", data=io.BytesIO(content), headers={}, raw=True
    )
    (request,) = gate.workspace.requests
    assert request.body_length == len(content)
    assert request.target == b"/api/2.0/fs/files/Volumes/m/s/v/a%20b.bin"
    found = sdk.api_client.do("GET", "/api/2.0/fs/files/Volumes/demo/bytes/2000000", raw=True)
    assert isinstance(found, dict)
    assert found["contents"].read() == b"".join(pattern(2_000_000))


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_curl(gate: Gate, version: str) -> None:
    def curl(path: str, *more: str) -> tuple[str, str]:
        command = [
            "curl",
            "-sS",
            version,
            "-x",
            gate.proxy.proxy_url,
            "--cacert",
            str(gate.ca),
            "-w",
            "\n%{http_code}",
        ]
        done = subprocess.run(
            [*command, *more, f"https://{HOST}{path}"], capture_output=True, text=True, timeout=30, check=True
        )
        body, _, status = done.stdout.rpartition("\n")
        return status, body

    assert curl(CATALOGS, "-H", f"Authorization: Bearer {TOKEN}")[0] == "200"
    assert curl(CATALOGS, "-u", f"token:{TOKEN}")[0] == "200"
    status, body = curl(WAREHOUSES, "-H", f"Authorization: Bearer {TOKEN}")
    assert status == "403"
    assert json.loads(body)["error_code"] == "PERMISSION_DENIED"


@pytest.mark.parametrize(
    ("versions", "spoken"),
    [
        ({"http2": False}, "HTTP/1.1"),
        ({"http2": True}, "HTTP/2"),
        # It offers both, and speaks HTTP/2 whatever is agreed on.
        ({"http1": False, "http2": True}, "HTTP/2"),
    ],
)
def test_httpx(gate: Gate, versions: dict[str, bool], spoken: str) -> None:
    trust = ssl.create_default_context(cafile=str(gate.ca))
    with httpx.Client(proxy=gate.proxy.proxy_url, verify=trust, trust_env=False, **versions) as client:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        allowed = client.get(f"https://{HOST}{CATALOGS}", headers=headers)
        assert (allowed.status_code, allowed.http_version) == (200, spoken)
        denied = client.get(f"https://{HOST}{WAREHOUSES}", headers=headers)
        assert denied.status_code == 403
        assert client.get(f"https://{HOST}{CATALOGS}", headers=headers).status_code == 200


def test_a_denied_upload_is_answered_before_its_body_and_the_connection_stays(gate: Gate) -> None:
    gate.clear()
    with open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca, alpn=["http/1.1"]) as sock:
        size = 8_000_000
        send_h1(sock, head("PUT", "/api/2.0/other", f"Content-Length: {size}"))
        reader = H1Reader(sock)
        answer = reader.read("PUT")
        assert answer is not None
        assert answer.status == 403
        send_h1(sock, b"x" * size)
        send_h1(sock, head())
        again = reader.read()
        assert again is not None
        assert again.status == 200
    assert [request.target for request in gate.workspace.requests] == [CATALOGS.encode()]


def test_a_denied_upload_that_waits_for_100_gets_403_and_a_close(gate: Gate) -> None:
    with open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca, alpn=["http/1.1"]) as sock:
        send_h1(sock, head("PUT", "/api/2.0/other", "Content-Length: 9", "Expect: 100-continue"))
        answer = read_h1(sock)
    assert answer is not None
    assert answer.status == 403
    assert answer.values(b"connection") == [b"close"]


def test_an_allowed_upload_that_waits_for_100_goes_on(gate: Gate) -> None:
    gate.clear()
    with open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca, alpn=["http/1.1"]) as sock:
        send_h1(sock, head("PUT", "/api/2.0/fs/files/Volumes/x", "Content-Length: 4", "Expect: 100-continue"))
        sock.settimeout(10)
        assert sock.recv(100).startswith(b"HTTP/1.1 100")
        send_h1(sock, b"body")
        answer = read_h1(sock)
    assert answer is not None
    assert answer.status // 100 == 2
    assert gate.workspace.requests[0].body == b"body"


def test_the_same_over_http2(gate: Gate) -> None:
    gate.clear()
    waits = [(b"expect", b"100-continue"), (b"content-length", b"4")]
    with open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca, alpn=["h2"]) as sock:
        client = H2Client(sock)
        denied = client.collect(client.open(h2_headers("PUT", "/api/2.0/other", HOST, TOKEN, waits)))
        assert (denied.status, denied.complete) == (403, True)
        number = client.open(h2_headers("PUT", "/api/2.0/fs/files/Volumes/x", HOST, TOKEN, waits))
        client.send(number, b"body", end=True)
        allowed = client.collect(number)
        assert allowed.status is not None
        assert allowed.status // 100 == 2
    assert [request.body for request in gate.workspace.requests] == [b"body"]


def test_an_answer_to_head_leaves_the_connection_in_step(gate: Gate) -> None:
    with open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca, alpn=["http/1.1"]) as sock:
        reader = H1Reader(sock)
        send_h1(sock, head("HEAD", WAREHOUSES))
        denied = reader.read("HEAD")
        send_h1(sock, head())
        allowed = reader.read()
    assert denied is not None
    assert allowed is not None
    assert (denied.status, allowed.status) == (403, 200)


def test_events_arrive_one_by_one(gate: Gate) -> None:
    with open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca, alpn=["http/1.1"]) as sock:
        send_h1(sock, head(target="/sse"))
        sock.settimeout(10)
        received = b""
        while b"data:" not in received:
            received += sock.recv(65536)
        assert received.count(b"data:") < 10, "the events were held back"


def test_grpc_streams_both_ways_and_is_denied_in_its_own_words(gate: Gate) -> None:
    frame = b"\x00\x00\x00\x00\x05hello"
    grpc = [(b"te", b"trailers"), (b"content-type", b"application/grpc")]
    with open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca, alpn=["h2"]) as sock:
        client = H2Client(sock)
        number = client.open(
            h2_headers("POST", "/spark.connect.SparkConnectService/ExecutePlan", HOST, TOKEN, grpc)
        )
        for count in (1, 2):
            client.send(number, frame)
            assert len(client.wait_for_data(number, count * len(frame))) >= count * len(frame)
        client.send(number, b"", end=True)
        response = client.collect(number)
        assert (b"grpc-status", b"0") in response.trailers
        denied = client.collect(
            client.request(h2_headers("POST", "/other.Service/Call", HOST, TOKEN, grpc), b"")
        )
    headers = dict(denied.headers)
    assert (denied.status, headers[b"grpc-status"]) == (200, b"7")
    assert b"unknown_operation" in headers[b"grpc-message"]


def test_an_origin_without_http2_serves_clients_that_offer_it(
    tmp_path: object, proxy_authority: object
) -> None:
    with running_gate(tmp_path, proxy_authority, alpn=("http/1.1",)) as gate:  # type: ignore[arg-type]
        with open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca, alpn=["h2", "http/1.1"]) as sock:
            assert sock.selected_alpn_protocol() == "http/1.1"
            send_h1(sock, head())
            response = read_h1(sock)
        assert response is not None
        assert response.status == 200
        with open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca, alpn=["http/1.1"]) as sock:
            send_h1(sock, head())
            assert read_h1(sock) is not None
        assert all(request.version == "1.1" for request in gate.workspace.requests)


def test_the_same_bytes_arrive_in_the_same_order_and_spelling(gate: Gate) -> None:
    gate.clear()
    raw = head("GET", "/api/2.0/fs/files/caf%c3%a9/a%20b/?x=%41&y", "X-MiXed: Yes", "accept: a", "Accept: b")
    with open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca, alpn=["http/1.1"]) as sock:
        send_h1(sock, raw)
        assert read_h1(sock) is not None
    assert gate.workspace.connections[-1].raw == raw


SIZE = 2 * 1024**3 if os.environ.get("BRICKSCOPE_LARGE") else 300 * 1024**2


@pytest.mark.timeout(600)
def test_large_bodies_stream_in_constant_memory(gate: Gate) -> None:
    gate.clear()
    with open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca, alpn=["http/1.1"]) as sock:
        send_h1(sock, head())
        assert read_h1(sock) is not None
        idle = gate.proxy.rss_kib()
        peak = idle
        sock.settimeout(60)
        sock.sendall(head("PUT", "/api/2.0/fs/files/Volumes/big", f"Content-Length: {SIZE}"))
        block = b"x" * 2**20
        for sent in range(SIZE // len(block)):
            sock.sendall(block)
            if sent % 32 == 0:
                peak = max(peak, gate.proxy.rss_kib())
        assert read_h1(sock, timeout=60) is not None
        sock.sendall(head(target=f"/api/2.0/fs/files/Volumes/demo/bytes/{SIZE}"))
        received = 0
        while received < SIZE:
            received += len(sock.recv(2**20))
            if received % 16 == 0:
                peak = max(peak, gate.proxy.rss_kib())
    upload = [request for request in gate.workspace.requests if request.method == b"PUT"]
    assert upload[0].body_length == SIZE
    assert peak - idle < 20 * 1024, f"{(peak - idle) / 1024:.0f} MiB more than idle"
