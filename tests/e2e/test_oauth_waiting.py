"""While one request waits for public keys: others go on, memory is bounded, and clients may leave."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from e2e.gate import CATALOGS, HOST, TOKEN, Gate, head, running_gate
from e2e.oauth_policy import FEDERATED_ID, OAUTH_POLICY, get, reason
from e2e.raw_client import H1Response, H2Client, h2_headers, open_tls, read_h1, send_h1
from lab.workspace.issuer import CLIENT_ID, TokenIssuer

HOSTS = iter(f"dbc-{number:08x}-0000.cloud.databricks.com" for number in range(1000))


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory, proxy_authority: object) -> Iterator[Gate]:
    folder = tmp_path_factory.mktemp("waiting")
    with running_gate(folder, proxy_authority, policy=OAUTH_POLICY) as gate:  # type: ignore[arg-type]
        yield gate


@pytest.fixture
def silent(gate: Gate) -> Iterator[tuple[TokenIssuer, str, str]]:
    """An issuer that does not give its keys yet, a host whose keys nobody asked for, and a token for it."""
    issuer, host = gate.workspace.issuer, next(HOSTS)
    assert issuer.key
    gate.clear()
    issuer.silent = True
    try:
        yield issuer, host, issuer.sign(issuer.claims(f"https://{host}/oidc", FEDERATED_ID, FEDERATED_ID))
    finally:
        issuer.silent = False


def asked(gate: Gate) -> int:
    """How many requests for keys have reached the workspace."""
    return sum(request.path == b"/oidc/jwks.json" for request in gate.workspace.requests)


def test_others_go_on(gate: Gate, silent: tuple[TokenIssuer, str, str]) -> None:
    issuer, host, token = silent
    found: list[H1Response] = []
    waiting = [threading.Thread(target=lambda: found.append(get(gate, token, host=host))) for _ in range(20)]
    for thread in waiting:
        thread.start()
    gate.proxy.wait_for(lambda: asked(gate))
    assert get(gate, TOKEN).status == 200
    assert get(gate, TOKEN, host=host).status == 200
    assert found == []
    issuer.silent = False
    for thread in waiting:
        thread.join(10)
    assert [response.status for response in found] == [200] * 20
    assert asked(gate) == 1


def test_other_streams_of_the_same_connection_go_on(gate: Gate, silent: tuple[TokenIssuer, str, str]) -> None:
    issuer, host, token = silent
    with open_tls(gate.proxy.proxy_url, host, ca=gate.ca, alpn=["h2"]) as sock:
        client = H2Client(sock)
        first = client.request(h2_headers("GET", CATALOGS, host, token, []))
        gate.proxy.wait_for(lambda: asked(gate))
        second = client.collect(client.request(h2_headers("GET", CATALOGS, host, TOKEN, [])))
        assert second.status == 200
        issuer.silent = False
        assert client.collect(first).status == 200


def test_a_client_may_leave(gate: Gate, silent: tuple[TokenIssuer, str, str]) -> None:
    issuer, host, token = silent
    for _ in range(5):
        with open_tls(gate.proxy.proxy_url, host, ca=gate.ca, alpn=["http/1.1"]) as sock:
            send_h1(sock, head(host=host, token=token))
            gate.proxy.wait_for(lambda: asked(gate))
    issuer.silent = False
    assert get(gate, token, host=host).status == 200
    assert "Traceback" not in gate.proxy.output


KERNEL_MIB = 24
"""What the buffers of both ends of a connection hold at most."""
UPLOAD = "/api/2.0/fs/files/Volumes/x"


def test_a_body_that_comes_meanwhile_is_bounded(gate: Gate, silent: tuple[TokenIssuer, str, str]) -> None:
    _, host, token = silent
    before = gate.proxy.rss_kib()
    with open_tls(gate.proxy.proxy_url, host, ca=gate.ca, alpn=["http/1.1"]) as sock:
        send_h1(sock, head("PUT", UPLOAD, f"Content-Length: {1 << 30}", host=host, token=token))
        gate.proxy.wait_for(lambda: asked(gate))
        sent = 0
        while sent < 200 and send_h1(sock, b"x" * (1 << 20), timeout=1):
            sent += 1
    assert sent <= KERNEL_MIB, "the proxy kept more than 64 KiB of a request that it had not decided on"
    assert gate.proxy.rss_kib() - before < 100_000


def test_a_body_that_comes_meanwhile_over_http2_is_bounded_by_its_window(
    gate: Gate, silent: tuple[TokenIssuer, str, str]
) -> None:
    issuer, host, token = silent
    before = gate.proxy.rss_kib()
    with open_tls(gate.proxy.proxy_url, host, ca=gate.ca, alpn=["h2"]) as sock:
        client = H2Client(sock, 60)
        streams = [client.open(h2_headers("PUT", UPLOAD, host, token, [])) for _ in range(8)]
        gate.proxy.wait_for(lambda: asked(gate))
        client.timeout = 1
        for stream in streams:
            with pytest.raises(TimeoutError):
                client.send(stream, b"x" * (1 << 22))
        client.timeout = 60
        assert gate.proxy.rss_kib() - before < 10_000
        issuer.silent = False
        for stream in streams:
            client.send(stream, b"", end=True)
            assert client.collect(stream).status == 204
    lengths = [request.body_length for request in gate.workspace.requests if request.method == b"PUT"]
    assert sum(lengths) == len(streams) * 64 * 1024, "what the windows hold, and all of it"


def test_a_small_body_that_comes_meanwhile_arrives_whole(
    gate: Gate, silent: tuple[TokenIssuer, str, str]
) -> None:
    issuer, host, token = silent
    with open_tls(gate.proxy.proxy_url, host, ca=gate.ca, alpn=["http/1.1"]) as sock:
        body = bytes(range(256)) * 4000
        raw = head(
            "PUT", "/api/2.0/fs/files/Volumes/x", f"Content-Length: {len(body)}", host=host, token=token
        )
        send_h1(sock, raw + body)
        gate.proxy.wait_for(lambda: asked(gate))
        issuer.silent = False
        response = read_h1(sock, "PUT")
    assert response is not None
    assert response.status == 204
    (request,) = [request for request in gate.workspace.requests if request.method == b"PUT"]
    assert request.body_length == len(body)


def test_hosts_that_do_not_exist_do_not_keep_others_waiting(gate: Gate) -> None:
    issuer = gate.workspace.issuer
    for host in [next(HOSTS) for _ in range(30)]:
        token = issuer.sign(issuer.claims(f"https://{host}/oidc", CLIENT_ID, CLIENT_ID))
        assert reason(get(gate, token, host=host)) == "workspace_not_allowed"
    good = issuer.sign(issuer.claims(f"https://{HOST}/oidc", CLIENT_ID, CLIENT_ID))
    assert get(gate, good).status == 200
