"""Host, framing and workspace of a request: each value in each place, and what is read of them."""

from __future__ import annotations

import pytest

from brickscope.core.path import Reading
from brickscope.core.placeholder import make_placeholder
from brickscope.core.reason import Reason
from brickscope.core.request import ApiRequest, WireRequest, read_request
from core.refusal import refusal
from core.wire import HOST, TOKEN, h1, h1_headers, h2

BEARER = b"Bearer " + TOKEN
OTHER = b"dbc-other.cloud.databricks.com"


def test_everything_that_is_read_of_a_request() -> None:
    fields = h1_headers(
        (b"Content-Type", b"application/json"),
        (b"Content-Length", b"12"),
        (b"Content-Encoding", b"gzip"),
        (b"X-Databricks-Org-Id", b"17"),
    )
    assert read_request(h1(b"POST", b"/api/2.0/a%20b/?o=17&x=1", fields)) == ApiRequest(
        method="POST",
        host=HOST,
        path="/api/2.0/a%20b/",
        readings=(Reading(("api", "2.0", "a b"), ("api", "2.0", "a b"), "o=17&x=1"),),
        query="o=17&x=1",
        authorization=BEARER,
        content_type="application/json",
        content_length=12,
        user_agent="databricks-sdk-py/0.156.0 python/3.12.1 os/linux auth/pat",
        workspace="17",
        has_body=True,
        content_encoding="gzip",
        may_have_body=True,
    )
    bare = read_request(h1(b"GET", b"/", [(b"Host", HOST.encode())]))
    assert bare == ApiRequest(
        "GET", HOST, "/", (Reading((), (), None),), None, None, "", None, "", None, False, "", False
    )
    assert read_request(h1(headers=h1_headers((b"Content-Type", b"caf\xe9")))).content_type == "caf\u00e9"


# headers, ended, content_length, has_body, may_have_body; over HTTP/1.1 and HTTP/2
BODIES: dict[str, tuple[WireRequest, int | None, bool, bool]] = {
    "none": (h1(), None, False, False),
    "none, of length 0": (h1(headers=h1_headers((b"Content-Length", b"0"))), 0, False, False),
    "of a length": (h1(headers=h1_headers((b"Content-Length", b"7"))), 7, True, True),
    "chunked": (h1(headers=h1_headers((b"Transfer-Encoding", b"chunked"))), None, True, True),
    "over HTTP/2, not announced": (h2(), None, False, True),
    "over HTTP/2, ended": (h2()._replace(ended=True), None, False, False),
    "over HTTP/2, of length 0": (h2(headers=[(b"content-length", b"0")]), 0, False, False),
    "over HTTP/2, of a length": (h2(headers=[(b"content-length", b"7")]), 7, True, True),
    "over HTTP/2, of a length, and ended": (
        h2(headers=[(b"content-length", b"7")])._replace(ended=True),
        7,
        True,
        False,
    ),
}


@pytest.mark.parametrize(("wire", "length", "has", "may"), BODIES.values(), ids=BODIES)
def test_whether_a_body_comes(wire: WireRequest, length: int | None, has: bool, may: bool) -> None:
    found = read_request(wire)
    assert (found.content_length, found.has_body, found.may_have_body) == (length, has, may)


LENGTHS = {b"0": 0, b"1": 1, b"10": 10, b"9" * 18: 10**18 - 1}
NO_LENGTHS = [
    b"",
    b"00",
    b"01",
    b"+1",
    b"-1",
    b" 1",
    b"1 ",
    b"1_0",
    b"0x1",
    b"1.0",
    b"1" * 19,
    "\u0661".encode(),
    b"1,1",
]


def test_lengths() -> None:
    for value, length in LENGTHS.items():
        assert read_request(h1(headers=h1_headers((b"Content-Length", value)))).content_length == length
    for value in NO_LENGTHS:
        assert refusal(read_request, h1(headers=h1_headers((b"Content-Length", value)))) == (
            Reason.HEADER_MALFORMED,
            "the header Content-Length is not a plain decimal number",
        )


CONNECTION = "the header Connection has options other than keep-alive and close"
TWO_WAYS = "the body's length is given twice (Transfer-Encoding)"
TE = "the header TE requests a transfer coding"
EXPECT = "the header Expect is not 100-continue"
# a header, whether it passes over HTTP/1.1, whether over HTTP/2, why not
FRAMING = [
    (b"connection", b"keep-alive", True, False, CONNECTION),
    (b"connection", b"Keep-Alive", True, False, CONNECTION),
    (b"connection", b"close", True, False, CONNECTION),
    (b"connection", b"Close", True, False, CONNECTION),
    (b"connection", b"", False, False, CONNECTION),
    (b"connection", b"close, te", False, False, CONNECTION),
    (b"connection", b"upgrade", False, False, CONNECTION),
    (b"connection", b"authorization", False, False, CONNECTION),
    (b"transfer-encoding", b"chunked", True, False, TWO_WAYS),
    (b"transfer-encoding", b"Chunked", False, False, TWO_WAYS),
    (b"transfer-encoding", b"", False, False, TWO_WAYS),
    (b"transfer-encoding", b"identity", False, False, TWO_WAYS),
    (b"transfer-encoding", b"chunked, chunked", False, False, TWO_WAYS),
    (b"te", b"trailers", True, True, TE),
    (b"te", b"Trailers", True, True, TE),
    (b"te", b"", False, False, TE),
    (b"te", b"trailers, gzip", False, False, TE),
    (b"expect", b"100-continue", True, True, EXPECT),  # RFC 9110 section 10.1.1: HTTP/1.1 or later
    (b"expect", b"100-Continue", True, True, EXPECT),
    (b"expect", b"", False, False, EXPECT),
    (b"expect", b"100-continue, x", False, False, EXPECT),
]


@pytest.mark.parametrize(("name", "value", "first", "second", "why"), FRAMING)
def test_who_handles_headers_and_length(
    name: bytes, value: bytes, first: bool, second: bool, why: str
) -> None:
    plain = [field for field in h1_headers() if field[0].lower() != name]
    for wire, passes in (
        (h1(headers=[*plain, (name.title(), value)]), first),
        (h2(headers=[(b"authorization", BEARER), (name, value)]), second),
    ):
        if passes:
            assert read_request(wire).host == HOST
        else:
            assert refusal(read_request, wire) == (Reason.HEADER_FORBIDDEN, why)


def test_a_length_and_chunks_are_two_lengths() -> None:
    both = h1_headers((b"Content-Length", b"0"), (b"Transfer-Encoding", b"chunked"))
    assert refusal(read_request, h1(headers=both)) == (Reason.HEADER_FORBIDDEN, TWO_WAYS)


VERSIONS = [
    (b"HTTP/1.1", b"http/1.1", True),
    (b"HTTP/1.1", None, True),
    (b"HTTP/1.1", b"", True),
    (b"HTTP/1.1", b"h2", False),
    (b"HTTP/2.0", b"h2", True),
    (b"HTTP/2.0", b"http/1.1", False),
    (b"HTTP/2.0", None, False),
    (b"HTTP/1.0", None, False),
    (b"HTTP/1.0", b"h2", False),
    (b"HTTP/3", None, False),
    (b"HTTP/3", b"h2", False),
    (b"", None, False),
    (b"http/1.1", None, False),
]


@pytest.mark.parametrize(("version", "alpn", "passes"), VERSIONS)
def test_the_version_is_what_tls_agreed_on(version: bytes, alpn: bytes | None, passes: bool) -> None:
    wire = h1(http_version=version, alpn=alpn)
    if version == b"HTTP/2.0":
        wire = wire._replace(
            authority=HOST.encode(), headers=[field for field in h1_headers() if field[0] != b"Connection"]
        )
    if passes:
        assert read_request(wire).host == HOST
    else:
        assert refusal(read_request, wire) == (
            Reason.HTTP_VERSION,
            "the request's HTTP version is not the one negotiated for the connection",
        )


@pytest.mark.parametrize("method", [b"DELETE", b"GET", b"HEAD", b"OPTIONS", b"PATCH", b"POST", b"PUT"])
def test_the_methods_that_pass(method: bytes) -> None:
    assert read_request(h1(method)).method == method.decode()
    assert refusal(read_request, h1(method.lower()))[0] is Reason.METHOD_NOT_CANONICAL


def test_a_method_is_told_clipped() -> None:
    reason, detail = refusal(read_request, h1(b"X" * 100 + b"\xff"))
    assert reason is Reason.METHOD_NOT_CANONICAL
    assert detail == f"the method {'X' * 24!r} is none of DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
    assert "'\\xff'" in refusal(read_request, h1(b"\xff"))[1]


def test_a_whole_url_inside_a_tunnel_is_refused() -> None:
    assert refusal(read_request, h1(authority=HOST.encode())) == (
        Reason.TARGET_NOT_ORIGIN_FORM,
        "the request target is a full URL, inside a tunnel",
    )


TUNNEL = "the tunnel's target is not a plain lower-case host name"
SERVER = "the TLS server name is not the host the tunnel was opened to"
NAME = "the Host header is not the host the tunnel was opened to"


def host(value: bytes | None) -> list[tuple[bytes, bytes]]:
    return [(b"Host", value)] if value is not None else []


# the wire, None or why it is refused
HOSTS: dict[str, tuple[WireRequest, str | None]] = {
    "the host": (h1(headers=host(HOST.encode())), None),
    "the host in capitals": (h1(headers=host(HOST.upper().encode())), None),
    "the host with the port": (h1(headers=host(HOST.encode() + b":443")), None),
    "the host in capitals with the port": (h1(headers=host(HOST.upper().encode() + b":443")), None),
    "another": (h1(headers=host(OTHER)), NAME),
    "the host with another port": (h1(headers=host(HOST.encode() + b":80")), NAME),
    "the host with an empty port": (h1(headers=host(HOST.encode() + b":")), NAME),
    "the host with the port twice": (h1(headers=host(HOST.encode() + b":443:443")), NAME),
    "the port alone": (h1(headers=host(b":443")), NAME),
    "an empty one": (h1(headers=host(b"")), NAME),
    "none": (h1(headers=[]), "the request has no Host header"),
    "another server name": (h1(server_name=OTHER.decode()), SERVER),
    "no server name": (h1(server_name=None), SERVER),
    "an empty server name": (h1(server_name=""), SERVER),
    "a server name in capitals": (h1(server_name=HOST.upper()), None),
    "a tunnel in capitals": (h1(tunnel_host=HOST.upper(), server_name=HOST.upper()), TUNNEL),
    "a tunnel to an address": (
        h1(headers=host(b"10.0.0.1"), tunnel_host="10.0.0.1", server_name="10.0.0.1"),
        TUNNEL,
    ),
    "over HTTP/2": (h2(), None),
    "over HTTP/2 with the port": (h2(authority=HOST.encode() + b":443"), None),
    "over HTTP/2 another": (h2(authority=OTHER), NAME),
    "over HTTP/2 none": (h2(authority=b""), NAME),
    "over HTTP/2 both": (h2(headers=[(b"host", HOST.encode())]), None),
    "over HTTP/2 both, which differ": (h2(headers=[(b"host", OTHER)]), NAME),
    "over HTTP/2 both, and :authority differs": (
        h2(headers=[(b"host", HOST.encode())], authority=OTHER),
        NAME,
    ),
    "over HTTP/2 Host alone": (h2(headers=[(b"host", HOST.encode())], authority=b""), NAME),
}


@pytest.mark.parametrize(("wire", "why"), HOSTS.values(), ids=HOSTS)
def test_all_names_of_the_host_are_one(wire: WireRequest, why: str | None) -> None:
    if why is None:
        assert read_request(wire).host == HOST
    else:
        assert refusal(read_request, wire) == (Reason.HOST_MISMATCH, why)


NEW, LEGACY = b"X-Databricks-Workspace-Id", b"X-Databricks-Org-Id"
# query, headers, the workspace
CHOSEN: dict[str, tuple[str, list[tuple[bytes, bytes]], str | None]] = {
    "none": ("", [], None),
    "none among other parameters": ("?a=1&b=o", [], None),
    "by the query": ("?o=17", [], "17"),
    "by the query, at its end": ("?a=1&o=17", [], "17"),
    "by the query's other name": ("?workspace_id=17", [], "17"),
    "by the query, encoded": ("?%6F=17", [], "17"),
    "by the query, in capitals": ("?O=17", [], "17"),
    "by the query, like a list": ("?o[]=17", [], "17"),
    "by the query, after a semicolon": ("?a=1;o=17", [], "17"),
    "by the query, twice the same": ("?o=17&o=17", [], "17"),
    "by the header": ("", [(NEW, b"17")], "17"),
    "by the legacy header": ("", [(LEGACY, b"17")], "17"),
    "by both headers": ("", [(LEGACY, b"17"), (NEW, b"17")], "17"),
    "by header and query": ("?o=17", [(NEW, b"17")], "17"),
    "by legacy header and query": ("?o=17", [(LEGACY, b"17")], "17"),
    "by a long number": ("", [(NEW, b"1" * 20)], "1" * 20),
    "by nothing": ("?o=", [], ""),
    "by what has an equals sign": ("?o=17=18", [], "17=18"),
    "without an equals sign, which no binding names": ("?o", [], ""),
}


@pytest.mark.parametrize(("query", "fields", "workspace"), CHOSEN.values(), ids=CHOSEN)
def test_which_workspace_is_chosen(
    query: str, fields: list[tuple[bytes, bytes]], workspace: str | None
) -> None:
    assert read_request(h1(target=f"/a{query}".encode(), headers=h1_headers(*fields))).workspace == workspace


TWO: list[tuple[str, list[tuple[bytes, bytes]]]] = [
    ("?o=1&o=2", []),
    ("?o=1&O=2", []),
    ("?o=1;workspace_id=2", []),
    ("?o=1", [(NEW, b"2")]),
    ("?o=1", [(LEGACY, b"2")]),
    ("", [(LEGACY, b"1"), (NEW, b"2")]),
    ("?a=b&o=", [(NEW, b"2")]),
]


@pytest.mark.parametrize(("query", "fields"), TWO)
def test_two_workspaces_are_refused(query: str, fields: list[tuple[bytes, bytes]]) -> None:
    assert refusal(read_request, h1(target=f"/a{query}".encode(), headers=h1_headers(*fields))) == (
        Reason.HEADER_DUPLICATE,
        "the request selects two different workspaces",
    )


@pytest.mark.parametrize("name", [NEW, LEGACY])
@pytest.mark.parametrize("value", [b"", b"x", b"17 ", b"1,2", b"-1", b"1" * 21, b"\xb2"])
def test_a_workspace_that_is_no_number_is_refused(name: bytes, value: bytes) -> None:
    reason, detail = refusal(read_request, h1(headers=h1_headers((name, value))))
    assert reason is Reason.HEADER_MALFORMED
    assert detail == f"the header {name.decode().lower()} is not a workspace id"


def test_a_credential_in_te_is_a_second_one_also_where_nothing_is_enforced() -> None:
    """What TE may not say is only a flaw, which ``monitor`` lets go on."""
    for value, reason in (
        (b"Bearer " + TOKEN, Reason.MULTIPLE_CREDENTIALS),
        (make_placeholder(bytes(32)).encode(), Reason.PLACEHOLDER_MISPLACED),
    ):
        assert refusal(read_request, h1(headers=h1_headers((b"TE", value))))[0] is reason
