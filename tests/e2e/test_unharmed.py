"""Promise 5: what is allowed passes byte for byte, both ways, compared at both ends; less the exceptions listed there
(test_misleading_answers.py: what is taken out of answers; test_drain.py: ``connection: close`` at the end)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.test_client_headers import SENT
from e2e.gate import CATALOGS, HOST, TOKEN, Gate, running_gate
from e2e.proxy_process import ProxyProcess
from e2e.raw_client import H2Client, open_tls
from e2e.raw_upstream import RawUpstream, running_raw
from lab.workspace.exchange import Exchange
from lab.workspace.route import Route

FILE = "/api/2.0/fs/files/Volumes/main/in/a%20b.bin"
BODY = bytes(range(256)) * 5
VALUES = {
    "host": HOST,
    "authorization": f"Bearer {TOKEN}",
    "content-length": str(len(BODY)),
    "connection": "keep-alive",
    "te": "trailers",
    "range": "bytes=0-99",
    "mcp-method": "tools/call",
    "x-databricks-workspace-id": "1",
    "x-databricks-org-id": "1",
    "content-type": "application/octet-stream; Charset=x",
    "user-agent": "databricks-sdk-py/0.162 (x; y)  os/linux",
}
BLANKS = (" ", "", "  ", "\t")
"""Before a value, in turn; and some after it."""
SPELLINGS = (str.lower, str.title, str.upper)


def fields_of(client: str) -> list[tuple[str, str]]:
    recorded = SENT[client].split()  # without Host over HTTP/2, and of browsers without a credential
    names = [*({"host"} - {*recorded}), *recorded, *({"authorization"} - {*recorded})]
    return [(name, VALUES.get(name, f'"{name}", a=b; q=0.1')) for name in names]


def written(client: str) -> bytes:
    """A request with the header names of a client, in spellings and with blanks that no two of them share."""
    fields = fields_of(client)
    has_body = any(name == "content-length" for name, _ in fields)
    lines = [f"{'PUT' if has_body else 'GET'} {FILE if has_body else CATALOGS + '?max_results=0'} HTTP/1.1"]
    for index, (name, value) in enumerate(fields):
        blank = BLANKS[index % len(BLANKS)]
        lines.append(f"{SPELLINGS[index % 3](name)}:{blank}{value}{' ' * (index % 2)}")
    return "\r\n".join([*lines, "", ""]).encode() + (BODY if has_body else b"")


CHUNKED = (
    f"PUT {FILE}?overwrite=true HTTP/1.1\r\nhOST: {HOST}\r\nAUTHORIZATION:Bearer {TOKEN}\r\n".encode()
    + b"Transfer-Encoding: chunked\r\nX-Empty:\r\n\r\n"
    + b"0000a\r\n0123456789\r\n1F\r\n%b\r\n1\r\n\x00\r\n000\r\n\r\n" % (b"\r" * 31)
)
REQUESTS = {**{client: written(client) for client in SENT}, "chunks": CHUNKED}
ANSWERS = {
    "a length": b"HTTP/1.1 200 Fine, thanks\r\ncONTENT-length:  3 \r\nX-A:b\r\nx-a: B\r\nSet-Cookie: a=1\r\n\r\n\x00\r\n",
    "chunks and trailers": b"HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
    b"0003\r\nabc\r\nA\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n",
    "no phrase": b"HTTP/1.1 204\r\nServer: x\r\n\r\n",
    "interim ones": b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    "gzip that is none": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnone",
    "keep-alive": b"HTTP/1.1 500 Oh\r\nKeep-Alive: timeout=5\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n{}",
}


@pytest.fixture(scope="module")
def raw(
    tmp_path_factory: pytest.TempPathFactory, proxy_authority: Path
) -> Iterator[tuple[ProxyProcess, RawUpstream]]:
    with running_raw(tmp_path_factory.mktemp("unharmed"), proxy_authority) as pair:
        yield pair


@pytest.mark.parametrize("step", [1 << 20, 97])
@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
def test_not_a_byte_of_a_request_changes(
    raw: tuple[ProxyProcess, RawUpstream], request_: bytes, step: int
) -> None:
    proxy, upstream = raw
    upstream.received.clear()
    upstream.answer, upstream.whole = ANSWERS["no phrase"], len(request_)
    with open_tls(proxy.proxy_url, HOST, ca=proxy.ca_file) as sock:
        for start in range(0, len(request_), step):
            sock.sendall(request_[start : start + step])
        found = b""
        while len(found) < len(upstream.answer):
            data = sock.recv(65536)
            assert data, (found, proxy.output[-500:])
            found += data
    assert b"".join(map(bytes, upstream.received)) == request_
    assert found == upstream.answer


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_not_a_byte_of_an_answer_changes(raw: tuple[ProxyProcess, RawUpstream], answer: bytes) -> None:
    proxy, upstream = raw
    upstream.answer, upstream.whole = answer, len(REQUESTS["curl"])
    with open_tls(proxy.proxy_url, HOST, ca=proxy.ca_file) as sock:
        for _ in range(2):  # the second one on the same connection
            sock.sendall(REQUESTS["curl"])
            found = b""
            while len(found) < len(answer):
                data = sock.recv(65536)
                assert data, found
                found += data
            assert found == answer


# -- HTTP/2: lists of headers and bodies ---------------------------------------------------------------------------

REPLIED = (
    (b"content-type", b"application/x;  y"),
    (b"set-cookie", b"a=1"),
    (b"x-empty", b""),
    (b"set-cookie", b"b=2"),
    (b"x-request-id", b"\xe9"),
)


async def reply(exchange: Exchange) -> None:
    await exchange.answer(200, b"text/plain", BODY, REPLIED[1:])


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory, proxy_authority: Path) -> Iterator[Gate]:
    routes = (Route((b"GET", b"PUT"), CATALOGS.encode(), reply),)
    with running_gate(tmp_path_factory.mktemp("unharmed"), proxy_authority, routes=routes) as gate:
        yield gate


@pytest.mark.parametrize("client", SENT)
def test_no_header_of_http2_changes(gate: Gate, client: str) -> None:
    gate.clear()
    fields = [
        (name.encode(), value.encode())
        for name, value in fields_of(client)
        if name not in ("host", "connection")
    ]
    has_body = any(name == b"content-length" for name, _ in fields)
    sent = [
        (b":method", b"PUT" if has_body else b"GET"),
        (b":scheme", b"https"),
        (b":authority", HOST.encode()),
        (b":path", (FILE if has_body else CATALOGS).encode()),
        *fields,
    ]
    with open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca, alpn=["h2"]) as sock:
        h2 = H2Client(sock)
        answer = h2.collect(h2.request(sent, BODY if has_body else None))
    (request,) = gate.workspace.requests
    assert list(request.headers) == sent
    if has_body:
        assert request.body_length == len(BODY)
        return
    assert answer.body == BODY
    assert [field for field in answer.headers if field[0] in dict(REPLIED[1:])] == list(REPLIED[1:])
