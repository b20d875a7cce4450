"""What hosts answer: all of it passes unharmed but what would lead the client away or speak in the proxy's name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.gate import CATALOGS, HOST, TOKEN, Gate, head, running_gate
from e2e.proxy_process import ProxyProcess
from e2e.raw_client import H1Reader, H2Client, h2_headers, hung_up, open_tls, send_h1
from e2e.raw_upstream import RawUpstream, running_raw
from lab.workspace.exchange import Exchange
from lab.workspace.route import Route

MISLEADING = [
    (b"Alt-Svc", b'h3=":443"; ma=86400'),
    (b"alt-svc", b'h2="other.example:443"'),
    (b"X-Brickscope-Reason", b"no_rule_matches"),
    (b"X-Brickscope-Decision", b"397d7b97-3"),
    (b"x-brickscope-anything", b"x"),
]
HARMLESS = [
    (b"x-alt-svc", b"kept"),
    (b"alt-svc-not", b"kept"),
    (b"x-brickscop", b"kept"),
    (b"set-cookie", b"a=1"),
    (b"set-cookie", b"b=2"),
    (b"location", b"https://elsewhere.example/"),
]


async def answer(exchange: Exchange) -> None:
    fields = [
        (name.lower() if exchange.request.version == "2" else name, value)
        for name, value in [*HARMLESS[:2], *MISLEADING, *HARMLESS[2:]]
    ]
    await exchange.answer(200, b"text/plain", b"body", tuple(fields))


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory, proxy_authority: Path) -> Iterator[Gate]:
    routes = (Route((b"GET",), CATALOGS.encode(), answer),)
    with running_gate(tmp_path_factory.mktemp("answers"), proxy_authority, routes=routes) as gate:
        yield gate


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_only_what_misleads_is_taken_out_of_an_answer(gate: Gate, version: str) -> None:
    with open_tls(
        gate.proxy.proxy_url, HOST, ca=gate.ca, alpn=["h2" if version == "2" else "http/1.1"]
    ) as sock:
        if version == "2":
            client = H2Client(sock)
            got = client.collect(client.request(h2_headers("GET", CATALOGS, HOST, TOKEN)))
            status, fields, body = got.status, got.headers, got.body
        else:
            send_h1(sock, head())
            response = H1Reader(sock).read()
            assert response is not None
            status, fields, body = response.status, response.headers, response.body
    assert (status, body) == (200, b"body")
    names = [name.lower() for name, _ in fields]
    assert not [name for name in names if name == b"alt-svc" or name.startswith(b"x-brickscope-")]
    kept = [field for field in fields if field[0].lower() in {name for name, _ in HARMLESS}]
    assert kept == HARMLESS
    assert names.count(b"content-length") == names.count(b"content-type") == 1


@pytest.fixture(scope="module")
def raw(
    tmp_path_factory: pytest.TempPathFactory, proxy_authority: Path
) -> Iterator[tuple[ProxyProcess, RawUpstream]]:
    with running_raw(tmp_path_factory.mktemp("raw"), proxy_authority) as both:
        yield both


OTHER_PROTOCOL = b"bytes of another protocol"
SWITCHES = {
    "with what it switches to": b"Connection: upgrade\r\nUpgrade: websocket\r\n",
    "without a word": b"",
    "with a length": b"Content-Length: 5\r\n",
}


@pytest.mark.parametrize("fields", SWITCHES.values(), ids=SWITCHES)
def test_a_host_that_switches_protocols_is_cut_off(
    raw: tuple[ProxyProcess, RawUpstream], fields: bytes
) -> None:
    proxy, upstream = raw
    upstream.received.clear()
    upstream.ended.clear()
    upstream.answer = b"HTTP/1.1 101 Switching Protocols\r\n" + fields + b"\r\n" + OTHER_PROTOCOL
    with open_tls(proxy.proxy_url, HOST, ca=proxy.ca_file, alpn=["http/1.1"]) as sock:
        send_h1(sock, head())
        reader = H1Reader(sock)
        response = reader.read()
        assert response is None or response.status in (403, 502)
        assert OTHER_PROTOCOL not in reader.left
        send_h1(sock, b"and the client's")
        assert hung_up(sock)
    assert upstream.ended.wait(30)
    (received,) = upstream.received
    assert received.startswith(f"GET {CATALOGS} ".encode())
    assert b"and the client's" not in received
    (decision,) = proxy.audit("decision")[-1:]
    assert decision["decision"] == "allow"


def test_no_more_than_a_bound_is_kept_of_what_is_sent_ahead(raw: tuple[ProxyProcess, RawUpstream]) -> None:
    """A client that sends request on request without waiting for the first answer can't fill the proxy's memory."""
    proxy, upstream = raw
    upstream.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    upstream.go.clear()
    upstream.received.clear()
    ahead = head("GET", CATALOGS, "X-Filler: " + "a" * 8000)
    with open_tls(proxy.proxy_url, HOST, ca=proxy.ca_file, alpn=["http/1.1"]) as sock:
        send_h1(sock, head())
        proxy.wait_for(lambda: any(b"\r\n\r\n" in each for each in upstream.received))
        before = proxy.rss_kib()
        # Once the kernel's buffers on both sides are full as well, nothing is taken any more.
        assert not all(send_h1(sock, ahead * 32, timeout=3) for _ in range(1024))
        assert proxy.rss_kib() - before < 8 * 1024
        assert sum(each.count(b"\r\n\r\n") for each in upstream.received) == 1
    upstream.go.set()
