"""The holder of a narrow token at work with raw sockets: what of it reaches the workspace? Nothing.

Every case is sent through a real mitmdump over real TLS and judged by what the workspace received, which is the ground
truth. An allowed call goes first and last, since a dead proxy passes every test of this kind.
"""

from __future__ import annotations

import socket
import ssl
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.header_names import CREDENTIALS, OVERRIDES
from e2e.gate import CATALOGS, HOST, TOKEN, WAREHOUSES, Gate, head, running_gate
from e2e.raw_client import H2Client, connect, dial, h2_headers, hung_up, open_tls, read_h1, send_h1, tls

OTHER = "dbc-other.cloud.databricks.com"
BEARER = f"Authorization: Bearer {TOKEN}"
PAIR = b64encode(f"token:{TOKEN}".encode()).decode()


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory, proxy_authority: Path) -> Iterator[Gate]:
    with running_gate(tmp_path_factory.mktemp("hostile"), proxy_authority) as gate:
        assert allowed(gate) == 200
        yield gate
        assert allowed(gate) == 200
        assert "; the connection was closed" not in gate.proxy.output, "something raised inside"


def allowed(gate: Gate) -> int | None:
    with open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca, alpn=["http/1.1"]) as sock:
        send_h1(sock, head())
        response = read_h1(sock)
    return response.status if response else None


def leaked(gate: Gate) -> list[str]:
    """What the workspace received, as bytes or as requests."""
    raw = [
        connection.raw[:80].decode("latin-1") for connection in gate.workspace.connections if connection.raw
    ]
    return raw + [f"{request.method!r} {request.target!r}" for request in gate.workspace.requests]


H1: dict[str, bytes] = {
    "a call no rule allows": head(target=WAREHOUSES),
    "another method": head("POST", CATALOGS, "Content-Length: 0"),
    "HEAD of an allowed GET": head("HEAD"),
    "an unknown token": head(token="x" * 36),
    "no token": head(token=None),
    "a method in lower case": head("get"),
    "a method in mixed case": head("Get"),
    "an unknown method": head("GETS"),
    "TRACE": head("TRACE"),
    "CONNECT inside": head("CONNECT", f"{HOST}:443"),
    "an absolute form": head(target=f"https://{HOST}{CATALOGS}"),
    "an absolute form to another host": head(target=f"https://{OTHER}{CATALOGS}"),
    "two Hosts": head("GET", CATALOGS, f"Host: {OTHER}"),
    "two equal Hosts": head("GET", CATALOGS, f"Host: {HOST}"),
    "another Host": head(host=OTHER),
    "no Host": head(host=None),
    "an empty Host": head(host=""),
    "a Host with a trailing dot": head(host=HOST + "."),
    "a Host with another port": head(host=HOST + ":444"),
    "a Host with a path": head(host=HOST + "/x"),
    "two tokens": head("GET", CATALOGS, BEARER),
    "two different tokens": head("GET", CATALOGS, "Authorization: Bearer other"),
    "a token list": head(token=TOKEN + ", Bearer other"),
    "bearer in lower case": head("GET", CATALOGS, f"authorization: bearer {TOKEN}", token=None),
    "a token after two spaces": head("GET", CATALOGS, f"Authorization: Bearer  {TOKEN}", token=None),
    "two Basics in one header": head(
        "GET", CATALOGS, f"Authorization: Basic {PAIR}, Basic {PAIR}", token=None
    ),
    "a token after a tab": head("GET", CATALOGS, f"Authorization: Bearer\t{TOKEN}", token=None),
    "Basic for a user": head("GET", CATALOGS, "Authorization: Basic bWU6c2VjcmV0", token=None),
    "HTTP/1.0": head(version="HTTP/1.0"),
    "HTTP/2.0": head(version="HTTP/2.0"),
    "HTTP/9.9": head(version="HTTP/9.9"),
    "HTTP/0.9": f"GET {CATALOGS}\r\n\r\n".encode(),
    "two Content-Lengths": head("GET", CATALOGS, "Content-Length: 0", "Content-Length: 0"),
    "different Content-Lengths": head("GET", CATALOGS, "Content-Length: 0", "Content-Length: 5"),
    "a signed Content-Length": head("GET", CATALOGS, "Content-Length: +0"),
    "a zero-led Content-Length": head("GET", CATALOGS, "Content-Length: 00"),
    "a length given twice": head("GET", CATALOGS, "Content-Length: 3", "Transfer-Encoding: chunked")
    + b"0\r\n\r\n",
    "an unknown transfer coding": head("GET", CATALOGS, "Transfer-Encoding: xchunked"),
    "two transfer codings": head("GET", CATALOGS, "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
    "chunked in capitals": head("GET", CATALOGS, "Transfer-Encoding: CHUNKED") + b"0\r\n\r\n",
    "identity": head("GET", CATALOGS, "Transfer-Encoding: identity"),
    "an upgrade to websocket": head("GET", CATALOGS, "Connection: Upgrade", "Upgrade: websocket"),
    "an upgrade to anything": head("GET", CATALOGS, "Upgrade: foo"),
    "an upgrade to h2c": head("GET", CATALOGS, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c"),
    "Connection names the token's header": head("GET", CATALOGS, "Connection: authorization"),
    "Connection names Host": head("GET", CATALOGS, "Connection: close, host"),
    "announced trailers": head("GET", CATALOGS, "Trailer: Authorization"),
    "TE": head("GET", CATALOGS, "TE: gzip"),
    "an odd Expect": head("GET", CATALOGS, "Expect: 200-ok"),
    "a cookie": head("GET", CATALOGS, "Cookie: DBAUTH=dbws.1.x"),
    "a folded header": head("GET", CATALOGS, "X: 1\r\n\tAuthorization: Bearer other"),
    "a folded token": head("GET", CATALOGS, f"Authorization: Bearer\r\n {TOKEN}", token=None),
    "bare line feeds": head().replace(b"\r\n", b"\n"),
    "one bare line feed": head("GET", CATALOGS, "X: 1\nX-HTTP-Method-Override: DELETE"),
    "a bare carriage return": head("GET", CATALOGS, "X: 1\rX-HTTP-Method-Override: DELETE"),
    "a NUL in a header": head("GET", CATALOGS, "X: a\x00b"),
    "a space before the colon": head("GET", CATALOGS, "X : y"),
    "a header name of 8-bit bytes": head("GET", CATALOGS, "X\xe9: y"),
    "a header without a colon": head("GET", CATALOGS, "X"),
    "a leading empty line": b"\r\n" + head(),
    "a leading space": b" " + head(),
    "two spaces in the request line": head("GET ", CATALOGS),
    "a tab in the request line": head().replace(b"GET ", b"GET\t"),
    "a token in the query": head(target=CATALOGS + f"?access_token={TOKEN}"),
    "another workspace twice": head(
        "GET", CATALOGS, "X-Databricks-Org-Id: 1", "X-Databricks-Workspace-Id: 2"
    ),
    "our own header": head("GET", CATALOGS, "X-Brickscope-Pass: 1"),
    "a huge header": head("GET", CATALOGS, "X: " + "a" * 70_000),
    "a huge target": head(target=CATALOGS + "?x=" + "a" * 20_000),
    "many headers": head("GET", CATALOGS, *[f"X-{i}: 1" for i in range(300)]),
    "a body that holds a request": head("POST", WAREHOUSES, f"Content-Length: {len(head())}")
    + head(target=WAREHOUSES),
    "chunks that hold a request": head("POST", WAREHOUSES, "Transfer-Encoding: chunked")
    + b"%x\r\n%s\r\n0\r\n\r\n" % (len(head()), head(target=WAREHOUSES)),
    "an HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no HTTP at all": b"\x00\x01\x02\x03" * 40 + b"\r\n\r\n",
    "half a TLS hello inside": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 40 + b"\r\n\r\n",
}
H1 |= {f"second credential {name}": head("GET", CATALOGS, f"{name}: x") for name in CREDENTIALS}
H1 |= {f"override {name}": head("GET", CATALOGS, f"{name}: x") for name in OVERRIDES}
H1 |= {
    f"override in CGI spelling {name}": head("GET", CATALOGS, f"{name}: x")
    for name in (
        "X_HTTP_Method_Override",
        "X_Original_URL",
        "X_Forwarded_Host",
        "authorization_",
        "X_Forwarded_For",
    )
    if name != "authorization_"
}
# Paths that some server, on some day, reads as an allowed one or as a way out of it.
H1 |= {
    f"path {path!r}": head(target=path)
    for path in (
        "/api/2.1/unity-catalog/catalogs/../../../2.0/sql/warehouses",
        "/api/2.1/unity-catalog/catalogs/..;/x",
        "/api/2.1/unity-catalog/./catalogs",
        "/api/2.1//unity-catalog/catalogs",
        "//api/2.1/unity-catalog/catalogs",
        "/api/2.1/unity-catalog/catalogs//",
        "/api/2.1/unity-catalog/catalogs;x",
        "/api/2.1/unity-catalog/catalogs%2f",
        "/api/2.1/unity-catalog%2fcatalogs",
        "/api/2.1/unity-catalog/%2563atalogs",
        "/api/2.1/unity-catalog/catalogs%00",
        "/api/2.1/unity-catalog/catalogs%0a",
        "/api/2.1/unity-catalog/catalogs%20",
        "/api/2.1/unity-catalog/catalogs%3f",
        "/api/2.1/unity-catalog/catalogs%23",
        "/api/2.1/unity-catalog/catalogs%252e",
        "/api/2.1/unity-catalog/catalogs#x",
        "/api/2.1/unity-catalog/catalogs?x#y",
        "/api/2.1/unity-catalog/catalogs\\x",
        "/api/2.1/unity-catalog/Catalogs",
        "/API/2.1/unity-catalog/catalogs",
        "/api/2.1/unity-catalog/catalogsx",
        "/api/2.1/unity-catalog/catalogs/x",
        "/api/2.1/unity-catalog/catalogs:x",
        "/ajax-api/2.1/unity-catalog/catalogs",
        "/api/2.0/fs/files/../../sql/warehouses",
        "/api/2.0/fs/files/%2e%2e/%2e%2e/sql/warehouses",
        "/api/2.0/fs/files/..%2f..%2fsql/warehouses",
        "/api/2.0/fs/files/%c0%ae%c0%ae/x",
        "/api/2.0/fs/files/%ef%bc%8e%ef%bc%8e/x",
        "/api/2.0/fs/files/a\\..\\x",
        "/api/2.0/fs/files/Volumes/a%20b/../../../../sql/warehouses",
        "/api/2.0/fs/files/Volumes/a%20b/./c",
        "/api/2.0/fs/files//",
        "/api/2.0/fs/files",
        "/api/2.0/fs/files/caf\xe9",
        "/api/2.0/fs/files/%E9",
        "/api/2.0/fs/files/%zz",
        "/api/2.0/fs/files/a b",
        "/status/200:x",
        "api/2.1/unity-catalog/catalogs",
        "*",
        "",
    )
}


@pytest.mark.parametrize("raw", H1.values(), ids=H1)
def test_nothing_hostile_reaches_the_workspace_over_http1(gate: Gate, raw: bytes) -> None:
    gate.clear()
    with open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca, alpn=["http/1.1"]) as sock:
        send_h1(sock, raw)
        response = read_h1(sock)
        assert response is None or response.status in (400, 403, 431), response
    assert leaked(gate) == []


def test_a_second_request_on_the_same_connection_is_judged_on_its_own(gate: Gate) -> None:
    gate.clear()
    with open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca, alpn=["http/1.1"]) as sock:
        send_h1(sock, head() + head(target=WAREHOUSES) + head())
        statuses = [response.status for response in [read_h1(sock)] if response]
    assert statuses == [200]
    assert all(request.target == CATALOGS.encode() for request in gate.workspace.requests)


PSEUDO = [
    (b":method", b"GET"),
    (b":scheme", b"https"),
    (b":authority", HOST.encode()),
    (b":path", CATALOGS.encode()),
]
AUTH = (b"authorization", f"Bearer {TOKEN}".encode())


def replaced(name: bytes, value: bytes) -> list[tuple[bytes, bytes]]:
    return [(key, value if key == name else old) for key, old in PSEUDO] + [AUTH]


H2 = {
    "a call no rule allows": replaced(b":path", WAREHOUSES.encode()),
    "another authority": replaced(b":authority", OTHER.encode()),
    "an empty authority": replaced(b":authority", b""),
    "no authority": [field for field in PSEUDO if field[0] != b":authority"] + [AUTH],
    "a Host that differs": [*PSEUDO, (b"host", OTHER.encode()), AUTH],
    "plain http": replaced(b":scheme", b"http"),
    "a method in lower case": replaced(b":method", b"get"),
    "a method with a space": replaced(b":method", b"GET /x"),
    "an empty method": replaced(b":method", b""),
    "CONNECT": replaced(b":method", b"CONNECT"),
    "a space in the path": replaced(b":path", CATALOGS.encode() + b" HTTP/1.1"),
    "a line break in the path": replaced(b":path", CATALOGS.encode() + b"\r\nX: y"),
    "a dot segment": replaced(b":path", b"/api/2.1/../2.0/sql/warehouses"),
    "a whole URL as path": replaced(b":path", f"https://{OTHER}/".encode()),
    "an empty path": replaced(b":path", b""),
    "an asterisk": replaced(b":path", b"*"),
    "two tokens": [*PSEUDO, AUTH, AUTH],
    "a cookie": [*PSEUDO, AUTH, (b"cookie", b"DBAUTH=x")],
    "a transfer coding": [*PSEUDO, AUTH, (b"transfer-encoding", b"chunked")],
    "Connection": [*PSEUDO, AUTH, (b"connection", b"close")],
    "Upgrade": [*PSEUDO, AUTH, (b"upgrade", b"websocket")],
    "extended CONNECT": [*PSEUDO, (b":protocol", b"websocket"), AUTH],
    "a header in capitals": [*PSEUDO, AUTH, (b"X-HTTP-Method-Override", b"DELETE")],
    "an override": [*PSEUDO, AUTH, (b"x-http-method-override", b"DELETE")],
    "a line break in a value": [*PSEUDO, AUTH, (b"x", b"a\r\nb")],
    "a NUL in a value": [*PSEUDO, AUTH, (b"x", b"a\x00b")],
    "a path twice": [*PSEUDO, (b":path", WAREHOUSES.encode()), AUTH],
}


@pytest.mark.parametrize("fields", H2.values(), ids=H2)
def test_nothing_hostile_reaches_the_workspace_over_http2(
    gate: Gate, fields: list[tuple[bytes, bytes]]
) -> None:
    gate.clear()
    with open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca, alpn=["h2"]) as sock:
        client = H2Client(sock)
        response = client.collect(client.request(fields))
        assert response.status in (None, 400, 403), response
    assert gate.workspace.requests == []


def test_headers_after_an_http2_body_never_complete_a_call(gate: Gate) -> None:
    gate.clear()
    with open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca, alpn=["h2"]) as sock:
        client = H2Client(sock)
        fields = h2_headers("PUT", "/api/2.0/fs/files/Volumes/x", HOST, TOKEN, [])
        response = client.collect(client.request(fields, b"body", [(b"x-http-method-override", b"DELETE")]))
    assert response.status != 200
    assert not [request for request in gate.workspace.requests if request.complete]


def test_headers_after_a_chunked_body_never_complete_a_call(gate: Gate) -> None:
    gate.clear()
    with open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca, alpn=["http/1.1"]) as sock:
        raw = head("PUT", "/api/2.0/fs/files/Volumes/x", "Transfer-Encoding: chunked")
        send_h1(sock, raw + b"1\r\nx\r\n0\r\nX-HTTP-Method-Override: DELETE\r\n\r\n")
        response = read_h1(sock)
    assert response is None or response.status != 200
    assert not [request for request in gate.workspace.requests if request.complete]


TUNNELS = {
    "another port": f"{HOST}:8443",
    "the plain port": f"{HOST}:80",
    "an address": "127.0.0.1:443",
    "an address in hexadecimal": "0x7f000001:443",
    "an IPv6 address": "[::1]:443",
    "the metadata service": "169.254.169.254:80",
    "a name that leads to loopback": "localhost:443",
    "another cloud": "adb-1.2.azuredatabricks.net:443",
    "a unified host": "acme.databricks.com:443",
}


@pytest.mark.parametrize("target", TUNNELS.values(), ids=TUNNELS)
def test_a_tunnel_that_would_not_be_judged_is_refused(gate: Gate, target: str) -> None:
    gate.clear()
    tunnel = connect(gate.proxy.proxy_url, target)
    tunnel.sock.close()
    assert tunnel.status in (403, 502)
    assert gate.workspace.connections == []


@pytest.mark.parametrize("method", ["Connect", "connect", "CONNECt"])
def test_connect_has_one_spelling(gate: Gate, method: str) -> None:
    gate.clear()
    with dial(gate.proxy.proxy_url) as sock:
        send_h1(sock, f"{method} {HOST}:443 HTTP/1.1\r\nHost: {HOST}:443\r\n\r\n".encode())
        response = read_h1(sock)
    assert response is None or response.status in (400, 403)
    assert gate.workspace.connections == []


IN_TUNNEL = {
    "plain HTTP": head(),
    "a raw protocol": b"\x00\x00\x00\x10hello, world....",
    "an SSH greeting": b"SSH-2.0-x\r\n",
    "an old TLS alert": b"\x15\x03\x01\x00\x02\x01\x00" + head(),
    "an SSLv2 hello": b"\x80\x2e\x01\x00\x02" + b"\x00" * 44,
}


@pytest.mark.parametrize("raw", IN_TUNNEL.values(), ids=IN_TUNNEL)
def test_nothing_but_tls_goes_through_a_tunnel_to_databricks(gate: Gate, raw: bytes) -> None:
    gate.clear()
    tunnel = connect(gate.proxy.proxy_url, f"{HOST}:443")
    assert tunnel.status == 200
    with tunnel.sock:
        send_h1(tunnel.sock, raw)
        assert hung_up(tunnel.sock)
    assert gate.workspace.connections == []


@pytest.mark.parametrize("sni", [OTHER, None, "example.com"])
def test_another_server_name_is_refused_with_words(gate: Gate, sni: str | None) -> None:
    gate.clear()
    tunnel = connect(gate.proxy.proxy_url, f"{HOST}:443")
    with tls(tunnel.sock, ca=None, sni=sni, alpn=["http/1.1"]) as sock:
        send_h1(sock, head())
        response = read_h1(sock)
    assert response is not None
    assert response.status == 403
    assert gate.workspace.requests == []


@pytest.mark.parametrize("host", [HOST + ".", HOST.upper() + "."])
def test_a_tunnel_in_an_odd_spelling_carries_nothing(gate: Gate, host: str) -> None:
    gate.clear()
    tunnel = connect(gate.proxy.proxy_url, f"{host}:443")
    assert tunnel.status == 200
    with tls(tunnel.sock, ca=None, sni=HOST, alpn=["http/1.1"]) as sock:
        send_h1(sock, head())
        response = read_h1(sock)
    assert response is not None
    assert response.status == 403
    assert gate.workspace.requests == []


PLAIN = {
    "an absolute URL": f"GET http://{HOST}{CATALOGS} HTTP/1.1\r\nHost: {HOST}\r\n{BEARER}\r\n\r\n",
    "an absolute https URL": f"GET https://{HOST}{CATALOGS} HTTP/1.1\r\nHost: {HOST}\r\n{BEARER}\r\n\r\n",
    "another URL and our Host": f"GET http://localhost/ HTTP/1.1\r\nHost: {HOST}\r\n{BEARER}\r\n\r\n",
    "our URL and another Host": f"GET http://{HOST}/ HTTP/1.1\r\nHost: example.com\r\n{BEARER}\r\n\r\n",
    "the port of TLS, in the clear": f"GET http://{HOST}:443/ HTTP/1.1\r\nHost: {HOST}:443\r\n{BEARER}\r\n\r\n",
    "origin form": head().decode(),
    "the metadata service": "GET http://169.254.169.254/latest/ HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n",
}


@pytest.mark.parametrize("raw", PLAIN.values(), ids=PLAIN)
def test_nothing_goes_to_databricks_in_the_clear(gate: Gate, raw: str) -> None:
    gate.clear()
    with dial(gate.proxy.proxy_url) as sock:
        send_h1(sock, raw.encode())
        response = read_h1(sock)
    assert response is None or response.status in (400, 403)
    assert gate.workspace.connections == []


def test_tls_to_the_proxy_itself_is_refused(gate: Gate) -> None:
    with dial(gate.proxy.proxy_url) as sock, pytest.raises(ssl.SSLError):
        tls(sock, ca=None, sni="proxy", alpn=["h2"])


def test_other_hosts_are_relayed_untouched_but_not_to_databricks(
    tmp_path: Path, proxy_authority: Path
) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        running_gate(
            tmp_path,
            proxy_authority,
            "--set",
            f"scope_connect_to=other.example=127.0.0.1:{server.getsockname()[1]}",
        ) as gate,
    ):
        server.settimeout(10)
        tunnel = connect(gate.proxy.proxy_url, "other.example:22")
        assert tunnel.status == 200
        peer, _ = server.accept()
        peer.sendall(b"server speaks first")
        assert tunnel.sock.recv(100) == b"server speaks first"
        tunnel.sock.sendall(b"raw \x00 bytes")
        peer.settimeout(10)
        assert peer.recv(100) == b"raw \x00 bytes"
        tunnel.sock.close()
        peer.close()
        # The same tunnel must not carry TLS that names a workspace.
        tunnel = connect(gate.proxy.proxy_url, "other.example:443")
        peer, _ = server.accept()
        with pytest.raises(OSError, match=r"EOF|reset"):
            tls(tunnel.sock, ca=None, sni=HOST, alpn=["http/1.1"])
        assert hung_up(peer)
        peer.close()
        reasons = [record["reason"] for record in gate.proxy.audit("tunnel")]
    assert reasons == ["other_host", "other_host", "server_name_mismatch"]


def test_other_hosts_can_be_closed(tmp_path: Path, proxy_authority: Path) -> None:
    with running_gate(tmp_path, proxy_authority, "--set", "scope_other_hosts=deny") as gate:
        assert connect(gate.proxy.proxy_url, "example.com:443").status == 403
        assert allowed(gate) == 200


def test_no_line_of_the_log_or_the_output_holds_a_token(gate: Gate) -> None:
    with open_tls(gate.proxy.proxy_url, HOST, ca=gate.ca, alpn=["http/1.1"]) as sock:
        send_h1(sock, head("GET", f"/api/{TOKEN}", f"User-Agent: {TOKEN}"))
        assert read_h1(sock) is not None
    assert TOKEN not in gate.proxy.audit_file.read_text()
    assert TOKEN not in gate.proxy.output
