"""The one reading of a request: two of everything, names that differ, headers that overrule, odd bytes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from brickscope.core.decision import Refused
from brickscope.core.reason import Kind, Reason
from brickscope.core.request import WireRequest, read_request
from core.refusal import refusal, tried
from core.wire import HOST, TOKEN, h1, h1_headers, h2
from examples import examples
from reaching import reaching

OTHER = "dbc-other.cloud.databricks.com"
BEARER = b"Bearer " + TOKEN


def without(name: bytes) -> list[tuple[bytes, bytes]]:
    return [field for field in h1_headers() if field[0] != name]


def changed(name: bytes, value: bytes) -> list[tuple[bytes, bytes]]:
    return [(key, value if key == name else old) for key, old in h1_headers()]


PASSES = {
    "the SDK's request": h1(),
    "a request with a query": h1(target=b"/api/2.1/unity-catalog/catalogs?max_results=0"),
    "a port in Host": h1(headers=changed(b"Host", HOST.encode() + b":443")),
    "Host in capitals": h1(headers=changed(b"Host", HOST.upper().encode())),
    "a server name in capitals": h1(server_name=HOST.upper()),
    "no ALPN": h1(alpn=None),
    "no Connection header": h1(headers=without(b"Connection")),
    "Connection: close": h1(headers=changed(b"Connection", b"close")),
    "a body": h1(b"POST", headers=h1_headers((b"Content-Length", b"12"))),
    "an empty body": h1(b"POST", headers=h1_headers((b"Content-Length", b"0"))),
    "a chunked body": h1(b"PUT", headers=h1_headers((b"Transfer-Encoding", b"chunked"))),
    "Expect": h1(b"PUT", headers=h1_headers((b"Content-Length", b"9"), (b"Expect", b"100-continue"))),
    "a workspace header": h1(headers=h1_headers((b"X-Databricks-Workspace-Id", b"123"))),
    "a workspace header and the same in the query": h1(
        target=b"/api/2.0/jobs/list?o=123", headers=h1_headers((b"X-Databricks-Workspace-Id", b"123"))
    ),
    "a page token in the query": h1(target=b"/api/2.0/jobs/list?page_token=abc"),
    "headers with underscores that mean nothing": h1(headers=h1_headers((b"my_header", b"x"))),
    "8-bit text in a header of no concern": h1(headers=h1_headers((b"X-Note", "caf\u00e9".encode()))),
    "an If-Match header": h1(headers=h1_headers((b"If-Match", b'"x"'))),
    "traceparent": h1(headers=h1_headers((b"traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad-01"))),
    "two Accept headers": h1(headers=h1_headers((b"Accept", b"text/plain"))),
    "gRPC over HTTP/2": h2(),
    "HTTP/2 with a Host header that agrees": h2(
        headers=[(b"host", HOST.encode()), (b"authorization", BEARER)]
    ),
}

REFUSED = {
    "two Hosts": (h1(headers=h1_headers((b"Host", HOST.encode()))), Reason.HEADER_DUPLICATE),
    "another Host": (h1(headers=changed(b"Host", OTHER.encode())), Reason.HOST_MISMATCH),
    "no Host": (h1(headers=without(b"Host")), Reason.HOST_MISMATCH),
    "an empty Host": (h1(headers=changed(b"Host", b"")), Reason.HOST_MISMATCH),
    "a Host with a trailing dot": (h1(headers=changed(b"Host", HOST.encode() + b".")), Reason.HOST_MISMATCH),
    "a Host with another port": (
        h1(headers=changed(b"Host", HOST.encode() + b":8443")),
        Reason.HOST_MISMATCH,
    ),
    "a Host with a user": (h1(headers=changed(b"Host", b"x@" + HOST.encode())), Reason.HOST_MISMATCH),
    "a Host list": (h1(headers=changed(b"Host", HOST.encode() + b", x")), Reason.HOST_MISMATCH),
    "another server name": (h1(server_name=OTHER), Reason.HOST_MISMATCH),
    "no server name": (h1(server_name=None), Reason.HOST_MISMATCH),
    "a tunnel with a trailing dot": (
        h1(tunnel_host=HOST + ".", server_name=HOST + "."),
        Reason.HOST_MISMATCH,
    ),
    "another :authority": (h2(authority=OTHER.encode()), Reason.HOST_MISMATCH),
    "an empty :authority": (h2(authority=b""), Reason.HOST_MISMATCH),
    "a Host that differs from :authority": (h2(headers=[(b"host", OTHER.encode())]), Reason.HOST_MISMATCH),
    "an absolute form": (h1(authority=HOST.encode()), Reason.TARGET_NOT_ORIGIN_FORM),
    "HTTP/1.0": (h1(http_version=b"HTTP/1.0"), Reason.HTTP_VERSION),
    "HTTP/2.0 in a request line": (h1(http_version=b"HTTP/2.0"), Reason.HTTP_VERSION),
    "HTTP/1.1 where HTTP/2 was negotiated": (h1(alpn=b"h2"), Reason.HTTP_VERSION),
    "a method in lower case": (h1(b"get"), Reason.METHOD_NOT_CANONICAL),
    "a method in mixed case": (h1(b"DeLeTe"), Reason.METHOD_NOT_CANONICAL),
    "an unknown method": (h1(b"FOO"), Reason.METHOD_NOT_CANONICAL),
    "TRACE": (h1(b"TRACE"), Reason.METHOD_NOT_CANONICAL),
    "CONNECT inside": (h1(b"CONNECT"), Reason.METHOD_NOT_CANONICAL),
    "an empty method": (h1(b""), Reason.METHOD_NOT_CANONICAL),
    "a method with a space": (h1(b"GET "), Reason.METHOD_NOT_CANONICAL),
    "a space in an HTTP/2 path": (h2(target=b"/a b"), Reason.PATH_NOT_CANONICAL),
    "two Authorization headers": (
        h1(headers=h1_headers((b"authorization", BEARER))),
        Reason.MULTIPLE_CREDENTIALS,
    ),
    "a cookie": (h1(headers=h1_headers((b"Cookie", b"DBAUTH=dbws.1.x"))), Reason.MULTIPLE_CREDENTIALS),
    "a token in the query": (h1(target=b"/a?access_token=x"), Reason.MULTIPLE_CREDENTIALS),
    "a token in the query, name encoded": (h1(target=b"/a?access%5Ftoken=x"), Reason.MULTIPLE_CREDENTIALS),
    "a token in the query, in capitals": (h1(target=b"/a?b=1&ACCESS_TOKEN=x"), Reason.MULTIPLE_CREDENTIALS),
    "a Databricks token as a query value": (h1(target=b"/a?q=" + TOKEN), Reason.MULTIPLE_CREDENTIALS),
    "two Content-Lengths": (
        h1(b"POST", headers=h1_headers((b"Content-Length", b"1"), (b"Content-Length", b"1"))),
        Reason.HEADER_DUPLICATE,
    ),
    "a Content-Length list": (h1(headers=h1_headers((b"Content-Length", b"1, 1"))), Reason.HEADER_MALFORMED),
    "a signed Content-Length": (h1(headers=h1_headers((b"Content-Length", b"+1"))), Reason.HEADER_MALFORMED),
    "a zero-led Content-Length": (
        h1(headers=h1_headers((b"Content-Length", b"01"))),
        Reason.HEADER_MALFORMED,
    ),
    "two lengths": (
        h1(headers=h1_headers((b"Content-Length", b"1"), (b"Transfer-Encoding", b"chunked"))),
        Reason.HEADER_FORBIDDEN,
    ),
    "another transfer coding": (
        h1(headers=h1_headers((b"Transfer-Encoding", b"gzip, chunked"))),
        Reason.HEADER_FORBIDDEN,
    ),
    "a transfer coding in HTTP/2": (
        h2(headers=[(b"transfer-encoding", b"chunked")]),
        Reason.HEADER_FORBIDDEN,
    ),
    "Connection names a header": (
        h1(headers=changed(b"Connection", b"authorization")),
        Reason.HEADER_FORBIDDEN,
    ),
    "two Connections": (h1(headers=h1_headers((b"Connection", b"close"))), Reason.HEADER_DUPLICATE),
    "Upgrade": (h1(headers=h1_headers((b"Upgrade", b"websocket"))), Reason.UPGRADE_REFUSED),
    "Upgrade to anything": (h1(headers=h1_headers((b"Upgrade", b"foo"))), Reason.UPGRADE_REFUSED),
    "announced trailers": (h1(headers=h1_headers((b"Trailer", b"Authorization"))), Reason.TRAILERS_REFUSED),
    "TE other than trailers": (h1(headers=h1_headers((b"TE", b"gzip"))), Reason.HEADER_FORBIDDEN),
    "Expect something else": (h1(headers=h1_headers((b"Expect", b"200-ok"))), Reason.HEADER_FORBIDDEN),
    "two workspaces": (
        h1(headers=h1_headers((b"X-Databricks-Org-Id", b"1"), (b"X-Databricks-Workspace-Id", b"2"))),
        Reason.HEADER_DUPLICATE,
    ),
    "another workspace in the query": (
        h1(target=b"/a?o=2", headers=h1_headers((b"X-Databricks-Org-Id", b"1"))),
        Reason.HEADER_DUPLICATE,
    ),
    "two workspaces in the query": (h1(target=b"/a?o=2&o=3"), Reason.HEADER_DUPLICATE),
    "an override in CGI spelling": (
        h1(headers=h1_headers((b"X_Forwarded_Host", b"x"))),
        Reason.HEADER_FORBIDDEN,
    ),
    "Host in CGI spelling is no Host, but": (
        h1(headers=h1_headers((b"x_http_method_override", b"DELETE"))),
        Reason.HEADER_FORBIDDEN,
    ),
    "an Envoy header": (h1(headers=h1_headers((b"X-Envoy-Original-Path", b"/x"))), Reason.HEADER_FORBIDDEN),
    "our own header": (h1(headers=h1_headers((b"X-Brickscope-Reason", b"x"))), Reason.HEADER_FORBIDDEN),
    "a folded header": (h1(headers=h1_headers((b"X", b"1\r\n\tAuthorization: x"))), Reason.HEADER_MALFORMED),
    "a NUL in a header": (h1(headers=h1_headers((b"X", b"a\x00b"))), Reason.HEADER_MALFORMED),
    "a bare CR in a header": (h1(headers=h1_headers((b"X", b"a\rb"))), Reason.HEADER_MALFORMED),
    "a space in a header name": (
        h1(headers=h1_headers((b"Authorization ", BEARER))),
        Reason.HEADER_MALFORMED,
    ),
    "an 8-bit header name": (h1(headers=h1_headers((b"Aut\xadhorization", b"x"))), Reason.HEADER_MALFORMED),
    "an empty header name": (h1(headers=h1_headers((b"", b"x"))), Reason.HEADER_MALFORMED),
}


@pytest.mark.parametrize("wire", PASSES.values(), ids=PASSES)
def test_what_real_clients_send_is_read(wire: WireRequest) -> None:
    request = read_request(wire)
    assert request.host == HOST
    assert request.path == wire.target.partition(b"?")[0].decode()
    assert request.authorization == BEARER
    assert request.flaw is None
    assert len(request.readings) == 1


@pytest.mark.parametrize(("wire", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_no_rule_can_allow(wire: WireRequest, reason: Reason) -> None:
    found, detail = refusal(read_request, wire)
    assert found is reason
    assert TOKEN.decode() not in detail


FLAWS = {
    "an override": (b"X-Forwarded-Host", b"x"),
    "a cookie": (b"Cookie", b"theme=dark"),
    "an odd header": (b"TE", b"deflate"),
}


@pytest.mark.parametrize("field", FLAWS.values(), ids=FLAWS)
@pytest.mark.parametrize("name", REFUSED)
def test_a_flaw_hides_nothing_that_is_refused_in_every_mode(name: str, field: tuple[bytes, bytes]) -> None:
    """Monitor lets a flaw go on, so it must not be the last thing that is looked at."""
    wire = REFUSED[name][0]
    alone = tried(read_request, wire)
    for fields in ([field, *wire.headers], [*wire.headers, field]):
        read = tried(read_request, wire._replace(headers=fields))
        if isinstance(alone, Refused):
            assert isinstance(read, Refused), name
        else:
            assert isinstance(read, Refused) or read.flaw is not None


@pytest.mark.parametrize(
    "odd", [b"/a//b?", b"/a/%zz?", b"/a/../b?", b"/a?%zz&", b"/a?x=%c0&", b"/a?%c0&", b"/a#?", b"/a;"]
)
@pytest.mark.parametrize(
    "query", [b"q=" + TOKEN, TOKEN + b"=1", b"a%2526q=" + TOKEN, b"o=2&o=3", b"o=2;%6F=3"]
)
def test_nor_does_a_target_that_is_not_regular(odd: bytes, query: bytes) -> None:
    with pytest.raises(Refused) as refused:
        read_request(h1(target=odd + query))
    assert refused.value.reason in (Reason.MULTIPLE_CREDENTIALS, Reason.HEADER_DUPLICATE)


CHOICES = {
    "in another case": b"/a?o=1&O=1",
    "as an element of a list": b"/a?o=1&o[]=1",
    "behind another separator": b"/a?o=1&x=1;o=1",
    "with an encoded number": b"/a?o=%31",
    "with an encoded name": b"/a?o=1&%256F=1",
    "in a path's parameters": b"/a;o=1?o=1",
}


@pytest.mark.parametrize("target", CHOICES.values(), ids=CHOICES)
def test_no_rule_allows_a_workspace_that_is_chosen_in_an_odd_way(target: bytes) -> None:
    """Even where it is the one that is chosen plainly: a router may see one of them, and the workspace another."""
    request = read_request(h1(target=target))
    assert request.workspace == "1"
    assert request.flaw is not None
    assert request.flaw.reason is Reason.QUERY_NOT_CANONICAL
    assert request.flaw.detail == "a parameter could select the workspace ('o')"


@pytest.mark.parametrize(
    "path",
    [b"/a/b;jsessionid=A1B2", b"/a/b%3BJSESSIONID=A1B2", b"/a;access_token=x/b", b"/a;access_token=x%3Fy=1"],
)
def test_a_credential_among_the_parameters_of_a_path_is_a_second_one(path: bytes) -> None:
    assert refusal(read_request, h1(target=path))[0] is Reason.MULTIPLE_CREDENTIALS


_bytes = st.binary(max_size=20)
_PIECES = [b"api", b"2.0", b"/", b"/", b"?", b"&", b"o=1", b"a=b", b"%20", b"%2F", b"..", b"\xff", b" "]
_ODD_HEADERS = st.sampled_from(
    [
        (b"Host", b"other.example"),
        (b"authorization", BEARER),
        (b"Content-Length", b"12"),
        (b"Content-Length", b"+1"),
        (b"TE", b"trailers"),
        (b"TE", b"gzip"),
        (b"X-Forwarded-Host", b"x"),
        (b"Cookie", b"x"),
        (b"x-note", b"y"),
    ]
) | st.tuples(st.sampled_from([b"TE", b"x-note", b"Expect"]) | _bytes, _bytes)


def _mostly(good: Any, odd: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """The good one four times out of five, so that no part of a request hides the others."""
    return st.integers(0, 4).flatmap(lambda chance: odd if chance == 0 else st.just(good))


@st.composite
def _wires(draw: st.DrawFn) -> WireRequest:
    fields = [field for field in h1_headers() if draw(st.integers(0, 19))]
    for extra in draw(st.lists(_ODD_HEADERS, max_size=2)):
        fields.insert(draw(st.integers(0, len(fields))), extra)
    target = st.lists(st.sampled_from(_PIECES), max_size=6).map(lambda pieces: b"/" + b"".join(pieces))
    return h1(
        draw(_mostly(b"GET", st.sampled_from([b"POST", b"get", b"TRACE"]) | _bytes)),
        draw(_mostly(b"/api/2.0/x?o=1", target | _bytes)),
        fields,
        authority=draw(_mostly(b"", _bytes)),
        http_version=draw(_mostly(b"HTTP/1.1", st.sampled_from([b"HTTP/2.0", b"HTTP/9.9", b""]))),
        server_name=draw(_mostly(HOST, st.none() | st.text(max_size=9))),
        alpn=draw(_mostly(None, st.sampled_from([b"h2", b"http/1.1"]) | _bytes)),
    )


@reaching(0.08, _wires())
@settings(max_examples=examples(400))
def test_reading_never_raises_anything_else(wire: WireRequest) -> bool:
    request = tried(read_request, wire)
    if isinstance(request, Refused):
        assert request.reason.kind in (Kind.READING, Kind.DESTINATION, Kind.FORBIDDEN)
        return False
    assert request.path.encode() == wire.target.partition(b"?")[0]
    assert request.method.encode() == wire.method
    assert request.authorization in (None, BEARER, *(value for _, value in wire.headers))
    return True


@pytest.mark.no_cover  # a property
def test_the_requests_of_that_property_stop_at_every_door() -> None:
    """What is never refused for one reason never came as far as the check for it."""
    reasons: set[Reason] = set()

    @given(_wires())
    @settings(max_examples=600, derandomize=True, database=None, phases=[Phase.generate])
    def gather(wire: WireRequest) -> None:
        read = tried(read_request, wire)
        if isinstance(read, Refused):
            reasons.add(read.reason)

    gather()
    assert reasons >= {
        Reason.HTTP_VERSION,
        Reason.METHOD_NOT_CANONICAL,
        Reason.TARGET_NOT_ORIGIN_FORM,
        Reason.PATH_NOT_CANONICAL,
        Reason.HEADER_DUPLICATE,
        Reason.HEADER_MALFORMED,
        Reason.HEADER_FORBIDDEN,
        Reason.MULTIPLE_CREDENTIALS,
        Reason.HOST_MISMATCH,
    }
